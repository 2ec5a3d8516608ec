//! Commands that make files for other tools: `rules`, `dashboards`. They read a configuration at most, and open no socket.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use weir_config::{LoadError, Slo};
use weir_telemetry::generate::{self, Runbooks, Tool};

use super::EXIT_CONFIG;

#[derive(Debug, Args)]
pub(super) struct RulesArgs {
    /// The tool that the rules are for
    #[arg(short, long, value_enum, default_value_t = Format::Prometheus)]
    format: Format,
    /// Configuration file whose `slos` the rules are about; without it the rules are for any SLO, with limits from weir's metrics
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where runbooks are: the alert's name is appended [default: /runbooks/ of a weir that Prometheus scrapes]
    #[arg(long, value_name = "URL")]
    runbooks: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A rule file
    Prometheus,
    /// A PrometheusRule of the Prometheus operator
    Operator,
    /// prometheus/v1 of Sloth; needs --config
    Sloth,
    /// ServiceLevelObjectives of Pyrra; needs --config
    Pyrra,
    /// Alarms as CloudFormation: without --config for one model that parameters name, with it for the models that SLOs name
    Cloudwatch,
}

#[derive(Debug, Subcommand)]
pub(super) enum DashboardsCommand {
    /// Write all dashboards as files that Grafana imports
    #[command(
        after_help = "Examples:\n  weir dashboards export -o /var/lib/grafana/dashboards\n  weir dashboards export --only model > model.json"
    )]
    Export {
        /// Folder to write to
        #[arg(short, long, value_name = "FOLDER", default_value = "grafana")]
        output: PathBuf,
        /// Print one of them instead
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
    },
    /// List them
    List,
}

pub(super) fn rules(args: &RulesArgs) -> anyhow::Result<ExitCode> {
    let slos = match &args.config {
        None => Vec::new(),
        Some(path) => match weir_config::load(path, &|name| std::env::var(name).ok()) {
            Ok(config) => config.slos,
            Err(LoadError::Invalid(report)) => {
                let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
                writeln!(std::io::stderr(), "{}", report.render(colour))?;
                return Ok(ExitCode::from(EXIT_CONFIG));
            }
            Err(other) => return Err(other.into()),
        },
    };
    let runbooks = args
        .runbooks
        .as_ref()
        .map_or_else(Runbooks::default, |base| Runbooks(format!("{}/", base.trim_end_matches('/'))));
    write!(std::io::stdout(), "{}", text(args, &slos, &runbooks)?)?;
    Ok(ExitCode::SUCCESS)
}

fn text(args: &RulesArgs, slos: &[Slo], runbooks: &Runbooks) -> anyhow::Result<String> {
    let tool = match args.format {
        Format::Prometheus => Tool::Prometheus,
        Format::Operator => Tool::Operator,
        Format::Sloth => Tool::Sloth,
        Format::Pyrra => Tool::Pyrra,
        Format::Cloudwatch => Tool::CloudWatch,
    };
    let needs_slos = matches!(tool, Tool::Sloth | Tool::Pyrra);
    anyhow::ensure!(
        !slos.is_empty() || !needs_slos,
        "there is no SLO to make rules of: give a file that has `slos` with --config"
    );
    Ok(generate::rules(tool, slos, runbooks))
}

pub(super) fn dashboards(command: &DashboardsCommand) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    let all = generate::dashboards();
    match command {
        DashboardsCommand::List => {
            for (name, _) in &all {
                writeln!(out, "{name}")?;
            }
        }
        DashboardsCommand::Export { only: Some(name), .. } => {
            let Some((_, text)) = all.iter().find(|(known, _)| known == name) else {
                anyhow::bail!("there is no dashboard {name:?}; `weir dashboards list` lists them");
            };
            write!(out, "{text}")?;
        }
        DashboardsCommand::Export { output, only: None } => {
            fs::create_dir_all(output).with_context(|| format!("cannot make {}", output.display()))?;
            for (name, text) in &all {
                let file = output.join(format!("{name}.json"));
                fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
                writeln!(out, "{}", file.display())?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
