//! Clients that ask for what they are served: every request must be answered, whole, and counted.

use std::net::TcpStream;
use std::thread::JoinHandle;

use http::Request;
use weir_tests::client::{Answer, Client};
use weir_tests::h2;

use super::Ground;

/// Each is named in weir's configuration, so that its series never leaves.
pub(crate) const MODELS: u32 = 40;

pub(crate) fn start(ground: &Ground) -> Vec<JoinHandle<()>> {
    let mut threads: Vec<_> = (0..3).map(|seed| kept(ground, seed)).collect();
    threads.push(fresh(ground));
    threads.push(streams(ground));
    threads.push(over_h2(ground));
    threads
}

/// A model's path: few of them have most of the requests.
fn path(turn: u32) -> String {
    let spread = turn.wrapping_mul(2_654_435_761) >> 8;
    let number = (spread % MODELS).min((spread >> 8) % MODELS).min((spread >> 4) % MODELS);
    format!("/v2/models/m-{number}/infer")
}

fn post(client: &mut Client, path: &str, body: &str) -> Option<Answer> {
    client.try_post(path, "x-to: good\r\n", body).ok()?;
    let answer = client.answer();
    (answer.status != 0).then_some(answer)
}

fn judge(ground: &Ground, kind: &'static str, answer: Option<&Answer>) {
    ground.shared.good.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    ground.count(kind);
    match answer {
        Some(answer) if answer.status == 200 && answer.complete => {}
        other => ground.failed(format!("{kind}: {:?}", other.map(|answer| (&answer.head, answer.complete)))),
    }
}

/// Keeps its connection until weir says that it ends.
fn kept(ground: &Ground, seed: u32) -> JoinHandle<()> {
    let (mut turn, mut client) = (seed, None);
    ground.repeat(move |ground| {
        turn = turn.wrapping_add(3);
        let body = "x".repeat(usize::try_from(turn % 4096).unwrap());
        let mut open = client.take().unwrap_or_else(|| Client::connect(ground.address));
        let answer = post(&mut open, &path(turn), &body);
        judge(ground, "good: kept connection", answer.as_ref());
        let ends = answer.is_none_or(|answer| answer.field("connection") == Some("close"));
        client = (!ends).then_some(open);
        ground.pause(2);
    })
}

fn fresh(ground: &Ground) -> JoinHandle<()> {
    let mut turn = 0;
    ground.repeat(move |ground| {
        turn += 1;
        let mut client = Client::over(TcpStream::connect(ground.address).unwrap());
        let answer = post(&mut client, &path(turn), "{}");
        judge(ground, "good: fresh connection", answer.as_ref());
        ground.pause(5);
    })
}

fn streams(ground: &Ground) -> JoinHandle<()> {
    ground.repeat(|ground| {
        let mut client = Client::connect(ground.address);
        let answer = post(&mut client, "/v2/models/m-1/generate_stream", "{}");
        let whole = answer.as_ref().is_some_and(|answer| answer.body_text().matches("data: ").count() == 20);
        judge(ground, "good: stream of events", answer.as_ref().filter(|_| whole));
        ground.pause(10);
    })
}

fn over_h2(ground: &Ground) -> JoinHandle<()> {
    let mut turn = 0;
    let mut client = h2::Client::connect(ground.address);
    ground.repeat(move |ground| {
        turn += 1;
        let request = Request::post(format!("http://{}{}", ground.address, path(turn)));
        let request = request.header("x-to", "good").body(()).unwrap();
        let asked = client.ask(request, "{}", None);
        let answer = asked.ok().filter(|answer| answer.broken.is_none());
        let answer = answer.map(|answer| Answer {
            status: answer.head.status.as_u16(),
            complete: answer.body == b"yy",
            ..Answer::default()
        });
        judge(ground, "good: HTTP/2", answer.as_ref());
        if turn % 500 == 0 {
            client = h2::Client::connect(ground.address);
        }
        ground.pause(2);
    })
}
