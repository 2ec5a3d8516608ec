//! What recording costs on the request path: nanoseconds (the fastest of many short runs) and allocations, for base
//! and per-worker lanes, alone and with two threads on one model.
//!
//! `cargo bench -p weir-benches --bench record`

#![expect(clippy::print_stdout, reason = "a bench reports on stdout")]

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use weir_benches::{Bed, nanoseconds, request};
use weir_telemetry::{Observation, Recorder, Settings, Start};

const MODELS: u32 = 500;
const TIMES: u32 = 4_096;

fn main() {
    println!("{:<58} {:>8} {:>12}", "begin + end, 500 models, one thread", "ns", "allocations");
    for (lanes, settings) in [("base lane", base()), ("per-worker lane", sharded())] {
        let bed = Bed::new(MODELS, 1, settings);
        let recorder = warm(&bed);
        let hot = request(Start::Hot, 8_000_000);
        line(&format!("{lanes}: hot"), &recorder, &bed, &hot);
        line(
            &format!("{lanes}: hot, first byte"),
            &recorder,
            &bed,
            &Observation { first_byte_ns: Some(5), ..hot },
        );
        line(&format!("{lanes}: cold"), &recorder, &bed, &request(Start::Cold, 3_000_000_000));
    }
    resolve(MODELS);
    resolve(50_000);
    println!("\n{:<58} {:>8} {:>12}", "begin + end, one model", "ns", "of one thread");
    contended("base lane", base());
    contended("per-worker lane", sharded());
}

/// So high a rate that no model ever gets per-worker lanes.
fn base() -> Settings {
    Settings { shard_above_rps: u32::MAX, ..Settings::default() }
}

/// So low a rate that every model gets them.
fn sharded() -> Settings {
    Settings { shard_above_rps: 1, sharded_models_max: MODELS, ..Settings::default() }
}

/// Every model has had its first requests and, if it can, has per-worker lanes.
fn warm(bed: &Bed) -> Recorder {
    let recorder = bed.store.recorder(0);
    for second in 1..4 {
        bed.fill(&recorder, 16);
        bed.store.tick(Duration::from_secs(second));
    }
    recorder
}

fn line(what: &str, recorder: &Recorder, bed: &Bed, seen: &Observation) {
    let mut at = 0;
    let mut one = || {
        at = (at + 1) & (bed.refs.len() - 1);
        if let Some(model) = bed.refs.get(at) {
            recorder.begin(black_box(*model));
            recorder.end(black_box(*model), black_box(seen));
        }
    };
    one();
    let ns = nanoseconds(TIMES, &mut one);
    let counted = allocation_counter::measure(|| (0..TIMES).for_each(|_| one()));
    println!("{what:<58} {ns:>8.1} {:>12}", counted.count_total);
}

fn resolve(models: u32) {
    let bed = Bed::new(models, 1, base());
    let recorder = bed.store.recorder(0);
    let mut at = 0_usize;
    let mut one = || {
        at = (at + 7_919) % bed.names.len();
        if let Some(name) = bed.names.get(at) {
            black_box(recorder.resolve(bed.backend, black_box(name)));
        }
    };
    let ns = nanoseconds(TIMES, &mut one);
    let counted = allocation_counter::measure(|| (0..TIMES).for_each(|_| one()));
    println!("{:<58} {ns:>8.1} {:>12}", format!("resolve a name among {models}"), counted.count_total);
}

/// Two threads write to one model all the time: more than any traffic does.
fn contended(what: &str, settings: Settings) {
    let bed = Bed::new(1, 2, settings);
    let recorders = [0, 1].map(|worker| bed.store.recorder(worker));
    for second in 1..4 {
        recorders.iter().for_each(|recorder| bed.fill(recorder, 16));
        bed.store.tick(Duration::from_secs(second));
    }
    let [first, second] = recorders;
    let alone = hammer(&bed, &first);
    let barrier = Barrier::new(2);
    let both = thread::scope(|scope| {
        let other = scope.spawn(|| {
            let second = second;
            barrier.wait();
            hammer(&bed, &second)
        });
        barrier.wait();
        hammer(&bed, &first).max(other.join().unwrap_or(f64::NAN))
    });
    println!("{:<58} {alone:>8.1} {:>12}", format!("{what}: one thread"), "1.00");
    println!("{:<58} {both:>8.1} {:>12.2}", format!("{what}: two threads"), both / alone);
}

/// The median of runs long enough for the other thread to be in all of them.
fn hammer(bed: &Bed, recorder: &Recorder) -> f64 {
    let seen = request(Start::Hot, 8_000_000);
    let Some(model) = bed.refs.first() else { return f64::NAN };
    let mut runs: Vec<_> = (0..101)
        .map(|_| {
            let begun = std::time::Instant::now();
            for _ in 0..20_000 {
                recorder.begin(black_box(*model));
                recorder.end(black_box(*model), black_box(&seen));
            }
            begun.elapsed().as_nanos() as f64 / 20_000.0
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    runs.get(50).copied().unwrap_or(f64::NAN)
}
