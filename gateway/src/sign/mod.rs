//! Signs requests to AWS with weir's own credentials (Signature Version 4), so that callers need none.
//!
//! The signature covers the body's hash, so the body is read whole first, within `sign.body_bytes_max`. Leaving it out
//! (`UNSIGNED-PAYLOAD`) is not an option: of SageMaker's and Bedrock's operations none allows it (botocore's service models: no
//! `unsignedPayload`). Signed are the host, the content type and AWS's own fields; everything that a proxy or a connection may add or
//! change is not (hop-by-hop fields, `via`, `x-forwarded-*`, `user-agent`).
//!
//! The signing itself is `aws-sigv4`'s. Credentials are not `aws-config`'s: that is 50 crates more, a second HTTP client and TLS stack
//! among them, for four sources that are a file, three variables and two plain-HTTP calls (`sources`). They are fetched and renewed
//! by the control plane (`keys`); a request takes what is there, and waits no longer than `sign.wait` when nothing is.
//!
//! Cost: one hash of the body, five short ones for the signature, some 30 small allocations. Secrets are in no log and no `Debug`.

mod fetch;
mod keys;
mod message;
mod sources;

use std::fmt::Write as _;
use std::future::poll_fn;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderName, HeaderValue, TRAILER,
    TRANSFER_ENCODING,
};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use weir_config::{Endpoint, Sign};

use crate::body::{Upload, UploadState};
use crate::message::{HeaderMap, RequestParts as Parts};
use crate::refusal::Refusal;

pub use keys::{Keys, keep_fresh};
pub use message::{Message, MessageError, sign_message};

/// What a caller may have sent of a signature of its own.
const THEIRS: [&str; 4] = ["x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "x-amz-signature"];

/// One backend's signer.
#[derive(Debug)]
pub struct Signer {
    service: &'static str,
    region: String,
    host: HeaderValue,
    body_bytes_max: u64,
    wait: Duration,
    keys: std::sync::Arc<Keys>,
}

/// A host that no header can hold: a bug in the checks.
#[derive(Debug, thiserror::Error)]
#[error("the endpoint's host cannot stand in a header")]
pub struct HostError;

impl Signer {
    /// A signer for requests to that endpoint.
    ///
    /// # Errors
    /// The endpoint's host cannot stand in a header.
    pub fn new(config: &Sign, endpoint: &Endpoint) -> Result<Self, HostError> {
        Ok(Self {
            service: config.service.as_str(),
            region: config.region.clone(),
            host: HeaderValue::from_str(&host(endpoint)).map_err(|_| HostError)?,
            body_bytes_max: config.body_bytes_max.0,
            wait: config.wait,
            keys: Keys::shared(config.credentials, config.profile.as_deref()),
        })
    }

    /// Where its credentials come from.
    #[must_use]
    pub fn keys(&self) -> &std::sync::Arc<Keys> {
        &self.keys
    }

    /// Reads the body whole and signs the head, which is then ready to be sent. `deadline` is when the whole request must be finished,
    /// and `limit` the time that it had.
    ///
    /// # Errors
    /// A body that is too large or broke off; no credentials in time; a field that cannot be signed.
    pub async fn sign(
        &self,
        head: &mut Parts,
        upload: &Upload,
        (deadline, limit): (Instant, Duration),
    ) -> Result<(), Refusal> {
        let held = tokio::time::timeout_at(deadline, self.hold(upload)).await;
        held.map_err(|_| Refusal::RequestTimeout(limit))??;
        let credentials = self.keys.wait(self.wait).await.ok_or(Refusal::NoCredentials)?;
        let mut hash = Sha256::new();
        upload.each_held(|piece| hash.update(piece));
        make_ours(&mut head.headers, &self.host, upload.held());
        self.put_signature(head, credentials, hex(&hash.finalize()), SystemTime::now())
    }

    async fn hold(&self, upload: &Upload) -> Result<(), Refusal> {
        let too_large = Refusal::BodyTooLarge(self.body_bytes_max);
        if !upload.limit(self.body_bytes_max) || upload.bytes() > self.body_bytes_max {
            return Err(too_large);
        }
        while upload.state() == UploadState::Open {
            let held = poll_fn(|cx| upload.poll_hold(cx)).await;
            held.map_err(|_| match upload.state() {
                UploadState::Gone => Refusal::ClientGone,
                UploadState::TooLarge => Refusal::BodyTooLarge(self.body_bytes_max),
                _ => Refusal::RequestBody,
            })?;
        }
        Ok(())
    }

    fn put_signature(
        &self,
        head: &mut Parts,
        credentials: Credentials,
        body_hash: String,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        const FAILED: Refusal = Refusal::BadRequest("the request cannot be signed");
        let signed = head.headers.iter().filter(|(name, _)| is_signed(name));
        let signed: Option<Vec<_>> =
            signed.map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
        let signed =
            signed.ok_or(Refusal::BadRequest("a field that is to be signed has other letters than ASCII"))?;
        let path = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let uri = format!("http://{}{path}", self.host.to_str().map_err(|_| FAILED)?);
        let request = SignableRequest::new(
            head.method.as_str(),
            uri,
            signed.into_iter(),
            SignableBody::Precomputed(body_hash),
        );
        let request = request.map_err(|_| FAILED)?;
        let put = signature(request, credentials, (self.service, &self.region), now).ok_or(FAILED)?;
        put.into_iter().for_each(|(name, value)| head.headers.insert(name, value));
        Ok(())
    }
}

/// The fields that sign a request for a service in a region.
fn signature(
    request: SignableRequest<'_>,
    credentials: Credentials,
    (service, region): (&str, &str),
    now: SystemTime,
) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .ok()?
        .into();
    let (put, _) = sign(request, &params).ok()?.into_parts();
    let each = put.headers().map(|(name, value)| {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    });
    each.collect()
}

/// The endpoint's `Host`: without the port where it is the scheme's own, as AWS's clients write it.
fn host(endpoint: &Endpoint) -> String {
    let authority = endpoint.authority();
    let default = if endpoint.tls() { ":443" } else { ":80" };
    authority.strip_suffix(default).map_or_else(|| authority.clone(), ToOwned::to_owned)
}

/// Takes away the caller's signature, and says what is known now: the host and the body's length.
fn make_ours(headers: &mut HeaderMap, host: &HeaderValue, held: usize) {
    for name in [AUTHORIZATION, EXPECT, TRANSFER_ENCODING, TRAILER] {
        headers.remove(name);
    }
    for name in THEIRS {
        headers.remove(name);
    }
    headers.insert(HOST, host.clone());
    if held > 0 || headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(held));
    }
}

fn is_signed(name: &HeaderName) -> bool {
    name == HOST || name == CONTENT_TYPE || name.as_str().starts_with("x-amz")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
