//! Listening sockets: one for every worker on the same address, so that the kernel spreads connections (SO_REUSEPORT). Unix sockets
//! know no such thing: there the workers share one.

use std::io;
use std::net::{SocketAddr, TcpListener};
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
}

/// Opens sockets for `count` workers on one address; see [`reuseport`].
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

/// Sockets that came from outside; see [`beside`].
///
/// # Errors
/// What the system said.
pub fn bind_beside(all: Vec<TcpListener>, count: usize) -> io::Result<Bound> {
    beside(all, count).map(tcp)
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

/// Makes of sockets that came from outside at least `count`: more on the same address where they allow it, else the same ones again.
///
/// # Errors
/// What `bind`, `listen` or `dup` said.
fn beside(mut all: Vec<TcpListener>, count: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let first = all.first().ok_or_else(|| io::Error::other("no socket"))?;
    let bound = first.local_addr()?;
    let can_share = socket2::SockRef::from(first).reuse_port()?;
    for socket in &all {
        socket.set_nonblocking(true)?;
    }
    let given = all.len();
    while all.len() < count {
        let again = match all.get((all.len()) % given) {
            Some(socket) if !can_share => socket.try_clone()?,
            _ => open(bound)?,
        };
        all.push(again);
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
