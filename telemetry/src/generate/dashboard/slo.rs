//! Promises: who keeps them, how much is left, how fast it is spent.

use super::Dashboard;
use super::panel::{Layout, Panel, lines, now, stat, table, target};
use super::query::{MODELS, REPLICAS, Variables, rate};
use crate::names::{
    ALERTS_FIRING, ALERTS_SEND_ERRORS, ALERTS_SENT, MODEL_SLO_BUDGET, MODEL_SLO_COLD_VIOLATIONS,
    MODEL_SLO_OBJECTIVE, MODEL_SLO_REQUESTS, MODEL_SLO_THRESHOLD, MODEL_SLO_VIOLATIONS,
};

const BY: &str = "backend, model, slo";

fn select() -> String {
    format!("{MODELS}, slo=~\"$slo\"")
}

/// The share of requests that broke a promise.
fn broken(by: &str, window: &str) -> String {
    let rate = |name: &str| format!("sum by ({by}) (rate({name}{{{}}}[{window}]))", select());
    format!("{} / ({} > 0)", rate(MODEL_SLO_VIOLATIONS.name), rate(MODEL_SLO_REQUESTS.name))
}

fn allowed() -> String {
    format!("(1 - max by ({BY}) ({}{{{}}}))", MODEL_SLO_OBJECTIVE.name, select())
}

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "slo",
        title: "SLO",
        about: "Each promise of each chosen model: whether it is kept, what is left of its budget, how fast that is spent.",
        variables: Variables::Slos,
        annotations: Vec::new(),
        panels: Layout::default()
            .row("Now", now_row())
            .row("Promises", vec![promises()])
            .row("Over time", over_time())
            .row("Alerts", alerts()),
    }
}

fn now_row() -> Vec<Panel> {
    let select = select();
    let count = |expr: String| format!("count({expr}) or vector(0)");
    let broken_now = format!("{} > {}", broken(BY, "5m"), allowed());
    vec![
        stat(
            "Promises",
            "short",
            "`weir_model_slo_objective_ratio`: promises of the chosen models.",
            count(format!("max by ({BY}) ({}{{{select}}})", MODEL_SLO_OBJECTIVE.name)),
        ),
        stat(
            "Broken",
            "short",
            "`weir_model_slo_violations_total`: promises broken in the last 5 minutes.",
            count(broken_now),
        )
        .thresholds(&[(None, "green"), (Some(1.0), "red")]),
        stat(
            "Overdrawn",
            "short",
            "`weir_model_slo_budget_left_ratio`: promises whose budget is gone.",
            count(format!("min by ({BY}) ({}{{{select}}}) <= 0", MODEL_SLO_BUDGET.name)),
        )
        .thresholds(&[(None, "green"), (Some(1.0), "orange")]),
        stat(
            "Firing",
            "short",
            "`weir_alerts_firing`: alerts about promises, of all models.",
            format!("sum({}{{{REPLICAS}}})", ALERTS_FIRING.name),
        )
        .thresholds(&[(None, "green"), (Some(1.0), "red")]),
    ]
}

fn promises() -> Panel {
    let select = select();
    table(
        "Promises",
        "`weir_model_slo_requests_total`, `weir_model_slo_violations_total`, `weir_model_slo_objective_ratio`, `weir_model_slo_threshold_seconds`, `weir_model_slo_budget_left_ratio`.",
        &[
            ("Burn rate, 1 h", "none", now(format!("{} / {}", broken(BY, "1h"), allowed()), "")),
            ("Broken by", "percentunit", now(broken(BY, "5m"), "")),
            ("Allowed", "percentunit", now(allowed(), "")),
            ("Budget left", "percentunit", now(format!("min by ({BY}) ({}{{{select}}})", MODEL_SLO_BUDGET.name), "")),
            ("Limit", "s", now(format!("max by ({BY}) ({}{{{select}}})", MODEL_SLO_THRESHOLD.name), "")),
            ("Requests", "reqps", now(rate(&MODEL_SLO_REQUESTS, BY, &select), "")),
        ],
        &["backend", "model", "slo"],
    )
    .link("model", "This model", "/d/weir-model/weir-model?${datasource:queryparam}&var-backend=${__data.fields.backend}&var-model=${__data.fields.model}&${__url_time_range}")
}

fn over_time() -> Vec<Panel> {
    const NAME: &str = "{{model}} {{slo}}";
    let top = |expr: String| vec![target(format!("topk(20, {expr})"), NAME)];
    let cold = format!(
        "{} / ({} > 0)",
        rate(&MODEL_SLO_COLD_VIOLATIONS, BY, &select()),
        rate(&MODEL_SLO_VIOLATIONS, BY, &select())
    );
    vec![
        lines("Burn rate", "none", "`weir_model_slo_violations_total` / `weir_model_slo_requests_total` in multiples of what is allowed; at 1 the budget lasts exactly.", top(format!("{} / {}", broken(BY, "$__rate_interval"), allowed()))),
        lines("Budget left", "percentunit", "`weir_model_slo_budget_left_ratio`: the 20 lowest.", vec![target(format!("bottomk(20, min by ({BY}) ({}{{{}}}))", MODEL_SLO_BUDGET.name, select()), NAME)]),
        lines("Broken by", "percentunit", "`weir_model_slo_violations_total` / `weir_model_slo_requests_total`.", top(broken(BY, "$__rate_interval"))),
        lines("Cold among the slow", "percentunit", "`weir_model_slo_cold_violations_total` / `weir_model_slo_violations_total`: near 100 % the model is not slow, but cold.", top(cold)).range(0.0, 1.0),
    ]
}

fn alerts() -> Vec<Panel> {
    vec![
        lines(
            "Firing",
            "short",
            "`weir_alerts_firing` by alert and severity.",
            vec![target(
                format!("sum by (alertname, severity) ({}{{{REPLICAS}}}) > 0", ALERTS_FIRING.name),
                "{{alertname}} {{severity}}",
            )],
        )
        .stacked(),
        lines(
            "Told",
            "cps",
            "`weir_alerts_sent_total`, `weir_alerts_send_errors_total` by receiver.",
            vec![
                target(rate(&ALERTS_SENT, "receiver", REPLICAS), "told {{receiver}}"),
                target(
                    rate(&ALERTS_SEND_ERRORS, "receiver, reason", REPLICAS),
                    "failed {{receiver}} {{reason}}",
                ),
            ],
        ),
    ]
}
