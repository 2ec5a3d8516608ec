//! Tells a service manager how it stands (`sd_notify(3)`): ready, reloading, stopping.
//!
//! Without `$NOTIFY_SOCKET` nobody wants to know, and nothing is sent.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::time::{ClockId, clock_gettime};

/// Sends one state, for example `READY=1`.
pub fn tell(state: &str) {
    if let Some(path) = std::env::var_os("NOTIFY_SOCKET")
        && let Err(error) = send(&path, state)
    {
        tracing::warn!(%error, state, "the service manager could not be told");
    }
}

/// A reload begins; it ends with `READY=1`. `Type=notify-reload` wants to know when it began.
pub(super) fn reloading() {
    let now = clock_gettime(ClockId::Monotonic);
    tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1000));
}

fn send(path: &OsStr, state: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    // A name that begins with @ is in the abstract namespace (unix(7)).
    match path.as_bytes().split_first() {
        Some((b'@', name)) => {
            socket.send_to_addr(state.as_bytes(), &SocketAddr::from_abstract_name(name)?)?
        }
        _ => socket.send_to(state.as_bytes(), path)?,
    };
    Ok(())
}
