//! gRPC's own words: what its status says of a request, and how weir refuses one (grpc's PROTOCOL-HTTP2.md).
//!
//! A gRPC answer is 200 whatever happened; `grpc-status` in its trailers, or in its head when there is nothing else, says how it went.
//!
//! | `grpc-status` | outcome |
//! | --- | --- |
//! | 0 OK | `ok` |
//! | 1 CANCELLED | `cancelled` |
//! | 3 INVALID_ARGUMENT, 5 NOT_FOUND, 6 ALREADY_EXISTS, 7 PERMISSION_DENIED, 9 FAILED_PRECONDITION, 11 OUT_OF_RANGE, 16 UNAUTHENTICATED | `client_error` |
//! | 4 DEADLINE_EXCEEDED | `timeout` |
//! | 8 RESOURCE_EXHAUSTED | `shed` |
//! | 14 UNAVAILABLE | `not_ready` |
//! | 2 UNKNOWN, 10 ABORTED, 12 UNIMPLEMENTED, 13 INTERNAL, 15 DATA_LOSS, any other, none | `server_error` |

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use weir_telemetry::Outcome;

use crate::message::HeaderMap;
use crate::refusal::Refusal;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// What `grpc-message` escapes, beside everything that is not ASCII.
const MESSAGE: &AsciiSet = &CONTROLS.add(b'%');

/// Whether a message is gRPC's: `application/grpc`, with a suffix or parameters; not `application/grpc-web`, which is made for
/// HTTP/1.1.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| is_grpc_type(kind.as_bytes()))
}

fn is_grpc_type(kind: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    kind.get(..GRPC.len()).is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
        && matches!(kind.get(GRPC.len()), None | Some(b'+' | b';' | b' '))
}

/// What an answer's head says; none if it is not gRPC's. Without a status it is an error until trailers say otherwise.
pub fn head_outcome(status: StatusCode, headers: &HeaderMap) -> Option<Outcome> {
    (status == StatusCode::OK && is_grpc(headers)).then(|| told(headers).unwrap_or(Outcome::ServerError))
}

/// What `grpc-status` says in a head or in trailers; none if it is not there.
pub fn told(headers: &HeaderMap) -> Option<Outcome> {
    let status = headers.get(GRPC_STATUS)?;
    Some(outcome(status.to_str().ok().and_then(|code| code.parse().ok()).unwrap_or(UNKNOWN)))
}

const INVALID_ARGUMENT: u32 = 3;
const UNKNOWN: u32 = 2;
const DEADLINE_EXCEEDED: u32 = 4;
const PERMISSION_DENIED: u32 = 7;
const RESOURCE_EXHAUSTED: u32 = 8;
const UNIMPLEMENTED: u32 = 12;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;
const UNAUTHENTICATED: u32 = 16;

const fn outcome(code: u32) -> Outcome {
    match code {
        0 => Outcome::Ok,
        1 => Outcome::Cancelled,
        3 | 5 | 6 | 7 | 9 | 11 | 16 => Outcome::ClientError,
        4 => Outcome::Timeout,
        8 => Outcome::Shed,
        14 => Outcome::NotReady,
        _ => Outcome::ServerError,
    }
}

/// weir's own refusal as a gRPC client reads it: 200, and the status in a head that is also the end.
pub fn refused(refusal: &Refusal, plain: Response<Bytes>) -> Response<Option<Bytes>> {
    let code = code(refusal);
    let message = utf8_percent_encode(&refusal.to_string(), MESSAGE).to_string();
    let (mut head, _) = plain.into_parts();
    head.status = StatusCode::OK;
    // A connection of HTTP/2 is not closed by a field (RFC 9113 §8.2.2).
    head.headers.remove(CONNECTION);
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    head.headers.insert(GRPC_STATUS, HeaderValue::from(code));
    if let Ok(message) = HeaderValue::from_str(&message) {
        head.headers.insert(GRPC_MESSAGE, message);
    }
    Response::from_parts(head, None)
}

/// UNAVAILABLE is what clients try again, so it stands only for what another try may mend.
fn code(refusal: &Refusal) -> u32 {
    if refusal.outcome() == Outcome::Unreachable {
        return UNAVAILABLE;
    }
    match refusal.status() {
        StatusCode::UNAUTHORIZED => UNAUTHENTICATED,
        StatusCode::FORBIDDEN => PERMISSION_DENIED,
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => UNIMPLEMENTED,
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => DEADLINE_EXCEEDED,
        StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        | StatusCode::TOO_MANY_REQUESTS => RESOURCE_EXHAUSTED,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE,
        status if status.is_client_error() => INVALID_ARGUMENT,
        _ => INTERNAL,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn grpc_is_told_from_grpc_web() {
        for kind in ["application/grpc", "application/grpc+proto", "Application/gRPC; charset=x"] {
            assert!(is_grpc_type(kind.as_bytes()), "{kind}");
        }
        for kind in
            ["application/grpc-web", "application/grpc-web+proto", "application/json", "application/grp", ""]
        {
            assert!(!is_grpc_type(kind.as_bytes()), "{kind}");
        }
    }

    #[test]
    fn the_status_decides_and_a_grpc_answer_without_one_is_an_error() {
        let ok = StatusCode::OK;
        let kind = ("content-type", "application/grpc");
        assert_eq!(head_outcome(ok, &fields(&[("content-type", "text/plain")])), None);
        assert_eq!(head_outcome(StatusCode::BAD_GATEWAY, &fields(&[kind])), None);
        assert_eq!(head_outcome(ok, &fields(&[kind])), Some(Outcome::ServerError));
        assert_eq!(head_outcome(ok, &fields(&[kind, ("grpc-status", "5")])), Some(Outcome::ClientError));
        assert_eq!(told(&fields(&[("grpc-status", "0")])), Some(Outcome::Ok));
        assert_eq!(told(&fields(&[("grpc-status", "14")])), Some(Outcome::NotReady));
        assert_eq!(told(&fields(&[("grpc-status", "nonsense")])), Some(Outcome::ServerError));
        assert_eq!(told(&fields(&[])), None);
    }

    #[test]
    fn a_refusal_is_a_head_with_a_status_and_an_escaped_message() {
        for (refusal, status) in [
            (Refusal::BadRequest("100 % wrong"), "3"),
            (Refusal::FirstByteTimeout(Duration::from_secs(1)), "4"),
            (Refusal::BodyTooLarge(1), "8"),
            (Refusal::NotImplemented("no"), "12"),
            (Refusal::NoCredentials, "14"),
            (Refusal::Panicked, "13"),
        ] {
            let answer = refused(&refusal, refusal.response(None));
            assert_eq!((answer.status(), answer.body()), (StatusCode::OK, &None));
            assert_eq!(answer.headers().get(GRPC_STATUS).unwrap(), status, "{refusal}");
        }
        let refusal = Refusal::BadRequest("100 % wrong");
        let answer = refused(&refusal, refusal.response(None));
        assert_eq!(answer.headers().get(GRPC_MESSAGE).unwrap(), "100 %25 wrong");
    }
}
