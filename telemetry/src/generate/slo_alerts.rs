//! Alerts about promises. One set for any promise, which knows limits and shares from our own metrics; or one for each
//! promise of a configuration, with its window, its hold, its severity and its least number of requests.

use weir_config::{Slo, duration_text};

use super::promql::{about, allowed, enough, indented, mostly_cold, ratio, target};
use super::rules::AlertRule;
use super::selector::selectors;
use crate::names::{MODEL_COLD_STARTS, MODEL_REQUESTS};
use crate::slo::{AlertKind, BURN_LEVELS, BURN_WINDOWS, Rule, Target};

/// A window as it stands in the file, and the name of its recorded ratio.
pub(super) fn recorded(window: &str) -> String {
    format!("backend_model_slo:weir_slo_violations:ratio_rate{window}")
}

/// Alerts about a broken promise of that kind.
struct Broken<'a> {
    /// Which series.
    select: &'a str,
    /// Restricts a set for any promise to those about the target.
    about: Option<String>,
    window: &'a str,
    hold: &'a str,
    severity: &'a str,
    requests_min: u32,
}

impl Broken<'_> {
    fn rules(&self, target: Target) -> Vec<AlertRule> {
        let kind = AlertKind::broken(target);
        let is_any_latency = matches!(target, Target::Latency { start: None, .. });
        let broken = self.expr();
        let (summary, description) = words(kind);
        let of = |kind: AlertKind, expr: String, summary: &str, description: &str| AlertRule {
            name: kind.name(),
            expr,
            hold: self.hold.to_owned(),
            labels: vec![("severity", self.severity.to_owned())],
            summary: summary.to_owned(),
            description: format!("{description} Window: {}.", self.window),
        };
        if !is_any_latency {
            return vec![of(kind, broken, summary, description)];
        }
        let cold = format!("(\n{}\n)", indented(&mostly_cold(self.select, self.window)));
        let slow = format!("{broken}\nunless on (backend, model, slo)\n{cold}");
        let bimodal = format!("{broken}\nand on (backend, model, slo)\n{cold}");
        let (cold_summary, cold_description) = words(AlertKind::LatencyBimodal);
        vec![
            of(kind, slow, summary, description),
            of(AlertKind::LatencyBimodal, bimodal, cold_summary, cold_description),
        ]
    }

    fn expr(&self) -> String {
        let (ratio, allowed) = (ratio(self.select, self.window), allowed(self.select));
        let enough = enough(self.select, self.window, self.requests_min);
        let mut expr =
            format!("(\n{}\n> {allowed}\n)\nand on (backend, model, slo) ({enough})", indented(&ratio));
        if let Some(about) = &self.about {
            expr = format!("{expr}\nand on (slo) ({about})");
        }
        expr
    }
}

/// For any promise.
pub(super) fn of_any() -> Vec<AlertRule> {
    let any = |target: Target, hold, severity| {
        let about = Some(about("=", self::target(target)));
        Broken { select: "", about, window: "5m", hold, severity, requests_min: 20 }.rules(target)
    };
    let limit = std::time::Duration::ZERO;
    let mut all = any(Target::Latency { start: None, limit }, "5m", "warning");
    all.extend(any(Target::Errors, "5m", "warning").into_iter().map(or_one_percent));
    all.extend(any(Target::Cold, "10m", "warning").into_iter().map(or_ten_percent));
    all.extend(any(Target::Hits, "10m", "warning"));
    all.extend(any(Target::Staleness { limit }, "15m", "warning"));
    for (kind, is) in [(AlertKind::LatencyBurn(0), "="), (AlertKind::ErrorBurn(0), "!=")] {
        all.extend(burns(kind, "", Some(&about(is, "latency")), 30 * 86_400, 20));
    }
    all
}

/// For each promise of a configuration.
pub(super) fn of_each(slos: &[Slo]) -> Vec<AlertRule> {
    let mut all = Vec::new();
    let parts = slos
        .iter()
        .enumerate()
        .flat_map(|(at, slo)| selectors(at, slos).into_iter().map(move |part| (slo, part)));
    for (slo, part) in parts {
        let Some(rule) = Rule::new(slo) else { continue };
        let select = part.text();
        let (window, hold) = (duration_text(slo.window), duration_text(slo.hold));
        let broken = Broken {
            select: &select,
            about: None,
            window: &window,
            hold: &hold,
            severity: slo.severity.as_str(),
            requests_min: slo.requests_min,
        };
        let from = all.len();
        all.extend(broken.rules(rule.target));
        if slo.burn_alerts {
            let kind = AlertKind::burn(rule.target, 0);
            all.extend(burns(kind, &select, None, slo.budget.as_secs(), slo.requests_min));
        }
        // The series have that label already; here it tells the rules apart.
        all.iter_mut().skip(from).for_each(|rule| rule.labels.push(("slo", slo.name.clone())));
    }
    all
}

/// A model without a promise about errors is held to 1 %.
fn or_one_percent(mut rule: AlertRule) -> AlertRule {
    let requests = MODEL_REQUESTS.name;
    let failed = "outcome=~\"server_error|timeout|unreachable|not_ready|shed\"";
    let by = "by (backend, model)";
    rule.expr = format!(
        "(\n{}\n)\nor\n(\n  (\n    sum {by} (rate({requests}{{{failed}}}[5m]))\n    / (sum {by} (rate({requests}{{outcome!~\"client_error|cancelled\"}}[5m])) > 0)\n    > 0.01\n  )\n  and on (backend, model) (sum {by} (increase({requests}[5m])) >= 100)\n  unless on (backend, model) ({})\n)",
        indented(&rule.expr),
        promised("errors"),
    );
    rule
}

/// A model without a promise about cold starts is thrashing above 10 %.
fn or_ten_percent(mut rule: AlertRule) -> AlertRule {
    let (requests, cold) = (MODEL_REQUESTS.name, MODEL_COLD_STARTS.name);
    let by = "by (backend, model)";
    rule.expr = format!(
        "(\n{}\n)\nor\n(\n  (\n    sum {by} (rate({cold}[5m]))\n    / (sum {by} (rate({requests}{{outcome=\"ok\"}}[5m])) > 0)\n    > 0.1\n  )\n  and on (backend, model) (sum {by} (increase({requests}[5m])) >= 20)\n  unless on (backend, model) ({})\n)",
        indented(&rule.expr),
        promised("cold_rate"),
    );
    rule
}

/// Models that have a promise about that.
fn promised(target: &str) -> String {
    format!("{} and on (slo) ({})", crate::names::MODEL_SLO_OBJECTIVE.name, about("=", target))
}

fn burns(
    kind: AlertKind,
    select: &str,
    about: Option<&str>,
    budget_s: u64,
    requests_min: u32,
) -> Vec<AlertRule> {
    let is_month = select.is_empty();
    let (summary, description) = words(kind);
    let level = |level: &crate::slo::Level| {
        let text = |part: u32| duration_text(std::time::Duration::from_secs(budget_s / u64::from(part)));
        let window = |at: usize| BURN_WINDOWS.get(at).map_or_else(String::new, |(_, part)| text(*part));
        let (long, short) = (window(level.long), window(level.short));
        let of = |window: &str| {
            if is_month { recorded(window) } else { format!("(\n{}\n)", indented(&ratio(select, window))) }
        };
        let (factor, allowed) = (level.factor, allowed(select));
        let mut expr = format!(
            "(\n{}\n  > {factor} * {allowed}\n  and\n{}\n  > {factor} * {allowed}\n)\nand on (backend, model, slo) ({})",
            indented(&of(&long)),
            indented(&of(&short)),
            enough(select, &long, requests_min),
        );
        if let Some(about) = about {
            expr = format!("{expr}\nand on (slo) ({about})");
        }
        AlertRule {
            name: kind.name(),
            expr,
            hold: text(level.hold),
            labels: vec![
                ("severity", level.severity.as_str().to_owned()),
                ("long", long.clone()),
                ("short", short.clone()),
            ],
            summary: summary.to_owned(),
            description: format!("{description} More than {factor} times too fast over {long} and {short}."),
        }
    };
    BURN_LEVELS.iter().map(level).collect()
}

/// What an alert says in one line, and more.
const fn words(kind: AlertKind) -> (&'static str, &'static str) {
    match kind {
        AlertKind::LatencyHigh => (
            "Model {{ $labels.model }} of {{ $labels.backend }} is slow: {{ $value | humanizePercentage }} of its requests break SLO {{ $labels.slo }}",
            "More of its requests are slower than promised than may be, and not for their cold starts.",
        ),
        AlertKind::LatencyBimodal => (
            "Model {{ $labels.model }} of {{ $labels.backend }} is slow for {{ $value | humanizePercentage }} of its requests, nearly all of them cold starts",
            "SLO {{ $labels.slo }} is broken by requests that met the model not in memory; the others keep it.",
        ),
        AlertKind::ErrorRateHigh => (
            "Model {{ $labels.model }} of {{ $labels.backend }} fails {{ $value | humanizePercentage }} of its requests",
            "The serving side fails more requests than promised, or than 1 % where nothing is promised.",
        ),
        AlertKind::Thrashing => (
            "Model {{ $labels.model }} of {{ $labels.backend }} is thrashing: {{ $value | humanizePercentage }} of its starts are cold",
            "It is loaded and put out of memory again and again.",
        ),
        AlertKind::HitRatioLow => (
            "Model {{ $labels.model }} of {{ $labels.backend }} is not in memory for {{ $value | humanizePercentage }} of its requests",
            "Fewer of its requests than promised find it in memory (SLO {{ $labels.slo }}).",
        ),
        AlertKind::Stale => (
            "Model {{ $labels.model }} of {{ $labels.backend }} answers from old data: {{ $value | humanizePercentage }} of its answers break SLO {{ $labels.slo }}",
            "Its answers tell an age above what is promised.",
        ),
        AlertKind::LatencyBurn(_) => (
            "Model {{ $labels.model }} of {{ $labels.backend }} spends its latency budget too fast (SLO {{ $labels.slo }})",
            "At this speed what may be slow is used up long before its time.",
        ),
        AlertKind::ErrorBurn(_) => (
            "Model {{ $labels.model }} of {{ $labels.backend }} spends its budget too fast (SLO {{ $labels.slo }})",
            "At this speed what may go wrong is used up long before its time.",
        ),
    }
}
