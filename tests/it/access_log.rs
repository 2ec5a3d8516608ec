//! The access log: what a line tells, what it does not, and that nobody waits for it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use weir_config::{AccessAlways, AccessFormat, AccessLog, AccessQuery, Config, Percent};
use weir_tests::backend::{self, Backend};
use weir_tests::binary::{self, Binary};
use weir_tests::client::{self, Client};
use weir_tests::gateway::{Gateway, wait};

const INFER: &str = "/v2/models/alpha/infer";

fn to(path: &Path, change: impl FnOnce(&mut AccessLog)) -> impl FnOnce(&mut Config) {
    let mut log = AccessLog { to: path.to_str().unwrap().to_owned(), ..AccessLog::default() };
    change(&mut log);
    |config| config.access_log = Some(log)
}

fn lines(path: &Path, count: usize) -> Vec<String> {
    let read = || fs::read_to_string(path).unwrap_or_default();
    wait(&format!("{count} lines in the access log"), || read().lines().count() >= count);
    read().lines().map(str::to_owned).collect()
}

fn json(path: &Path, count: usize) -> Vec<Value> {
    lines(path, count).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_json_line_tells_whose_request_it_was_and_how_it_went() {
    let (folder, backend) = (binary::folder(), Backend::fine());
    let file = folder.join("access.log");
    let gateway = Gateway::with("triton", backend.address, to(&file, |_| {}));
    assert_eq!(client::post(gateway.address, "/v2/repository/models/alpha/load", "").status, 200);
    let mut client = Client::connect(gateway.address);
    let trace = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    client.post(
        "/v2/models/alpha/versions/3/infer?token=s3cret",
        &format!("x-request-id: r-1\r\nuser-agent: me/1\r\n{trace}"),
        "{\"a\":1}",
    );
    assert_eq!(client.answer().status, 200);
    let all = json(&file, 2);
    let line = &all[1];
    for (key, value) in [
        ("outcome", "ok"),
        ("backend", "triton"),
        ("model", "alpha"),
        ("version", "3"),
        ("start", "cold"),
        ("evidence", "lifecycle"),
        ("method", "POST"),
        ("path", "/v2/models/alpha/versions/3/infer"),
        ("protocol", "HTTP/1.1"),
        ("client", "127.0.0.1"),
        ("user_agent", "me/1"),
        ("request_id", "r-1"),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
    ] {
        assert_eq!(line[key], value, "{key} of {line}");
    }
    assert_eq!(line["endpoint"], backend.address.to_string());
    assert_eq!(
        (&line["status"], &line["request_bytes"], &line["response_bytes"]),
        (&200.into(), &7.into(), &4.into())
    );
    let time = line["time"].as_str().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z') && time.starts_with("20"), "{time}");
    let seconds = |key: &str| line[key].as_f64().unwrap();
    assert!(seconds("head") <= seconds("duration") && seconds("first_byte") <= seconds("duration"), "{line}");
    assert!(line.get("query").is_none() && !line.to_string().contains("s3cret"), "{line}");
    assert_eq!((&all[0]["model"], &all[0]["start"]), (&"alpha".into(), &"unknown".into()), "the load call");
    let made = all[0]["request_id"].as_str().unwrap();
    assert_eq!(made.len(), 32);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_weir_answers_itself_says_why_and_a_client_that_left_has_no_status() {
    let (folder, file) = (binary::folder(), binary::folder().join("access.log"));
    let gateway = Gateway::with("triton", "127.0.0.1:1".parse().unwrap(), to(&file, |_| {}));
    assert_eq!(client::post(gateway.address, INFER, "{}").status, 502);
    let refused = &json(&file, 1)[0];
    assert_eq!((&refused["status"], &refused["outcome"]), (&502.into(), &"unreachable".into()));
    assert_eq!(
        (&refused["refused"], &refused["endpoint"]),
        (&"connect_failed".into(), &"127.0.0.1:1".into())
    );
    assert!(refused.get("head").is_none() && refused["connect"].as_f64().is_some(), "{refused}");
    drop(gateway);
    let silent = Backend::start(|wire| {
        wire.request();
        wire.wait_closed();
    });
    let gateway = Gateway::with("triton", silent.address, to(&file, |_| {}));
    let mut client = Client::connect(gateway.address);
    client.post(INFER, "", "{}");
    wait("the request to be with the backend", || silent.connections() == 1);
    drop(client);
    let left = &json(&file, 2)[1];
    assert_eq!(left["outcome"], "cancelled", "{left}");
    assert!(left.get("status").is_none(), "{left}");
    fs::remove_dir_all(folder).unwrap();
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
}

#[test]
fn nothing_from_a_client_breaks_out_of_its_field() {
    let (folder, backend) = (binary::folder(), Backend::fine());
    for format in [AccessFormat::Json, AccessFormat::Clf] {
        let file = folder.join(format!("{format:?}"));
        let gateway = Gateway::with(
            "triton",
            backend.address,
            to(&file, |log| (log.format, log.query) = (format, AccessQuery::Redacted)),
        );
        let mut client = Client::connect(gateway.address);
        // Controls are refused by the parser of heads; these are allowed there and meant for terminals and parsers of logs.
        client.post(
            "/v2/models/a%0a%22b/infer?x=%0d&y=%3Cscript%3E",
            "user-agent: \" 200 1 \"\\\" \u{9b}31m \u{202e}é\r\nreferer: \"\r\n",
            "{}",
        );
        let status = client.answer().status;
        let all = lines(&file, 1);
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(all[0].chars().all(|c| !c.is_control() && c != '\u{202e}'), "{all:?}");
        if format == AccessFormat::Json {
            let line: Value = serde_json::from_str(&all[0]).unwrap();
            assert_eq!(line["status"], status);
            assert_eq!(line["model"], "a\n\"b");
            assert_eq!(line["user_agent"], "\" 200 1 \"\\\" \u{9b}31m \u{202e}é");
        } else {
            assert_eq!(all[0].matches('"').count(), 6, "three quoted fields: {}", all[0]);
        }
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_combined_format_is_the_one_of_web_servers() {
    let (folder, backend) = (binary::folder(), Backend::fine());
    let file = folder.join("access.log");
    let change = to(&file, |log| (log.format, log.query) = (AccessFormat::Clf, AccessQuery::Names));
    let gateway = Gateway::with("triton", backend.address, change);
    let mut client = Client::connect(gateway.address);
    client.post(&format!("{INFER}?key=v"), "user-agent: me/1\r\n", "{}");
    client.answer();
    let line = lines(&file, 1).remove(0);
    let (client, rest) = line.split_once(" - - [").unwrap();
    let (time, rest) = rest.split_once("] ").unwrap();
    assert_eq!(client, "127.0.0.1");
    assert_eq!(rest, "\"POST /v2/models/alpha/infer?key=*** HTTP/1.1\" 200 4 \"-\" \"me/1\"");
    assert!(time.len() == 26 && time.ends_with(" +0000"), "{time}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn sampling_leaves_out_what_is_ordinary_and_keeps_what_is_not() {
    let folder = binary::folder();
    let backend = Backend::answering(|seen| match () {
        () if seen.head.contains("/boom") => backend::answer("500 Oops", "", "no"),
        () if seen.head.contains("/cold") => backend::answer("200 OK", "x-model-cold: true\r\n", "fine"),
        () => backend::ok("fine"),
    });
    let file = folder.join("access.log");
    let change = to(&file, |log| {
        log.sample = Percent::of(0);
        log.always = vec![AccessAlways::Errors, AccessAlways::Cold];
    });
    let gateway = Gateway::with("triton", backend.address, change);
    for model in ["a", "boom", "a", "cold", "a"] {
        client::post(gateway.address, &format!("/v2/models/{model}/infer"), "{}");
    }
    let models: Vec<_> = json(&file, 2).iter().map(|line| line["model"].clone()).collect();
    assert_eq!(models, ["boom", "cold"]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_share_of_all_requests_is_that_share() {
    let (folder, backend) = (binary::folder(), Backend::fine());
    let file = folder.join("access.log");
    let change = to(&file, |log| (log.sample, log.always) = (Percent::of(25), Vec::new()));
    let gateway = Gateway::with("triton", backend.address, change);
    let mut client = Client::connect(gateway.address);
    for _ in 0..400 {
        client.post(INFER, "", "{}");
        assert_eq!(client.answer().status, 200);
    }
    // Other tests of this process take turns too, so that the spread is not exact.
    let count = lines(&file, 50).len();
    assert!((50..=150).contains(&count), "{count} of 400 at a quarter");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_full_disk_and_a_file_that_cannot_be_opened_cost_lines_and_nothing_else() {
    let backend = Backend::fine();
    for place in ["/dev/full", "/nonexistent/folder/access.log"] {
        let gateway = Gateway::with("triton", backend.address, to(Path::new(place), |_| {}));
        let dropped = || gateway.value("weir_access_log_dropped_total{reason=\"write\"}");
        let before = dropped();
        for _ in 0..3 {
            assert_eq!(client::post(gateway.address, INFER, "{}").status, 200, "{place}");
        }
        wait("lost lines to be counted", || dropped() >= before + 3.0);
    }
}

#[test]
fn a_reader_that_does_not_read_costs_lines_and_holds_up_nobody() {
    let (folder, backend) = (binary::folder(), Backend::fine());
    let file = folder.join("weir.yaml");
    let yaml = format!(
        "backends: [{{dialect: triton, endpoints: [\"http://{}\"]}}]\naccess_log: {{queue_lines_max: 16}}\n",
        backend.address
    );
    fs::write(&file, yaml).unwrap();
    // A pipe that nobody reads: after 64 KiB its writer waits for ever.
    let fifo = folder.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let script = "exec 3<>\"$1\"; exec \"$2\" serve -c \"$3\" --listen 127.0.0.1:0 --admin 127.0.0.1:0 >&3";
    let mut command = std::process::Command::new("bash");
    command.args(["-c", script, "-"]).arg(&fifo).arg(binary::path()).arg(&file);
    let mut weir = Binary::start(folder, &mut command);
    let mut client = Client::connect(weir.address);
    for _ in 0..1000 {
        client.post(INFER, "", "{}");
        assert_eq!(client.answer().status, 200);
    }
    let scrape = client::get(weir.admin, "/metrics").body_text();
    assert!(scrape.contains("weir_access_log_dropped_total{reason=\"queue_full\"}"), "{scrape}");
    drop(client);
    weir.signal("TERM");
    assert_eq!(weir.ended().code(), Some(0), "nor does it hold up the end");
}

#[test]
fn lines_go_to_stdout_by_default_and_the_last_ones_are_not_lost() {
    let (folder, backend) = (binary::folder(), Backend::fine());
    let yaml = format!(
        "backends: [{{dialect: triton, endpoints: [\"http://{}\"]}}]\naccess_log: {{}}\n",
        backend.address
    );
    let mut weir = Binary::with_file(folder, &yaml);
    for _ in 0..5 {
        assert_eq!(client::post(weir.address, INFER, "{}").status, 200);
    }
    weir.signal("TERM");
    assert_eq!(weir.ended().code(), Some(0));
    let out = weir.stdout();
    assert_eq!(out.lines().count(), 5, "{out}");
    assert!(out.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

#[test]
fn sigusr1_opens_the_file_again_so_that_it_can_be_turned_over() {
    let (folder, backend) = (binary::folder(), Backend::fine());
    let (file, old) = (folder.join("access.log"), folder.join("access.log.1"));
    let yaml = format!(
        "backends: [{{dialect: triton, endpoints: [\"http://{}\"]}}]\naccess_log: {{to: {}}}\n",
        backend.address,
        file.display()
    );
    let weir = Binary::with_file(folder, &yaml);
    client::post(weir.address, INFER, "{}");
    assert_eq!(lines(&file, 1).len(), 1);
    fs::rename(&file, &old).unwrap();
    client::post(weir.address, INFER, "{}");
    assert_eq!(lines(&old, 2).len(), 2, "it still writes where it did");
    weir.signal("USR1");
    wait("the new file", || file.exists());
    client::post(weir.address, INFER, "{}");
    assert_eq!(lines(&file, 1).len(), 1);
    assert_eq!(lines(&old, 2).len(), 2);
}
