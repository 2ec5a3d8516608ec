//! Commands for a running gateway: `reload`, `drain`, and what `config diff` asks it for. One HTTP request to its admin side.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use super::{DiffArgs, RunningArgs, serve};
use crate::life::{Adjust, Origin, Source};

/// A reload may have to wait for a slow disk.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Loads the configuration anew and prints what changed.
pub(super) fn reload(args: &RunningArgs) -> anyhow::Result<ExitCode> {
    let (status, answer) = ask(args, "POST", "/-/reload")?;
    let mut out = std::io::stdout();
    if status != 200 {
        let why =
            answer.get("message").and_then(Value::as_str).map_or_else(|| answer.to_string(), str::to_owned);
        anyhow::bail!("not reloaded, the running configuration stays: {why}");
    }
    for change in
        ["changes", "needs_restart"].iter().filter_map(|list| answer.get(list)?.as_array()).flatten()
    {
        let change: weir_config::Change = serde_json::from_value(change.clone())?;
        writeln!(out, "{change}")?;
    }
    writeln!(out, "reloaded: {}", answer.get("hash").and_then(Value::as_str).unwrap_or_default())?;
    Ok(ExitCode::SUCCESS)
}

/// Begins the drain.
pub(super) fn drain(args: &RunningArgs) -> anyhow::Result<ExitCode> {
    let (status, answer) = ask(args, "POST", "/-/drain")?;
    anyhow::ensure!(status == 202, "not drained: {answer}");
    writeln!(std::io::stdout(), "draining")?;
    Ok(ExitCode::SUCCESS)
}

/// Prints what differs between two files, or between what runs and a file.
pub(super) fn diff(args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let file =
        |path: &std::path::PathBuf| Source { origin: Origin::File(path.clone()), adjust: Adjust::default() };
    let will = match file(&args.config).load() {
        Ok(loaded) => weir_config::effective(&loaded.config),
        Err(why) => return serve::refused(why),
    };
    let was = match &args.against {
        Some(path) => match file(path).load() {
            Ok(loaded) => weir_config::effective(&loaded.config),
            Err(why) => return serve::refused(why),
        },
        None => {
            let (status, mut answer) = ask(&args.running, "GET", "/api/v1/config")?;
            anyhow::ensure!(status == 200, "the gateway does not tell its configuration: {status} {answer}");
            answer.get_mut("config").map(Value::take).context("the gateway told no configuration")?
        }
    };
    let changes = weir_config::diff(&was, &will);
    let mut out = std::io::stdout();
    for change in &changes {
        writeln!(out, "{change}")?;
    }
    if changes.is_empty() {
        writeln!(out, "no difference")?;
    }
    Ok(if args.exit_code && !changes.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn ask(args: &RunningArgs, method: &str, path: &str) -> anyhow::Result<(u16, Value)> {
    let token = match &args.token_file {
        Some(file) => {
            let token =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            format!("authorization: Bearer {}\r\n", token.trim())
        }
        None => String::new(),
    };
    exchange(
        args.admin,
        &format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\n{token}connection: close\r\ncontent-length: 0\r\n\r\n",
            args.admin
        ),
    )
    .with_context(|| format!("cannot ask the gateway at {}", args.admin))
}

fn exchange(address: SocketAddr, request: &str) -> anyhow::Result<(u16, Value)> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no HTTP status")?;
    Ok((status, serde_json::from_str(body).unwrap_or_else(|_| Value::from(body.trim()))))
}
