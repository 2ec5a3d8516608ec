//! The whole configuration, as the file says it.
//!
//! `parse`, `load` and `Config::from_flags` return valid ones only; a default one has no backend yet. In a valid one
//! every backend has
//! its name, every rule says where the model and the version stand, and the user's dialects have the rules of those they extend.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access_log::AccessLog;
use crate::admin::Admin;
use crate::alerts::Alerts;
use crate::backend::Backend;
use crate::dialect::Dialect;
use crate::embedded;
use crate::listen::{Drain, Forward, Listener};
use crate::push::Export;
use crate::route::Route;
use crate::slo::Slo;
use crate::telemetry::{Identify, Log, Telemetry};

/// The configuration of weir.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(title = "Configuration of weir", extend("required" = ["backends"]))]
pub struct Config {
    /// Version of this format. Default 1, the only one.
    #[garde(range(min = 1, max = 1))]
    pub version: u32,
    /// Worker threads; each serves its own connections. Default: one per core; 1 to 1024.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 4)]
    #[garde(inner(range(min = 1, max = 1024)))]
    pub workers: Option<u16>,
    /// Where clients connect. Default one, on `127.0.0.1:9900`; 1 to 64.
    #[garde(length(max = 64), dive)]
    pub listeners: Vec<Listener>,
    /// Where operators and Prometheus connect.
    #[garde(dive)]
    pub admin: Admin,
    /// What a backend is told about the request's way here.
    #[garde(dive)]
    pub forward: Forward,
    /// The model servers. Required, at least one; at most 1024.
    #[garde(length(max = 1024), dive)]
    pub backends: Vec<Backend>,
    /// Which backend gets a request: the first route that holds. Default none: the first backend whose dialect knows
    /// the request, else the first of all; at most 4096.
    #[garde(length(max = 4096), dive)]
    pub routes: Vec<Route>,
    /// Dialects of your own, beside the embedded ones. Default none; at most 64.
    #[garde(length(max = 64), dive)]
    pub dialects: Vec<Dialect>,
    /// How far weir looks for a model's name.
    #[garde(dive)]
    pub identify: Identify,
    /// What the store of numbers may use.
    #[garde(dive)]
    pub telemetry: Telemetry,
    /// What models promise. Default none; at most 1000.
    #[garde(length(max = 1000), dive)]
    pub slos: Vec<Slo>,
    /// Where alerts about it go.
    #[garde(dive)]
    pub alerts: Alerts,
    /// Where metrics are pushed.
    #[garde(dive)]
    pub export: Export,
    /// How weir stops.
    #[garde(dive)]
    pub drain: Drain,
    /// What is logged, to stderr.
    #[garde(dive)]
    pub log: Log,
    /// A line for every request. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub access_log: Option<AccessLog>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            version: 1,
            workers: None,
            listeners: vec![Listener::default()],
            admin: Admin::default(),
            forward: Forward::default(),
            backends: Vec::new(),
            routes: Vec::new(),
            dialects: Vec::new(),
            identify: Identify::default(),
            telemetry: Telemetry::default(),
            slos: Vec::new(),
            alerts: Alerts::default(),
            export: Export::default(),
            drain: Drain::default(),
            log: Log::default(),
            access_log: None,
        }
    }
}

impl Config {
    /// The dialect of this name or alias, with the rules of those it extends: the user's own, else an embedded one.
    #[must_use]
    pub fn dialect(&self, name: &str) -> Option<&Dialect> {
        let own = self.dialects.iter().find(|d| d.name == name);
        own.or_else(|| self.dialects.iter().find(|d| d.aliases.iter().any(|a| a == name)))
            .or_else(|| embedded::find(name))
    }
}
