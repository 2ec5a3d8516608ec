//! The real `weir` binary as a child.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{Reply, Scrape, becomes, curl, here, ports, terminate, wait};

/// Ended when it is dropped; its log is shown when the test failed.
#[derive(Debug)]
pub(crate) struct Weir {
    child: Child,
    folder: PathBuf,
    listener: String,
    admin: String,
}

impl Weir {
    /// `weir serve --backend DIALECT=URL…`, with no file.
    #[track_caller]
    pub(crate) fn serve(backend: &str) -> Self {
        Self::spawn(scratch(), &["--backend", backend], &[])
    }

    /// `weir serve -c FILE`.
    #[track_caller]
    pub(crate) fn serve_file(yaml: &str) -> Self {
        Self::serve_file_in(yaml, &[])
    }

    /// The same, with these variables in its environment.
    #[track_caller]
    pub(crate) fn serve_file_in(yaml: &str, environment: &[(&str, &str)]) -> Self {
        let folder = scratch();
        let file = folder.join("weir.yaml");
        fs::write(&file, yaml).expect("the scratch folder is ours");
        Self::spawn(folder, &["-c", file.to_str().expect("a plain path")], environment)
    }

    /// `weir serve -- tests/real/start KIND PORT`, where PORT is the one that weir chose for the server.
    #[track_caller]
    pub(crate) fn seat(kind: &str) -> Self {
        let [first] = ports();
        let range = format!("{first}-{}", first + 9);
        let script = here().join("start");
        let start = "exec \"$0\" \"$1\" \"$SAGEMAKER_BIND_TO_PORT\"";
        let command = ["--", "bash", "-c", start, script.to_str().expect("a plain path"), kind];
        Self::spawn(
            scratch(),
            &command,
            &[("SAGEMAKER_SAFE_PORT_RANGE", &range), ("WEIR_STOP_PATIENCE_S", "2")],
        )
    }

    /// A folder that is removed at the end.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    #[track_caller]
    fn spawn(folder: PathBuf, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let binary =
            std::env::var_os("WEIR_BIN").expect("WEIR_BIN names the weir binary: run this through tests/run");
        let log = File::create(folder.join("weir.log")).expect("the scratch folder is ours");
        let child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .expect("WEIR_BIN runs");
        let mut weir = Self { child, folder, listener: String::new(), admin: String::new() };
        let listens = becomes(Duration::from_secs(20), || {
            let log = weir.log();
            weir.listener = address_after(&log, "listening name=").unwrap_or_default();
            weir.admin = address_after(&log, "admin ").unwrap_or_default();
            let ended = weir.child.try_wait().expect("our own child").is_some();
            ended || !(weir.listener.is_empty() || weir.admin.is_empty())
        });
        assert!(listens && !weir.listener.is_empty(), "weir does not listen:\n{}", weir.log());
        weir
    }

    /// The address of a path on the data plane.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listener)
    }

    /// Where the listener of this name is; the first one's name is what its file says.
    #[track_caller]
    pub(crate) fn address_of(&self, name: &str) -> String {
        let log = self.log();
        address_after(&log, &format!("listening name=\"{name}\""))
            .or_else(|| address_after(&log, &format!("listening name={name}")))
            .unwrap_or_else(|| panic!("no listener {name}:\n{log}"))
    }

    pub(crate) fn admin(&self, path: &str) -> Reply {
        curl(&[&format!("http://{}{path}", self.admin)])
    }

    pub(crate) fn admin_address(&self) -> &str {
        &self.admin
    }

    #[track_caller]
    pub(crate) fn scrape(&self) -> Scrape {
        let reply = self.admin("/metrics");
        assert_eq!(reply.status, 200, "{reply:?}");
        Scrape::parse(&reply.body)
    }

    /// The scrape once that many requests have been settled: an answer may reach the caller a moment before it is counted.
    #[track_caller]
    pub(crate) fn settled(&self, requests: u64) -> Scrape {
        let mut scrape = self.scrape();
        becomes(Duration::from_secs(5), || {
            scrape = self.scrape();
            scrape.requests() >= requests && scrape.count("weir_model_in_flight_requests", &[]) == 0
        });
        assert_eq!(scrape.requests(), requests, "requests counted and sent\n{}", self.admin("/metrics").body);
        scrape
    }

    /// `GET /api/v1/models`: the entry of one model.
    #[track_caller]
    pub(crate) fn model(&self, name: &str) -> serde_json::Value {
        let all = self.admin("/api/v1/models").json();
        let entries = all["models"].as_array().unwrap_or_else(|| panic!("no models in {all}"));
        entries
            .iter()
            .find(|entry| entry["model"] == name)
            .unwrap_or_else(|| panic!("no {name} in {all}"))
            .clone()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("weir.log")).unwrap_or_default()
    }

    /// SIGTERM, as an operator stops it.
    #[track_caller]
    pub(crate) fn stop(mut self) -> ExitStatus {
        terminate(&mut self.child);
        wait(&mut self.child, Duration::from_secs(40))
            .unwrap_or_else(|| panic!("weir does not stop:\n{}", self.log()))
    }
}

impl Drop for Weir {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            terminate(&mut self.child);
            wait(&mut self.child, Duration::from_secs(5));
        }
        if std::thread::panicking() {
            eprintln!("--- weir's log\n{}", self.log());
        }
        // Left there only if it cannot be removed, where it harms nobody.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn address_after(log: &str, mark: &str) -> Option<String> {
    let (_, rest) = log.split_once(mark)?;
    let (_, rest) = rest.split_once("address=")?;
    Some(rest.split_whitespace().next()?.to_owned())
}

fn scratch() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("weir-real-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).expect("the temporary folder can be written");
    folder
}
