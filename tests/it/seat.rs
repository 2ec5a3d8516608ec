//! The container seat with servers of our own: scripts that do what no real server does.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use weir_tests::binary::{self, Binary};
use weir_tests::client::{get, post};
use weir_tests::gateway::wait;

/// A model server of one file: `/ping` says what it was given, `/hang` never answers, SIGTERM ends it with the code it was told.
const SERVER: &str = r#"
import http.server, os, signal, subprocess, sys, threading, time
code = int(os.environ.get("CODE", "0"))
def end(*_):
    open(os.environ["SEEN"], "a").write("TERM\n")
    os._exit(code)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGUSR2, lambda *_: open(os.environ["SEEN"], "a").write("USR2\n"))
# An orphan that dies at once, and one that stays until the group is ended.
subprocess.Popen(["bash", "-c", "(exit 0) & (sleep 300 & echo $! > \"$SEEN.orphan\") & exit 0"])
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/models":
            time.sleep(300)
        if self.path == "/models/die":
            os._exit(7)
        body = (os.environ["SAGEMAKER_BIND_TO_PORT"] + " " + os.environ.get("SAGEMAKER_SAFE_PORT_RANGE", "")).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *_): pass
time.sleep(float(os.environ.get("SLOW", "0")))
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"#;

struct Seat {
    weir: Binary,
    seen: PathBuf,
}

fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// `weir serve -- python3 SERVER` at a port of the environment.
fn seat(variables: &[(&str, &str)]) -> Seat {
    let folder = binary::folder();
    let (script, seen) = (folder.join("server.py"), folder.join("seen"));
    fs::write(&script, SERVER).unwrap();
    let mut command = Command::new(binary::path());
    command.args(["serve", "--admin", "127.0.0.1:0", "--", "python3"]).arg(&script);
    command.env("SAGEMAKER_BIND_TO_PORT", free().to_string()).env("SEEN", &seen);
    command.env_remove("SAGEMAKER_SAFE_PORT_RANGE").envs(variables.iter().copied());
    let mut weir = Binary::start(folder, &mut command);
    weir.address.set_ip("127.0.0.1".parse().unwrap());
    Seat { weir, seen }
}

impl Seat {
    fn wait_up(&self) {
        wait("the server to be up", || get(self.weir.address, "/ping").status == 200);
    }

    fn seen(&self) -> String {
        fs::read_to_string(&self.seen).unwrap_or_default()
    }
}

#[test]
fn the_server_gets_a_port_of_the_range_and_weir_the_platforms() {
    let first = free();
    let range = format!("{first}-{}", first.saturating_add(20));
    let seat = seat(&[("SAGEMAKER_SAFE_PORT_RANGE", &range)]);
    seat.wait_up();
    let told = get(seat.weir.address, "/ping").body_text();
    let (port, left) = told.split_once(' ').unwrap();
    let port: u16 = port.parse().unwrap();
    assert!((first..=first + 20).contains(&port) && port != seat.weir.address.port(), "{told}");
    assert!(left.starts_with(&format!("{}-", port + 1)), "weir's own is not in what is left: {told}");
}

#[test]
fn the_health_check_is_answered_while_the_server_is_not_up_and_when_it_hangs() {
    let seat = seat(&[("SLOW", "1")]);
    assert_eq!(get(seat.weir.address, "/ping").status, 502, "not up yet");
    seat.wait_up();
}

#[test]
fn weir_ends_with_the_servers_code_after_passing_the_signal_on() {
    let mut seat = seat(&[("CODE", "3")]);
    seat.wait_up();
    seat.weir.signal("USR2");
    wait("USR2 to be passed on", || seat.seen().contains("USR2"));
    seat.weir.signal("TERM");
    assert_eq!(seat.weir.ended().code(), Some(3), "{}", seat.weir.log());
    assert_eq!(seat.seen(), "USR2\nTERM\n");
}

#[test]
fn a_server_that_dies_takes_weir_with_it() {
    let mut seat = seat(&[]);
    seat.wait_up();
    assert_eq!(get(seat.weir.address, "/models/die").status, 502);
    assert_eq!(seat.weir.ended().code(), Some(7), "{}", seat.weir.log());
}

#[test]
fn orphans_are_reaped_and_none_is_left_behind() {
    let mut seat = seat(&[]);
    seat.wait_up();
    let id = seat.weir.id();
    let zombies = || {
        let listed = Command::new("ps").args(["-o", "stat=", "--ppid", &id.to_string()]).output().unwrap();
        String::from_utf8_lossy(&listed.stdout).lines().filter(|state| state.starts_with('Z')).count()
    };
    let orphan = seat.seen.with_extension("orphan");
    wait("the orphan", || fs::read_to_string(&orphan).is_ok_and(|text| !text.trim().is_empty()));
    let orphan = fs::read_to_string(&orphan).unwrap().trim().to_owned();
    wait("no zombie", || zombies() == 0);
    seat.weir.signal("TERM");
    assert_eq!(seat.weir.ended().code(), Some(0), "{}", seat.weir.log());
    wait("the orphan to be ended", || {
        let alive = Command::new("kill").args(["-0", &orphan]).stderr(Stdio::null()).status().unwrap();
        !alive.success()
    });
}

#[test]
fn a_server_that_killed_itself_is_128_and_the_signal() {
    let status = Command::new(binary::path())
        .args(["serve", "--admin", "127.0.0.1:0", "--", "bash", "-c", "kill -KILL $$"])
        .env("SAGEMAKER_BIND_TO_PORT", free().to_string())
        .output()
        .unwrap();
    assert_eq!(status.status.code(), Some(137), "{}", String::from_utf8_lossy(&status.stderr));
}

#[test]
fn what_cannot_be_run_or_is_no_port_is_said() {
    let run = |variables: &[(&str, &str)], command: &str| {
        let output = Command::new(binary::path())
            .args(["serve", "--admin", "127.0.0.1:0", "--", command])
            .env("SAGEMAKER_BIND_TO_PORT", free().to_string())
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = run(&[], "/nonexistent/server");
    assert!(code == 127 && said.contains("cannot be run"), "{said}");
    assert_eq!(run(&[], "/etc/passwd").0, 126);
    let (code, said) = run(&[("SAGEMAKER_BIND_TO_PORT", "http")], "true");
    assert!(code == 1 && said.contains("SAGEMAKER_BIND_TO_PORT is \"http\""), "{said}");
}

#[test]
fn a_request_in_flight_is_answered_before_the_server_is_told_to_end() {
    let mut seat = seat(&[("CODE", "0")]);
    seat.wait_up();
    let address = seat.weir.address;
    let waiting = std::thread::spawn(move || post(address, "/invocations", "{}").status);
    assert_eq!(waiting.join().unwrap(), 200);
    seat.weir.signal("TERM");
    assert_eq!(seat.weir.ended().code(), Some(0));
}

#[test]
fn a_health_check_that_hangs_is_given_up_within_two_seconds() {
    // A socket that accepts and never answers, at the place where the server should be.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let backend = format!("mms=http://{}", silent.local_addr().unwrap());
    let folder = binary::folder();
    let mut command = Command::new(binary::path());
    command.args(["serve", "--admin", "127.0.0.1:0", "--backend", &backend, "--", "sleep", "300"]);
    command.env("SAGEMAKER_BIND_TO_PORT", free().to_string());
    let mut weir = Binary::start(folder, &mut command);
    weir.address.set_ip("127.0.0.1".parse().unwrap());
    let began = std::time::Instant::now();
    assert_eq!(get(weir.address, "/ping").status, 504);
    assert!(began.elapsed() < Duration::from_secs(10), "not the five minutes of an inference");
}
