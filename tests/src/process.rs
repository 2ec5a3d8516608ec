//! The real binary in a process of its own: `WEIR_BIN`, or the one that was built beside the test. Ended when dropped.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use crate::client::{self, Answer, Client};
use crate::gateway::wait;

/// A running `weir serve`.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// Where the admin side is.
    pub admin: SocketAddr,
}

/// The binary under test.
pub fn binary() -> PathBuf {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.parent()?.join("weir"));
    let binary = std::env::var_os("WEIR_BIN").map(PathBuf::from).or_else(beside).unwrap();
    assert!(binary.exists(), "there is no {}: cargo build -p weir-gateway", binary.display());
    binary
}

/// A folder of the test's own, empty.
pub fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("weir-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

impl Process {
    /// Starts `weir serve -c file` with further arguments and waits until it is ready.
    pub fn serve(file: &Path, arguments: &[&str]) -> Self {
        Self::run(Command::new(binary()).args(["serve", "-c"]).arg(file).args(arguments))
    }

    /// Starts a command that becomes weir and waits until it is ready.
    pub fn run(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).env_remove("NOTIFY_SOCKET").spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (stderr, written) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                written.lock().unwrap().push(line);
            }
        });
        let any = "127.0.0.1:0".parse().unwrap();
        let mut process = Self { child, log, admin: any };
        wait("weir to be ready", || {
            let ended = process.child.try_wait().unwrap();
            assert!(ended.is_none(), "weir ended: {}", process.log());
            process.log().contains(" ready ")
        });
        process.admin = process.address_in(": admin address=");
        process
    }

    /// Where a listener was bound last.
    pub fn listener(&self, name: &str) -> SocketAddr {
        self.address_in(&format!(": listening name=\"{name}\" address="))
    }

    fn address_in(&self, before: &str) -> SocketAddr {
        let log = self.log();
        let found = log.lines().rev().find_map(|line| line.split_once(before)?.1.trim().parse().ok());
        assert!(found.is_some(), "no {before:?} in {log}");
        found.unwrap()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.id().to_string()]).status().unwrap().success());
    }

    /// Whether it has ended.
    pub fn is_gone(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it has ended.
    pub fn ended(&mut self) -> ExitStatus {
        wait("weir to end", || self.is_gone());
        self.child.wait().unwrap()
    }

    /// A POST without a body to the admin side.
    pub fn post(&self, path: &str) -> Answer {
        let mut client = Client::connect(self.admin);
        client.send(format!("POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: 0\r\n\r\n", self.admin));
        client.answer()
    }

    /// The value of a series whose line begins so.
    pub fn value(&self, series: &str) -> Option<f64> {
        let scrape = client::get(self.admin, "/metrics").body_text();
        let rest = scrape.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        rest?.trim().parse().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
