//! A configuration made ready for the data path: dialects compiled, endpoints numbered, routes in order.
//!
//! Immutable. A reload builds a whole new one and swaps it; a request keeps the one it began with.

mod route;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use http::header::{HeaderName, HeaderValue};
use weir_config::{Config, Endpoint, Forward, Identify, Pool, Timeouts, UpstreamProtocol, UpstreamTls};
use weir_telemetry::{BackendId, Store};

use route::Route;
pub use route::RouteMisfit;

use crate::access;
use crate::alerts::Receiver;
use crate::classify::StartRules;
use crate::export::{self, Otlp};
use crate::identify::{Found, Matcher, Versions};
use crate::message::RequestParts as Parts;
use crate::net::tls::{self, ClientTls};
use crate::numbers::NumberRules;
use crate::residency::{Models, Residency};
use crate::sign::{HostError, Keys, Signer};

/// The swapped configuration, and a number that tells workers cheaply whether it changed.
#[derive(Debug)]
pub struct Shared {
    live: ArcSwap<Live>,
    generation: AtomicU64,
}

/// A compiled configuration.
#[derive(Debug)]
pub struct Live {
    /// Counts configurations since the start.
    pub generation: u64,
    /// What it was compiled from.
    pub config: Config,
    /// Every backend, in the file's order.
    pub backends: Vec<Backend>,
    /// Every endpoint of every backend; [`Backend::endpoints`] are indices into it.
    pub endpoints: Vec<Target>,
    /// Where requests leave their lines, if they do.
    pub access: Option<Arc<access::Log>>,
    /// Who is told of alerts.
    pub receivers: Vec<Receiver>,
    /// Where metrics are pushed by OTLP, if anywhere.
    pub otlp: Option<Otlp>,
    routes: Vec<Route>,
}

/// An endpoint, and all that a connection to it depends on.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where.
    pub endpoint: Endpoint,
    /// How connections are kept.
    pub pool: Pool,
    /// As configured.
    pub tls_settings: Option<UpstreamTls>,
    /// Made ready, where the endpoint is `https`.
    pub tls: Option<ClientTls>,
}

impl PartialEq for Target {
    /// What TLS was made of decides, not what was made.
    fn eq(&self, other: &Self) -> bool {
        (&self.endpoint, &self.pool, &self.tls_settings)
            == (&other.endpoint, &other.pool, &other.tls_settings)
    }
}

/// One backend made ready.
#[derive(Debug)]
pub struct Backend {
    /// Its name, the label `backend`.
    pub name: String,
    /// Its number in the telemetry store.
    pub id: BackendId,
    /// How it names models.
    pub matcher: Matcher,
    /// How it betrays cold starts.
    pub starts: StartRules,
    /// What numbers its answers tell.
    pub numbers: Arc<NumberRules>,
    /// Signs requests to it, if it is AWS's.
    pub signer: Option<Signer>,
    /// Whether load and unload calls are followed.
    pub lifecycle: bool,
    /// Whether cold starts are inferred.
    pub infers: bool,
    /// Where inference goes: indices into [`Live::endpoints`].
    pub endpoints: Vec<usize>,
    /// Where management calls go, when that is another address.
    pub management: Option<usize>,
    /// What is spoken with it.
    pub protocol: UpstreamProtocol,
    /// Its limits.
    pub timeouts: Timeouts,
    /// Which of its models are in memory, as far as calls through weir tell.
    pub models: Arc<Models>,
    turn: AtomicUsize,
}

/// Where a request goes, and the rule that knew it.
#[derive(Debug)]
pub struct Routed<'l> {
    /// The backend.
    pub backend: &'l Backend,
    /// Why this one.
    pub why: Why,
    /// The dialect's rule, if one matched.
    pub found: Option<Found<'l>>,
    /// The route's own limit on bodies, in bytes; 0 means none.
    pub body_bytes_max: Option<u64>,
}

/// Why a backend gets a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// This route leads to it, counted from 0.
    Route(usize),
    /// It is the only one.
    Only,
    /// No route fits; it is the first whose rules know the request.
    Known,
    /// No route fits and nobody's rules know the request; it is the first of all.
    First,
}

/// A configuration that was valid but cannot be compiled: a file that it names does not do, or a bug in the checks.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {message}")]
pub struct CompileError {
    place: String,
    message: String,
}

impl CompileError {
    fn of(place: &str, error: &dyn std::error::Error) -> Self {
        Self { place: place.to_owned(), message: error.to_string() }
    }
}

impl Shared {
    /// Starts with a first configuration.
    pub fn new(live: Live) -> Arc<Self> {
        Arc::new(Self { generation: AtomicU64::new(live.generation), live: ArcSwap::from_pointee(live) })
    }

    /// The configuration now.
    pub fn load(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// Its number.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Puts a new one in its place.
    pub fn swap(&self, live: Live) {
        let generation = live.generation;
        self.live.store(Arc::new(live));
        self.generation.store(generation, Ordering::Release);
    }
}

impl Live {
    /// Compiles a valid configuration and registers its backends and configured models with the store.
    ///
    /// # Errors
    /// A rule that the checks let through and that does not compile.
    pub fn compile(
        config: Config,
        generation: u64,
        store: &Store,
        residency: &Residency,
    ) -> Result<Self, CompileError> {
        let mut endpoints = Vec::new();
        let mut backends = Vec::new();
        for backend in &config.backends {
            let models = residency.backend(&backend.name);
            backends.push(compile_backend(&config, backend, &mut endpoints, store, models)?);
        }
        store.apply(&config.telemetry);
        let position = |name: &str| config.backends.iter().position(|backend| backend.name == name);
        let routes = config.routes.iter().filter_map(|route| {
            Some(Route {
                host: route.host.clone(),
                path_prefix: route.path_prefix.clone(),
                header: route.header.as_ref().and_then(|header| {
                    let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
                    Some((name, HeaderValue::from_str(&header.equals).ok()?))
                }),
                body_bytes_max: route.body_bytes_max.map(|bytes| bytes.0),
                backend: position(&route.backend)?,
            })
        });
        let routes = routes.collect();
        let receivers = Receiver::all(&config.alerts).map_err(|error| CompileError::of("alerts", &error))?;
        let otlp = otlp(&config)?;
        store.promise(&config.slos, &config.alerts);
        let access = config.access_log.as_ref().map(access::Log::start).transpose();
        let access = access.map_err(|error| CompileError::of("the access log's thread", &error))?;
        for (live, backend) in backends.iter().zip(&config.backends) {
            live.models.watch(&config, backend);
        }
        Ok(Self { generation, backends, endpoints, access, receivers, otlp, routes, config })
    }

    /// What is forwarded and added to heads.
    pub fn forward(&self) -> &Forward {
        &self.config.forward
    }

    /// The limits of identification.
    pub fn identify(&self) -> &Identify {
        &self.config.identify
    }

    /// Whose credentials have to be kept fresh.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<Keys>> {
        let of_backends = self.backends.iter().filter_map(|backend| Some(backend.signer.as_ref()?.keys()));
        of_backends.chain(self.otlp.iter().filter_map(Otlp::keys))
    }

    /// Chooses the backend: the first route that matches; without routes the first backend whose dialect knows the request;
    /// else the first backend.
    pub fn route(&self, head: &Parts) -> Option<Routed<'_>> {
        let find =
            |backend: &'_ Backend| backend.matcher.find(&head.method, &head.uri, &head.headers).is_some();
        let mut routes = self.routes.iter().enumerate();
        let route = routes.find(|(_, route)| route.misfit(head).is_none());
        let (chosen, why) = match (route, self.backends.as_slice()) {
            (Some((i, route)), _) => (self.backends.get(route.backend)?, Why::Route(i)),
            (None, [only]) => (only, Why::Only),
            (None, several) => match several.iter().find(|backend| find(backend)) {
                Some(known) => (known, Why::Known),
                None => (several.first()?, Why::First),
            },
        };
        let found = chosen.matcher.find(&head.method, &head.uri, &head.headers);
        let body_bytes_max = route.and_then(|(_, route)| route.body_bytes_max);
        Some(Routed { backend: chosen, why, found, body_bytes_max })
    }

    /// How each route stands to a request, in the file's order; nothing: it fits.
    pub fn routes_tried(&self, head: &Parts) -> impl Iterator<Item = Option<RouteMisfit>> {
        self.routes.iter().map(|route| route.misfit(head))
    }
}

impl Backend {
    /// Its endpoints in turn: each call begins with the next one.
    pub fn in_turn(&self) -> impl Iterator<Item = usize> {
        let first = match self.endpoints.len() {
            0 | 1 => 0,
            several => self.turn.fetch_add(1, Ordering::Relaxed) % several,
        };
        let (before, after) = self.endpoints.split_at(first);
        after.iter().chain(before).copied()
    }
}

/// A variable of the environment that cannot be used is said, and keeps nobody from starting; a file that the configuration names does.
fn otlp(config: &Config) -> Result<Option<Otlp>, CompileError> {
    match export::settle(&config.export, &|name| std::env::var(name).ok()) {
        Ok(None) => Ok(None),
        Ok(Some(settled)) => {
            let sign = config.export.otlp.as_ref().and_then(|otlp| otlp.sign.as_ref());
            let otlp = Otlp::new(settled, sign);
            Ok(Some(otlp.map_err(|error| CompileError::of("export.otlp", &error))?))
        }
        Err(error) => {
            tracing::warn!(%error, "metrics are not pushed");
            Ok(None)
        }
    }
}

fn compile_backend(
    config: &Config,
    backend: &weir_config::Backend,
    endpoints: &mut Vec<Target>,
    store: &Store,
    models: Arc<Models>,
) -> Result<Backend, CompileError> {
    let failed = |message: String| CompileError { place: format!("backend {:?}", backend.name), message };
    let dialect = config
        .dialect(&backend.dialect)
        .ok_or_else(|| failed(format!("no dialect {:?}", backend.dialect)))?;
    let mut number = |endpoint: &Endpoint| {
        let tls = if endpoint.tls() {
            let tls = tls::client(endpoint, backend.tls.as_ref());
            Some(tls.map_err(|error| failed(format!("TLS to {endpoint}: {error}")))?)
        } else {
            None
        };
        let (pool, tls_settings) = (backend.pool.clone(), backend.tls.clone());
        endpoints.push(Target { endpoint: endpoint.clone(), pool, tls_settings, tls });
        Ok(endpoints.len() - 1)
    };
    let inference = backend.endpoints.iter().map(&mut number).collect::<Result<_, CompileError>>()?;
    let management = backend.management.as_ref().map(&mut number).transpose()?;
    let id = store.backend(&backend.name);
    store.configure(id, &backend.models);
    let own = backend.starts.as_ref();
    models.set_inferred(backend.inferred.as_ref());
    Ok(Backend {
        name: backend.name.clone(),
        id,
        matcher: Matcher::new(dialect, &backend.requests)
            .map_err(|error| failed(error.to_string()))?
            .naming(backend.names.as_ref().or(dialect.names.as_ref()))
            .versions(versions(config, backend)),
        starts: StartRules::new(own, &dialect.starts).map_err(|error| failed(error.to_string()))?,
        numbers: NumberRules::new(backend, dialect, id, store),
        signer: signer(backend).map_err(|error| failed(error.to_string()))?,
        lifecycle: own.map_or(dialect.starts.lifecycle, |own| own.lifecycle || dialect.starts.lifecycle),
        infers: backend.inferred.is_some(),
        endpoints: inference,
        management,
        protocol: backend.protocol,
        timeouts: backend.timeouts.clone(),
        models,
        turn: AtomicUsize::new(0),
    })
}

/// Who wants to know a request's version: series, or lines of the access log.
fn versions(config: &Config, backend: &weir_config::Backend) -> Versions {
    if backend.version_label.unwrap_or(config.telemetry.version_label) {
        Versions::Counted
    } else if config.access_log.is_some() {
        Versions::Read
    } else {
        Versions::Unread
    }
}

fn signer(backend: &weir_config::Backend) -> Result<Option<Signer>, HostError> {
    let signed = backend.sign.as_ref().zip(backend.endpoints.first());
    signed.map(|(sign, endpoint)| Signer::new(sign, endpoint)).transpose()
}
