//! `weir models`: every model of a running gateway as a table, or as JSON.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{RunningArgs, ask};

/// What is asked for.
#[derive(Debug, Args)]
pub(super) struct ModelsArgs {
    /// Print what `/api/v1/models` answers
    #[arg(long)]
    json: bool,
    /// Which come first
    #[arg(long, value_enum, value_name = "COLUMN", default_value = "rate")]
    sort: Sort,
    /// Only of this backend
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    #[command(flatten)]
    running: RunningArgs,
}

/// What a table can be sorted by; the largest first, names in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// Requests a second, over the last minute
    Rate,
    /// Share of failures, over the last minute
    Errors,
    /// 95th percentile of hot starts, over the last minute
    P95,
    /// Cold starts
    Cold,
    /// Evictions
    Evictions,
    /// Memory that it takes
    Memory,
    /// Backend and model
    Name,
}

const HEAD: [&str; 12] = [
    "BACKEND", "MODEL", "STATE", "REQ/S", "ERRORS", "HITS", "P95 HOT", "P95 COLD", "COLD", "LOADS",
    "EVICTED", "MEMORY",
];

pub(super) fn models(args: &ModelsArgs) -> anyhow::Result<ExitCode> {
    let (status, mut answer) = ask::ask(&args.running, "GET", "/api/v1/models")?;
    anyhow::ensure!(status == 200, "the gateway does not tell its models: {status} {answer}");
    if let (Some(wanted), Some(models)) =
        (&args.backend, answer.get_mut("models").and_then(Value::as_array_mut))
    {
        models.retain(|model| model.get("backend").and_then(Value::as_str) == Some(wanted));
    }
    let mut out = std::io::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
    } else {
        write!(out, "{}", table(&answer, args.sort))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One line for each model, columns aligned; numbers to the right.
fn table(answer: &Value, sort: Sort) -> String {
    let mut models: Vec<&Value> =
        answer.get("models").and_then(Value::as_array).into_iter().flatten().collect();
    if sort != Sort::Name {
        models.sort_by(|a, b| key(b, sort).total_cmp(&key(a, sort)));
    }
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(models.into_iter().map(row));
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate();
        let line: Vec<String> = cells
            .map(
                |(at, (cell, width))| {
                    if at < 3 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                },
            )
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn row(model: &Value) -> [String; 12] {
    let text = |place: &str| {
        let text = model.pointer(place).and_then(Value::as_str).unwrap_or("-");
        // A name is a client's: nothing in it steers a terminal.
        text.chars().map(|c| if c.is_control() { '?' } else { c }).collect::<String>()
    };
    let number = |place: &str, show: fn(f64) -> String| {
        model.pointer(place).and_then(Value::as_f64).map_or_else(|| "-".to_owned(), show)
    };
    [
        text("/backend"),
        text("/model"),
        text("/state"),
        number("/last_minute/rate", |rate| format!("{rate:.1}")),
        number("/last_minute/error_ratio", percent),
        number("/last_minute/cache_hit_ratio", percent),
        number("/last_minute/hot/p95", time),
        number("/last_minute/cold/p95", time),
        number("/cold/requests", |count| format!("{count}")),
        number("/loads", |count| format!("{count}")),
        number("/evictions", |count| format!("{count}")),
        number("/memory_bytes", size),
    ]
}

fn key(model: &Value, sort: Sort) -> f64 {
    let place = match sort {
        Sort::Rate | Sort::Name => "/last_minute/rate",
        Sort::Errors => "/last_minute/error_ratio",
        Sort::P95 => "/last_minute/hot/p95",
        Sort::Cold => "/cold/requests",
        Sort::Evictions => "/evictions",
        Sort::Memory => "/memory_bytes",
    };
    model.pointer(place).and_then(Value::as_f64).unwrap_or(-1.0)
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

fn time(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

fn size(bytes: f64) -> String {
    let mib = bytes / f64::from(1 << 20);
    if mib < 1024.0 { format!("{mib:.1} MiB") } else { format!("{:.1} GiB", mib / 1024.0) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_has_what_is_known_in_its_columns_and_a_dash_where_nothing_is() {
        let busy = json!({
            "backend": "triton", "model": "resnet", "state": "loaded", "memory_bytes": 3 << 20, "loads": 2, "evictions": 1,
            "cold": {"requests": 2},
            "last_minute": {"rate": 12.34, "error_ratio": 0.015, "cache_hit_ratio": 0.5, "hot": {"p95": 0.0123}, "cold": {"p95": 2.5}},
        });
        let idle = json!({"backend": "triton", "model": "a\u{1b}b", "loads": 0, "evictions": 7, "memory_bytes": null});
        let answer = json!({ "models": [idle, busy] });
        assert_eq!(
            table(&answer, Sort::Rate),
            "BACKEND  MODEL   STATE   REQ/S  ERRORS    HITS  P95 HOT  P95 COLD  COLD  LOADS  EVICTED   MEMORY\n\
             triton   resnet  loaded   12.3   1.5 %  50.0 %  12.3 ms    2.50 s     2      2        1  3.0 MiB\n\
             triton   a?b     -           -       -       -        -         -     -      0        7        -\n"
        );
        let first = |sort| table(&answer, sort).lines().nth(1).unwrap().to_owned();
        assert!(first(Sort::Evictions).contains("a?b") && first(Sort::Memory).contains("resnet"));
        assert!(first(Sort::Name).contains("a?b"), "as they came");
        assert_eq!(table(&json!({}), Sort::Rate).lines().count(), 1);
    }
}
