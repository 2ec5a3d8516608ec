//! The real binary as a child: what it prints is kept, its addresses are read from its log, and it is ended with the test.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::gateway::wait;

/// A running `weir serve`.
#[derive(Debug)]
pub struct Binary {
    child: Child,
    /// A folder of its own, removed at the end.
    pub folder: PathBuf,
    /// Where requests go.
    pub address: SocketAddr,
    /// Where the admin side is.
    pub admin: SocketAddr,
}

/// `WEIR_BIN`, or the one that was built beside the test.
pub fn path() -> PathBuf {
    let beside =
        || -> Option<PathBuf> { Some(std::env::current_exe().ok()?.parent()?.parent()?.join("weir")) };
    let binary = std::env::var_os("WEIR_BIN").map(PathBuf::from).or_else(beside).unwrap();
    assert!(binary.exists(), "there is no {}: cargo build -p weir-gateway", binary.display());
    binary
}

/// A new folder.
pub fn folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("weir-it-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

impl Binary {
    /// `weir serve -c FILE` on ports of the kernel's choice.
    pub fn with_file(folder: PathBuf, yaml: &str) -> Self {
        let file = folder.join("weir.yaml");
        fs::write(&file, yaml).unwrap();
        let arguments = ["-c", file.to_str().unwrap(), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        Self::start(folder, Command::new(path()).arg("serve").args(arguments))
    }

    /// Any command that becomes a `weir serve`; its output goes to `stdout` and `stderr` in the folder.
    pub fn start(folder: PathBuf, command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(folder.join("stdout")).unwrap())
            .stderr(File::create(folder.join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let none: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let mut binary = Self { child, folder, address: none, admin: none };
        wait("weir to listen", || {
            let log = binary.log();
            assert!(
                binary.child.try_wait().unwrap().is_none() || log.contains("ready"),
                "weir ended:\n{log}"
            );
            let found = (address_after(&log, "listening "), address_after(&log, "admin "));
            let (Some(address), Some(admin)) = found else { return false };
            (binary.address, binary.admin) = (address, admin);
            true
        });
        binary
    }

    /// What it said on stderr.
    pub fn log(&self) -> String {
        read(&self.folder.join("stderr"))
    }

    /// What it said on stdout.
    pub fn stdout(&self) -> String {
        read(&self.folder.join("stdout"))
    }

    /// Its process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, such as `TERM`. The child is not yet waited for, so its number is its own.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        wait("weir to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

fn address_after(log: &str, mark: &str) -> Option<SocketAddr> {
    let line = log.lines().find(|line| line.contains(mark) && line.contains("address="))?;
    let (_, rest) = line.split_once("address=")?;
    rest.split_whitespace().next()?.parse().ok()
}
