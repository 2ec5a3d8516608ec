//! Every promise of the fuzz targets over their corpus, and over bytes near it: the same mutations on every run.

#![expect(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

use std::fs;
use std::path::Path;

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a crate of its own for cargo-fuzz")]
mod fuzz;

/// Mutations of each file of a corpus.
const MUTATIONS: u64 = 200;

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let mut all: Vec<_> = entries.map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect();
    all.sort();
    all
}

/// Small changes: a byte turned, dropped, doubled, or a run of the bytes put somewhere else.
fn mutate(data: &[u8], mut state: u64) -> Vec<u8> {
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 16).unwrap() % below.max(1)
    };
    let mut data = data.to_vec();
    for _ in 0..=next(4) {
        let at = next(data.len());
        match next(5) {
            _ if data.is_empty() => data.push(b'{'),
            0 => data[at] ^= 1 << next(8),
            1 => drop(data.remove(at)),
            2 => data.insert(at, b"\r\n\0:;,\"\\{}[]=&%- 0\xff"[next(19)]),
            3 => data.truncate(at),
            _ => {
                let run = data[at..(at + next(16)).min(data.len())].to_vec();
                let to = next(data.len());
                data.splice(to..to, run);
            }
        }
    }
    data
}

fn run(name: &str) {
    let corpus = corpus(name);
    assert!(corpus.len() >= 5, "{name} has next to no corpus");
    for (path, data) in corpus {
        let try_it = |data: &[u8]| {
            if let Err(panic) = std::panic::catch_unwind(|| fuzz::run(name, data)) {
                println!("{path}: {:?}", String::from_utf8_lossy(data));
                std::panic::resume_unwind(panic);
            }
        };
        try_it(&data);
        for seed in 1..=MUTATIONS {
            try_it(&mutate(&data, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        }
    }
}

#[test]
fn a_request_head_has_one_reading() {
    run("request_head");
}

#[test]
fn a_response_head_has_one_reading() {
    run("response_head");
}

#[test]
fn chunks_end_where_they_end_however_they_come() {
    run("chunks");
}

#[test]
fn a_head_on_its_way_through_keeps_all_but_what_is_for_one_hop() {
    run("forward");
}

#[test]
fn a_proxy_header_ends_where_it_says() {
    run("proxy_header");
}

#[test]
fn an_answers_numbers_are_the_same_however_it_comes() {
    run("numbers");
}

#[test]
fn an_answers_head_tells_hot_or_cold_once() {
    run("verdict");
}

#[test]
fn json_is_read_as_serde_json_reads_it() {
    run("json");
}

#[test]
fn multipart_forms_are_read_the_same_however_they_come() {
    run("multipart");
}

#[test]
fn forms_are_read_as_a_plain_split_reads_them() {
    run("form");
}

#[test]
fn protobuf_is_read_as_a_plain_parser_reads_it() {
    run("protobuf");
}

#[test]
fn the_tree_of_templates_finds_what_a_plain_search_finds() {
    run("template");
}

#[test]
fn a_configuration_is_answered_and_reads_back() {
    run("config");
}
