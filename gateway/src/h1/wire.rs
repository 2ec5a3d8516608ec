//! A socket with a read buffer and a write buffer, polled by the one task that owns it.
//!
//! Small pieces are copied together, so that a head and a short body leave in one write; a large piece is written from where it lies.
//! Between two requests a connection keeps no buffer at all: ten thousand idle ones cost their sockets and little else.

use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// What the first read of a message may bring at once: most requests and answers fit, and it lies on the stack.
const FIRST_READ_BYTES: usize = 4096;
/// The least room for a read within a message.
const READ_BYTES_MIN: usize = 8 * 1024;
/// The most: a read that fills its room doubles the next one's.
const READ_BYTES_MAX: usize = 256 * 1024;
/// Pieces up to this size are copied.
const COPY_BYTES_MAX: usize = 8 * 1024;
/// No more is taken for writing before this much has been written.
const WRITE_BYTES_MAX: usize = 64 * 1024;
/// What an idle connection's write buffer may keep.
const KEEP_BYTES_MAX: usize = 1024;

/// A socket with buffers.
#[derive(Debug)]
pub struct Wire<S> {
    io: S,
    /// What came and is not yet taken.
    pub read: BytesMut,
    room: usize,
    ended: bool,
    small: Vec<u8>,
    written: usize,
    large: Bytes,
    /// Closes the large piece: a chunk's line end.
    after: &'static [u8],
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// A socket with nothing read or to be written.
    pub fn new(io: S) -> Self {
        Self {
            io,
            read: BytesMut::new(),
            room: READ_BYTES_MIN,
            ended: false,
            small: Vec::new(),
            written: 0,
            large: Bytes::new(),
            after: b"",
        }
    }

    /// The socket.
    pub fn io(&mut self) -> &mut S {
        &mut self.io
    }

    /// True once the other side has said that nothing more comes.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Reads once into [`Wire::read`]; 0 at the end.
    ///
    /// # Errors
    /// What the socket said.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Ok(0));
        }
        if self.read.is_empty() && self.read.capacity() == 0 && self.room == READ_BYTES_MIN {
            return self.poll_first(cx);
        }
        if self.read.capacity() - self.read.len() < self.room / 2 {
            self.read.reserve(self.room);
        }
        let room = self.read.capacity() - self.read.len();
        let count = ready!(pin!(self.io.read_buf(&mut self.read)).poll(cx))?;
        if count == room {
            self.room = (self.room * 2).min(READ_BYTES_MAX);
        }
        self.ended = count == 0;
        Poll::Ready(Ok(count))
    }

    /// The first read after silence: no buffer is held while nothing comes.
    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = [MaybeUninit::uninit(); FIRST_READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
        let filled = buffer.filled();
        self.ended = filled.is_empty();
        if filled.len() == FIRST_READ_BYTES {
            self.read.reserve(READ_BYTES_MIN);
        }
        self.read.extend_from_slice(filled);
        Poll::Ready(Ok(filled.len()))
    }

    /// True while nothing comes and the other side has not closed: what an idle connection must be to be used again.
    pub fn is_quiet(&mut self) -> bool {
        if !self.read.is_empty() || self.ended {
            return false;
        }
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        Pin::new(&mut self.io).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer).is_pending()
    }

    /// Nothing is being asked: buffers go.
    pub fn rest(&mut self) {
        if self.read.is_empty() {
            self.read = BytesMut::new();
            self.room = READ_BYTES_MIN;
        }
        if self.small.is_empty() && self.small.capacity() > KEEP_BYTES_MAX {
            self.small = Vec::new();
        }
    }

    /// The buffer for what is to be written next; only while [`Wire::has_room`].
    pub fn out(&mut self) -> &mut Vec<u8> {
        debug_assert!(self.large.is_empty(), "nothing goes behind a large piece");
        &mut self.small
    }

    /// Whether more may be given for writing.
    pub fn has_room(&self) -> bool {
        self.large.is_empty() && self.small.len() < WRITE_BYTES_MAX
    }

    /// Whether something waits to be written.
    pub fn has_unwritten(&self) -> bool {
        !self.small.is_empty() || !self.large.is_empty() || !self.after.is_empty()
    }

    /// Gives a piece for writing, and what stands behind it; only while [`Wire::has_room`].
    pub fn push(&mut self, piece: Bytes, after: &'static [u8]) {
        if piece.len() <= COPY_BYTES_MAX {
            self.small.extend_from_slice(&piece);
            self.small.extend_from_slice(after);
        } else {
            self.large = piece;
            self.after = after;
        }
    }

    /// Writes until nothing waits.
    ///
    /// # Errors
    /// What the socket said.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.has_unwritten() {
            let small = self.small.get(self.written..).unwrap_or_default();
            let count = if self.large.is_empty() && self.after.is_empty() {
                ready!(Pin::new(&mut self.io).poll_write(cx, small))?
            } else {
                let slices =
                    [io::IoSlice::new(small), io::IoSlice::new(&self.large), io::IoSlice::new(self.after)];
                ready!(Pin::new(&mut self.io).poll_write_vectored(cx, &slices))?
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.wrote(count);
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn wrote(&mut self, mut count: usize) {
        let small = count.min(self.small.len() - self.written);
        self.written += small;
        count -= small;
        if self.written == self.small.len() {
            self.small.clear();
            self.written = 0;
        }
        let large = count.min(self.large.len());
        bytes::Buf::advance(&mut self.large, large);
        count -= large;
        self.after = self.after.get(count..).unwrap_or_default();
    }

    /// Says that nothing more will be written.
    ///
    /// # Errors
    /// What the socket said.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
