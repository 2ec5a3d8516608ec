//! What is made from the table of metrics and from the promises of a configuration: alert rules for several tools,
//! dashboards, CloudWatch templates. Text in, text out; the same input gives the same bytes.
//!
//! Metrics are named through [`names`](crate::names), so that nothing here can ask for one that does not exist.

mod yaml;
mod promql;
mod selector;
mod slo_alerts;
mod fleet_alerts;
mod rules;
mod tools;
mod dashboard;
mod cloud;

use weir_config::Slo;

pub use cloud::{cloud_agent, cloud_dashboard};
pub use dashboard::dashboards;
pub use rules::{Runbooks, alert_names};

/// The tool that rules are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// A rule file of Prometheus.
    Prometheus,
    /// A `PrometheusRule` of the Prometheus operator.
    Operator,
    /// `prometheus/v1` of Sloth.
    Sloth,
    /// `ServiceLevelObjective` of Pyrra.
    Pyrra,
    /// Alarms of CloudWatch, as CloudFormation.
    CloudWatch,
}

/// Rules for a tool. With promises each has its own window, hold and severity; without, they are those for any
/// promise, found by the metrics that tell of it (Sloth and Pyrra have nothing to say then).
#[must_use]
pub fn rules(tool: Tool, slos: &[Slo], runbooks: &Runbooks) -> String {
    match tool {
        Tool::Prometheus => rules::prometheus(slos, runbooks),
        Tool::Operator => rules::operator(slos, runbooks),
        Tool::Sloth => tools::sloth(slos),
        Tool::Pyrra => tools::pyrra(slos),
        Tool::CloudWatch => cloud::alarms(slos),
    }
}
