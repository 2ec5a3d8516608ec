//! `weir explain`: what weir would make of a request. It compiles the configuration, asks the data path's own rooms, and opens no socket.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use weir_config::BackendFlag;
use weir_telemetry::Store;

use super::serve::refused;
use crate::explain::{Asked, explain as told_of};
use crate::life::{Adjust, Origin, Source};
use crate::live::Live;
use crate::residency::Residency;

/// Longest part of a body that is read: one byte more than `identify.peek_bytes_max` may be.
const BODY_BYTES_MAX: u64 = (16 << 20) + 1;

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Path with query, or a URL
    target: String,
    /// Configuration file (YAML)
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG", conflicts_with = "backend")]
    config: Option<PathBuf>,
    /// A backend, with no file: DIALECT=URL[,management=URL][,name=NAME]; may be given several times
    #[arg(short, long, value_name = "DIALECT=URL")]
    backend: Vec<BackendFlag>,
    /// The request's method [default: POST with a body, else GET]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    method: Option<String>,
    /// A header; may be given several times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The body, or @FILE, or @- for stdin; without a Content-Type it is sent as a form, as curl does
    #[arg(short, long, value_name = "BODY")]
    data: Option<String>,
    /// Print JSON, as GET /api/v1/explain does
    #[arg(long)]
    json: bool,
}

pub(super) fn explain(args: ExplainArgs) -> anyhow::Result<ExitCode> {
    let ExplainArgs { target, config, backend, method, mut headers, data, json } = args;
    let origin = config.map_or(Origin::Flags(backend), Origin::File);
    let config = match (Source { origin, adjust: Adjust::default() }).load() {
        Ok(loaded) => loaded.config,
        Err(why) => return refused(why),
    };
    let has_type = headers.iter().any(|line| {
        line.split_once(':').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("content-type"))
    });
    if data.is_some() && !has_type {
        headers.push("content-type: application/x-www-form-urlencoded".to_owned());
    }
    let method = method.or_else(|| data.is_some().then(|| "POST".to_owned()));
    let body = data.map(|data| body(&data)).transpose()?.unwrap_or_default();
    let asked = Asked::new(method.as_deref(), &target, &headers, body)?;
    let store = Store::new(&config.telemetry, 0);
    let live = Live::compile(config, 1, &store, &Residency::default())?;
    // Publishes the names of configured models.
    store.tick(Duration::ZERO);
    let told = told_of(&live, &store, &asked).context("no backend is configured")?;
    let mut out = std::io::stdout();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&told)?)?;
    } else {
        write!(out, "{told}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The text itself, or what is in a file. Only its beginning, if it is longer than weir may look.
fn body(data: &str) -> anyhow::Result<Vec<u8>> {
    let Some(path) = data.strip_prefix('@') else { return Ok(data.as_bytes().to_vec()) };
    let mut read = Vec::new();
    match path {
        "-" => std::io::stdin().take(BODY_BYTES_MAX).read_to_end(&mut read).context("cannot read stdin")?,
        path => File::open(path)
            .and_then(|file| file.take(BODY_BYTES_MAX).read_to_end(&mut read))
            .with_context(|| format!("cannot read {path}"))?,
    };
    Ok(read)
}
