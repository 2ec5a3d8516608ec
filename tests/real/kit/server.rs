//! A real server, run by `tests/real/start` and ended with the test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{curl, eventually, here, terminate, wait};

/// Ends its server when it is dropped. The script also ends it when its standard input closes, so that a test that was killed
/// leaves nothing running; it has a process group of its own so that whoever kills the test's group does not kill the script first.
#[derive(Debug)]
pub(crate) struct Server {
    script: Child,
    /// Where the server runs and writes its log.
    pub(crate) run: PathBuf,
    pub(crate) ports: Vec<u16>,
}

impl Server {
    #[track_caller]
    pub(crate) fn start(kind: &str, ports: &[u16], more: &[&str]) -> Self {
        let mut script = Command::new(here().join("start"))
            .args(["--until-stdin-closes", kind])
            .args(ports.iter().map(u16::to_string))
            .args(more)
            .env("WEIR_STOP_PATIENCE_S", "2")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .process_group(0)
            .spawn()
            .expect("tests/real/start runs");
        let mut run = String::new();
        let output = script.stdout.take().expect("its output is ours");
        BufReader::new(output).read_line(&mut run).expect("tests/real/start prints its run folder");
        assert!(!run.is_empty(), "tests/real/start {kind} gave up, its reason stands above");
        Self { script, run: PathBuf::from(run.trim_end()), ports: ports.to_vec() }
    }

    /// Waits until the server answers the request with 200.
    #[track_caller]
    pub(crate) fn wait_ready(&mut self, url: &str) {
        eventually(&format!("answer from {url}"), || {
            assert!(
                self.script.try_wait().expect("our own child").is_none(),
                "the server ended by itself:\n{}",
                self.log()
            );
            curl(&["--max-time", "2", url]).status == 200
        });
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.run.join("out.log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        terminate(&mut self.script);
        wait(&mut self.script, Duration::from_secs(20));
        if std::thread::panicking() {
            eprintln!("--- the server's log, {}\n{}", self.run.display(), self.log());
        } else {
            // Left there only if it cannot be removed, where it harms nobody.
            let _ = fs::remove_dir_all(&self.run);
        }
    }
}
