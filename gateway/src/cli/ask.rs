//! Commands for a running gateway: `reload`, `drain`, and what `config diff` asks it for. One HTTP request to its admin side.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use weir_config::{CertificateFiles, Endpoint, EndpointError, UpstreamTls};

use super::{DiffArgs, RunningArgs, serve};
use crate::life::{Adjust, Origin, Source};
use crate::net::tls::{ClientTls, TlsError};
use crate::net::{self, connect};

/// A gateway that runs accepts within this time, TLS among it.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
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

/// An address as it is given to `--admin`.
///
/// # Errors
/// It is no endpoint.
pub(super) fn admin(text: &str) -> Result<Endpoint, EndpointError> {
    let has_scheme = text.contains("://") || text.contains("unix:");
    if has_scheme { text.parse() } else { format!("http://{text}").parse() }
}

pub(super) fn ask(args: &RunningArgs, method: &str, path: &str) -> anyhow::Result<(u16, Value)> {
    let token = match &args.token_file {
        Some(file) => {
            let token =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            format!("authorization: Bearer {}\r\n", token.trim())
        }
        None => String::new(),
    };
    let host = args.admin.authority();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{token}connection: close\r\ncontent-length: 0\r\n\r\n"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(exchange(args, &request));
    answer.with_context(|| format!("cannot ask the gateway at {}", args.admin))
}

async fn exchange(args: &RunningArgs, request: &str) -> anyhow::Result<(u16, Value)> {
    let tls = args.admin.tls().then(|| tls(args)).transpose()?;
    let opened = connect::open(&args.admin, tls.as_ref().map(|tls| (&tls.h1, &tls.name)));
    let mut stream = timeout(CONNECT_WITHIN, opened).await.context("nobody answers")??;
    let answer = timeout(ANSWER_WITHIN, async {
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    });
    let answer = answer.await.context("no answer in time")??;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no HTTP status")?;
    Ok((status, serde_json::from_str(body).unwrap_or_else(|_| Value::from(body.trim()))))
}

fn tls(args: &RunningArgs) -> Result<ClientTls, TlsError> {
    let files = args.client_cert.clone().zip(args.client_key.clone());
    let settings = UpstreamTls {
        ca: args.ca.clone(),
        client: files.map(|(cert, key)| CertificateFiles { cert, key }),
        server_name: args.server_name.clone(),
        insecure_skip_verify: false,
    };
    net::tls::client(&args.admin, Some(&settings))
}
