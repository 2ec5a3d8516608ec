//! Signs a message of weir's own, whose body is at hand.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest};
use http::Method;
use http::header::{HOST, HeaderMap, HeaderValue};
use weir_config::Endpoint;

use super::{host, is_signed, signature};

/// What is signed, besides its fields.
#[derive(Debug)]
pub struct Message<'m> {
    /// The service, as the signature spells it.
    pub service: &'m str,
    /// Its region.
    pub region: &'m str,
    /// The method.
    pub method: Method,
    /// Where to.
    pub endpoint: &'m Endpoint,
    /// Path and query.
    pub path: &'m str,
    /// The body as it is sent.
    pub body: &'m [u8],
}

/// A field that no signature covers, or a path that is none.
#[derive(Debug, thiserror::Error)]
#[error("the message cannot be signed")]
pub struct MessageError;

/// Adds the signature to the message's fields, and the `Host` that it covers.
///
/// # Errors
/// [`MessageError`].
pub fn sign_message(
    message: &Message<'_>,
    credentials: Credentials,
    headers: &mut HeaderMap,
    now: SystemTime,
) -> Result<(), MessageError> {
    let host = host(message.endpoint);
    headers.insert(HOST, HeaderValue::from_str(&host).map_err(|_| MessageError)?);
    let signed = headers.iter().filter(|(name, _)| is_signed(name));
    let signed: Option<Vec<_>> =
        signed.map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    let scheme = if message.endpoint.tls() { "https" } else { "http" };
    let request = SignableRequest::new(
        message.method.as_str(),
        format!("{scheme}://{host}{}", message.path),
        signed.ok_or(MessageError)?.into_iter(),
        SignableBody::Bytes(message.body),
    );
    let request = request.map_err(|_| MessageError)?;
    let put = signature(request, credentials, (message.service, message.region), now).ok_or(MessageError)?;
    headers.extend(put);
    Ok(())
}
