//! `GET /api/v1/slos`: what is promised, and how every promise of every model stands. `GET /api/v1/alerts`: the alerts about it.
//! Times in seconds or, of moments, as RFC 3339; ratios from 0 to 1; null where nothing is known.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State as Given};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use weir_config::duration_text;
use weir_telemetry::{BURN_WINDOWS, Phase, Rule, Standing, State as Kept};

use crate::app::State;

/// Standings in one body; those of broken promises come first, and how many are left out is said.
const STANDINGS_MAX: usize = 5_000;

/// Which standings are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Wanted {
    slo: Option<String>,
    backend: Option<String>,
    model: Option<String>,
    /// `kept`, `broken` or `too_few`.
    state: Option<String>,
}

pub(super) async fn slos(Given(state): Given<Arc<State>>, Query(wanted): Query<Wanted>) -> Response {
    match tokio::task::spawn_blocking(move || list(&state, &wanted)).await {
        Ok(body) => Json(body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub(super) async fn alerts(Given(state): Given<Arc<State>>) -> Json<Value> {
    let live = state.shared.load();
    let clock = state.clock;
    let alerts: Vec<Value> = state
        .store
        .alerts()
        .iter()
        .map(|alert| {
            let mut body = crate::alerts::message(alert, &live.config, &clock);
            if let Some(body) = body.as_object_mut() {
                body.insert("phase".to_owned(), json!(alert.phase.as_str()));
                body.insert("pending_since".to_owned(), json!(clock.rfc3339(alert.since)));
            }
            body
        })
        .collect();
    let firing = state.store.alerts().iter().filter(|alert| alert.phase == Phase::Firing).count();
    Json(json!({ "alerts": alerts, "firing": firing, "left_out": state.store.alerts_left_out() }))
}

fn list(state: &State, wanted: &Wanted) -> Value {
    let rules = state.store.rules();
    let standings = state.store.standings(state.epoch.elapsed());
    let slos: Vec<Value> = rules.iter().map(|rule| slo(rule, &standings)).collect();
    let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    let mut chosen: Vec<&Standing> = standings
        .iter()
        .filter(|of| {
            is(&wanted.slo, &of.rule.name)
                && is(&wanted.backend, &of.backend)
                && is(&wanted.model, &of.model)
                && is(&wanted.state, of.verdict.state.as_str())
        })
        .collect();
    chosen.sort_by_key(|of| (of.verdict.state != Kept::Broken, of.verdict.state != Kept::Kept));
    let omitted = chosen.len().saturating_sub(STANDINGS_MAX);
    let models: Vec<Value> = chosen.into_iter().take(STANDINGS_MAX).map(standing).collect();
    json!({ "slos": slos, "models": models, "omitted": omitted })
}

fn slo(rule: &Arc<Rule>, standings: &[Standing]) -> Value {
    let of: Vec<_> = standings.iter().filter(|standing| standing.rule == *rule).collect();
    let in_state = |state| of.iter().filter(|standing| standing.verdict.state == state).count();
    let is_plain = |name: &&String| !name.contains(['*', '?']);
    let unknown: Vec<_> = rule
        .slo
        .models
        .iter()
        .filter(is_plain)
        .filter(|name| !standings.iter().any(|standing| *standing.model == ***name))
        .collect();
    json!({
        "name": &*rule.name,
        "promise": rule.promise(),
        "target": rule.target.as_str(),
        "objective_ratio": rule.allowed.rest().ratio(),
        "threshold_seconds": rule.target.limit().map(|limit| limit.as_secs_f64()),
        "window": duration_text(rule.slo.window),
        "for": duration_text(rule.slo.hold),
        "requests_min": rule.slo.requests_min,
        "severity": rule.slo.severity.as_str(),
        "models": of.len(),
        "kept": in_state(Kept::Kept),
        "broken": in_state(Kept::Broken),
        "too_few": in_state(Kept::TooFew),
        "models_unknown": unknown,
    })
}

fn standing(of: &Standing) -> Value {
    let rates: Map<String, Value> = BURN_WINDOWS
        .iter()
        .zip(of.burn.rates)
        .map(|((_, part), rate)| (duration_text(of.rule.slo.budget / *part), json!(rate)))
        .collect();
    json!({
        "backend": &*of.backend,
        "model": &*of.model,
        "version": of.version.as_deref(),
        "slo": &*of.rule.name,
        "promise": of.rule.promise(),
        "state": of.verdict.state.as_str(),
        "window": { "requests": of.verdict.counts.total, "violations": of.verdict.counts.bad, "ratio": of.verdict.counts.ratio() },
        "allowed_ratio": of.rule.allowed.ratio(),
        "requests": of.total,
        "violations": of.bad,
        "budget_left_ratio": of.burn.left,
        "burn_rates": rates,
    })
}
