//! What stands in the reference file: the default configuration, and an example of everything that is not there by default.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::access_log::AccessLog;
use crate::admin::Admin;
use crate::alerts::{AlertLabel, Alerts};
use crate::backend::Backend;
use crate::config::Config;
use crate::dialect::{Dialect, RequestRule, Source, When};
use crate::endpoint::{Endpoint, Transport};
use crate::export::{Pin, Profile, Tier};
use crate::gpu::{GpuFigure, GpuMetric, GpuPage};
use crate::inferred::Inferred;
use crate::naming::{NameMap, Naming};
use crate::push::{Emf, Export, ExportSign, NamedText, Otlp};
use crate::remote::{Authorization, BasicAuth, Remote, RemoteHeader};
use crate::route::{HeaderMatch, Route};
use crate::sign::Sign;
use crate::slo::{LatencyTarget, Slo, StalenessTarget};
use crate::starts::{HeaderRule, HeaderTest, Starts, StatusRule, TimeUnit};
use crate::state::{StateSource, StateWord};
use crate::telemetry::Telemetry;
use crate::tls::{CertificateFiles, ListenTls, UpstreamTls};
use crate::units::{Bytes, Percent};
use crate::url::Url;
use crate::usage::Usage;
use crate::values::{Kept, ValueRule, ValueSource, ValueUnit};

/// What stands in the reference without taking any `#` away.
pub(super) fn live() -> Config {
    let endpoint = Endpoint { host: "127.0.0.1".to_owned(), port: 8000, transport: Transport::Tcp };
    let backend = Backend {
        name: "triton".to_owned(),
        dialect: "triton".to_owned(),
        endpoints: vec![endpoint],
        ..Backend::default()
    };
    Config { backends: vec![backend], ..Config::default() }
}

/// The same with an example of everything that is empty by default.
pub(super) fn sample() -> Config {
    let text = |text: &str| Some(text.to_owned());
    let rule = || RequestRule {
        path: "/score/{model}[/{version}]".to_owned(),
        methods: vec!["POST".to_owned()],
        when: vec![When { query: text("dry_run"), present: Some(false), ..When::default() }],
        model: vec![Source { path: text("model"), ..Source::default() }],
        resident: vec![Source { header: text("x-resident-id"), ..Source::default() }],
        version: vec![Source { path: text("version"), ..Source::default() }],
        timeout: Some(Duration::from_secs(2)),
        ..RequestRule::default()
    };
    let header = HeaderRule {
        header: text("x-load-seconds"),
        above: Some(0.0),
        unit: TimeUnit::S,
        load_time: true,
        ..HeaderRule::default()
    };
    let test = HeaderTest { name: "retry-after".to_owned(), present: Some(true), ..HeaderTest::default() };
    let status = StatusRule { code: 503, header: Some(test), loading: true, ..StatusRule::default() };
    let starts = Starts { headers: vec![header], statuses: vec![status], lifecycle: false };
    let mut config = live();
    config.workers = Some(4);
    for backend in &mut config.backends {
        backend.management =
            Some(Endpoint { host: "127.0.0.1".to_owned(), port: 8081, transport: Transport::Tcp });
        backend.state.metrics_url = text("http://{host}:8002/metrics");
        backend.models = ["resnet", "bert"].map(str::to_owned).to_vec();
        backend.requests = vec![rule()];
        backend.starts = Some(starts.clone());
        backend.inferred =
            Some(Inferred { after_idle: Some(Duration::from_secs(600)), ..Inferred::default() });
        backend.names = Some(names());
        backend.version_label = Some(true);
        backend.values = values();
        backend.sign = Some(Sign {
            region: "eu-central-1".to_owned(),
            profile: Some("models".to_owned()),
            ..Sign::default()
        });
    }
    admin(&mut config.admin);
    config.access_log = Some(AccessLog::default());
    config.telemetry = telemetry();
    config.routes = vec![Route {
        host: text("models.example.org"),
        path_prefix: text("/v2"),
        header: Some(HeaderMatch { name: "x-tenant".to_owned(), equals: "gold".to_owned() }),
        backend: "triton".to_owned(),
        body_bytes_max: Some(Bytes::mib(1)),
    }];
    tls(&mut config);
    trust(&mut config);
    config.dialects = vec![Dialect {
        name: "house".to_owned(),
        about: "our own server".to_owned(),
        aliases: vec!["home".to_owned()],
        extends: text("generic"),
        requests: vec![rule()],
        starts,
        names: Some(names()),
        usage: usage(),
        state: vec![state()],
        gpu: Some(gpu()),
    }];
    config.slos = slos();
    config.alerts = alerts();
    config.export = export();
    config
}

/// Whose PROXY header is believed.
fn trust(config: &mut Config) {
    if let Some(listener) = config.listeners.first_mut() {
        let trusted = ["10.0.0.0/8", "2001:db8::/32"].into_iter().filter_map(|network| network.parse().ok());
        listener.proxy_protocol.trusted = trusted.collect();
    }
}

fn admin(admin: &mut Admin) {
    let tls = |name: &str| ListenTls {
        certificates: vec![CertificateFiles {
            cert: format!("/etc/weir/{name}.crt"),
            key: format!("/etc/weir/{name}.key"),
        }],
        client_ca: Some("/etc/weir/operators.pem".to_owned()),
        ..ListenTls::default()
    };
    admin.token_file = Some("/run/secrets/weir-admin-token".into());
    (admin.tls, admin.metrics_tls) = (Some(tls("admin")), Some(tls("metrics")));
    admin.metrics_address = Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 9902)));
    admin.hosts = ["weir.monitoring.svc", "*.example.org"].map(str::to_owned).to_vec();
}

fn telemetry() -> Telemetry {
    let backend = || Some("triton".to_owned());
    Telemetry {
        pins: vec![Pin { model: "ranking-v7".to_owned(), backend: backend() }],
        tiers: vec![Tier {
            name: "search".to_owned(),
            models: vec!["search-*".to_owned()],
            backend: backend(),
        }],
        profiles: vec![Profile::OtelGenai, Profile::Triton],
        ..Telemetry::default()
    }
}

fn names() -> Naming {
    let map = NameMap { from: "ranking-*-v?".to_owned(), to: "ranking".to_owned() };
    Naming {
        lowercase: false,
        strip_prefix: vec!["models/".to_owned()],
        strip_suffix: [".tar.gz", ":latest"].map(str::to_owned).to_vec(),
        map: vec![map],
    }
}

fn values() -> Vec<ValueRule> {
    let of = |name: &str, from, unit, kept| ValueRule { name: name.to_owned(), from, unit, kept };
    let text = |text: &str| Some(text.to_owned());
    let header = ValueSource { header: text("x-feature-ms"), ..ValueSource::default() };
    let entry = ValueSource { server_timing: text("infer"), ..ValueSource::default() };
    let trailer = ValueSource { trailer: text("x-predicted-at"), ..ValueSource::default() };
    vec![
        of("feature_extraction", header, ValueUnit::Ms, Kept::Histogram),
        of("inference", entry, ValueUnit::Ms, Kept::Histogram),
        of("prediction", trailer, ValueUnit::Rfc3339, Kept::Staleness),
    ]
}

fn usage() -> Usage {
    let one = |place: &str| vec![place.to_owned()];
    Usage {
        input: one("stats.prompt_tokens"),
        output: one("stats.output_tokens"),
        piece: one("delta.text"),
        finished: one("type=end"),
        error: one("error"),
        load_ns: one("stats.load_ns"),
    }
}

fn gpu() -> GpuPage {
    let metric = |name: &str, tells| GpuMetric { name: name.to_owned(), tells, scale: 1.0 };
    GpuPage {
        port: Some(8002),
        beside: Some(8000),
        labels: vec!["gpu_uuid".to_owned()],
        metrics: vec![metric("nv_gpu_utilization", GpuFigure::Utilization)],
        ..GpuPage::default()
    }
}

fn state() -> StateSource {
    let (text, one) = (|text: &str| Some(text.to_owned()), |word: &str| vec![word.to_owned()]);
    StateSource {
        path: "/house/models".to_owned(),
        each: "models".to_owned(),
        name: text("name"),
        state: text("state"),
        loaded: one("ready"),
        loading: one("loading"),
        unloaded: one("gone"),
        absent: StateWord::Unloaded,
        optional_suffix: text(":latest"),
        memory_bytes: text("size"),
        gpu_memory_bytes: text("size_vram"),
        next_page: text("nextPageToken=next_page_token"),
        ..StateSource::default()
    }
}

/// One of each kind.
fn slos() -> Vec<Slo> {
    vec![
        Slo {
            name: "fast".to_owned(),
            models: ["ranking-*", "ads"].map(str::to_owned).to_vec(),
            backend: Some("triton".to_owned()),
            latency: Some(LatencyTarget { below: Duration::from_millis(200), ..LatencyTarget::default() }),
            ..Slo::default()
        },
        Slo { name: "correct".to_owned(), error_rate_max: Some(Percent::of(1)), ..Slo::default() },
        Slo { name: "warm".to_owned(), cold_rate_max: Some(Percent::of(10)), ..Slo::default() },
        Slo { name: "cached".to_owned(), hit_rate_min: Some(Percent::of(80)), ..Slo::default() },
        Slo {
            name: "fresh".to_owned(),
            staleness: Some(StalenessTarget {
                below: Duration::from_secs(48 * 3600),
                ..StalenessTarget::default()
            }),
            ..Slo::default()
        },
    ]
}

fn alerts() -> Alerts {
    let url = |text: &str| text.parse().ok();
    let text = |text: &str| Some(text.to_owned());
    let header = |value, value_file| RemoteHeader { name: "x-scope-orgid".to_owned(), value, value_file };
    let manager = |url: Url| Remote {
        tls: Some(UpstreamTls { ca: text("/etc/weir/servers.pem"), ..UpstreamTls::default() }),
        authorization: Some(Authorization {
            credentials_file: "/etc/weir/alertmanager.token".to_owned(),
            ..Authorization::default()
        }),
        headers: vec![header(text("team-a"), None)],
        ..Remote::from(url)
    };
    let bridge = |url: Url| Remote {
        basic_auth: Some(BasicAuth {
            username: "weir".to_owned(),
            password_file: "/etc/weir/bridge.password".to_owned(),
        }),
        headers: vec![header(None, text("/etc/weir/tenant.key"))],
        ..Remote::from(url)
    };
    Alerts {
        labels: vec![AlertLabel { name: "cluster".to_owned(), value: "prod".to_owned() }],
        alertmanagers: url("https://alertmanager:9093").into_iter().map(manager).collect(),
        webhooks: url("http://chat-bridge:8000/weir").into_iter().map(bridge).collect(),
        external_url: url("http://weir.example.org:9901"),
        runbooks: url("http://wiki.example.org/runbooks/"),
        ..Alerts::default()
    }
}

fn export() -> Export {
    let named = |name: &str, value: &str| NamedText { name: name.to_owned(), value: value.to_owned() };
    let to: Option<Url> = "https://monitoring.eu-central-1.amazonaws.com/v1/metrics".parse().ok();
    Export {
        otlp: Some(Otlp {
            to: to.map(Remote::from),
            sign: Some(ExportSign { region: "eu-central-1".to_owned(), ..ExportSign::default() }),
            resource: vec![named("deployment.environment.name", "prod")],
            ..Otlp::default()
        }),
        emf: Some(Emf {
            path: Some("/var/log/weir/metrics.emf".to_owned()),
            dimensions: vec![named("EndpointName", "ranking")],
            ..Emf::default()
        }),
    }
}

/// TLS on both sides.
fn tls(config: &mut Config) {
    let certificate =
        || CertificateFiles { cert: "/etc/weir/tls.crt".to_owned(), key: "/etc/weir/tls.key".to_owned() };
    for backend in &mut config.backends {
        backend.tls = Some(UpstreamTls {
            ca: Some("/etc/weir/servers.pem".to_owned()),
            client: Some(certificate()),
            server_name: Some("models.internal".to_owned()),
            insecure_skip_verify: false,
        });
    }
    for listener in &mut config.listeners {
        listener.tls = Some(ListenTls {
            certificates: vec![certificate()],
            client_ca: Some("/etc/weir/clients.pem".to_owned()),
            ..ListenTls::default()
        });
    }
}
