//! After `101 Switching Protocols` (RFC 9110 §7.8): bytes both ways until both sides have ended, or neither says anything for too long.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use metrics::counter;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};
use weir_telemetry::{Outcome, names};

use super::encode;
use super::server::{Client, Then};
use super::wire::Wire;
use crate::exchange::Exchange;
use crate::message::ResponseParts as Parts;
use crate::upstream::Lease;

/// A switched connection to a backend.
#[derive(Debug)]
pub struct Tunnel {
    /// To the backend; never given back.
    pub lease: Lease,
    /// The request that asked for it.
    pub exchange: Box<Exchange>,
    /// Silence in both directions (`timeouts.between_bytes`).
    pub silence: Duration,
    /// When the whole request has to be over.
    pub deadline: Instant,
}

/// Why a tunnel ended before both its sides did.
enum Cut {
    Silent,
    Broken,
}

/// Writes the head, then carries bytes.
pub(super) async fn run(client: &Rc<Client>, head: &Parts, tunnel: Box<Tunnel>) -> Then {
    let Tunnel { mut lease, mut exchange, silence, deadline } = *tunnel;
    {
        let mut wire = client.wire();
        let out = wire.out();
        encode::status_line(out, head.status);
        encode::fields(out, head.headers.iter());
        out.extend_from_slice(b"\r\n");
    }
    counter!(names::HTTP_TUNNELS).increment(1);
    let until = |now: Instant| (now + silence).min(deadline);
    let mut timer = std::pin::pin!(tokio::time::sleep_until(until(Instant::now())));
    let mut down = Pipe::default();
    let mut up = Pipe::default();
    let ended = poll_fn(|cx| {
        let mut client = client.wire();
        let moved = (up.moved, down.moved);
        let upward = up.poll(cx, &mut client, lease.wire())?;
        let downward = down.poll(cx, lease.wire(), &mut client)?;
        if upward.is_ready() && downward.is_ready() {
            return Poll::Ready(Ok(()));
        }
        if moved != (up.moved, down.moved) {
            timer.as_mut().reset(until(Instant::now()));
        }
        ready!(poll_timer(timer.as_mut(), cx));
        Poll::Ready(Err(Cut::Silent))
    })
    .await;
    exchange.tunnelled(up.moved, down.moved);
    exchange.settle(match ended {
        Ok(()) => Outcome::Ok,
        Err(Cut::Silent) => Outcome::Timeout,
        Err(Cut::Broken) => Outcome::Cancelled,
    });
    Then::Drop
}

fn poll_timer(timer: std::pin::Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    timer.poll(cx)
}

/// One direction.
#[derive(Debug, Default)]
struct Pipe {
    moved: u64,
    ended: bool,
}

impl Pipe {
    /// Carries what there is; ready once this direction has ended and its end has been passed on.
    fn poll<A, B>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Wire<A>,
        to: &mut Wire<B>,
    ) -> Result<Poll<()>, Cut>
    where
        A: AsyncRead + AsyncWrite + Unpin,
        B: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            match to.poll_flush(cx) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(Err(_)) => return Err(Cut::Broken),
                Poll::Ready(Ok(())) if self.ended => {
                    return match to.poll_shutdown(cx) {
                        Poll::Pending => Ok(Poll::Pending),
                        // Already gone is ended as well.
                        Poll::Ready(_) => Ok(Poll::Ready(())),
                    };
                }
                Poll::Ready(Ok(())) => {}
            }
            if !from.read.is_empty() {
                let piece = std::mem::replace(&mut from.read, BytesMut::new()).freeze();
                self.moved += piece.len() as u64;
                to.push(piece, b"");
                continue;
            }
            match from.poll_fill(cx) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(Ok(0)) => self.ended = true,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Err(Cut::Broken),
            }
        }
    }
}
