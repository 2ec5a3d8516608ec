//! Variables of a dashboard, and PromQL about models that works for classic and for native histograms.

use serde_json::{Value, json};

use crate::names::{BUILD_INFO, Family, MODEL_REQUEST_DURATION, MODEL_REQUESTS, MODEL_SLO_OBJECTIVE};

/// How each query names the data source.
pub(super) fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// Series of the chosen replicas.
pub(super) const REPLICAS: &str = "job=~\"$job\", instance=~\"$instance\"";
/// And of the chosen backends.
pub(super) const BACKENDS: &str = "job=~\"$job\", instance=~\"$instance\", backend=~\"$backend\"";
/// And of the chosen models.
pub(super) const MODELS: &str =
    "job=~\"$job\", instance=~\"$instance\", backend=~\"$backend\", model=~\"$model\"";
/// Of models that have a name of their own.
pub(super) const NAMED: &str =
    "job=~\"$job\", instance=~\"$instance\", backend=~\"$backend\", model!~\"__.*__\"";

/// Which variables a dashboard has beside the data source, `job` and `instance`.
pub(super) enum Variables {
    Replicas,
    Backends,
    Models,
    Slos,
}

impl Variables {
    pub(super) fn list(&self) -> Vec<Value> {
        let info = BUILD_INFO.name;
        let requests = MODEL_REQUESTS.name;
        let mut list = vec![
            json!({
                "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0,
                "includeAll": false, "multi": false, "options": [], "refresh": 1, "regex": "", "skipUrlSync": false,
                "current": {},
            }),
            choice("job", "Job", &format!("label_values({info}, job)")),
            choice("instance", "Instance", &format!("label_values({info}{{job=~\"$job\"}}, instance)")),
        ];
        let backend =
            choice("backend", "Backend", &format!("label_values({requests}{{{REPLICAS}}}, backend)"));
        let model = choice("model", "Model", &format!("label_values({requests}{{{BACKENDS}}}, model)"));
        let slo =
            choice("slo", "SLO", &format!("label_values({}{{{BACKENDS}}}, slo)", MODEL_SLO_OBJECTIVE.name));
        match self {
            Self::Replicas => (),
            Self::Backends => list.push(backend),
            Self::Models => list.extend([backend, model]),
            Self::Slos => list.extend([backend, model, slo]),
        }
        list.push(json!({
            "name": "filters", "label": "Filters", "type": "adhoc", "datasource": datasource(), "filters": [], "hide": 0,
            "skipUrlSync": false, "baseFilters": [],
        }));
        list
    }
}

fn choice(name: &str, label: &str, query: &str) -> Value {
    json!({
        "name": name, "label": label, "type": "query", "datasource": datasource(), "definition": query,
        "query": { "query": query, "refId": "StandardVariableQuery" },
        "allValue": ".*", "current": { "selected": true, "text": ["All"], "value": ["$__all"] }, "hide": 0,
        "includeAll": true, "multi": true, "options": [], "refresh": 2, "regex": "", "skipUrlSync": false, "sort": 1,
    })
}

/// `sum by (…) (rate(…))`.
pub(super) fn rate(family: &Family, by: &str, select: &str) -> String {
    format!("sum by ({by}) (rate({}{{{select}}}[$__rate_interval]))", family.name)
}

/// A part of a whole; nothing where there is no whole.
pub(super) fn share(part: &str, whole: &str) -> String {
    format!("{part} / ({whole} > 0)")
}

/// A quantile of request durations.
pub(super) fn quantile(q: f64, by: &str, select: &str) -> String {
    of(&MODEL_REQUEST_DURATION, q, by, select)
}

/// A quantile of any histogram of ours.
pub(super) fn of(family: &Family, q: f64, by: &str, select: &str) -> String {
    let name = family.name;
    let le = if by.is_empty() { "le".to_owned() } else { format!("{by}, le") };
    format!(
        "histogram_quantile({q}, sum by ({le}) (rate({name}_bucket{{{select}}}[$__rate_interval]))) or histogram_quantile({q}, sum by ({by}) (rate({name}{{{select}}}[$__rate_interval])))"
    )
}

/// Successes a second that started so: `start="hot"`.
pub(super) fn starts(by: &str, select: &str, start: &str) -> String {
    let name = MODEL_REQUEST_DURATION.name;
    format!(
        "(sum by ({by}) (rate({name}_count{{{select}, {start}}}[$__rate_interval])) or sum by ({by}) (histogram_count(rate({name}{{{select}, {start}}}[$__rate_interval]))))"
    )
}

/// Cache hits: hot of those known to be hot or cold.
pub(super) fn hits(by: &str, select: &str) -> String {
    share(&starts(by, select, "start=\"hot\""), &starts(by, select, "start=~\"hot|cold\""))
}

/// What the serving side failed, of what it was asked.
pub(super) fn errors(by: &str, select: &str) -> String {
    let failed = format!("{select}, outcome=~\"server_error|timeout|unreachable|not_ready|shed\"");
    let counted = format!("{select}, outcome!~\"client_error|cancelled\"");
    let failed = rate(&MODEL_REQUESTS, by, &failed);
    let counted = rate(&MODEL_REQUESTS, by, &counted);
    // Where nothing failed there is no series of failures: that is 0, not nothing.
    format!("({failed} or {counted} * 0) / ({counted} > 0)")
}
