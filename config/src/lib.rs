//! The configuration of weir: text to truth. Whoever holds a `Config` from here holds a valid one.
//!
//! Pure: no sockets, no clock, no threads; `file` alone touches the disk. It does not read the process's environment either:
//! the caller passes a function. A text passes through these files, in this order:
//!
//! `tree` (YAML to nodes that know their place) → `interpolate` (`${VAR}`) → `decode` (nodes to structs, every misfit reported)
//! → bounds (garde, beside each field) → `check` (what no single field can know) → `Config`, or a `Report` of all
//! problems at once.

mod config;
mod address;
mod network;
mod tls;
mod proxy_protocol;
mod listen;
mod h2;
mod admin;
mod access_log;
mod backend;
mod doubts;
mod endpoint;
mod gpu;
mod route;
mod naming;
mod dialect;
mod starts;
mod inferred;
mod values;
mod usage;
mod state;
mod sign;
mod telemetry;
mod export;
mod slo;
mod glob;
mod alerts;
mod remote;
mod push;
mod units;
mod percent;
mod url;
mod embedded;
mod template;
mod tree;
mod interpolate;
mod decode;
mod check;
mod locate;
mod suggest;
mod flags;
mod read;
mod report;
mod schema;
mod reference;
mod show;
mod diff;
mod file;

pub use access_log::{AccessAlways, AccessFormat, AccessLog, AccessQuery};
pub use address::{ListenAddress, ListenAddressError};
pub use admin::{Admin, is_loopback};
pub use alerts::{AlertLabel, Alerts};
pub use backend::{Backend, Pool, Timeouts, UpstreamProtocol};
pub use config::Config;
pub use dialect::{Action, Dialect, Plane, RequestRule, Source, When};
pub use diff::{Change, Takes, diff, effective, hold};
pub use doubts::{Doubtful, doubts};
pub use embedded::{embedded_dialect, embedded_dialects};
pub use endpoint::{Endpoint, EndpointError, Transport};
pub use export::{Pin, Profile, Tier};
pub use file::{LoadError, load, text};
pub use flags::{BackendFlag, BackendFlagError};
pub use glob::globs_meet;
pub use gpu::{GpuFigure, GpuMetric, GpuPage};
pub use h2::{Http2Limits, UpstreamHttp2};
pub use inferred::Inferred;
pub use listen::{
    Drain, Forward, ForwardedPolicy, HalfClose, HttpProtocol, ListenLimits, Listener, RequestId,
};
pub use naming::{NameMap, Naming};
pub use network::{Network, NetworkError};
pub use proxy_protocol::{ProxyMode, ProxyProtocol};
pub use push::{Compression, Emf, Export, ExportSign, NamedText, Otlp, OtlpHistograms};
pub use read::parse;
pub use reference::reference;
pub use remote::{Authorization, BasicAuth, Remote, RemoteHeader};
pub use report::{Problem, Report};
pub use route::{HeaderMatch, Route};
pub use schema::schema;
pub use show::show;
pub use sign::{Credentials, Sign, SignService};
pub use slo::{LatencyTarget, SLO_LIMITS_MAX, SLO_NAMES_MAX, Severity, Slo, SloStart, StalenessTarget};
pub use starts::{Absent, HeaderRule, HeaderTest, Otherwise, Starts, StatusOutcome, StatusRule, TimeUnit};
pub use state::{Place, PollMode, StateMethod, StatePoll, StateSource, StateWord, Step, metrics_page};
pub use telemetry::{Identify, Log, LogFormat, Telemetry};
pub use template::{Part, Segment, Template, TemplateError};
pub use tls::{CertificateFiles, ClientCertificates, ListenTls, TlsVersion, UpstreamTls};
pub use units::{Bytes, Percent, UnitError, duration_text, parse_duration};
pub use url::{Url, UrlError};
pub use usage::{USAGE_DEPTH_MAX, USAGE_WORD_BYTES_MAX, Usage};
pub use values::{Kept, ValueRule, ValueSource, ValueUnit};
