//! What the demo prints: the busiest models now, and a summary at the end.

use std::fmt::Write;
use std::time::Duration;

use weir_telemetry::{ModelSnapshot, Outcome, Snapshot, Start, Totals};

/// The busiest models of the last minute.
pub(super) fn live(snapshot: &Snapshot, rows: usize) -> String {
    let mut models: Vec<&ModelSnapshot> = snapshot.models.iter().filter(|model| !model.reserved).collect();
    models.sort_by_key(|model| std::cmp::Reverse(model.settled()));
    let mut out = format!(
        "{:12} {:>7} {:>9} {:>9} {:>9} {:>10} {:>6} {:>7} {:>6} {:>6}\n",
        "model", "req/s", "p50 hot", "p95 hot", "p99 hot", "p95 cold", "hit %", "errors", "loads", "evict"
    );
    for model in models.into_iter().take(rows) {
        let rate = model.recent.as_ref().map_or(0.0, |recent| recent.minute.rate());
        let _ = writeln!(
            out,
            "{:12} {rate:>7.1} {:>9} {:>9} {:>9} {:>10} {:>6} {:>7} {:>6} {:>6}",
            &*model.model,
            quantile(model, Start::Hot, 0.50),
            quantile(model, Start::Hot, 0.95),
            quantile(model, Start::Hot, 0.99),
            quantile(model, Start::Cold, 0.95),
            percent(model.hit_ratio()),
            model.settled().saturating_sub(model.requests(Outcome::Ok)),
            model.loads,
            model.evictions,
        );
    }
    out
}

/// All models together, and the one that was cold most often.
pub(super) fn summary(snapshot: &Snapshot) -> String {
    let models = || snapshot.models.iter().filter(|model| !model.reserved);
    let mut all = Totals::default();
    for model in models() {
        all.merge(&model.totals);
    }
    let settled = all.settled();
    let ok = all.requests(Outcome::Ok);
    let failed = settled.saturating_sub(ok);
    let mut out = format!("{settled} requests for {} models: {ok} ok, {failed} failed\n", models().count());
    for start in [Start::Hot, Start::Cold] {
        let _ = writeln!(
            out,
            "{:5} {:>8}   p50 {:>9}   p95 {:>9}   p99 {:>9}",
            start.as_str(),
            all.duration(start).count(),
            quantile(&all, start, 0.50),
            quantile(&all, start, 0.95),
            quantile(&all, start, 0.99),
        );
    }
    let _ = writeln!(
        out,
        "hit ratio {} %, {} loads, {} evictions",
        percent(all.hit_ratio()),
        all.loads,
        all.evictions
    );
    if let Some(coldest) = models().max_by_key(|model| model.duration(Start::Cold).count()) {
        let count = coldest.duration(Start::Cold).count();
        let _ = writeln!(out, "most often cold: {} ({count} times)", coldest.model);
    }
    out
}

fn quantile(totals: &Totals, start: Start, q: f64) -> String {
    totals.duration(start).quantile(q).map_or_else(|| "-".to_owned(), time)
}

fn time(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds => format!("{:.1} ms", seconds * 1_000.0),
    }
}

fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.1}", ratio * 100.0))
}
