//! Ids and traces on their way through, and what answers tell of themselves.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use weir_config::RequestId;
use weir_tests::backend::{self, Backend, Seen};
use weir_tests::client::{self, Client};
use weir_tests::gateway::Gateway;

/// A backend that tells what it has seen, and says `fields` itself.
fn telling(fields: &'static str) -> (Backend, Receiver<Seen>) {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let backend = Backend::answering(move |seen| {
        tell.lock().unwrap().send(seen.clone()).unwrap();
        backend::answer("200 OK", fields, "fine")
    });
    (backend, told)
}

fn field<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let of = |line: &'a str| line.split_once(':').filter(|(found, _)| found.eq_ignore_ascii_case(name));
    head.lines().filter_map(|line| Some(of(line)?.1.trim())).collect()
}

fn ask(gateway: &Gateway, fields: &str) -> client::Answer {
    let mut client = Client::connect(gateway.address);
    client.post("/v2/models/alpha/infer", fields, "{}");
    client.answer()
}

#[test]
fn trace_headers_pass_unchanged_whatever_is_in_them() {
    let (backend, told) = telling("");
    let gateway = Gateway::before("triton", backend.address);
    let sent = [
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("tracestate", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        ("tracestate", "more=x"),
        ("baggage", "userId=alice,serverNode=DF%2028;p=1"),
        ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"),
    ];
    let fields: String = sent.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    assert_eq!(ask(&gateway, &fields).status, 200);
    let seen = told.recv().unwrap().head;
    for (name, value) in sent {
        assert!(field(&seen, name).contains(&value), "{name}: {seen}");
    }
    assert_eq!(field(&seen, "tracestate").len(), 2);
    ask(&gateway, "traceparent: nonsense\r\n");
    assert_eq!(field(&told.recv().unwrap().head, "traceparent"), ["nonsense"]);
}

#[test]
fn a_request_id_is_made_when_absent_and_kept_when_well_formed() {
    let (backend, told) = telling("x-request-id: of-the-backend\r\n");
    let gateway = Gateway::before("triton", backend.address);
    for (sent, kept) in [("", false), ("x-request-id: abc-123\r\n", true), ("x-request-id: a\"b\r\n", false)]
    {
        let answer = ask(&gateway, sent);
        let seen = told.recv().unwrap().head;
        let ids = field(&answer.head, "x-request-id");
        assert_eq!(ids.len(), 1, "{}", answer.head);
        assert_eq!(field(&seen, "x-request-id"), ids, "backend and caller got the same");
        assert_eq!(ids[0] == "abc-123", kept, "{sent:?}");
        assert!(kept || ids[0].len() == 32 && ids[0].bytes().all(|b| b.is_ascii_hexdigit()), "{ids:?}");
    }
}

#[test]
fn an_answer_of_weirs_own_has_the_id_too() {
    let gateway = Gateway::before("triton", "127.0.0.1:1".parse().unwrap());
    let answer = ask(&gateway, "x-request-id: abc-123\r\n");
    assert_eq!((answer.status, field(&answer.head, "x-request-id")), (502, vec!["abc-123"]));
}

#[test]
fn off_and_keep_make_no_id() {
    let (backend, told) = telling("x-request-id: of-the-backend\r\n");
    for (policy, sent, at_backend, at_caller) in [
        (RequestId::Off, "", vec![], "of-the-backend"),
        (RequestId::Off, "x-request-id: a b\r\n", vec!["a b"], "of-the-backend"),
        (RequestId::Keep, "", vec![], "of-the-backend"),
        (RequestId::Keep, "x-request-id: a b\r\n", vec![], "of-the-backend"),
        (RequestId::Keep, "x-request-id: ab\r\n", vec!["ab"], "ab"),
    ] {
        let gateway = Gateway::with("triton", backend.address, |config| config.forward.request_id = policy);
        let answer = ask(&gateway, sent);
        assert_eq!(field(&told.recv().unwrap().head, "x-request-id"), at_backend, "{policy:?} {sent:?}");
        assert_eq!(field(&answer.head, "x-request-id"), [at_caller], "{policy:?} {sent:?}");
    }
}

#[test]
fn hot_and_cold_stand_in_the_answer_when_configured() {
    let backend = Backend::answering(|seen| match seen.head.contains("x-cold: 1") {
        true => backend::answer("200 OK", "x-model-cold: true\r\nx-weir-start: hot\r\n", "fine"),
        false => backend::ok("fine"),
    });
    let gateway = Gateway::with("triton", backend.address, |config| {
        config.forward.start_header = true;
        config.forward.server_timing = true;
    });
    let starts = |fields: &str| {
        let answer = ask(&gateway, fields);
        let timing = field(&answer.head, "server-timing").join(",");
        assert!(timing.starts_with("weir;dur="), "{timing}");
        let start = field(&answer.head, "x-weir-start").join(",");
        assert_eq!(timing.contains("desc="), !start.is_empty(), "{timing}");
        start
    };
    assert_eq!(starts(""), "", "nothing is known");
    assert_eq!(starts("x-cold: 1\r\n"), "cold", "by header, and not what the backend says in our name");
    // By lifecycle: a load passes, the first answer after it is cold, the next is hot.
    assert_eq!(client::post(gateway.address, "/v2/repository/models/alpha/load", "").status, 200);
    assert_eq!([starts(""), starts("")], ["cold", "hot"]);
    assert_eq!(
        gateway
            .value("weir_model_cold_starts_total{backend=\"triton\",model=\"alpha\",evidence=\"lifecycle\"}"),
        1.0,
        "telling it takes nothing from the count"
    );
}

#[test]
fn without_a_word_in_the_configuration_answers_tell_nothing_of_themselves() {
    let backend = Backend::answering(|_| backend::answer("200 OK", "server-timing: infer;dur=1\r\n", "fine"));
    let gateway = Gateway::before("triton", backend.address);
    let answer = ask(&gateway, "");
    assert_eq!(field(&answer.head, "server-timing"), ["infer;dur=1"]);
    assert!(field(&answer.head, "x-weir-start").is_empty());
}
