//! Closes a connection so that the last answer arrives: what the client still sends is read for a moment before the socket goes,
//! because a close with unread bytes is a reset, and a reset overtakes the answer (RFC 9112 §9.6).

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::Client;

/// How long a closing connection is read.
const LINGER: Duration = Duration::from_secs(2);
/// And how much.
const LINGER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Closes in order.
pub(super) async fn close(client: &Client) {
    let mut left = LINGER_BYTES_MAX;
    let lingering = poll_fn(|cx| {
        let wire = &mut *client.wire.borrow_mut();
        if wire.poll_flush(cx).is_pending() || wire.poll_shutdown(cx).is_pending() {
            return Poll::Pending;
        }
        loop {
            wire.read.clear();
            match wire.poll_fill(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(count)) if count > 0 && left > count => left -= count,
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
    });
    let _ = tokio::time::timeout(LINGER, lingering).await;
}

/// Closes by a reset: the client shall not take what it has for the whole.
pub(super) fn reset(client: &Client) {
    client.wire.borrow_mut().io().reset_on_close();
}
