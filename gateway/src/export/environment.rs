//! What the configuration and OpenTelemetry's variables say together about pushing: a key of the file comes before a variable, the
//! variable of metrics before that of all signals. An endpoint in the environment starts the exporter without any file.
//!
//! Source: <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use weir_config::{
    CertificateFiles, Compression, Export, Otlp, OtlpHistograms, Remote, RemoteHeader, UpstreamTls, Url,
};

const INTERVAL: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bounds of what the environment says, those of the file's keys.
const INTERVALS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
const TIMEOUTS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(60));
const DEFAULT_URL: &str = "http://localhost:4318/v1/metrics";

/// What both say.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// Where to.
    pub to: Remote,
    /// Time between two pushes.
    pub interval: Duration,
    /// Time for one message.
    pub timeout: Duration,
    /// Whether messages are compressed.
    pub gzip: bool,
    /// How times are told.
    pub histograms: OtlpHistograms,
    /// Who sends.
    pub resource: Vec<(String, String)>,
    /// About the longest message.
    pub message_bytes_max: usize,
}

/// A variable that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnvironmentError {
    /// Another protocol.
    #[error("OTEL_EXPORTER_OTLP_PROTOCOL is {0:?}; metrics are pushed as http/protobuf alone")]
    Protocol(String),
    /// No address.
    #[error("{0} is no address: {1}")]
    Endpoint(&'static str, String),
    /// No number.
    #[error("{0} is no number of milliseconds")]
    Number(&'static str),
    /// No list of headers.
    #[error("{0} is no list of NAME=VALUE")]
    List(&'static str),
}

type Environment<'e> = dyn Fn(&str) -> Option<String> + 'e;

/// None: nothing is to be pushed.
///
/// # Errors
/// A variable that cannot be used and whose key is not in the file.
pub fn settle(export: &Export, environment: &Environment<'_>) -> Result<Option<Settled>, EnvironmentError> {
    let environment = &|name: &str| environment(name).filter(|value| !value.trim().is_empty());
    let default = Otlp::default();
    let otlp = match &export.otlp {
        Some(otlp) => otlp,
        None if is_wanted(environment) => &default,
        None => return Ok(None),
    };
    let to = match &otlp.to {
        Some(to) => to.clone(),
        None => remote(environment)?,
    };
    Ok(Some(Settled {
        to,
        interval: match otlp.interval {
            Some(interval) => interval,
            None => milliseconds("OTEL_METRIC_EXPORT_INTERVAL", environment, INTERVAL, INTERVALS)?,
        },
        timeout: match otlp.timeout {
            Some(timeout) => timeout,
            None => {
                let all = milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT", environment, TIMEOUT, TIMEOUTS)?;
                milliseconds("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", environment, all, TIMEOUTS)?
            }
        },
        gzip: match otlp.compression {
            Some(compression) => compression == Compression::Gzip,
            None => of("COMPRESSION", environment).is_none_or(|word| word != "none"),
        },
        histograms: otlp.histograms,
        resource: resource(otlp, environment)?,
        message_bytes_max: otlp.message_bytes_max.as_usize(),
    }))
}

/// The variable of metrics, else of all signals.
fn of(what: &str, environment: &Environment<'_>) -> Option<String> {
    environment(&format!("OTEL_EXPORTER_OTLP_METRICS_{what}"))
        .or_else(|| environment(&format!("OTEL_EXPORTER_OTLP_{what}")))
}

fn is_wanted(environment: &Environment<'_>) -> bool {
    let is = |name, word| environment(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
    of("ENDPOINT", environment).is_some()
        && !is("OTEL_SDK_DISABLED", "true")
        && !is("OTEL_METRICS_EXPORTER", "none")
}

fn remote(environment: &Environment<'_>) -> Result<Remote, EnvironmentError> {
    const OF_METRICS: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
    const OF_ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    if let Some(protocol) = of("PROTOCOL", environment).filter(|protocol| protocol != "http/protobuf") {
        return Err(EnvironmentError::Protocol(protocol));
    }
    let (name, text) = match (environment(OF_METRICS), environment(OF_ALL)) {
        (Some(whole), _) => (OF_METRICS, whole),
        (None, Some(base)) => (OF_ALL, format!("{}/v1/metrics", base.trim_end_matches('/'))),
        (None, None) => (OF_ALL, DEFAULT_URL.to_owned()),
    };
    let url: Url = text
        .trim()
        .parse()
        .map_err(|error: weir_config::UrlError| EnvironmentError::Endpoint(name, error.to_string()))?;
    let tls = url.endpoint.tls().then(|| UpstreamTls {
        ca: of("CERTIFICATE", environment),
        client: of("CLIENT_CERTIFICATE", environment)
            .zip(of("CLIENT_KEY", environment))
            .map(|(cert, key)| CertificateFiles { cert, key }),
        ..UpstreamTls::default()
    });
    let headers = match of("HEADERS", environment) {
        Some(list) => pairs(&list).ok_or(EnvironmentError::List("OTEL_EXPORTER_OTLP_HEADERS"))?,
        None => Vec::new(),
    };
    let header = |(name, value)| RemoteHeader { name, value: Some(value), value_file: None };
    Ok(Remote { tls, headers: headers.into_iter().map(header).collect(), ..Remote::from(url) })
}

fn milliseconds(
    name: &'static str,
    environment: &Environment<'_>,
    default: Duration,
    (least, most): (Duration, Duration),
) -> Result<Duration, EnvironmentError> {
    let Some(text) = environment(name) else { return Ok(default) };
    let ms: u64 = text.trim().parse().map_err(|_| EnvironmentError::Number(name))?;
    Ok(Duration::from_millis(ms).clamp(least, most))
}

/// Who sends: the environment's attributes, then the file's, then what is missing.
fn resource(otlp: &Otlp, environment: &Environment<'_>) -> Result<Vec<(String, String)>, EnvironmentError> {
    const LIST: &str = "OTEL_RESOURCE_ATTRIBUTES";
    let mut all = match environment(LIST) {
        Some(list) => pairs(&list).ok_or(EnvironmentError::List(LIST))?,
        None => Vec::new(),
    };
    let mut put = |name: &str, value: String| match all.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => *known = value,
        None => all.push((name.to_owned(), value)),
    };
    if let Some(name) = environment("OTEL_SERVICE_NAME") {
        put("service.name", name);
    }
    otlp.resource.iter().for_each(|one| put(&one.name, one.value.clone()));
    let defaults = [
        ("service.name", "weir".to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", instance(environment)),
    ];
    for (name, value) in defaults {
        if !all.iter().any(|(known, _)| known == name) {
            all.push((name.to_owned(), value));
        }
    }
    Ok(all)
}

/// The machine's name, or the pod's: the same over restarts, another on each replica.
fn instance(environment: &Environment<'_>) -> String {
    let of_kernel = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = environment("HOSTNAME").or_else(of_kernel).unwrap_or_default();
    if name.trim().is_empty() { "unknown".to_owned() } else { name.trim().to_owned() }
}

/// `NAME=VALUE,…`, values percent-encoded.
fn pairs(list: &str) -> Option<Vec<(String, String)>> {
    let each = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let name = name.trim();
        (!name.is_empty()).then(|| (name.to_owned(), value.into_owned()))
    };
    list.split(',').filter(|pair| !pair.trim().is_empty()).map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(file: Option<Otlp>, variables: &[(&str, &str)]) -> Result<Option<Settled>, EnvironmentError> {
        let environment = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        settle(&Export { otlp: file, emf: None }, &environment)
    }

    #[test]
    fn nothing_is_pushed_unless_the_file_or_an_endpoint_says_so() {
        assert_eq!(settled(None, &[("OTEL_SERVICE_NAME", "x")]), Ok(None));
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");
        assert_eq!(settled(None, &[endpoint, ("OTEL_SDK_DISABLED", "TRUE")]), Ok(None));
        assert_eq!(settled(None, &[endpoint, ("OTEL_METRICS_EXPORTER", "none")]), Ok(None));
        let url = |file, variables: &[_]| settled(file, variables).unwrap().unwrap().to.url.to_string();
        assert_eq!(url(None, &[endpoint]), "http://c:4318/v1/metrics");
        assert_eq!(url(None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c/x/")]), "https://c/x/v1/metrics");
        assert_eq!(
            url(None, &[endpoint, ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://m/a")]),
            "http://m/a"
        );
        assert_eq!(url(Some(Otlp::default()), &[]), DEFAULT_URL);
        let to = Remote::from("http://file:1/x".parse::<Url>().unwrap());
        assert_eq!(url(Some(Otlp { to: Some(to), ..Otlp::default() }), &[endpoint]), "http://file:1/x");
    }

    #[test]
    fn variables_say_what_the_file_does_not_and_those_of_metrics_come_first() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x, a=b=c"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
            ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "3000"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,k8s.pod.name=p%2C1"),
            ("OTEL_SERVICE_NAME", "front"),
            ("HOSTNAME", "pod-1"),
        ];
        let found = settled(None, &variables).unwrap().unwrap();
        let headers: Vec<_> = found
            .to
            .headers
            .iter()
            .map(|header| (header.name.as_str(), header.value.as_deref().unwrap()))
            .collect();
        assert_eq!(headers, [("authorization", "Bearer x"), ("a", "b=c")]);
        assert_eq!(found.to.tls.unwrap().ca.as_deref(), Some("/ca.pem"));
        assert_eq!((found.timeout, found.interval, found.gzip), (Duration::from_secs(3), INTERVALS.0, false));
        let resource: Vec<_> =
            found.resource.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            resource,
            [
                ("service.name", "front"),
                ("k8s.pod.name", "p,1"),
                ("service.version", env!("CARGO_PKG_VERSION")),
                ("service.instance.id", "pod-1"),
            ]
        );
        let file = Otlp {
            timeout: Some(Duration::from_secs(1)),
            compression: Some(Compression::Gzip),
            interval: Some(Duration::from_secs(9)),
            ..Otlp::default()
        };
        let found = settled(Some(file), &variables).unwrap().unwrap();
        assert_eq!(
            (found.timeout, found.interval, found.gzip),
            (Duration::from_secs(1), Duration::from_secs(9), true)
        );
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c");
        for (variable, said) in [
            (("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), "\"grpc\"; metrics are pushed as http/protobuf"),
            (("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "collector:4318"), "METRICS_ENDPOINT is no address"),
            (
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
                "OTEL_EXPORTER_OTLP_TIMEOUT is no number of milliseconds",
            ),
            (("OTEL_EXPORTER_OTLP_HEADERS", "x"), "HEADERS is no list"),
            (("OTEL_RESOURCE_ATTRIBUTES", "=x"), "OTEL_RESOURCE_ATTRIBUTES is no list"),
        ] {
            let error = settled(None, &[endpoint, variable]).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
