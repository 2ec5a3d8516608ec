//! Follows a client's frames as they are read, by their first nine bytes (RFC 9113 §4.1): counts those that only make work, and tells
//! the connection's guard whether a head is on its way.
//!
//! Cost: a few instructions a frame, and a look at the clock for each that is counted.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use metrics::counter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use weir_config::Http2Limits;
use weir_telemetry::names;

use crate::front::guard::{Conn, Guard};

const PREFACE_BYTES: usize = 24;
const SECOND: Duration = Duration::from_secs(1);

/// More frames in a second than a client has reason to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Flood {
    /// RST_STREAM: rapid reset.
    #[error("too many streams reset in a second")]
    Resets,
    /// SETTINGS, PING, PRIORITY, frames without content, unknown ones.
    #[error("too many control frames in a second")]
    Control,
}

impl Flood {
    /// The label `reason`.
    fn reason(self) -> &'static str {
        match self {
            Self::Resets => "h2_resets",
            Self::Control => "h2_control_frames",
        }
    }
}

/// Where in its frames a connection is.
#[derive(Debug)]
struct Meter {
    /// Bytes to pass over: the preface, or a frame's payload.
    skip: usize,
    head: [u8; 9],
    have: usize,
    /// A field block has begun and not ended.
    block_open: bool,
    since: Instant,
    resets: u32,
    control: u32,
    resets_max: u32,
    control_max: u32,
}

impl Meter {
    fn new(limits: &Http2Limits, now: Instant) -> Self {
        Self {
            skip: PREFACE_BYTES,
            head: [0; 9],
            have: 0,
            block_open: false,
            since: now,
            resets: 0,
            control: 0,
            resets_max: limits.resets_per_second_max,
            control_max: limits.control_frames_per_second_max,
        }
    }

    fn feed(&mut self, mut bytes: &[u8], now: impl Fn() -> Instant) -> Result<(), Flood> {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let (_, rest) = bytes.split_at(self.skip.min(bytes.len()));
                self.skip -= bytes.len() - rest.len();
                bytes = rest;
                continue;
            }
            let (taken, rest) = bytes.split_at((self.head.len() - self.have).min(bytes.len()));
            for (place, byte) in self.head.iter_mut().skip(self.have).zip(taken) {
                *place = *byte;
            }
            self.have += taken.len();
            bytes = rest;
            if self.have == self.head.len() {
                self.have = 0;
                self.frame(&now)?;
            }
        }
        Ok(())
    }

    fn frame(&mut self, now: &impl Fn() -> Instant) -> Result<(), Flood> {
        const END_STREAM_OR_ACK: u8 = 0x1;
        const END_HEADERS: u8 = 0x4;
        let [high, middle, low, kind, flags, ..] = self.head;
        self.skip = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let is_empty = self.skip == 0;
        match kind {
            // DATA
            0 if !is_empty || flags & END_STREAM_OR_ACK != 0 => Ok(()),
            // HEADERS, CONTINUATION
            1 | 9 => {
                self.block_open = flags & END_HEADERS == 0;
                if is_empty { self.count(now, false) } else { Ok(()) }
            }
            // RST_STREAM
            3 => self.count(now, true),
            // SETTINGS and PING that answer ours, WINDOW_UPDATE: as many as we cause.
            4 | 6 if flags & END_STREAM_OR_ACK != 0 => Ok(()),
            8 => Ok(()),
            _ => self.count(now, false),
        }
    }

    fn count(&mut self, now: &impl Fn() -> Instant, is_reset: bool) -> Result<(), Flood> {
        let now = now();
        if now.duration_since(self.since) >= SECOND {
            (self.since, self.resets, self.control) = (now, 0, 0);
        }
        let (count, max, flood) = if is_reset {
            (&mut self.resets, self.resets_max, Flood::Resets)
        } else {
            (&mut self.control, self.control_max, Flood::Control)
        };
        *count += 1;
        if *count > max { Err(flood) } else { Ok(()) }
    }

    /// Whether what has come ends with a whole frame and no open field block.
    fn is_between(&self) -> bool {
        self.skip == 0 && self.have == 0 && !self.block_open
    }
}

/// A client's socket whose frames are followed.
#[derive(Debug)]
pub(super) struct Metered {
    guard: Guard,
    conn: Rc<Conn>,
    meter: Meter,
}

impl Metered {
    /// Before the preface.
    pub(super) fn new(guard: Guard, conn: Rc<Conn>, limits: &Http2Limits) -> Self {
        Self { guard, conn, meter: Meter::new(limits, Instant::now()) }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.guard).poll_read(cx, buf);
        let read = buf.filled().get(before..).unwrap_or_default();
        if !read.is_empty() {
            if let Err(flood) = this.meter.feed(read, Instant::now) {
                // Counted here: h2 keeps an error's text alone.
                counter!(names::HTTP_REFUSED, "reason" => flood.reason()).increment(1);
                return Poll::Ready(Err(io::Error::other(flood)));
            }
            if this.meter.is_between() {
                this.conn.head_is_whole();
            }
        }
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.guard).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.guard).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.guard.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.guard).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.guard).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let mut frame = vec![0, 0, u8::try_from(payload).unwrap(), kind, flags, 0, 0, 0, 1];
        frame.resize(9 + payload, 0xff);
        frame
    }

    fn meter(now: Instant) -> Meter {
        let limits = Http2Limits {
            resets_per_second_max: 2,
            control_frames_per_second_max: 3,
            ..Http2Limits::default()
        };
        Meter { skip: 0, ..Meter::new(&limits, now) }
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let now = Instant::now();
        let all = [vec![b'x'; PREFACE_BYTES], frame(4, 0, 6), frame(1, 0, 5), frame(9, 4, 3), frame(3, 0, 4)];
        let bytes = all.concat();
        for size in 1..bytes.len() {
            let mut meter = Meter { skip: PREFACE_BYTES, ..meter(now) };
            for piece in bytes.chunks(size) {
                meter.feed(piece, || now).unwrap();
            }
            assert!(meter.is_between());
            assert_eq!((meter.control, meter.resets), (1, 1), "in pieces of {size}");
        }
    }

    #[test]
    fn an_open_field_block_is_not_between_frames() {
        let now = Instant::now();
        let mut meter = meter(now);
        meter.feed(&frame(1, 0, 5), || now).unwrap();
        assert!(!meter.is_between());
        meter.feed(&frame(9, 4, 0), || now).unwrap();
        assert!(meter.is_between());
    }

    #[test]
    fn floods_are_told_and_a_second_later_forgotten() {
        let now = Instant::now();
        for (kind, flood) in [
            (3, Flood::Resets),
            (4, Flood::Control),
            (6, Flood::Control),
            (0, Flood::Control),
            (2, Flood::Control),
        ] {
            let mut meter = meter(now);
            let mut fed = Ok(());
            for _ in 0..4 {
                fed = fed.and_then(|()| meter.feed(&frame(kind, 0, 0), || now));
            }
            assert_eq!(fed, Err(flood), "{kind}");
            assert_eq!(meter.feed(&frame(kind, 0, 0), || now + SECOND), Ok(()), "{kind}");
        }
    }

    #[test]
    fn answers_to_our_own_frames_and_windows_and_data_are_no_flood() {
        let now = Instant::now();
        let mut meter = meter(now);
        for one in
            [frame(4, 1, 0), frame(6, 1, 8), frame(8, 0, 4), frame(0, 0, 9), frame(0, 1, 0), frame(1, 4, 9)]
        {
            for _ in 0..100 {
                meter.feed(&one, || now).unwrap();
            }
        }
    }
}
