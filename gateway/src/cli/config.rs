//! Commands that read and print: `check`, `config …`, `metrics list`. None of them opens a socket.

use std::io::Write;
use std::process::ExitCode;

use weir_config::LoadError;
use weir_telemetry::names;

use super::serve::{refused, source};
use super::{CheckArgs, ConfigCommand, EXIT_CONFIG};

pub(super) fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let loaded = weir_config::load(&args.config, &|name| std::env::var(name).ok());
    let mut out = std::io::stdout();
    if let Ok(config) = &loaded {
        let doubts = weir_config::doubts(config);
        for doubt in &doubts {
            writeln!(std::io::stderr(), "warning: {}: {}", doubt.key, doubt.message)?;
        }
        if args.deny_warnings && !doubts.is_empty() {
            return Ok(ExitCode::from(EXIT_CONFIG));
        }
    }
    match loaded {
        Ok(_) if args.json => writeln!(out, "[]")?,
        Ok(config) => writeln!(
            out,
            "{}: ok, {} listener(s), {} backend(s), {} route(s)",
            args.config.display(),
            config.listeners.len(),
            config.backends.len(),
            config.routes.len()
        )?,
        Err(LoadError::Invalid(report)) => {
            if args.json {
                writeln!(out, "{}", serde_json::to_string_pretty(&report.problems())?)?;
            } else {
                let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
                writeln!(std::io::stderr(), "{}", report.render(colour))?;
            }
            return Ok(ExitCode::from(EXIT_CONFIG));
        }
        Err(other) => return Err(other.into()),
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn print(command: ConfigCommand) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    match command {
        ConfigCommand::Schema => writeln!(out, "{}", serde_json::to_string_pretty(&weir_config::schema())?)?,
        ConfigCommand::Reference => write!(out, "{}", weir_config::reference())?,
        ConfigCommand::Show(flags) => match source(&flags).load() {
            Ok(loaded) => write!(out, "{}", weir_config::show(&loaded.config))?,
            Err(why) => return refused(why),
        },
        ConfigCommand::Diff(args) => return super::ask::diff(&args),
        ConfigCommand::Dialect { name } => return dialect(name.as_deref()),
    }
    Ok(ExitCode::SUCCESS)
}

fn dialect(name: Option<&str>) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    let Some(name) = name else {
        for (name, _) in weir_config::embedded_dialects() {
            writeln!(out, "{name}")?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    match weir_config::embedded_dialect(name) {
        Some(text) => write!(out, "{text}")?,
        None => anyhow::bail!("there is no built-in dialect {name:?}; `weir config dialect` lists them"),
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn metrics(json: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    let all: Vec<_> = names::all().collect();
    if json {
        let list: Vec<_> = all
            .iter()
            .map(|family| {
                serde_json::json!({
                    "name": family.name, "type": family.kind.as_str(), "unit": family.unit.as_str(),
                    "labels": family.labels, "help": family.help,
                })
            })
            .collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let width = all.iter().map(|family| family.name.len()).max().unwrap_or(0);
    for family in all {
        let labels = family.labels.join(",");
        writeln!(out, "{:width$}  {:9}  {{{labels}}}  {}", family.name, family.kind.as_str(), family.help)?;
    }
    Ok(ExitCode::SUCCESS)
}
