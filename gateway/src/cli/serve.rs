//! `weir serve`: from flags or a file to a running gateway, until a signal has drained it.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use weir_config::{Config, LoadError, LogFormat, Report};

use super::{EXIT_CONFIG, ServeArgs, Source};
use crate::app::Gateway;

/// Why there is no configuration to run.
pub(super) enum Refused {
    /// It has problems: exit 78.
    Invalid(Report),
    /// It could not be read.
    Unreadable(anyhow::Error),
}

/// The configuration that flags and file make together.
pub(super) fn configuration(source: &Source) -> Result<Config, Refused> {
    let mut config = match &source.config {
        Some(path) => weir_config::load(path, &environment).map_err(|error| match error {
            LoadError::Invalid(report) => Refused::Invalid(report),
            other => Refused::Unreadable(other.into()),
        })?,
        None => Config::from_flags(&source.backend).map_err(Refused::Invalid)?,
    };
    if let (Some(address), Some(first)) = (source.listen, config.listeners.first_mut()) {
        first.address = address;
    }
    if let Some(address) = source.admin {
        config.admin.address = address;
    }
    if source.workers.is_some() {
        config.workers = source.workers;
    }
    Ok(config)
}

/// Prints why, and gives the exit code.
pub(super) fn refused(refused: Refused) -> anyhow::Result<ExitCode> {
    match refused {
        Refused::Invalid(report) => {
            let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
            let _ = writeln!(std::io::stderr(), "{}", report.render(colour));
            Ok(ExitCode::from(EXIT_CONFIG))
        }
        Refused::Unreadable(error) => Err(error),
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(super) fn serve(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let mut config = match configuration(&args.source) {
        Ok(config) => config,
        Err(why) => return refused(why),
    };
    if let Some(level) = args.log {
        config.log.level = level;
    }
    start_log(&config)?;
    let gateway = Gateway::start(config).context("cannot start")?;
    gateway.drain_on_signal();
    gateway.wait();
    Ok(ExitCode::SUCCESS)
}

fn start_log(config: &Config) -> anyhow::Result<()> {
    // A word that is no level would be taken for the name of a module, and everything would be silent.
    let words =
        config.log.level.split(',').map(|word| word.rsplit_once('=').map_or(word, |(_, level)| level).trim());
    for word in words {
        word.parse::<tracing_subscriber::filter::LevelFilter>().map_err(|_| {
            anyhow::anyhow!("log level {word:?}: one of error, warn, info, debug, trace, off")
        })?;
    }
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log.level)
        .with_context(|| format!("log level {:?}", config.log.level))?;
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour);
    match config.log.format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}
