//! Instructions per operation, counted by valgrind's callgrind: the same on every run and on every machine of an
//! architecture, so this is the figure that has a budget. Runs itself under valgrind, once for each operation.
//!
//! `cargo bench -p weir-benches --bench icount`; exits with 1 over budget, with 2 where valgrind is missing.
//! The loop around the operations is counted alone and taken off.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench reports on stdout")]

use std::env;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::time::Duration;

use weir_benches::{Bed, request};
use weir_telemetry::{Observation, Recorder, Settings, Start};

/// An operation, and what it may cost; `None` = only stated.
const OPERATIONS: [(&str, Option<u64>); 6] = [
    ("base_hot", Some(150)),
    ("base_first_byte", Some(150)),
    ("sharded_hot", Some(150)),
    ("sharded_first_byte", Some(150)),
    ("sharded_cold", Some(150)),
    ("resolve", None),
];

const TIMES: u64 = 10_000;

fn main() -> ExitCode {
    if let Some(operation) =
        env::args().skip(1).find(|arg| arg == "empty" || OPERATIONS.iter().any(|(name, _)| name == arg))
    {
        run(&operation);
        return ExitCode::SUCCESS;
    }
    println!("{:<24} {:>14} {:>8}", "begin + end", "instructions", "budget");
    let mut over = false;
    let empty = count("empty").unwrap_or(0);
    for (operation, budget) in OPERATIONS {
        let Some(instructions) = count(operation) else {
            eprintln!("no figure for {operation}: is valgrind installed?");
            return ExitCode::from(2);
        };
        let per = instructions.saturating_sub(empty) / TIMES;
        over |= budget.is_some_and(|budget| per > budget);
        println!(
            "{operation:<24} {per:>14} {:>8}",
            budget.map_or_else(|| "-".to_owned(), |budget| budget.to_string())
        );
    }
    ExitCode::from(u8::from(over))
}

/// Instructions inside of `drive` of that operation, everything that it calls included.
fn count(operation: &str) -> Option<u64> {
    let drive = match operation {
        "resolve" => "drive_resolve",
        "empty" => "drive_nothing",
        _ => "drive_record",
    };
    let answer = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg(format!("--toggle-collect=*{drive}*"))
        .arg(env::current_exe().ok()?)
        .arg(operation)
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&answer.stderr).into_owned();
    let line = said.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok().filter(|count| *count > 0)
}

/// One operation, in the process that valgrind watches.
fn run(operation: &str) {
    let rate = if operation.starts_with("base") { u32::MAX } else { 1 };
    let settings = Settings { shard_above_rps: rate, sharded_models_max: 500, ..Settings::default() };
    let bed = Bed::new(500, 1, settings);
    let recorder = bed.store.recorder(0);
    for second in 1..4 {
        bed.fill(&recorder, 16);
        bed.store.tick(Duration::from_secs(second));
    }
    let hot = request(Start::Hot, 8_000_000);
    match operation {
        "empty" => drive_nothing(&bed, &hot),
        "resolve" => drive_resolve(&bed, &recorder),
        "base_hot" | "sharded_hot" => drive_record(&bed, &recorder, &hot),
        "sharded_cold" => drive_record(&bed, &recorder, &request(Start::Cold, 3_000_000_000)),
        _ => drive_record(&bed, &recorder, &Observation { first_byte_ns: Some(5_000_000), ..hot }),
    }
}

#[inline(never)]
fn drive_record(bed: &Bed, recorder: &Recorder, seen: &Observation) {
    for model in bed.refs.iter().cycle().take(TIMES as usize) {
        recorder.begin(black_box(*model));
        recorder.end(black_box(*model), black_box(seen));
    }
}

#[inline(never)]
fn drive_nothing(bed: &Bed, seen: &Observation) {
    for model in bed.refs.iter().cycle().take(TIMES as usize) {
        black_box(*model);
        black_box(*model);
        black_box(seen);
    }
}

#[inline(never)]
fn drive_resolve(bed: &Bed, recorder: &Recorder) {
    for name in bed.names.iter().cycle().take(TIMES as usize) {
        black_box(recorder.resolve(bed.backend, black_box(name)));
    }
}
