//! A configuration is replaced while requests run: all of it or nothing. By the real binary.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use serde_json::Value;
use weir_tests::backend::{self, Backend};
use weir_tests::client::{self, Answer, Client};
use weir_tests::gateway::wait;
use weir_tests::load::Load;
use weir_tests::process::{Process, folder};

fn text(backend: SocketAddr, more: &str) -> String {
    format!(
        "version: 1\nworkers: 2\nadmin: {{address: '127.0.0.1:0'}}\n\
         backends: [{{name: b, dialect: triton, endpoints: ['http://{backend}']}}]\n{more}\n"
    )
}

const ONE: &str = "listeners: [{address: '127.0.0.1:0'}]";

fn started(name: &str, text: &str) -> (PathBuf, Process) {
    let file = folder(name).join("weir.yaml");
    std::fs::write(&file, text).unwrap();
    let weir = Process::serve(&file, &[]);
    (file, weir)
}

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, file).unwrap();
}

const SUCCESSFUL: &str = "weir_config_last_reload_successful";

#[test]
fn ten_reloads_under_load_fail_no_request() {
    let (first, second) =
        (Backend::answering(|_| backend::ok("one")), Backend::answering(|_| backend::ok("two")));
    let (file, weir) = started("reload-load", &text(first.address, ONE));
    let load = Load::start(weir.listener("main"), 3, 3);
    for round in 0..10 {
        load.more(1000);
        let to = if round % 2 == 0 { second.address } else { first.address };
        replace(
            &file,
            &text(
                to,
                &format!(
                    "listeners: [{{address: '127.0.0.1:0', limits: {{idle_timeout: {}s}}}}]",
                    60 + round
                ),
            ),
        );
        let answer = weir.post("/-/reload");
        assert_eq!(answer.status, 200, "{}", answer.body_text());
    }
    let (asked, failures) = load.stop();
    assert!(asked >= 10_000 && failures.is_empty(), "{asked} asked, {} failed: {failures:?}", failures.len());
    assert!(second.connections() > 0);
    assert_eq!(weir.value(SUCCESSFUL), Some(1.0));
    let ok = weir.value("weir_model_requests_total{backend=\"b\",model=\"alpha\",outcome=\"ok\"}");
    assert_eq!(ok, Some(asked as f64), "every request is counted once, before and after");
}

#[test]
fn what_is_wrong_is_refused_with_every_problem_and_the_old_one_stays() {
    let backend = Backend::fine();
    let good = text(backend.address, ONE);
    let (file, weir) = started("reload-bad", &good);
    let before = json(&client::get(weir.admin, "/api/v1/config"));
    replace(&file, &good.replace("dialect: triton", "dialct: triton").replace("workers: 2", "workers: 0"));
    let answer = weir.post("/-/reload");
    assert_eq!(answer.status, 422);
    let problems = json(&answer)["problems"].to_string();
    assert!(problems.contains("dialct") && problems.contains("workers"), "{problems}");
    assert_eq!(weir.value(SUCCESSFUL), Some(0.0));
    // Half of a file, as a slow writer leaves it; and none at all.
    replace(&file, good.get(..good.len() / 2).unwrap());
    assert_eq!(weir.post("/-/reload").status, 422);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(weir.post("/-/reload").status, 409);
    let now = json(&client::get(weir.admin, "/api/v1/config"));
    assert_eq!((&now["config"], &now["hash"]), (&before["config"], &before["hash"]));
    assert_eq!(client::post(weir.listener("main"), "/v2/models/alpha/infer", "{}").status, 200);
    assert!(weir.log().contains("the running one stays") && weir.log().contains("dialct"), "{}", weir.log());
    replace(&file, &good);
    assert_eq!(weir.post("/-/reload").status, 200);
    assert_eq!(weir.value(SUCCESSFUL), Some(1.0));
}

#[test]
fn an_address_that_is_taken_changes_nothing_at_all() {
    let (old, new) = (Backend::fine(), Backend::answering(|_| backend::ok("new")));
    let (file, weir) = started("reload-taken", &text(old.address, ONE));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let more = format!(
        "listeners: [{{address: '127.0.0.1:0'}}, {{name: extra, address: '{}'}}]",
        taken.local_addr().unwrap()
    );
    replace(&file, &text(new.address, &more));
    let answer = weir.post("/-/reload");
    assert_eq!(answer.status, 409);
    assert!(answer.body_text().contains("cannot listen on"), "{}", answer.body_text());
    assert_eq!(client::post(weir.listener("main"), "/v2/models/alpha/infer", "{}").body_text(), "fine");
    drop(taken);
    assert_eq!(weir.post("/-/reload").status, 200);
    assert_eq!(client::post(weir.listener("extra"), "/v2/models/alpha/infer", "{}").body_text(), "new");
}

#[test]
fn listeners_come_and_go_and_what_is_in_flight_on_them_is_finished() {
    let (go, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let (arrived, arrival) = std::sync::mpsc::channel::<()>();
    let backend = Backend::answering(move |seen| {
        if seen.head.contains("/slow/") {
            let _ = arrived.send(());
            let _ = held.lock().unwrap().recv();
        }
        backend::ok("done")
    });
    let two = "listeners: [{address: '127.0.0.1:0'}, {name: extra, address: '127.0.0.1:0'}]";
    let (file, weir) = started("reload-listeners", &text(backend.address, two));
    let extra = weir.listener("extra");
    let mut idle = Client::connect(extra);
    idle.post("/v2/models/alpha/infer", "", "{}");
    assert_eq!(idle.answer().status, 200);
    let mut busy = Client::connect(extra);
    busy.post("/v2/models/slow/infer", "", "{}");
    arrival.recv().unwrap();
    replace(&file, &text(backend.address, ONE));
    assert_eq!(weir.post("/-/reload").status, 200);
    wait("the listener to go", || TcpStream::connect(extra).is_err());
    assert_eq!(idle.answer().status, 0, "an idle connection of a listener that goes is closed");
    go.send(()).unwrap();
    let answer = busy.answer();
    assert_eq!((answer.status, answer.body_text().as_str()), (200, "done"));
    assert_eq!(answer.field("connection"), Some("close"));
    assert_eq!(client::post(weir.listener("main"), "/v2/models/alpha/infer", "{}").status, 200);
}

#[test]
fn limits_of_a_listener_change_for_new_connections() {
    let backend = Backend::fine();
    let (file, weir) = started("reload-limits", &text(backend.address, ONE));
    let long = format!("x-long: {}\r\n", "x".repeat(20_000));
    let mut before = Client::connect(weir.listener("main"));
    before.post("/v2/models/alpha/infer", &long, "{}");
    assert_eq!(before.answer().status, 200);
    replace(
        &file,
        &text(backend.address, "listeners: [{address: '127.0.0.1:0', limits: {header_bytes_max: 8KiB}}]"),
    );
    assert_eq!(weir.post("/-/reload").status, 200);
    let mut after = Client::connect(weir.listener("main"));
    after.post("/v2/models/alpha/infer", &long, "{}");
    assert_eq!(after.answer().status, 431);
}

#[test]
fn what_holds_from_the_start_is_said_and_not_taken_over() {
    let backend = Backend::fine();
    let (file, weir) = started("reload-start", &text(backend.address, ONE));
    replace(
        &file,
        &text(backend.address, &format!("{ONE}\ndrain: {{deadline: 7s}}"))
            .replace("workers: 2", "workers: 3"),
    );
    let done = json(&weir.post("/-/reload"));
    assert_eq!(done["needs_restart"][0]["path"], "workers", "{done}");
    // The watch on the file may have been first; what counts is what runs.
    let now = json(&client::get(weir.admin, "/api/v1/config"));
    assert_eq!(now["config"]["drain"]["deadline"], "7s", "{now}");
    assert_eq!((&now["config"]["workers"], &now["needs_restart"][0]["will"]), (&2.into(), &3.into()));
    assert!(weir.log().contains("workers: 2 -> 3"), "{}", weir.log());
}

#[test]
fn a_signal_reloads_and_so_does_a_link_that_is_swapped() {
    let (first, second) =
        (Backend::answering(|_| backend::ok("one")), Backend::answering(|_| backend::ok("two")));
    let folder = folder("reload-link");
    for (version, backend) in [("..v1", first.address), ("..v2", second.address)] {
        std::fs::create_dir(folder.join(version)).unwrap();
        std::fs::write(folder.join(version).join("weir.yaml"), text(backend, ONE)).unwrap();
    }
    std::os::unix::fs::symlink("..v1", folder.join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/weir.yaml", folder.join("weir.yaml")).unwrap();
    let weir = Process::serve(&folder.join("weir.yaml"), &[]);
    let address = weir.listener("main");
    let says = || client::post(address, "/v2/models/alpha/infer", "{}").body_text();
    assert_eq!(says(), "one");
    std::os::unix::fs::symlink("..v2", folder.join("..new")).unwrap();
    std::fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
    // The log tells of it behind the swap.
    wait("the swapped link to be noticed", || {
        says() == "two" && weir.log().contains("by=\"the file changed\"")
    });
    std::fs::write(folder.join("..v2/weir.yaml"), text(first.address, ONE)).unwrap();
    weir.signal("HUP");
    wait("the signal to be obeyed", || says() == "one" && weir.log().contains("by=\"SIGHUP\""));
}

#[test]
fn the_command_line_tells_what_would_change_reloads_and_drains() {
    let backend = Backend::fine();
    let (file, mut weir) = started("reload-cli", &text(backend.address, ONE));
    let other = file.with_extension("other");
    let more = format!("{ONE}\ndrain: {{deadline: 7s}}");
    std::fs::write(&other, text(backend.address, &more).replace("workers: 2", "workers: 3")).unwrap();
    let admin = weir.admin.to_string();
    let run = |arguments: &[&str]| {
        let output =
            std::process::Command::new(weir_tests::process::binary()).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let told = "~ drain.deadline: \"30s\" -> \"7s\"\n~ workers: 2 -> 3  (needs a restart)\n";
    let (old, new) = (file.to_str().unwrap(), other.to_str().unwrap());
    assert_eq!(run(&["config", "diff", "-c", new, "--admin", &admin]), (Some(0), told.to_owned()));
    let against = run(&["config", "diff", "-c", new, "--against", old, "--exit-code"]);
    assert_eq!(against, (Some(1), told.to_owned()));
    assert_eq!(run(&["config", "diff", "-c", old, "--admin", &admin]).1, "no difference\n");
    let (code, said) = run(&["reload", "--admin", &admin]);
    assert!(code == Some(0) && said.starts_with("reloaded: "), "{said}");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(run(&["reload", "--admin", &admin]).0, Some(1));
    assert_eq!(run(&["drain", "--admin", &admin]), (Some(0), "draining\n".to_owned()));
    assert!(weir.ended().success());
}
