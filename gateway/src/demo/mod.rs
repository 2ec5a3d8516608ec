//! `weir demo`: the real gateway in front of a simulated multi-model server, under seeded traffic, with a live table by model.
//!
//! Three threads beside the gateway's own: the server (`backend`), the traffic (`traffic`), and this one, which prints.

mod backend;
mod fleet;
mod table;
mod traffic;

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::watch;
use weir_config::{BackendFlag, Config};

use crate::app::Gateway;
use fleet::Fleet;

/// What the demo is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Stop after this time; none: when interrupted.
    pub time: Option<Duration>,
    /// Where the traffic enters weir.
    pub listen: SocketAddr,
    /// Where metrics, health and the API are served.
    pub admin: SocketAddr,
    /// Models behind the simulated server.
    pub models: u32,
    /// Requests a second.
    pub rate: u32,
    /// Seed of the models and of the traffic.
    pub seed: u64,
}

/// A terminal's table is drawn anew this often; a file gets one every tenth time.
const DRAW_EVERY: Duration = Duration::from_secs(1);
/// Rows of the live table.
const ROWS: usize = 15;

/// Runs the demo to its end and prints the summary.
///
/// # Errors
/// An address is taken, or a thread could not be started.
pub fn run(options: Options) -> anyhow::Result<ExitCode> {
    let fleet = Arc::new(Fleet::new(options.models, options.seed));
    let (stop, stopped) = watch::channel(false);
    let server =
        backend::start(Arc::clone(&fleet), stopped.clone()).context("cannot start the simulated server")?;
    let gateway = Gateway::start(configuration(&options, server)?).context("cannot start")?;
    let traffic = traffic::start(fleet, gateway.address(), (options.rate, options.seed), stopped)?;
    let mut out = std::io::stdout();
    writeln!(out, "traffic  http://{}", gateway.address())?;
    writeln!(out, "metrics  http://{}/metrics", gateway.admin)?;
    writeln!(out, "models   http://{}/api/v1/models", gateway.admin)?;
    writeln!(out, "\n{} models, {} requests a second, seed {}", options.models, options.rate, options.seed)?;
    watch(&gateway, options.time)?;
    let _ = stop.send(true);
    let _ = traffic.join();
    let summary = table::summary(&gateway.store.snapshot());
    gateway.drain();
    gateway.wait();
    // The summary takes the live table's place.
    let clear = if out.is_terminal() { "\x1b[J" } else { "" };
    write!(out, "{clear}\n{summary}")?;
    Ok(ExitCode::SUCCESS)
}

fn configuration(options: &Options, server: SocketAddr) -> anyhow::Result<Config> {
    let flag: BackendFlag = format!("mms=http://{server},name=demo").parse()?;
    let mut config = Config::from_flags(&[flag]).map_err(|report| anyhow::anyhow!("{report}"))?;
    if let Some(listener) = config.listeners.first_mut() {
        listener.address = options.listen.into();
    }
    config.admin.address = options.admin;
    Ok(config)
}

/// Draws the table until the time is over or the user interrupts.
fn watch(gateway: &Gateway, time: Option<Duration>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let until = time.map(|time| Instant::now() + time);
    let live = std::io::stdout().is_terminal();
    runtime.block_on(async {
        let interrupted = tokio::signal::ctrl_c();
        tokio::pin!(interrupted);
        let mut tick = tokio::time::interval(DRAW_EVERY);
        let mut drawn = 0_u32;
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            tokio::select! {
                _ = &mut interrupted => return Ok(()),
                () = tokio::time::sleep(left.unwrap_or(Duration::MAX)) => return Ok(()),
                _ = tick.tick() => {
                    drawn += 1;
                    if drawn > 1 && (live || drawn.is_multiple_of(10)) {
                        draw(gateway, live)?;
                    }
                }
            }
        }
    })
}

fn draw(gateway: &Gateway, live: bool) -> anyhow::Result<()> {
    let table = table::live(&gateway.store.snapshot_with_recent(), ROWS);
    let mut out = std::io::stdout().lock();
    if live {
        // Up by its own height and cleared: the table stays in its place.
        write!(out, "\n{table}\x1b[J\x1b[{}A", table.lines().count() + 1)?;
    } else {
        write!(out, "\n{table}")?;
    }
    out.flush()?;
    Ok(())
}
