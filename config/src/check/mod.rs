//! What no single field can know: names that must exist or be unique, addresses that clash, rules that make no sense.
//! Bounds stand beside their fields (garde); here is what looks at two of them. All findings at once, each with its path.

mod words;
mod rules;
mod naming;
mod answers;
mod states;
mod export;
mod dialects;
mod slos;
mod remotes;

use std::collections::HashSet;
use std::net::SocketAddr;

pub(crate) use dialects::{dialect, dialects};
pub(crate) use words::{
    error_status, field_path, header_value, host_pattern, label_name, name, printable, region, remote_header,
    token, user_name, visible,
};

use crate::address::ListenAddress;
use crate::backend::Backend;
use crate::config::Config;
use crate::decode::words as listed;
use crate::embedded;
use crate::proxy_protocol::ProxyMode;
use crate::route::Route;
use crate::suggest::closest;

/// Something wrong, and where: `routes[0].backend`.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// It is wrong because it is not there; not worth saying where its line was there but could not be read.
    pub(crate) missing: bool,
}

/// What could not be read, so that nobody is told that it does not exist.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Doubt {
    pub(crate) backend_names: bool,
    pub(crate) dialect_names: bool,
}

/// The findings so far.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<Finding>);

impl Findings {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Finding { path: path.into(), message: message.into(), help: None, missing: false });
    }

    fn add_with(
        &mut self,
        path: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        self.0.push(Finding {
            path: path.into(),
            message: message.into(),
            help: help.into(),
            missing: false,
        });
    }

    fn missing(
        &mut self,
        path: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        self.0.push(Finding { path: path.into(), message: message.into(), help: help.into(), missing: true });
    }

    /// Takes the outcome of a rule for one word.
    fn word(&mut self, path: impl Into<String>, outcome: garde::Result) {
        if let Err(error) = outcome {
            self.add(path, error.message());
        }
    }
}

/// Checks the whole file.
pub(crate) fn config(config: &Config, doubt: Doubt) -> Vec<Finding> {
    let mut findings = Findings::default();
    listeners(config, &mut findings);
    if config.backends.is_empty() {
        let example = "for example\nbackends:\n- dialect: triton\n  endpoints: [http://127.0.0.1:8000]";
        findings.missing("backends", "there is no backend", Some(example.to_owned()));
    }
    let mut names = HashSet::new();
    for (i, one) in config.backends.iter().enumerate() {
        backend(config, one, &format!("backends[{i}]"), doubt, &mut findings);
        if !one.name.is_empty() && !names.insert(one.name.as_str()) {
            let message = format!("another backend is called `{}` too", one.name);
            findings.add_with(
                format!("backends[{i}].name"),
                message,
                Some("give each its own `name`".to_owned()),
            );
        }
    }
    routes(&config.routes, &names, doubt, &mut findings);
    export::telemetry(&config.telemetry, &names, doubt, &mut findings);
    dialects(&config.dialects, doubt, &mut findings);
    slos::slos(config, &names, doubt, &mut findings);
    remotes::alerts(&config.alerts, &mut findings);
    remotes::export(config, &mut findings);
    findings.0
}

fn listeners(config: &Config, findings: &mut Findings) {
    if config.listeners.is_empty() {
        findings.missing(
            "listeners",
            "there is no listener",
            Some("leave `listeners` out for the default one".to_owned()),
        );
    }
    let mut names = HashSet::new();
    let mut taken: Vec<(SocketAddr, String)> = Vec::new();
    let mut sockets = HashSet::new();
    for (i, listener) in config.listeners.iter().enumerate() {
        if !names.insert(listener.name.as_str()) {
            findings.add(
                format!("listeners[{i}].name"),
                format!("another listener is called `{}` too", listener.name),
            );
        }
        let proxy = &listener.proxy_protocol;
        if proxy.mode == ProxyMode::Optional && proxy.trusted.is_empty() {
            let help = "without `trusted` any client could say that it is another one";
            let path = format!("listeners[{i}].proxy_protocol");
            findings.add_with(path, "`optional` needs `trusted` networks", help.to_owned());
        }
        let path = format!("listeners[{i}].address");
        match &listener.address {
            ListenAddress::Tcp(tcp) => address(*tcp, path, &mut taken, findings),
            ListenAddress::Unix(socket) if !sockets.insert(socket) => {
                findings.add(path, format!("another listener has `{}` too", listener.address));
            }
            ListenAddress::Unix(_) => {}
        }
    }
    address(config.admin.address, "admin.address".to_owned(), &mut taken, findings);
    if let Some(of_metrics) = config.admin.metrics_address {
        address(of_metrics, "admin.metrics_address".to_owned(), &mut taken, findings);
    }
    if !config.admin.is_guarded() {
        let message = format!(
            "`{}` is open to other machines, and there is no token and no client certificate",
            config.admin.address
        );
        let help = "give `admin.token_file`, or `admin.tls` with a `client_ca` and certificates required, or keep to `127.0.0.1`; for scrapers and probes alone there is `admin.metrics_address`";
        findings.add_with("admin.address", message, help.to_owned());
    }
    if config.admin.metrics_tls.is_some() && config.admin.metrics_address.is_none() {
        findings.add("admin.metrics_tls", "there is no `metrics_address` that it could be for");
    }
}

fn address(
    address: SocketAddr,
    path: String,
    taken: &mut Vec<(SocketAddr, String)>,
    findings: &mut Findings,
) {
    if let Some((other, owner)) = taken.iter().find(|(other, _)| clash(*other, address)) {
        findings.add(&path, format!("`{address}` clashes with `{owner}`, which is `{other}`"));
    }
    taken.push((address, path));
}

/// Whether two sockets cannot be bound at one time: the same port of the same address, or of an address that stands for all.
fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let any = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && (any || a.ip() == b.ip())
}

fn backend(config: &Config, backend: &Backend, path: &str, doubt: Doubt, findings: &mut Findings) {
    let mut known = embedded::known(&config.dialects);
    known.retain(|name| *name != embedded::CONVENTIONS);
    if backend.dialect.is_empty() {
        let help = format!("it is one of {}, or one of your own", listed(&known));
        findings.missing(format!("{path}.dialect"), "a backend needs a `dialect`", help);
    } else if config.dialect(&backend.dialect).is_none() && !doubt.dialect_names {
        let message = format!("unknown dialect `{}`", backend.dialect);
        findings.add_with(format!("{path}.dialect"), message, did_you_mean(&backend.dialect, &known));
    }
    if !backend.name.is_empty() && backend.name != backend.dialect {
        findings.word(format!("{path}.name"), name(&backend.name, &()));
    }
    if backend.endpoints.is_empty() {
        let help = "for example `endpoints: [http://127.0.0.1:8000]`".to_owned();
        findings.missing(format!("{path}.endpoints"), "a backend needs at least one endpoint", help);
    }
    let mut seen = HashSet::new();
    for (i, endpoint) in backend.endpoints.iter().enumerate() {
        if !seen.insert(endpoint) {
            findings.add(format!("{path}.endpoints[{i}]"), format!("`{endpoint}` is given twice"));
        }
    }
    rules::requests(&backend.requests, &format!("{path}.requests"), findings);
    if let Some(starts) = &backend.starts {
        rules::starts(starts, &format!("{path}.starts"), findings);
    }
    if backend.inferred.as_ref().is_some_and(|inferred| inferred.after_idle.is_none() && !inferred.two_peaks)
    {
        let help = "give `after_idle`, or leave `inferred` out".to_owned();
        findings.add_with(format!("{path}.inferred"), "without either of its rules little is inferred", help);
    }
    if let Some(names) = &backend.names {
        naming::naming(names, &format!("{path}.names"), findings);
    }
    answers::values(&backend.values, &format!("{path}.values"), findings);
    if let Some(sign) = &backend.sign {
        answers::sign(sign, backend, &format!("{path}.sign"), findings);
    }
}

fn routes(routes: &[Route], backends: &HashSet<&str>, doubt: Doubt, findings: &mut Findings) {
    let mut known: Vec<&str> = backends.iter().copied().collect();
    known.sort_unstable();
    for (i, route) in routes.iter().enumerate() {
        let path = format!("routes[{i}]");
        if route.backend.is_empty() {
            let help = format!("the backends are {}", listed(&known));
            findings.missing(format!("{path}.backend"), "a route needs a `backend`", help);
        } else if !backends.contains(route.backend.as_str()) && !doubt.backend_names {
            let message = format!("there is no backend `{}`", route.backend);
            findings.add_with(format!("{path}.backend"), message, did_you_mean(&route.backend, &known));
        }
        if route.path_prefix.as_ref().is_some_and(|p| !p.starts_with('/') || p.contains(['?', '#', ' '])) {
            findings
                .add(format!("{path}.path_prefix"), "a path begins with `/` and has no `?`, `#` or space");
        }
        if route.host.as_ref().is_some_and(|host| host.contains(['/', ' ', '@']) || has_port(host)) {
            findings.add(format!("{path}.host"), "a host has no scheme, port or path");
        }
        let all = route.host.is_none() && route.path_prefix.is_none() && route.header.is_none();
        if all && i + 1 < routes.len() {
            let message = "it has no condition, so that no route after it is ever reached";
            findings.add_with(path, message, Some("move it to the end".to_owned()));
        }
    }
}

fn has_port(host: &str) -> bool {
    // One colon: a name or IPv4 address with a port. More: an IPv6 address, whose port would follow a bracket.
    host.bytes().filter(|b| *b == b':').count() == 1 || host.contains("]:")
}

/// Advice for a name that is not known: the likely one, and all.
fn did_you_mean(found: &str, known: &[&str]) -> Option<String> {
    let all = format!("known are {}", listed(known));
    Some(match closest(found, known.iter().copied()) {
        Some(word) => format!("did you mean `{word}`? {all}"),
        None => all,
    })
}
