//! A process that takes over from another one without a refused or broken request: the listening sockets themselves are handed on.
//!
//! Two processes that each bind the address with SO_REUSEPORT are not enough: connections that the kernel has queued on a socket of the
//! old one are reset when it closes (unless `net.ipv4.tcp_migrate_req` is set, which is off by default and not ours to set). So the old
//! one sends its sockets over a Unix socket (SCM_RIGHTS): the same queues then belong to both, and nothing is lost when one closes.
//!
//! Every weir that is started with `--takeover PATH` first asks whoever listens there, and then listens there itself:
//! 1. new: "take"; old: one message with a descriptor for each socket, the admin side's among them; the time within which its service
//!    manager wants a sign of life, if it does; "all".
//! 2. new: starts its workers on them, beside the old one, and waits until all of them run.
//! 3. new: takes PATH, then "ready"; old: leaves the sockets, begins its drain, "draining".
//!
//! If the new one fails before "ready", the old one goes on as if nothing had been. PATH is of mode 0600: whoever may connect is the
//! same user or root. Messages have bounds (SOCK_SEQPACKET), so there is nothing to parse but words.

use std::fs::Permissions;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::sync::{mpsc, oneshot};
use weir_config::ListenAddress;

use super::Ask;
use super::inherited::{Given, Inherited, Role};
use crate::front::Listening;

/// The other side answers a question within this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// A new process has this long from the first question to being ready.
const READY_WITHIN: Duration = Duration::from_secs(300);
/// Processes that may wait to take over; one is answered at a time.
const SUCCESSORS_MAX: i32 = 4;
/// Longest message: a path or an address, and a name.
const MESSAGE_BYTES_MAX: usize = 4096;

/// Before the number of microseconds.
const WATCHDOG: &str = "watchdog ";

/// The process that this one takes over from.
#[derive(Debug)]
pub struct Predecessor {
    socket: Socket,
    /// The service manager wants a sign of life within this time.
    pub watchdog: Option<Duration>,
}

/// Asks whoever listens at `path` for its listening sockets; none if nobody does.
///
/// # Errors
/// Somebody does and did not give them.
pub fn take(path: &Path, inherited: &mut Inherited) -> io::Result<Option<Predecessor>> {
    let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        other => other?,
    }
    socket.set_read_timeout(Some(ANSWER_WITHIN))?;
    send(&socket, "take", None)?;
    let mut watchdog = None;
    loop {
        match receive(&socket)? {
            (word, None) if word == "all" => return Ok(Some(Predecessor { socket, watchdog })),
            (word, None) if word == "ending" => return Ok(None),
            (word, Some(descriptor)) => {
                let unknown = || io::Error::other(format!("the running weir sent a socket as {word:?}"));
                inherited.sockets.push(given(&word, descriptor).ok_or_else(unknown)?);
            }
            (word, None) => match word.strip_prefix(WATCHDOG).and_then(|within| within.parse().ok()) {
                Some(within) => watchdog = Some(Duration::from_micros(within)),
                None => return Err(io::Error::other(format!("the running weir said {word:?}"))),
            },
        }
    }
}

impl Predecessor {
    /// This process serves: the other one begins its drain.
    ///
    /// # Errors
    /// It did not say that it does.
    pub fn ready(self) -> io::Result<()> {
        send(&self.socket, "ready", None)?;
        match receive(&self.socket)? {
            (word, _) if word == "draining" => Ok(()),
            (word, _) => Err(io::Error::other(format!("the running weir said {word:?}"))),
        }
    }
}

/// The place where the next one asks this one for its sockets: made, and not yet to be found.
#[derive(Debug)]
pub struct Offer {
    socket: Socket,
    path: PathBuf,
    beside: PathBuf,
}

impl Offer {
    /// Made beside `path`: nobody finds it with other permissions, and an earlier one is replaced at once.
    ///
    /// # Errors
    /// The socket could not be made there.
    pub fn make(path: &Path) -> io::Result<Self> {
        if std::fs::symlink_metadata(path).is_ok_and(|there| !there.file_type().is_socket()) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
        }
        let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(beside);
        let _ = std::fs::remove_file(&beside);
        socket.bind(&SockAddr::unix(&beside)?)?;
        let offer = Self { socket, path: path.to_owned(), beside };
        std::fs::set_permissions(&offer.beside, Permissions::from_mode(0o600))?;
        offer.socket.listen(SUCCESSORS_MAX)?;
        Ok(offer)
    }

    /// Answers whoever wants to take over, and tells it of the service manager's `watchdog`, on a thread of its own, which ends when one did or with the process.
    ///
    /// # Errors
    /// The path is taken by something else, or there are no more threads.
    pub fn open(self, asks: mpsc::UnboundedSender<Ask>, watchdog: Option<Duration>) -> io::Result<()> {
        std::fs::rename(&self.beside, &self.path)?;
        std::thread::Builder::new().name("weir-takeover".to_owned()).spawn(move || {
            while let Ok((successor, _)) = self.socket.accept() {
                match hand_over(&successor, &asks, watchdog) {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::warn!(%error, "another process wanted to take over and did not; this one goes on");
                    }
                }
            }
            tracing::error!("no process can take over any more");
        })?;
        Ok(())
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        // After `open` there is none.
        let _ = std::fs::remove_file(&self.beside);
    }
}

fn hand_over(
    successor: &Socket,
    asks: &mpsc::UnboundedSender<Ask>,
    watchdog: Option<Duration>,
) -> io::Result<()> {
    let gone = || io::Error::other("the control plane has ended");
    successor.set_read_timeout(Some(ANSWER_WITHIN))?;
    let (word, _) = receive(successor)?;
    if word != "take" {
        return Err(io::Error::other(format!("it said {word:?}")));
    }
    tracing::info!("another process is taking over");
    let (reply, handles) = oneshot::channel();
    let _ = asks.send(Ask::Handles(reply));
    let Ok(handles) = handles.blocking_recv() else {
        send(successor, "ending", None)?;
        return Err(gone());
    };
    for given in handles? {
        send(successor, &word_of(&given), Some(given.socket.as_fd()))?;
    }
    if let Some(within) = watchdog {
        send(successor, &format!("{WATCHDOG}{}", within.as_micros()), None)?;
    }
    send(successor, "all", None)?;
    successor.set_read_timeout(Some(READY_WITHIN))?;
    let (word, _) = receive(successor)?;
    if word != "ready" {
        return Err(io::Error::other("it ended before it was ready"));
    }
    let (reply, left) = oneshot::channel();
    let _ = asks.send(Ask::Leave(reply));
    left.blocking_recv().map_err(|_| gone())?;
    // It serves, and this one drains: whether it hears that is no matter.
    let _ = send(successor, "draining", None);
    Ok(())
}

/// Says what a socket is for: fields with a NUL between, which no name and no path has.
fn word_of(given: &Given) -> String {
    let asked = given.asked.as_ref().map(ListenAddress::to_string).unwrap_or_default();
    match &given.role {
        Role::Admin => format!("admin\0{asked}"),
        Role::Listener(name) => format!("listener\0{asked}\0{name}"),
        Role::Any => format!("any\0{asked}"),
    }
}

/// The inverse.
fn given(word: &str, descriptor: OwnedFd) -> Option<Given> {
    let mut fields = word.splitn(3, '\0');
    let (kind, asked) = (fields.next()?, fields.next()?.parse::<ListenAddress>().ok()?);
    let role = match kind {
        "admin" => Role::Admin,
        "listener" => Role::Listener(fields.next()?.to_owned()),
        _ => return None,
    };
    let socket = match asked {
        ListenAddress::Tcp(_) => Listening::Tcp(TcpListener::from(descriptor)),
        ListenAddress::Unix(_) => Listening::Unix(UnixListener::from(descriptor)),
    };
    Some(Given { role, asked: Some(asked), socket })
}

fn send(socket: &Socket, word: &str, descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let borrowed = descriptor.map(|descriptor| [descriptor]);
    if let Some(descriptors) = &borrowed {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    sendmsg(socket, &[IoSlice::new(word.as_bytes())], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The next message; an empty word when the other side has gone.
fn receive(socket: &Socket) -> io::Result<(String, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; MESSAGE_BYTES_MAX];
    let got = recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let word = String::from_utf8_lossy(bytes.get(..got.bytes).unwrap_or_default()).into_owned();
    Ok((word, descriptor))
}
