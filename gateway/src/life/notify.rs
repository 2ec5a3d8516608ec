//! Tells a service manager how it stands (`sd_notify(3)`): ready, reloading, stopping; and asks how soon it has to show a sign of life.
//!
//! Without `$NOTIFY_SOCKET` nobody wants to know, and nothing is sent.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Sends one state, for example `READY=1`.
pub(super) fn tell(state: &str) {
    if let Some(path) = std::env::var_os("NOTIFY_SOCKET")
        && let Err(error) = send(&path, state)
    {
        tracing::warn!(%error, state, "the service manager could not be told");
    }
}

/// How often the service manager wants a sign of life of this process (`sd_watchdog_enabled(3)`), if at all.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let is_ours = std::env::var_os("WATCHDOG_PID").is_none()
        || number("WATCHDOG_PID") == Some(u64::from(std::process::id()));
    number("WATCHDOG_USEC").filter(|within| is_ours && *within > 0).map(Duration::from_micros)
}

/// This process serves. `took_over`: it is the service's main process from now on.
pub fn ready(took_over: bool) {
    match took_over {
        true => tell(&format!("MAINPID={}\nREADY=1", std::process::id())),
        false => tell("READY=1"),
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
