//! Under a service manager: signals at any time, signs of life, and who the main process is. By the real binary.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use weir_tests::backend::Backend;
use weir_tests::binary::{self, Binary};
use weir_tests::gateway::wait;

/// What the service manager hears.
struct Manager(UnixDatagram);

impl Manager {
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self(socket)
    }

    /// The next thing that is said.
    fn hears(&self) -> String {
        let mut word = [0; 512];
        let count = self.0.recv(&mut word).unwrap();
        String::from_utf8_lossy(word.get(..count).unwrap()).into_owned()
    }

    /// Waits for something that is said.
    fn waits_for(&self, wanted: &str) {
        while self.hears() != wanted {}
    }
}

fn serve(folder: std::path::PathBuf, backend: &Backend, more: &[&str], watchdog: Option<&str>) -> Binary {
    let address = format!("triton=http://{}", backend.address);
    let mut command = Command::new(binary::path());
    command.args(["serve", "-b", &address, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).args(more);
    command.env_remove("WATCHDOG_PID").env_remove("WATCHDOG_USEC").env_remove("NOTIFY_SOCKET");
    if let Some(within) = watchdog {
        command.env("WATCHDOG_USEC", within);
    }
    let manager = folder.parent().unwrap().join("notify");
    if manager.exists() {
        command.env("NOTIFY_SOCKET", manager);
    }
    Binary::start(folder, &mut command)
}

fn inside(folder: &Path, name: &str) -> std::path::PathBuf {
    let inner = folder.join(name);
    std::fs::create_dir(&inner).unwrap();
    inner
}

#[test]
fn a_signal_right_after_ready_drains() {
    let backend = Backend::fine();
    for signal in ["TERM", "INT", "TERM", "INT"] {
        let mut weir = serve(binary::folder(), &backend, &[], None);
        wait("weir to be ready", || weir.log().contains(" ready "));
        weir.signal(signal);
        assert_eq!(weir.ended().code(), Some(0), "{signal}: {}", weir.log());
        assert!(weir.log().contains("drained"), "{}", weir.log());
    }
}

#[test]
fn signs_of_life_are_given_while_every_worker_lives_and_only_to_whoever_asks() {
    let backend = Backend::fine();
    let folder = binary::folder();
    let manager = Manager::at(&folder.join("notify"));
    let mut weir = serve(inside(&folder, "asked"), &backend, &[], Some("200000"));
    manager.waits_for("READY=1");
    for _ in 0..3 {
        assert_eq!(manager.hears(), "WATCHDOG=1");
    }
    weir.signal("TERM");
    manager.waits_for("STOPPING=1");
    assert!(weir.ended().success());
    let mut quiet = serve(inside(&folder, "unasked"), &backend, &[], None);
    manager.waits_for("READY=1");
    quiet.signal("TERM");
    assert_eq!(manager.hears(), "STOPPING=1");
    assert!(quiet.ended().success());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn whoever_takes_over_becomes_the_main_process_and_inherits_the_watchdog() {
    let backend = Backend::fine();
    let folder = binary::folder();
    let manager = Manager::at(&folder.join("notify"));
    let path = folder.join("takeover.sock");
    let takeover = ["--takeover", path.to_str().unwrap()];
    let mut old = serve(inside(&folder, "old"), &backend, &takeover, Some("200000"));
    manager.waits_for("READY=1");
    // As a command of the service manager is started: without its watchdog.
    let mut new = serve(inside(&folder, "new"), &backend, &takeover, None);
    manager.waits_for(&format!("MAINPID={}\nREADY=1", new.id()));
    assert!(old.ended().success());
    // The old one neither said that the service stops nor goes on giving signs of life for it.
    for _ in 0..5 {
        assert_eq!(manager.hears(), "WATCHDOG=1");
    }
    new.signal("TERM");
    manager.waits_for("STOPPING=1");
    assert!(new.ended().success());
    std::fs::remove_dir_all(folder).unwrap();
}
