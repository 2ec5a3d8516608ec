//! Sockets of every kind as one type, and how a connection to another server is opened.
//!
//! [`Stream`] is what the engines read and write; [`connect`] opens one to an endpoint; [`tls`] holds what both sides of TLS share.
//! [`call`] is one small exchange of the control plane with another server, [`remote`] a server that weir sends something to.

pub mod tls;
pub mod connect;
pub mod call;
pub mod remote;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::RecvFlags;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// How many of the first bytes are looked at.
const PEEKED_BYTES: usize = 16;

/// A connection's socket.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// A client's TLS.
    TlsServer(Box<server::TlsStream<Socket>>),
    /// TLS to a backend.
    TlsClient(Box<client::TlsStream<Socket>>),
}

/// What lies below TLS.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl Stream {
    /// From here on a close is a reset.
    pub fn reset_on_close(&self) {
        let socket = match self {
            Self::TlsServer(stream) => stream.get_ref().0,
            Self::TlsClient(stream) => stream.get_ref().0,
            Self::Tcp(tcp) => return reset(tcp),
            // A Unix socket knows no reset; its other side sees an end in either case.
            Self::Unix(_) => return,
        };
        if let Socket::Tcp(tcp) = socket {
            reset(tcp);
        }
    }

    /// What is written goes at once.
    pub fn set_nodelay(&self) {
        if let Self::Tcp(tcp) = self {
            let _ = tcp.set_nodelay(true);
        }
    }

    /// Looks at the first bytes until they tell, and leaves them there. Nothing more will come: what they tell so far is no.
    ///
    /// # Errors
    /// What the socket said.
    pub async fn peek(&self, tells: impl Fn(&[u8]) -> Option<bool>) -> io::Result<bool> {
        let look = |socket: BorrowedFd<'_>| {
            let mut first = [0; PEEKED_BYTES];
            let (count, _) = rustix::net::recv(socket, &mut first, RecvFlags::PEEK)?;
            match tells(first.get(..count).unwrap_or_default()) {
                Some(told) => Ok(told),
                None if count == 0 => Ok(false),
                // Woken by whatever comes next.
                None => Err(io::ErrorKind::WouldBlock.into()),
            }
        };
        match self {
            Self::Tcp(stream) => stream.async_io(Interest::READABLE, || look(stream.as_fd())).await,
            Self::Unix(stream) => stream.async_io(Interest::READABLE, || look(stream.as_fd())).await,
            Self::TlsServer(_) | Self::TlsClient(_) => Ok(false),
        }
    }

    /// Begins TLS with a client.
    ///
    /// # Errors
    /// The handshake failed.
    pub async fn accept_tls(self, config: Arc<ServerConfig>) -> io::Result<Self> {
        let accepted = TlsAcceptor::from(config).accept(self.under_tls()?).await?;
        Ok(Self::TlsServer(Box::new(accepted)))
    }

    /// Begins TLS with a server of this name.
    ///
    /// # Errors
    /// The handshake failed.
    pub async fn connect_tls(self, config: Arc<ClientConfig>, name: ServerName<'static>) -> io::Result<Self> {
        let connected = TlsConnector::from(config).connect(name, self.under_tls()?).await?;
        Ok(Self::TlsClient(Box::new(connected)))
    }

    /// Whether the other side is a client that has shown a certificate, which was verified.
    pub fn is_certified(&self) -> bool {
        match self {
            Self::TlsServer(stream) => {
                stream.get_ref().1.peer_certificates().is_some_and(|chain| !chain.is_empty())
            }
            Self::TlsClient(_) | Self::Tcp(_) | Self::Unix(_) => false,
        }
    }

    fn under_tls(self) -> io::Result<Socket> {
        match self {
            Self::Tcp(stream) => Ok(Socket::Tcp(stream)),
            Self::Unix(stream) => Ok(Socket::Unix(stream)),
            Self::TlsServer(_) | Self::TlsClient(_) => Err(io::ErrorKind::AlreadyExists.into()),
        }
    }

    /// The protocol that TLS has agreed on (RFC 7301), if any.
    pub fn alpn(&self) -> Option<&[u8]> {
        match self {
            Self::TlsServer(stream) => stream.get_ref().1.alpn_protocol(),
            Self::TlsClient(stream) => stream.get_ref().1.alpn_protocol(),
            Self::Tcp(_) | Self::Unix(_) => None,
        }
    }
}

fn reset(tcp: &TcpStream) {
    let _ = socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO));
}

/// Calls the same method of whichever socket it is.
macro_rules! each {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Self::Tcp($stream) => $call,
            Self::Unix($stream) => $call,
            Self::TlsServer($stream) => $call,
            Self::TlsClient($stream) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

/// Calls the same method of whichever socket lies below.
macro_rules! below {
    ($self:ident, $socket:ident => $call:expr) => {
        match $self.get_mut() {
            Self::Tcp($socket) => $call,
            Self::Unix($socket) => $call,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        below!(self, socket => Pin::new(socket).poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        below!(self, socket => Pin::new(socket).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        below!(self, socket => Pin::new(socket).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        below!(self, socket => Pin::new(socket).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        below!(self, socket => Pin::new(socket).poll_shutdown(cx))
    }
}
