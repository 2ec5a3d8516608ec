//! Dashboards for Grafana 10 and later, in the classic form (JSON model v1) that people import. Each target works for
//! classic and for native histograms, whichever Prometheus keeps.
//!
//! Conventions (Grafana's dashboard-linter, and vLLM's dashboards): one variable for the data source, `job` and
//! `instance` to choose replicas, a title, a description that names the metric and a unit on each panel, fixed colours
//! for quantiles, links between the dashboards that keep variables and time.

mod panel;
mod query;
mod overview;
mod fleet;
mod model;
mod backend;
mod slo;
mod gateway;

use serde_json::{Value, json};

use panel::Layout;
use query::Variables;

/// The dashboards by name, as Grafana imports them.
#[must_use]
pub fn dashboards() -> Vec<(&'static str, String)> {
    let all = [
        overview::dashboard(),
        fleet::dashboard(),
        model::dashboard(),
        backend::dashboard(),
        slo::dashboard(),
        gateway::dashboard(),
    ];
    all.map(|dashboard| (dashboard.name, dashboard.text())).into()
}

/// One dashboard.
struct Dashboard {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    variables: Variables,
    annotations: Vec<Value>,
    panels: Layout,
}

impl Dashboard {
    fn text(self) -> String {
        let mut annotations = vec![json!({
            "builtIn": 1, "datasource": { "type": "grafana", "uid": "-- Grafana --" }, "enable": true, "hide": true,
            "iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard",
        })];
        annotations.extend(self.annotations);
        let dashboard = json!({
            "uid": format!("weir-{}", self.name),
            "title": format!("weir / {}", self.title),
            "description": self.about,
            "tags": ["weir"],
            "editable": false,
            "graphTooltip": 1,
            "schemaVersion": 39,
            "version": 1,
            "refresh": "30s",
            "time": { "from": "now-1h", "to": "now" },
            "timezone": "browser",
            "annotations": { "list": annotations },
            "links": [{
                "asDropdown": false, "icon": "external link", "includeVars": true, "keepTime": true, "tags": ["weir"],
                "targetBlank": false, "title": "weir", "tooltip": "", "type": "dashboards", "url": "",
            }],
            "templating": { "list": self.variables.list() },
            "panels": self.panels.panels(),
        });
        serde_json::to_string_pretty(&dashboard).unwrap_or_default() + "\n"
    }
}
