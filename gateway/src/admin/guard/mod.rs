//! Who may ask the admin side what: decided here for every request, before any page sees it.
//!
//! | request | admitted |
//! | --- | --- |
//! | any | `Host` is an IP address, `localhost`, a name without a dot, or in `admin.hosts` (DNS rebinding), else 421 |
//! | any | not made by a page of another origin (`Origin`, `Sec-Fetch-Site`); links into the admin side may be followed. Else 403 |
//! | `/healthz`, `/readyz` | always |
//! | reads | on a loopback address; elsewhere with the token or a client certificate, else 401 |
//! | writes: every method but GET and HEAD | with a client certificate, or with the token where there is one, else 401; where there is none, from this machine, else 403; never as a form, else 415 |
//! | on `admin.metrics_address` | `/metrics`, `/healthz`, `/readyz` alone, GET and HEAD, without a token |

mod host;
mod token;

use std::net::SocketAddr;

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode, Version};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use weir_config::{Admin, is_loopback};

pub use token::{Token, TokenError};

/// At which of its addresses the admin side was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// `admin.address`.
    Admin,
    /// `admin.metrics_address`.
    Metrics,
}

/// Who asks, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub(super) peer: SocketAddr,
    pub(super) door: Door,
    /// Whether it has shown a certificate that `tls.client_ca` has signed.
    pub(super) certified: bool,
}

/// What a request was found to be entitled to, for the pages behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Granted {
    Read,
    Write,
}

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    #[error("weir is not called by this name; names that it answers to are set by admin.hosts")]
    Host,
    #[error("a page of another origin may not ask")]
    Origin,
    #[error(
        "this needs the token of admin.token_file (Authorization: Bearer …), or a client certificate where admin.tls has a client_ca"
    )]
    Token,
    #[error("without admin.token_file or a client certificate only this machine may change something")]
    Elsewhere,
    #[error("a form may not change anything; send application/json, or no body")]
    Form,
    #[error("only /metrics, /healthz and /readyz are here")]
    NotHere,
    #[error("only GET and HEAD are served here")]
    ReadOnly,
}

impl Denied {
    const fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin | Self::Elsewhere => StatusCode::FORBIDDEN,
            Self::Token => StatusCode::UNAUTHORIZED,
            Self::Form => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotHere => StatusCode::NOT_FOUND,
            Self::ReadOnly => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// The word in `weir_admin_denied_total{reason}`.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Origin => "origin",
            Self::Token => "token",
            Self::Elsewhere => "elsewhere",
            Self::Form => "form",
            Self::NotHere => "not_here",
            Self::ReadOnly => "read_only",
        }
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let mut response = (self.status(), format!("{self}\n")).into_response();
        if self == Self::Token {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"weir\""));
        }
        response
    }
}

/// Decides about a request, and writes down in it what was granted. `is_token` compares with the token that there is.
pub(super) fn admit(
    request: &mut Request,
    caller: Caller,
    admin: &Admin,
    is_token: impl FnOnce(&[u8]) -> bool,
) -> Result<(), Denied> {
    let granted = granted(request, caller, admin, is_token)?;
    request.extensions_mut().insert(granted);
    Ok(())
}

fn granted(
    request: &Request,
    caller: Caller,
    admin: &Admin,
    is_token: impl FnOnce(&[u8]) -> bool,
) -> Result<Granted, Denied> {
    let headers = request.headers();
    let host = called(request).ok_or(Denied::Host)?;
    if host.is_some_and(|host| !host::may_be(host, &admin.hosts)) {
        return Err(Denied::Host);
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_own_page(headers, host, reads) {
        return Err(Denied::Origin);
    }
    let path = request.uri().path();
    let is_health = matches!(path, "/healthz" | "/readyz");
    if caller.door == Door::Metrics {
        return match (is_health || path == "/metrics", reads) {
            (true, true) => Ok(Granted::Read),
            (true, false) => Err(Denied::ReadOnly),
            (false, _) => Err(Denied::NotHere),
        };
    }
    let needs_token =
        admin.token_file.is_some() && !caller.certified && !(reads && is_loopback(admin.address.ip()));
    if needs_token && !(reads && is_health) && !bearer(headers).is_some_and(is_token) {
        return Err(Denied::Token);
    }
    if reads {
        return Ok(Granted::Read);
    }
    if admin.token_file.is_none() && !caller.certified && !is_loopback(caller.peer.ip()) {
        return Err(Denied::Elsewhere);
    }
    if is_form(headers) { Err(Denied::Form) } else { Ok(Granted::Write) }
}

/// The name by which it is called, with its port. `Some(None)`: HTTP/1.0 without one, which no browser speaks. `None`: there must be
/// one and is not, or there are two that differ.
fn called(request: &Request) -> Option<Option<&str>> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (host, None) => host.map(HeaderValue::to_str).transpose().ok()?,
        _ => return None,
    };
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    match (host, target) {
        (Some(host), Some(target)) => host.eq_ignore_ascii_case(target).then_some(Some(host)),
        (Some(host), None) => Some(Some(host)),
        (None, Some(_)) => None,
        (None, None) => (request.version() == Version::HTTP_10).then_some(None),
    }
}

/// Whether no page of another origin has made the request. Programs send neither header. A link that is followed is no such request:
/// whoever wrote it learns nothing.
fn is_own_page(headers: &HeaderMap, host: Option<&str>, reads: bool) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or("null");
        let of = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if !of.zip(host).is_some_and(|(of, host)| of.eq_ignore_ascii_case(host)) {
            return false;
        }
    }
    match text("sec-fetch-site") {
        None | Some("same-origin" | "none") => true,
        Some(_) => {
            reads && text("sec-fetch-mode") == Some("navigate") && text("sec-fetch-dest") == Some("document")
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(only), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = only.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// The types that an HTML form can send to any origin without being asked (Fetch §2.2.2), and a body of no type at all.
fn is_form(headers: &HeaderMap) -> bool {
    const FORMS: [&str; 3] = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
    match headers.get(CONTENT_TYPE) {
        Some(of) => {
            let of = of.to_str().unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
            of.is_empty() || FORMS.contains(&of.as_str())
        }
        None => false,
    }
}

/// Routes that change something. They are reached only by a request that was found to be allowed to, even where somebody mounts them
/// elsewhere.
pub fn guarded<S: Clone + Send + Sync + 'static>(route: MethodRouter<S>) -> MethodRouter<S> {
    route.layer(from_fn(async |request: Request, next: Next| match request.extensions().get::<Granted>() {
        Some(Granted::Write) => next.run(request).await,
        _ => Denied::ReadOnly.into_response(),
    }))
}

#[cfg(test)]
mod tests;
