//! What a scrape costs at several numbers of models: milliseconds to fold and copy (after each model had a request,
//! and after none had), to encode, bytes; and what a model takes in memory. Each row is a process of its own, so that
//! none uses again what another gave back. Resident memory is that of the process with the store and nothing else.
//!
//! `cargo bench -p weir-benches --bench encode`

#![expect(clippy::print_stdout, reason = "a bench reports on stdout")]

use std::env;
use std::process::Command;
use std::time::{Duration, Instant};

use weir_benches::{Bed, resident_bytes};
use weir_telemetry::{Settings, encode_protobuf, encode_text};

/// Models, and whether all are exported or what fits the default budget.
const ROWS: [(u32, bool); 7] = [
    (50, true),
    (1_000, true),
    (10_000, true),
    (50_000, true),
    (1_000, false),
    (10_000, false),
    (50_000, false),
];

fn main() {
    let row = env::args().skip(1).find_map(|arg| arg.parse::<usize>().ok()).and_then(|row| ROWS.get(row));
    if let Some((models, all)) = row {
        scrape(*models, *all);
        return;
    }
    println!(
        "{:>7} {:>8} {:>10} {:>10} {:>10} {:>10} {:>12} {:>12} {:>13} {:>8} {:>8}",
        "models",
        "shown",
        "active ms",
        "idle ms",
        "text ms",
        "text MiB",
        "allocations",
        "protobuf ms",
        "protobuf MiB",
        "B/model",
        "RSS MB"
    );
    for row in 0..ROWS.len() {
        let output = env::current_exe().and_then(|this| Command::new(this).arg(row.to_string()).output());
        print!(
            "{}",
            output.map_or_else(|e| format!("{e}\n"), |output| String::from_utf8_lossy(&output.stdout).into())
        );
    }
}

/// Every model has hot and cold requests and times to first byte.
fn scrape(models: u32, all: bool) {
    let budget = if all { u32::MAX } else { Settings::default().series_budget };
    let before = resident_bytes();
    let bed = Bed::new(models, 1, Settings { series_budget: budget, ..Settings::default() });
    let recorder = bed.store.recorder(0);
    bed.fill(&recorder, 64);
    bed.store.tick(Duration::from_secs(2));
    let resident = resident_bytes();
    let per_model = resident.saturating_sub(before) / u64::from(models);
    let active = fastest(|| {
        bed.fill(&recorder, 1);
        let begun = Instant::now();
        drop(bed.store.snapshot());
        begun
    });
    let idle = fastest(|| {
        let begun = Instant::now();
        drop(bed.store.snapshot());
        begun
    });
    let snapshot = bed.store.snapshot();
    let shown = snapshot.models.len();
    let (mut out, mut bytes) = (String::new(), Vec::new());
    encode_text(&snapshot, &mut out);
    let text = fastest(|| {
        out.clear();
        let begun = Instant::now();
        encode_text(&snapshot, &mut out);
        begun
    });
    let mut fresh = String::with_capacity(out.len());
    let allocations = allocation_counter::measure(|| encode_text(&snapshot, &mut fresh)).count_total;
    encode_protobuf(&snapshot, &mut bytes);
    let protobuf = fastest(|| {
        bytes.clear();
        let begun = Instant::now();
        encode_protobuf(&snapshot, &mut bytes);
        begun
    });
    let [text_mib, protobuf_mib] = [out.len(), bytes.len()].map(|length| length as f64 / f64::from(1 << 20));
    println!(
        "{models:>7} {shown:>8} {active:>10.2} {idle:>10.2} {text:>10.2} {text_mib:>10.2} {allocations:>12} \
         {protobuf:>12.2} {protobuf_mib:>13.2} {per_model:>8} {:>8.1}",
        resident as f64 / 1e6
    );
}

/// Milliseconds from the moment that `run` gives to its end; the fastest of thirty.
fn fastest(mut run: impl FnMut() -> Instant) -> f64 {
    (0..30).map(|_| run().elapsed().as_secs_f64() * 1e3).fold(f64::INFINITY, f64::min)
}
