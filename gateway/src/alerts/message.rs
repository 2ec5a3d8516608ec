//! An alert as JSON: the form of Alertmanager's API v2, and of its own webhook messages (version 4), so that what receives
//! those receives ours. Source: <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use weir_config::{Config, duration_text};
use weir_telemetry::{Alert, BURN_WINDOWS, Phase};

use super::Clock;

/// The alert with its labels, its annotations and its times; one that fires has no end yet.
#[must_use]
pub fn message(alert: &Alert, config: &Config, clock: &Clock) -> Value {
    let began = alert.fired_at.unwrap_or(alert.since);
    let mut body = json!({
        "labels": labels(alert, config),
        "annotations": annotations(alert, config),
        "startsAt": clock.rfc3339(began),
        "generatorURL": page(alert, config),
    });
    if let (Some(at), Some(body)) = (alert.resolved_at, body.as_object_mut()) {
        body.insert("endsAt".to_owned(), clock.rfc3339(at).into());
    }
    body
}

/// A message that has no end of its own gets this one.
pub(super) fn with_end(mut alert: Value, end: &str) -> Value {
    if let Some(alert) = alert.as_object_mut() {
        alert.entry("endsAt").or_insert_with(|| end.into());
    }
    alert
}

/// Several alerts as Alertmanager would send them to a webhook.
pub(super) fn webhook(alerts: Vec<Value>, external_url: &str) -> Value {
    let with_status = |mut alert: Value| {
        let is_over = alert.get("endsAt").is_some();
        if let Some(alert) = alert.as_object_mut() {
            alert.insert("status".to_owned(), if is_over { "resolved" } else { "firing" }.into());
            alert.entry("endsAt").or_insert_with(|| "0001-01-01T00:00:00Z".into());
        }
        alert
    };
    let alerts: Vec<Value> = alerts.into_iter().map(with_status).collect();
    let any = alerts.iter().any(|alert| alert.get("status").is_some_and(|status| status == "firing"));
    json!({
        "version": "4",
        "receiver": "weir",
        "status": if any { "firing" } else { "resolved" },
        "groupKey": "weir",
        "truncatedAlerts": 0,
        "groupLabels": {},
        "commonLabels": common("labels", &alerts),
        "commonAnnotations": common("annotations", &alerts),
        "externalURL": external_url,
        "alerts": alerts,
    })
}

/// What all of them have alike.
fn common(key: &str, alerts: &[Value]) -> Value {
    let of = |alert: &Value, name: &str| alert.get(key).and_then(|all| all.get(name)).cloned();
    let first = alerts.first().and_then(|alert| alert.get(key)).and_then(Value::as_object);
    let alike = first
        .into_iter()
        .flatten()
        .filter(|(name, value)| alerts.iter().all(|alert| of(alert, name).as_ref() == Some(*value)));
    Value::Object(alike.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn labels(alert: &Alert, config: &Config) -> Map<String, Value> {
    let own = config.alerts.labels.iter().map(|label| (label.name.clone(), json!(label.value)));
    let mut labels: Map<String, Value> = own.collect();
    for (name, value) in [
        ("alertname", alert.kind.name()),
        ("severity", alert.severity().as_str()),
        ("backend", &*alert.backend),
        ("model", &*alert.model),
        ("slo", &*alert.rule.name),
    ] {
        labels.insert(name.to_owned(), value.into());
    }
    if let Some(version) = &alert.version {
        labels.insert("version".to_owned(), (**version).into());
    }
    if let Some(level) = alert.kind.level() {
        for (name, at) in [("long", level.long), ("short", level.short)] {
            let part = BURN_WINDOWS.get(at).map_or(1, |(_, part)| *part);
            labels.insert(name.to_owned(), duration_text(alert.rule.slo.budget / part).into());
        }
    }
    labels
}

fn annotations(alert: &Alert, config: &Config) -> Value {
    json!({
        "summary": alert.summary(),
        "description": alert.description(),
        "value": format!("{:.4}", alert.value()),
        "window": duration_text(alert.rule.slo.window),
        "promise": alert.rule.promise(),
        "runbook_url": runbook(alert.kind.name(), config),
        "model_url": page(alert, config),
    })
}

fn runbook(name: &str, config: &Config) -> String {
    match &config.alerts.runbooks {
        Some(base) => format!("{}/{name}", base.to_string().trim_end_matches('/')),
        None => format!("{}/runbooks/{name}", external_url(config)),
    }
}

/// Where the model's numbers are.
fn page(alert: &Alert, config: &Config) -> String {
    let part = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    format!("{}/api/v1/models/{}/{}", external_url(config), part(&alert.backend), part(&alert.model))
}

/// The admin side as people reach it, without a slash behind it.
pub(super) fn external_url(config: &Config) -> String {
    let scheme = if config.admin.tls.is_some() { "https" } else { "http" };
    let own = || format!("{scheme}://{}", config.admin.address);
    let url = config.alerts.external_url.as_ref().map_or_else(own, ToString::to_string);
    url.trim_end_matches('/').to_owned()
}

/// Whether a receiver should know of it.
pub(super) fn is_told(alert: &Alert) -> bool {
    matches!(alert.phase, Phase::Firing | Phase::Resolved)
}
