//! A fleet of models as TorchServe's users know it: requests a second of each model, and its p95 as a heat map over time.

use super::Dashboard;
use super::panel::{Layout, history, lines, target};
use super::query::{MODELS, Variables, errors, hits, quantile, rate};
use crate::names::{MODEL_COLD_STARTS, MODEL_REQUESTS};

pub(super) fn dashboard() -> Dashboard {
    const NAME: &str = "{{model}}";
    let top = |expr: String| vec![target(format!("topk(40, {expr})"), NAME)];
    let model = "model";
    Dashboard {
        name: "fleet",
        title: "fleet",
        about: "Each model's requests a second, its p95 as a heat map, its errors and its cache hits.",
        variables: Variables::Models,
        annotations: Vec::new(),
        panels: Layout::default()
            .row(
                "Traffic",
                vec![
                    lines("Requests by model", "reqps", "`weir_model_requests_total`: the 40 busiest.", top(rate(&MODEL_REQUESTS, model, MODELS))).stacked().width(24),
                ],
            )
            .row(
                "Latency",
                vec![history("p95 by model", "s", "`weir_model_request_duration_seconds`: the 40 slowest.", top(quantile(0.95, model, MODELS)))],
            )
            .row(
                "Health",
                vec![
                    history("Errors by model", "percentunit", "`weir_model_requests_total`: share that the serving side failed; above 1 % is WeirModelErrorRateHigh.", top(errors(model, MODELS))),
                    lines("Cache hits by model", "percentunit", "`weir_model_request_duration_seconds`: the 40 lowest shares of requests that found the model in memory.", vec![target(format!("bottomk(40, {})", hits(model, MODELS)), NAME)]).range(0.0, 1.0),
                    lines("Cold starts by model", "cps", "`weir_model_cold_starts_total`: the 40 highest.", top(rate(&MODEL_COLD_STARTS, model, MODELS))),
                ],
            ),
    }
}
