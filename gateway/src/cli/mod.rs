//! The command line: what may be said, and which room it goes to.
//!
//! Data goes to stdout, messages to stderr. Exit codes: 0 well, 1 failed while running, 2 wrong usage, 78 wrong configuration.

mod serve;
mod ask;
mod config;
mod explain;
mod generate;
mod models;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use weir_config::{BackendFlag, Endpoint, ListenAddress};

use crate::demo;

/// The configuration is wrong (`EX_CONFIG` of sysexits.h).
const EXIT_CONFIG: u8 = 78;

#[derive(Debug, Parser)]
#[command(
    name = "weir",
    version,
    about = "A gateway in front of multi-model inference servers that measures every model inline",
    after_help = "Examples:\n  weir demo\n  weir serve --backend torchserve=http://127.0.0.1:8080\n  weir serve -c weir.yaml\n  weir check -c weir.yaml"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    #[command(
        after_help = "Examples:\n  weir serve --backend triton=http://127.0.0.1:8000\n  weir serve --backend torchserve=http://127.0.0.1:8080,management=http://127.0.0.1:8081\n  weir serve -c weir.yaml --workers 4\n  weir serve -- /usr/local/bin/entrypoint serve\n\nWith --backend and no file, requests go to 127.0.0.1:9900 and metrics are at http://127.0.0.1:9901/metrics."
    )]
    Serve(ServeArgs),
    /// Check a configuration file and print every problem in it
    #[command(after_help = "Examples:\n  weir check -c weir.yaml\n  weir check -c weir.yaml --json")]
    Check(CheckArgs),
    /// Tell what weir would make of a request, and why: backend, rule, model, label, and what would tell hot from cold
    #[command(
        after_help = "Examples:\n  weir explain -b triton=http://127.0.0.1:8000 -X POST /v2/models/resnet/infer\n  weir explain -b openai=http://127.0.0.1:8000 -d '{\"model\":\"phi-4\"}' /v1/chat/completions\n  weir explain -c weir.yaml -H 'X-Amzn-SageMaker-Target-Model: a.tar.gz' -d @body.json https://host/endpoints/e/invocations\n  weir explain -c weir.yaml --json /v2/models/resnet\n\nNothing is sent. By a running gateway: GET http://127.0.0.1:9901/api/v1/explain?method=POST&path=/v2/models/a/infer&header=name:value, or POST there: {\"method\", \"path\", \"headers\": [\"name: value\"], \"body\"}."
    )]
    Explain(explain::ExplainArgs),
    /// List the models of a running gateway: rate, errors, hot and cold, loads, memory
    #[command(
        after_help = "Examples:\n  weir models\n  weir models --sort evictions\n  weir models --backend triton --json | jq '.models[].model'"
    )]
    Models(models::ModelsArgs),
    /// Make a running gateway load its configuration file anew: all of it or nothing
    #[command(
        after_help = "Examples:\n  weir reload\n  weir reload --admin https://127.0.0.1:9901 --ca ca.pem --client-cert me.crt --client-key me.key --server-name weir.example.org"
    )]
    Reload(RunningArgs),
    /// Make a running gateway finish what is in flight and end
    #[command(after_help = "Examples:\n  weir drain\n  weir drain --admin 127.0.0.1:9901")]
    Drain(RunningArgs),
    /// Print what a configuration means
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Watch weir measure a simulated multi-model server: no set-up, no files
    #[command(
        after_help = "Examples:\n  weir demo\n  weir demo --for 30s --models 200\n  weir demo --listen 127.0.0.1:0 --admin 127.0.0.1:0"
    )]
    Demo(DemoArgs),
    /// List every metric that weir can expose
    #[command(subcommand)]
    Metrics(MetricsCommand),
    /// Print alert rules for Prometheus and tools beside it
    #[command(
        after_help = "Examples:\n  weir rules > weir.rules.yml\n  weir rules -c weir.yaml --format operator | kubectl apply -f -\n  weir rules -c weir.yaml --format sloth"
    )]
    Rules(generate::RulesArgs),
    /// Write dashboards for Grafana
    #[command(subcommand)]
    Dashboards(generate::DashboardsCommand),
}

/// Where the configuration comes from.
#[derive(Debug, Args)]
struct Source {
    /// Configuration file (YAML)
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG", conflicts_with = "backend")]
    config: Option<PathBuf>,
    /// A backend, with no file: DIALECT=URL[,management=URL][,name=NAME][,state=auto]; may be given several times
    #[arg(short, long, value_name = "DIALECT=URL")]
    backend: Vec<BackendFlag>,
    /// Where clients connect; replaces the address of the first listener [default: 127.0.0.1:9900]
    #[arg(short, long, value_name = "ADDRESS")]
    listen: Option<ListenAddress>,
    /// Where metrics, health and the API are served [default: 127.0.0.1:9901]
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Data-plane threads [default: one a core]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    source: Source,
    /// Least severe message to log: error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL", env = "WEIR_LOG")]
    log: Option<String>,
    /// Take over from the weir that was started with the same path, which hands its sockets on and drains; then wait there for the next
    #[arg(long, value_name = "PATH")]
    takeover: Option<PathBuf>,
    /// A model server to run behind weir, at a port that it reads from SAGEMAKER_BIND_TO_PORT; weir takes the one that stands there
    /// now [default: 8080], and exits with the server's code. Its backend is `mms` at that port, or the first one that is configured
    #[arg(last = true, value_name = "CMD")]
    command: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Configuration file (YAML)
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG", default_value = "weir.yaml")]
    config: PathBuf,
    /// Print the problems as JSON on stdout
    #[arg(long)]
    json: bool,
    /// What can be run but hardly is as it was meant is a problem too
    #[arg(long)]
    deny_warnings: bool,
}

/// Which running gateway.
#[derive(Debug, Args)]
struct RunningArgs {
    /// Its admin side: HOST:PORT, or https://HOST:PORT where that has TLS
    #[arg(long, value_name = "URL", default_value = "127.0.0.1:9901", env = "WEIR_ADMIN", value_parser = ask::admin)]
    admin: Endpoint,
    /// File with the bearer token, if the admin side wants one
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// PEM file of the authorities that may have signed its certificate [default: those of the system]
    #[arg(long, value_name = "FILE")]
    ca: Option<String>,
    /// PEM file of the client certificate to show
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<String>,
    /// PEM file of its private key
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<String>,
    /// The name that its certificate is for [default: the host of --admin]
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
}

#[derive(Debug, Args)]
struct DiffArgs {
    /// What would be loaded
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG", default_value = "weir.yaml")]
    config: PathBuf,
    /// Compare with this file instead of a running gateway
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Exit with 1 if there are differences
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    running: RunningArgs,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print what a reload would change, and what of it needs a restart
    #[command(
        after_help = "Examples:\n  weir config diff -c weir.yaml\n  weir config diff -c new.yaml --against weir.yaml --exit-code"
    )]
    Diff(DiffArgs),
    /// Print the JSON Schema of the configuration file
    Schema,
    /// Print the effective configuration: defaults filled in, secrets redacted
    #[command(
        after_help = "Examples:\n  weir config show -c weir.yaml\n  weir config show --backend openai=http://127.0.0.1:8000"
    )]
    Show(Source),
    /// Print an annotated file with every key, its unit and its default
    Reference,
    /// Print a built-in dialect, or list them: how a kind of server names models and betrays cold starts
    Dialect {
        /// The dialect, for example `triton`; none lists them all
        name: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum MetricsCommand {
    /// Name, type, unit, labels and meaning of each
    List {
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// Stop after this time, for example 30s or 2m [default: until interrupted]
    #[arg(long = "for", value_name = "TIME", value_parser = parse_time)]
    time: Option<Duration>,
    /// Where the demo's traffic enters weir
    #[arg(short, long, value_name = "ADDRESS", default_value = "127.0.0.1:9900")]
    listen: SocketAddr,
    /// Where metrics, health and the API are served
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9901")]
    admin: SocketAddr,
    /// Models behind the simulated server
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    models: u32,
    /// Requests a second
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,
    /// Seed of the traffic: the same seed asks for the same models in the same order
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    weir_config::parse_duration(text).map_err(|error| error.to_string())
}

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "weir: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::serve(args),
        Command::Check(args) => config::check(&args),
        Command::Explain(args) => explain::explain(args),
        Command::Models(args) => models::models(&args),
        Command::Reload(args) => ask::reload(&args),
        Command::Drain(args) => ask::drain(&args),
        Command::Config(command) => config::print(command),
        Command::Dashboards(command) => generate::dashboards(&command),
        Command::Rules(args) => generate::rules(&args),
        Command::Metrics(MetricsCommand::List { json }) => config::metrics(json),
        Command::Demo(args) => demo::run(demo::Options {
            time: args.time,
            listen: args.listen,
            admin: args.admin,
            models: args.models,
            rate: args.rate,
            seed: args.seed,
        }),
    }
}
