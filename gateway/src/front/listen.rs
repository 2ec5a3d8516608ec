//! Listening sockets: one for every worker on the same address, so that the kernel spreads connections (SO_REUSEPORT). Unix sockets
//! know no such thing: there the workers share one.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use socket2::{Domain, Protocol, Socket, Type};
use weir_config::ListenAddress;

/// Connections that the kernel holds for us before `accept`.
const BACKLOG: i32 = 4096;

/// A listening socket.
#[derive(Debug)]
pub enum Listening {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

/// The address that was bound, and its sockets.
pub type Bound = (ListenAddress, Vec<Listening>);

impl Listening {
    /// Another handle of it.
    ///
    /// # Errors
    /// No more descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(socket) => socket.try_clone().map(Self::Tcp),
            Self::Unix(socket) => socket.try_clone().map(Self::Unix),
        }
    }

    /// Where it is bound.
    #[must_use]
    pub fn bound(&self) -> Option<ListenAddress> {
        match self {
            Self::Tcp(socket) => socket.local_addr().ok().map(ListenAddress::Tcp),
            Self::Unix(socket) => {
                let bound = socket.local_addr().ok()?;
                bound.as_pathname().map(|path| ListenAddress::Unix(path.to_owned()))
            }
        }
    }

    /// Its descriptor, to be handed to another process.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }

    fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.set_nonblocking(true),
            Self::Unix(socket) => socket.set_nonblocking(true),
        }
    }
}

/// Opens sockets for `count` workers on one address; see `reuseport`.
///
/// # Errors
/// What the system said, with the address it said it of.
pub fn bind(address: &ListenAddress, count: usize, ours: &[u16]) -> io::Result<Bound> {
    match address {
        ListenAddress::Tcp(address) => reuseport(*address, count, ours).map(tcp),
        ListenAddress::Unix(path) => bind_unix(path)
            .map(|socket| (address.clone(), vec![Listening::Unix(socket)]))
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))),
    }
}

/// Makes of sockets that came from outside at least `count`: the same ones again if there are fewer. Not more on the same address, though
/// SO_REUSEPORT would allow it: if this process fails to start, whoever else has the given ones has every connection.
///
/// # Errors
/// No socket, no more descriptors.
pub fn bind_beside(mut all: Vec<Listening>, count: usize) -> io::Result<Bound> {
    let first = all.first().ok_or_else(|| io::Error::other("no socket"))?;
    let bound = first.bound().ok_or_else(|| io::Error::other("the socket has no address"))?;
    all.iter().try_for_each(Listening::set_nonblocking)?;
    // Of a Unix socket every worker makes a handle of its own.
    let wanted = if bound.tcp().is_some() { count } else { 1 };
    let again = all.iter().cycle().take(wanted.saturating_sub(all.len()));
    let again = again.map(Listening::try_clone).collect::<io::Result<Vec<_>>>()?;
    all.extend(again);
    Ok((bound, all))
}

fn tcp((bound, sockets): (SocketAddr, Vec<TcpListener>)) -> Bound {
    (bound.into(), sockets.into_iter().map(Listening::Tcp).collect())
}

fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    remove_stale(path)?;
    let socket = UnixListener::bind(path)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A socket file that nobody listens on any more is in the way; anything else at that place is left alone.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        Err(error) => Err(error),
    }
}

/// Opens `count` sockets on one address. With port 0 the first one chooses the port and the rest share it.
///
/// An address that another socket has is refused, unless the port is one of `ours`.
///
/// # Errors
/// What `bind` or `listen` said, with the address it said it of.
fn reuseport(address: SocketAddr, count: usize, ours: &[u16]) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    if address.port() != 0 && !ours.contains(&address.port()) {
        refuse_if_taken(address)?;
    }
    let first = open(address)?;
    let bound = first.local_addr()?;
    let mut all = vec![first];
    while all.len() < count {
        all.push(open(bound)?);
    }
    Ok((bound, all))
}

/// Another process's sockets with SO_REUSEPORT would silently take a part of the traffic; a socket without it cannot be bound
/// beside them.
fn refuse_if_taken(address: SocketAddr) -> io::Result<()> {
    let probe = || -> io::Result<()> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())
    };
    probe().map_err(|error| at(address, &error))
}

fn at(address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let bind = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    bind().map_err(|error| at(address, &error))
}
