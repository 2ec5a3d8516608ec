//! Asks a backend over HTTP/2: gRPC calls, and everything else where `backends[].protocol` says so.
//!
//! The `h2` crate itself and not hyper's client above it: request and answer stay in the request's own task, as over HTTP/1.1, and an
//! error says whether the backend has processed anything. Connections are shared (`conns`); what one request does on its stream is
//! in `stream`. Dropping a request or its answer on the way resets the stream with CANCEL.
//!
//! A second try is made only when the backend has said that it did not process the first: `REFUSED_STREAM`, or a GOAWAY that does not
//! cover the stream (RFC 9113 §8.7), and when the body is still at hand.
//!
//! Cost of a request: the head's fields are cloned once, for h2 keeps them; one wake-up of the connection's task.

mod conns;
mod stream;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, ready};

use ::h2::Reason;
use http::header::{EXPECT, HOST, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri, Version};
use metrics::counter;
use tokio::time::Instant;
use weir_config::UpstreamProtocol;
use weir_telemetry::names;

use super::{Alarm, Answer, AnswerBody, Ask, Limit, Sent, UploadState, refusal};
use crate::body::RelayUp;
use crate::grpc;
use crate::h1::client::AnswerError;
use crate::message::{HeaderMap, RequestParts};
use crate::refusal::Refusal;

pub use conns::Conns;
pub use stream::Receiving;

/// Whether this request goes over HTTP/2.
pub(super) fn speaks(protocol: UpstreamProtocol, headers: &HeaderMap) -> bool {
    match protocol {
        UpstreamProtocol::H1 => false,
        UpstreamProtocol::H2 => true,
        UpstreamProtocol::Auto => grpc::is_grpc(headers),
    }
}

/// Sends the request and waits for the answer's head.
///
/// # Errors
/// A [`Refusal`] that says which step failed and whose fault it was.
pub(super) async fn ask(ask: &Ask<'_>, head: &RequestParts) -> Result<Answer, Refusal> {
    match send(ask, head).await {
        Err(Sent::Died(AnswerError::Stream(error)))
            if is_unprocessed(&error) && ask.upload.is_replayable() =>
        {
            counter!(names::UPSTREAM_RETRIES, "backend" => ask.backend.to_owned()).increment(1);
            ask.upload.stop_keeping();
            send(ask, head).await
        }
        sent => sent,
    }
    .map_err(|sent| match sent {
        Sent::Refused(refusal) => refusal,
        Sent::Died(error) => refusal(error),
    })
}

/// Whether the backend says that it has done nothing about this request.
fn is_unprocessed(error: &::h2::Error) -> bool {
    error.is_remote()
        && (error.is_go_away() || (error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM)))
}

async fn send(ask: &Ask<'_>, head: &RequestParts) -> Result<Answer, Sent> {
    let mut slot = conns::slot(ask).await.map_err(Sent::Refused)?;
    let request = request(head, slot.endpoint()).map_err(Sent::Refused)?;
    let body = RelayUp::new(Rc::clone(ask.upload), Rc::clone(ask.clock));
    let mut limit = limit(ask);
    let mut alarm = Alarm::default();
    let begun = stream::Asking::begin(&mut slot, request, body);
    let mut asking = begun.map_err(|error| Sent::Died(AnswerError::Stream(error)))?;
    let answered = poll_fn(|cx| {
        loop {
            let polled = asking.poll(cx, |status, headers| ask.upload.interim(status, headers));
            if let Poll::Ready(answered) = polled {
                return Poll::Ready(Ok(answered));
            }
            ready!(alarm.poll(cx, limit.next));
            if let Err(refusal) = limit.check(ask) {
                return Poll::Ready(Err(refusal));
            }
        }
    })
    .await;
    match answered {
        Ok(Ok(answer)) => {
            let (head, received) = asking.answered(answer, slot);
            Ok(Answer { head, body: AnswerBody::H2(Box::new(received)) })
        }
        Ok(Err(error)) => Err(Sent::Died(error)),
        Err(refusal) => {
            // A peer that has vanished without a word would swallow every request after this one too.
            slot.retire();
            Err(Sent::Refused(refusal))
        }
    }
}

fn limit(ask: &Ask<'_>) -> Limit {
    let sent = Instant::now();
    let wait = match ask.upload.state() {
        UploadState::Done => ask.timeouts.first_byte,
        _ => ask.timeouts.first_byte.min(ask.body_idle_timeout),
    };
    Limit { sent, next: (sent + wait).min(ask.deadline) }
}

/// The head as HTTP/2 has it: the target in parts, and no field that speaks of a connection (RFC 9113 §8.2.2, §8.3.1).
fn request(head: &RequestParts, endpoint: &weir_config::Endpoint) -> Result<Request<()>, Refusal> {
    let mut headers = head.headers.clone();
    for name in [HOST, TRANSFER_ENCODING, EXPECT] {
        headers.remove(name);
    }
    let host = head.headers.get(HOST).filter(|host| !host.is_empty());
    let authority = match host {
        Some(host) => Authority::try_from(host.as_bytes()),
        None => Authority::try_from(endpoint.authority()),
    };
    let mut target = http::uri::Parts::default();
    target.scheme = Some(if endpoint.tls() { Scheme::HTTPS } else { Scheme::HTTP });
    target.authority = Some(authority.map_err(|_| Refusal::BadRequest("the Host is not valid"))?);
    target.path_and_query =
        Some(head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
    let mut request = Request::new(());
    *request.uri_mut() =
        Uri::from_parts(target).map_err(|_| Refusal::BadRequest("the target is not valid"))?;
    *request.method_mut() = head.method.clone();
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = headers.into();
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_loses_what_h2_forbids_and_keeps_its_target() {
        let head = Request::post("/a%2Fb?x=%20")
            .header("host", "models:80")
            .header("transfer-encoding", "chunked")
            .header("te", "trailers")
            .body(())
            .unwrap()
            .into_parts()
            .0
            .into();
        let request = request(&head, &"http://127.0.0.1:1".parse().unwrap()).unwrap();
        assert_eq!(request.uri().to_string(), "http://models:80/a%2Fb?x=%20");
        assert_eq!(request.headers().len(), 1, "{:?}", request.headers());
    }
}
