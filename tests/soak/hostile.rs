//! Clients that mean harm, and requests to a backend that fails. Whatever they get is fine as long as it is one of the answers that
//! weir promises; what counts is what they leave behind.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use weir_tests::client::Client;

use super::Ground;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A model's name, the status that its answer has, or 0 where it breaks off, and the name in the report.
const FAULTS: [(&str, &[u16], &str); 6] = [
    ("truncated", &[200], "backend: truncated answer"),
    ("half-chunk", &[200], "backend: half a chunk"),
    ("garbage", &[502], "backend: garbage"),
    ("oversized", &[502], "backend: endless head"),
    ("silent", &[504], "backend: no answer"),
    ("closed", &[502], "backend: close without an answer"),
];

pub(crate) fn start(ground: &Ground) -> Vec<JoinHandle<()>> {
    let mut threads: Vec<_> = FAULTS.into_iter().map(|fault| faults(ground, fault)).collect();
    threads.push(names(ground, "unknown", 404, "hostile: name that is unknown"));
    threads.push(names(ground, "invented", 200, "hostile: name that is made up and served"));
    threads.push(refused(ground));
    threads.push(slow_heads(ground));
    threads.push(aborted_bodies(ground));
    threads.push(resets(ground));
    threads.push(slow_readers(ground));
    threads.push(floods(ground));
    threads.push(rapid_resets(ground));
    threads
}

fn sent(ground: &Ground, kind: &'static str) {
    ground.shared.bad.fetch_add(1, Ordering::Relaxed);
    ground.count(kind);
}

fn faults(
    ground: &Ground,
    (model, statuses, kind): (&'static str, &'static [u16], &'static str),
) -> JoinHandle<()> {
    ground.repeat(move |ground| {
        let mut client = Client::connect(ground.address);
        client.post(&format!("/v2/models/{model}/infer"), "", "{}");
        sent(ground, kind);
        let answer = client.answer();
        if !statuses.contains(&answer.status) || (answer.status == 200 && answer.complete) {
            ground.failed(format!("{kind}: {} whole={}", answer.head, answer.complete));
        }
        ground.pause(20);
    })
}

/// A new name each time: none may cost a series, nor memory beyond the store's room.
fn names(ground: &Ground, word: &'static str, status: u16, kind: &'static str) -> JoinHandle<()> {
    let mut turn = 0_u64;
    ground.repeat(move |ground| {
        let mut client = Client::connect(ground.address);
        for _ in 0..50 {
            turn += 1;
            client.post(&format!("/v2/models/{word}-{turn:x}-{}/infer", "n".repeat(200)), "", "{}");
            sent(ground, kind);
            let answer = client.answer();
            if answer.status != status {
                ground.failed(format!("{kind}: {}", answer.head));
            }
            if answer.field("connection") == Some("close") || !ground.goes_on() {
                break;
            }
        }
        ground.pause(5);
    })
}

/// Sends what weir refuses by itself: an error, and the connection closed.
fn refused(ground: &Ground) -> JoinHandle<()> {
    let long = "x".repeat(30_000);
    let cases = [
        (
            format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", format!("x: {long}\r\n").repeat(3)),
            431,
            "hostile: big head",
        ),
        (format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"), 414, "hostile: long target"),
        (format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: 1\r\n".repeat(500)), 431, "hostile: many fields"),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"
                .to_owned(),
            400,
            "hostile: two framings",
        ),
        ("\u{1}\u{2}\u{3} what\r\n\r\n".to_owned(), 400, "hostile: garbage"),
    ];
    ground.repeat(move |ground| {
        for (bytes, status, kind) in &cases {
            let mut client = Client::connect(ground.address);
            // It may say no before all of it is read.
            let _ = client.sender().write_all(bytes.as_bytes());
            let answer = client.answer();
            ground.count(kind);
            if answer.status != *status && answer.status != 0 {
                ground.failed(format!("{kind}: {}", answer.head));
            }
        }
        ground.pause(20);
    })
}

/// Twenty at a time that say a byte now and then; the next ones come when these were cut.
fn slow_heads(ground: &Ground) -> JoinHandle<()> {
    ground.repeat(|ground| {
        let mut all: Vec<_> = (0..20).map(|_| TcpStream::connect(ground.address).unwrap()).collect();
        while ground.goes_on() && !all.is_empty() {
            all.retain_mut(|stream| stream.write_all(b"G").is_ok() && !is_closed(stream));
            ground.pause(300);
        }
        ground.count("hostile: twenty slow heads");
    })
}

fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    matches!(stream.read(&mut [0; 512]), Ok(0))
}

/// Leaves in the midst of a body, with and without chunks.
fn aborted_bodies(ground: &Ground) -> JoinHandle<()> {
    ground.repeat(|ground| {
        for framing in ["content-length: 100000", "transfer-encoding: chunked"] {
            let mut client = Client::connect(ground.address);
            client.send(format!(
                "POST /v2/models/silent/infer HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n400\r\n{}",
                "b".repeat(900)
            ));
            sent(ground, "hostile: aborted body");
        }
        ground.pause(20);
    })
}

/// Closes with a reset while the answer comes.
fn resets(ground: &Ground) -> JoinHandle<()> {
    ground.repeat(|ground| {
        let mut client = Client::connect(ground.address);
        client.post("/v2/models/big/infer", "", "{}");
        sent(ground, "hostile: reset within the answer");
        // Unread bytes make the kernel send a reset.
        client.exactly(10_000);
        drop(client);
        ground.pause(50);
    })
}

/// Reads a big answer a little at a time until it is cut.
fn slow_readers(ground: &Ground) -> JoinHandle<()> {
    ground.repeat(|ground| {
        let mut all: Vec<_> = (0..5).map(|_| Client::connect(ground.address)).collect();
        for client in &mut all {
            client.post("/v2/models/big/infer", "", "{}");
            sent(ground, "hostile: slow reader");
        }
        for _ in 0..20 {
            all.iter_mut().for_each(|client| drop(client.exactly(100)));
            ground.pause(200);
        }
    })
}

fn frame(kind: u8, flags: u8, id: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, id], payload].concat()
}

/// Frames that cost the other side more than this one.
fn floods(ground: &Ground) -> JoinHandle<()> {
    let endless = [frame(1, 0, 1, b"\x82"), frame(9, 0, 1, b"").repeat(5000)].concat();
    let all = [
        frame(6, 0, 0, &[0; 8]).repeat(1000),
        frame(4, 0, 0, &[]).repeat(1000),
        frame(0xee, 0, 0, &[]).repeat(1000),
        endless,
    ];
    ground.repeat(move |ground| {
        for flood in &all {
            flooded(ground, flood);
            ground.count("hostile: HTTP/2 flood");
        }
        ground.pause(100);
    })
}

/// HEADERS with a whole request, and at once its RST_STREAM: how many of them are taken before weir has had enough is its matter.
fn rapid_resets(ground: &Ground) -> JoinHandle<()> {
    ground.repeat(|ground| {
        let mut bytes = Vec::new();
        for stream in (1..=u16::MAX).step_by(2).take(500) {
            let [high, low] = stream.to_be_bytes();
            bytes.extend([0, 0, 6, 1, 5, 0, 0, high, low]);
            bytes.extend(b"\x82\x84\x86\x41\x01a");
            bytes.extend([0, 0, 4, 3, 0, 0, 0, high, low, 0, 0, 0, 8]);
        }
        ground.shared.maybe.fetch_add(500, Ordering::Relaxed);
        flooded(ground, &bytes);
        ground.count("hostile: rapid reset");
        ground.pause(200);
    })
}

/// Sends it, and waits until weir has had enough.
fn flooded(ground: &Ground, flood: &[u8]) {
    let mut client = Client::connect(ground.address);
    let (mut sender, bytes) = (client.sender(), [PREFACE, flood].concat());
    let sending = std::thread::spawn(move || sender.write_all(&bytes));
    client.everything();
    drop(client);
    // Whether all of it could be sent is nobody's matter.
    let _ = sending.join();
}
