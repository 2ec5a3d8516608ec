//! What is told: the shape of the JSON, and what `text` prints.

use serde::Serialize;
use weir_config::{Action, Plane, PollMode};

/// What weir would make of a request.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// The request, as it was understood.
    pub request: RequestTold,
    /// Every route in the file's order.
    pub routes: Vec<RouteTried>,
    /// Where it goes.
    pub backend: Chosen,
    /// Every request rule of the backend and its dialect, in the order in which they are tried.
    pub rules: Vec<RuleTried>,
    /// What it does; `infer` also if no rule fits.
    pub action: Action,
    /// Which of the backend's addresses takes it.
    pub plane: Plane,
    /// The model, the label of metrics.
    pub model: Option<Name>,
    /// What made the model's name out of what the request says (`names`), step by step; none: it is called so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub renamed: Vec<Renamed>,
    /// The id by which the server loads it, if that is another one.
    pub resident: Option<Name>,
    /// The model's version.
    pub version: Option<Name>,
    /// Every place at which the deciding rule looks for model, resident id and version, in this order.
    pub looked_in: Vec<Place>,
    /// What was read ahead of the body; none if the head decides.
    pub body: Option<BodyRead>,
    /// The labels that it would be counted under.
    pub counted_under: CountedUnder,
    /// What would tell a hot start from a cold one.
    pub starts: Starts,
}

/// The request.
#[derive(Debug, Clone, Serialize)]
pub struct RequestTold {
    /// Its method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The Host line.
    pub host: Option<String>,
}

/// Where a request goes.
#[derive(Debug, Clone, Serialize)]
pub struct Chosen {
    /// The backend.
    pub name: String,
    /// Its dialect.
    pub dialect: String,
    /// Why this one.
    pub why: String,
    /// The addresses that take turns for it.
    pub addresses: Vec<String>,
}

/// A route, and how it stands to the request.
#[derive(Debug, Clone, Serialize)]
pub struct RouteTried {
    /// Its place in the file, from 0.
    pub route: usize,
    /// Where it leads.
    pub backend: String,
    /// `chosen`, `later`, or what is not as it wants it: `host`, `path_prefix`, `header`.
    pub fit: &'static str,
    /// The same in words.
    pub why: String,
}

/// Whose rule it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stands {
    /// The backend's own.
    Backend,
    /// Its dialect's, or of one that it extends.
    Dialect,
}

/// A rule, and how it stands to the request.
#[derive(Debug, Clone, Serialize)]
pub struct RuleTried {
    /// Whose it is.
    pub of: Stands,
    /// Its template.
    pub path: String,
    /// Its methods; none: any.
    pub methods: Vec<String>,
    /// What it says a request does.
    pub action: Action,
    /// `chosen`, `later` (fits too), or what is not as it wants it: `path`, `method`, `condition`.
    pub fit: &'static str,
    /// The same in words.
    pub why: String,
}

/// A name, and where it stands.
#[derive(Debug, Clone, Serialize)]
pub struct Name {
    /// The name.
    pub name: String,
    /// Where.
    pub found_in: Option<String>,
}

/// A step of `names` that changed a name.
#[derive(Debug, Clone, Serialize)]
pub struct Renamed {
    /// The step.
    pub by: String,
    /// The name after it.
    pub to: String,
}

/// A place where a name may stand, and what does.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// The place.
    pub place: String,
    /// The name there, cut as the rule says.
    pub value: Option<String>,
}

/// How a body was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct BodyRead {
    /// Bytes that were read ahead, `identify.peek_bytes_max` at most.
    pub bytes_read_ahead: usize,
    /// Whether that was all of it, or enough; else a name may stand behind them.
    pub is_enough: bool,
    /// What was noticed, as the label `flag` of `weir_identify_flags_total` has it.
    pub flags: Vec<&'static str>,
}

/// Labels of metrics.
#[derive(Debug, Clone, Serialize)]
pub struct CountedUnder {
    /// The label `backend`.
    pub backend: String,
    /// The label `model`.
    pub model: String,
    /// What `model` becomes with the first answer that succeeds, while the name is not known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub once_answered: Option<String>,
}

/// What would tell a hot start from a cold one, the strongest first.
#[derive(Debug, Clone, Serialize)]
pub struct Starts {
    /// Whether it is a start at all: an inference.
    pub is_start: bool,
    /// Header rules.
    pub headers: Vec<String>,
    /// Status rules.
    pub statuses: Vec<String>,
    /// Whether loads and unloads that pass through are followed.
    pub lifecycle: bool,
    /// Whether the server is asked what is loaded.
    pub state: PollMode,
    /// What is inferred where nothing of this tells; none: nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inferred: Vec<String>,
}
