//! What a scrape costs: milliseconds to fold and copy, to encode, bytes, and memory, at several numbers of models.
//!
//! `cargo bench -p weir-benches --bench encode`

#![expect(clippy::print_stdout, reason = "a bench reports on stdout")]

use std::time::Instant;

use weir_benches::{Bed, resident_bytes};
use weir_telemetry::{Settings, encode_text};

fn main() {
    println!(
        "{:>7} {:>12} {:>12} {:>12} {:>12} {:>12} {:>12}",
        "models", "active ms", "idle ms", "text ms", "text MiB", "allocations", "B/model"
    );
    for models in [50, 500, 10_000, 50_000] {
        // All of them, whatever the budget would say.
        scrape(models, Settings { series_budget: u32::MAX, ..Settings::default() });
    }
    println!("the busiest within the default budget, the rest as __other__:");
    scrape(50_000, Settings::default());
}

/// Every model has hot and cold requests and times to first byte.
fn scrape(models: u32, settings: Settings) {
    let before = resident_bytes();
    let bed = Bed::new(models, 1, settings);
    let recorder = bed.store.recorder(0);
    bed.fill(&recorder, 64);
    drop(bed.store.snapshot());
    let per_model = resident_bytes().saturating_sub(before) / u64::from(models);
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
    let mut out = String::new();
    encode_text(&snapshot, &mut out);
    let text = fastest(|| {
        out.clear();
        let begun = Instant::now();
        encode_text(&snapshot, &mut out);
        begun
    });
    let mut fresh = String::with_capacity(out.len());
    let counted = allocation_counter::measure(|| encode_text(&snapshot, &mut fresh));
    let mib = out.len() as f64 / f64::from(1 << 20);
    let allocations = counted.count_total;
    println!(
        "{models:>7} {active:>12.2} {idle:>12.2} {text:>12.2} {mib:>12.2} {allocations:>12} {per_model:>12}"
    );
}

/// Milliseconds from the moment that `run` gives to its end; the fastest of ten.
fn fastest(mut run: impl FnMut() -> Instant) -> f64 {
    (0..10).map(|_| run().elapsed().as_secs_f64() * 1e3).fold(f64::INFINITY, f64::min)
}
