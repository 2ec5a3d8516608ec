//! `weir serve`: from flags or a file to a running gateway, until a signal has drained it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use weir_config::{Config, LogFormat};

use super::{EXIT_CONFIG, ServeArgs};
use crate::app::{Gateway, Start};
use crate::life::{self, Adjust, Inherited, Loaded, Offer, Origin, Predecessor, Source, SourceError};
use crate::seat::{self, Said, Seat};

/// Workers run within this time after their start, or one that takes over gives up.
const START_WITHIN: Duration = Duration::from_secs(30);

/// Where the configuration comes from, by the flags.
pub(super) fn source(flags: &super::Source) -> Source {
    let origin = match &flags.config {
        Some(path) => Origin::File(path.clone()),
        None => Origin::Flags(flags.backend.clone()),
    };
    let adjust = Adjust {
        listen: flags.listen.clone(),
        admin: flags.admin,
        workers: flags.workers,
        log: None,
        seat: None,
    };
    Source { origin, adjust }
}

/// Prints why, and gives the exit code.
pub(super) fn refused(error: SourceError) -> anyhow::Result<ExitCode> {
    match error {
        SourceError::Invalid(report) => {
            let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
            let _ = writeln!(std::io::stderr(), "{}", report.render(colour));
            Ok(ExitCode::from(EXIT_CONFIG))
        }
        SourceError::Unreadable(error) => Err(error.into()),
    }
}

pub(super) fn serve(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let mut source = source(&args.source);
    source.adjust.log = args.log;
    let seat = if args.command.is_empty() { None } else { Some(seat(&args.source)?) };
    if let (Some(seat), Origin::Flags(flags)) = (&seat, &mut source.origin)
        && flags.is_empty()
    {
        flags.extend(seat.flag());
    }
    source.adjust.seat = seat;
    let Loaded { config, hash } = match source.load() {
        Ok(loaded) => loaded,
        Err(why) => return refused(why),
    };
    start_log(&config)?;
    for doubt in weir_config::doubts(&config) {
        tracing::warn!(key = doubt.key, "{}", doubt.message);
    }
    let mut inherited =
        Inherited::from_service_manager().context("cannot use the service manager's sockets")?;
    let (predecessor, offer) = match &args.takeover {
        Some(path) => {
            let at = || format!("cannot take over at {}", path.display());
            let predecessor = life::take(path, &mut inherited).with_context(at)?;
            (predecessor, Some((Offer::make(path).with_context(at)?, path)))
        }
        None => (None, None),
    };
    let told = predecessor.as_ref().and_then(|predecessor| predecessor.watchdog);
    let watchdog = life::watchdog().or(told);
    // In the seat, signals are the seat's, and so is the service manager's main process.
    let signals = seat.is_none();
    let start = Start { config, hash, source: Some(source), inherited, signals, watchdog };
    if let Some(seat) = seat {
        return Ok(seat::run(&seat, start, &args.command)?);
    }
    let gateway = Gateway::start_from(start).context("cannot start")?;
    take_over(&gateway, predecessor, offer, watchdog)?;
    match gateway.wait_ended().failure {
        None => Ok(ExitCode::SUCCESS),
        Some(failure) => anyhow::bail!(failure),
    }
}

/// The place before the server that is to be run.
fn seat(flags: &super::Source) -> anyhow::Result<Seat> {
    let first = Config::from_flags(&flags.backend).ok();
    let first = first.as_ref().and_then(|config| config.backends.first()?.endpoints.first());
    Ok(Seat::choose(Said {
        listen: flags.listen.is_some(),
        admin: flags.admin.is_some(),
        server: first.map(|endpoint| endpoint.port),
    })?)
}

/// This one serves: the next one finds it, and the one before is told to leave.
fn take_over(
    gateway: &Gateway,
    predecessor: Option<Predecessor>,
    offer: Option<(Offer, &PathBuf)>,
    watchdog: Option<Duration>,
) -> anyhow::Result<()> {
    if predecessor.is_some() {
        anyhow::ensure!(gateway.wait_started(START_WITHIN), "the workers do not start");
    }
    if let Some((offer, path)) = offer {
        offer
            .open(gateway.asks.clone(), watchdog)
            .with_context(|| format!("cannot wait at {} for the next one", path.display()))?;
    }
    // Before the other one leaves: a service manager whose main process has ended ends the rest.
    life::ready(predecessor.is_some());
    match predecessor.map(Predecessor::ready) {
        None => {}
        Some(Ok(())) => tracing::info!("took over"),
        // The sockets are here either way.
        Some(Err(error)) => tracing::warn!(%error, "took over, and the other one did not say that it drains"),
    }
    Ok(())
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
