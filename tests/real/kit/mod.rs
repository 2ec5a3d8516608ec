//! What the chapters share: children that are ended with the test, curl, the scrape, and waiting for a state.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

mod curl;
mod scrape;
mod server;
mod weir;

pub(crate) use curl::{Reply, curl};
pub(crate) use scrape::{Scrape, Starts};
pub(crate) use server::Server;
pub(crate) use weir::Weir;

/// How long a state may take to come about on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the state is there: polls, since no event tells it.
#[track_caller]
pub(crate) fn eventually(what: &str, state: impl FnMut() -> bool) {
    assert!(becomes(PATIENCE, state), "after {} s there is still no {what}", PATIENCE.as_secs());
}

/// Whether the state came about within the time.
fn becomes(patience: Duration, mut state: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    loop {
        if state() {
            return true;
        }
        if began.elapsed() > patience {
            return false;
        }
        pause(Duration::from_millis(20));
    }
}

#[expect(clippy::disallowed_methods, reason = "the test's own thread, which serves nobody")]
fn pause(time: Duration) {
    thread::sleep(time);
}

/// The folder `tests/real` of the repository.
pub(crate) fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("real")
}

/// The folder of the installed servers.
pub(crate) fn lab() -> PathBuf {
    let lab = std::env::var_os("WEIR_LAB").map_or_else(|| here().join(".lab"), PathBuf::from);
    assert!(
        lab.is_dir(),
        "{} is missing: the real servers are not installed, run tests/real/setup",
        lab.display()
    );
    lab
}

/// Ports that nobody listens on. They lie below the range from which the system gives ports to outgoing connections, and every
/// test process begins at a place of its own, so that two tests at once do not choose the same.
pub(crate) fn ports<const N: usize>() -> [u16; N] {
    const FIRST: u32 = 12_000;
    const STRIDE: u32 = 20;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let mut found = [0; N];
    let mut filled = 0;
    while filled < N {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + (std::process::id() * STRIDE + step) % STRIDE.pow(3);
        let port = u16::try_from(port).expect("12,000 + 8,000 fits");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            found[filled] = port;
            filled += 1;
        }
    }
    found
}

/// Runs a Python client out of the lab and gives what it printed.
#[track_caller]
pub(crate) fn client(script: &str, arguments: &[&str]) -> Vec<serde_json::Value> {
    client_of("clients", script, arguments)
}

/// The same, with what `tests/real/setup KIND` has installed.
#[track_caller]
pub(crate) fn client_of(kind: &str, script: &str, arguments: &[&str]) -> Vec<serde_json::Value> {
    let python = lab().join(kind).join("venv/bin/python");
    assert!(python.exists(), "the clients are not installed, run tests/real/setup {kind}");
    let script = here().join("clients").join(script);
    let output = Command::new(python).arg(&script).args(arguments).output().expect("python runs");
    assert!(
        output.status.success(),
        "{} failed:\n{}\n{}",
        script.display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("the client prints text");
    text.lines().map(|line| serde_json::from_str(line).expect("the client prints JSON")).collect()
}

/// Asks a child to end. The child is ours and not yet waited for, so its number is still its own.
fn terminate(child: &mut std::process::Child) {
    let sent = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status();
    assert!(sent.is_ok(), "kill is part of every system");
}

/// Waits for a child that was asked to end; one that does not is ended.
fn wait(child: &mut std::process::Child, patience: Duration) -> Option<ExitStatus> {
    let mut status = None;
    becomes(patience, || {
        status = child.try_wait().expect("our own child");
        status.is_some()
    });
    if status.is_none() {
        // Nothing more can be done for a child that is already gone.
        let _ = child.kill();
        let _ = child.wait();
    }
    status
}
