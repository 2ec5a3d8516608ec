//! The binary is replaced while requests run: no connection is refused or reset, no answer lost. By the real binary.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use weir_tests::backend::{self, Backend};
use weir_tests::client::{self, Client};
use weir_tests::gateway::wait;
use weir_tests::load::Load;
use weir_tests::process::{self, Process, folder};

fn configuration(folder: &Path, backend: &Backend, more: &str) -> PathBuf {
    let file = folder.join("weir.yaml");
    let text = format!(
        "version: 1\nworkers: 2\nadmin: {{address: '127.0.0.1:0'}}\nlisteners: [{{address: '127.0.0.1:0'}}]\n\
         backends: [{{name: b, dialect: triton, endpoints: ['http://{}']}}]\n{more}\n",
        backend.address
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// Answers at once, but for a stream that goes on until told to end.
fn streaming() -> (Backend, std::sync::mpsc::Sender<()>) {
    let (end, ends) = std::sync::mpsc::channel::<()>();
    let ends = std::sync::Mutex::new(ends);
    let backend = Backend::start(move |wire| {
        while let Some(seen) = wire.request() {
            if !seen.head.contains("/stream/") {
                wire.send(&backend::ok("fine"));
                continue;
            }
            wire.send(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
            );
            wire.send(b"b\r\ndata: one\n\n\r\n");
            let _ = ends.lock().unwrap().recv();
            wire.send(b"c\r\ndata: last\n\n\r\n0\r\n\r\n");
        }
    });
    (backend, end)
}

#[test]
fn three_takeovers_under_load_fail_no_request() {
    let (backend, end) = streaming();
    let folder = folder("takeover");
    let file = configuration(&folder, &backend, "drain: {deadline: 60s}");
    let path = folder.join("takeover.sock");
    let arguments = ["--takeover", path.to_str().unwrap()];
    let mut running = Process::serve(&file, &arguments);
    wait("a place to ask", || path.exists());
    let first = running.listener("main");
    let mut stream = Client::connect(first);
    stream.post("/v2/models/stream/infer", "", "{}");
    let load = Load::start(first, 4, 4);
    let mut old = Vec::new();
    for _ in 0..3 {
        load.more(500);
        let next = Process::serve(&file, &arguments);
        assert_eq!((next.listener("main"), next.admin), (first, running.admin), "the same sockets");
        wait("the old one to drain", || running.log().contains("draining"));
        wait("the new one to serve", || next.log().contains("took over"));
        old.push(std::mem::replace(&mut running, next));
    }
    load.more(500);
    let (asked, failures) = load.stop();
    assert!(asked >= 2000 && failures.is_empty(), "{asked} asked, {} failed: {failures:?}", failures.len());
    assert!(old.iter_mut().skip(1).all(|process| process.ended().success()));
    let [first, ..] = old.as_mut_slice() else { unreachable!("three") };
    assert!(!first.is_gone(), "it has a stream in flight");
    end.send(()).unwrap();
    let answer = stream.answer();
    assert!(answer.status == 200 && answer.complete, "{}", answer.head);
    assert_eq!(answer.body_text(), "data: one\n\ndata: last\n\n");
    assert!(first.ended().success());
    assert_eq!(client::get(running.admin, "/readyz").status, 200);
}

#[test]
fn one_that_cannot_start_leaves_the_running_one_as_it_is() {
    let backend = Backend::fine();
    let folder = folder("takeover-fails");
    let file = configuration(&folder, &backend, "");
    let path = folder.join("takeover.sock");
    let running = Process::serve(&file, &["--takeover", path.to_str().unwrap()]);
    wait("a place to ask", || path.exists());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bad = folder.join("bad.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let extra = format!(
        "listeners: [{{address: '127.0.0.1:0'}}, {{name: extra, address: '{}'}}]",
        taken.local_addr().unwrap()
    );
    std::fs::write(&bad, text.replace("listeners: [{address: '127.0.0.1:0'}]", &extra)).unwrap();
    let failed = Command::new(process::binary())
        .args(["serve", "-c", bad.to_str().unwrap(), "--takeover", path.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(failed.status.code(), Some(1), "{}", String::from_utf8_lossy(&failed.stderr));
    wait("the running one to notice", || running.log().contains("this one goes on"));
    for _ in 0..20 {
        assert_eq!(client::post(running.listener("main"), "/v2/models/alpha/infer", "{}").status, 200);
    }
    assert_eq!(client::get(running.admin, "/readyz").status, 200);
}

#[test]
fn a_socket_of_the_service_manager_is_used_and_outlives_the_process() {
    let backend = Backend::fine();
    let folder = folder("activation");
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let file = configuration(&folder, &backend, "");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("[{address: '127.0.0.1:0'}]", &format!("[{{address: '{address}'}}]")))
        .unwrap();
    // As systemd does it: descriptor 3, and the number of the process that it is meant for.
    let start = || {
        let script = "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" serve -c \"$1\"";
        let inherited = OwnedFd::from(socket.try_clone().unwrap());
        let mut command = Command::new("bash");
        command.args(["-c", script]).arg(process::binary()).arg(&file).stdin(inherited);
        Process::run(&mut command)
    };
    let mut weir = start();
    assert_eq!(weir.listener("main"), address);
    assert_eq!(client::post(address, "/v2/models/alpha/infer", "{}").status, 200);
    assert_eq!(weir.post("/-/drain").status, 202);
    assert!(weir.ended().success());
    // Nobody accepts, nobody refuses: the next process answers it.
    let mut waiting = Client::connect(address);
    waiting.post("/v2/models/alpha/infer", "", "{}");
    let _weir = start();
    assert_eq!(waiting.answer().status, 200);
}
