//! The server as a child: a process group of its own, so that a signal reaches its workers too, and a thread that reaps whoever dies,
//! also those who were left to us because we are the first process of the container.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, set_child_subreaper, wait};
use tokio::sync::oneshot;

/// A running server.
#[derive(Debug)]
pub(super) struct Child {
    group: Pid,
}

impl Child {
    /// Starts the command, and the thread that waits for it. What comes out is the exit code, once.
    pub(super) fn start(
        command: &[OsString],
        environment: &[(&'static str, String)],
    ) -> io::Result<(Self, oneshot::Receiver<u8>)> {
        let [program, arguments @ ..] = command else { return Err(io::ErrorKind::InvalidInput.into()) };
        // As process 1 orphans come to us anyway; in any other place this makes it so.
        if let Err(error) = set_child_subreaper(Some(rustix::process::getpid())) {
            tracing::debug!(%error, "orphans of the server will not come to weir");
        }
        let environment = environment.iter().map(|(name, value)| (*name, value));
        let child = Command::new(program).args(arguments).envs(environment).process_group(0).spawn()?;
        let group = Pid::from_child(&child);
        let (tell, ended) = oneshot::channel();
        std::thread::Builder::new().name("weir-reaper".to_owned()).spawn(move || reap(group, tell))?;
        Ok((Self { group }, ended))
    }

    pub(super) fn id(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    /// To every process of its group; none may be left.
    pub(super) fn signal(&self, signal: Signal) {
        if let Err(error) = kill_process_group(self.group, signal) {
            tracing::debug!(%error, ?signal, "no process of the server took the signal");
        }
    }
}

/// Waits for whoever dies. Ends when there is no child any more: all that the server has left behind have come to us by then.
fn reap(server: Pid, tell: oneshot::Sender<u8>) {
    let mut tell = Some(tell);
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == server => {
                if let Some(tell) = tell.take() {
                    let _ = tell.send(code(status));
                }
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// As shells have it: the code, or 128 and the signal's number.
fn code(status: WaitStatus) -> u8 {
    let ended = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
    ended.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
