//! What each fuzz target asserts, as plain functions of bytes: called by the targets of cargo-fuzz, and over the corpus by
//! `tests/it/corpus.rs`. A broken promise is a panic.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod answers;
mod bodies;
mod forward;
mod http;
mod proxy_header;
mod texts;

/// A target's name and what it does with its input.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 13] = [
    ("request_head", http::request_head),
    ("response_head", http::response_head),
    ("chunks", http::chunks),
    ("forward", forward::forward),
    ("proxy_header", proxy_header::proxy_header),
    ("numbers", answers::numbers),
    ("verdict", answers::verdict),
    ("json", bodies::json),
    ("multipart", bodies::multipart),
    ("form", bodies::form),
    ("protobuf", bodies::protobuf),
    ("template", texts::template),
    ("config", texts::config),
];

/// Runs the target of this name.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    target(data);
}

/// Cuts of some bytes: all at once, byte by byte, and three that depend on the bytes themselves.
fn cuts(data: &[u8]) -> Vec<Vec<&[u8]>> {
    let sum = data.iter().fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    let mut all =
        vec![vec![data], data.chunks(2 + sum % 13).collect(), data.chunks(1 + sum % 1021).collect()];
    let (one, two) = data.split_at(sum % (data.len() + 1));
    all.push(vec![one, two]);
    if data.len() <= 4096 {
        all.push(data.chunks(1).collect());
    }
    all
}

/// The result of `scan` over every cut of `data`, which must be one.
fn uncut<T: PartialEq + std::fmt::Debug>(data: &[u8], scan: impl Fn(&[&[u8]]) -> T) -> T {
    let mut results = cuts(data).into_iter().map(|pieces| scan(&pieces));
    let whole = results.next().unwrap();
    for other in results {
        assert_eq!(whole, other, "pieces make a difference");
    }
    whole
}
