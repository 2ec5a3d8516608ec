//! A dialect: how a kind of model server names models in its requests, and how it loads and unloads them.
//! How it betrays a cold start stands in `starts`, where its answers tell tokens in `usage`, where it tells what is
//! loaded in `state`.

use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gpu::GpuPage;
use crate::naming::Naming;
use crate::starts::Starts;
use crate::state::StateSource;
use crate::units::{DurationText, duration_option, duration_within};
use crate::usage::Usage;

/// How a kind of server names models and tells a cold start. `weir config dialect NAME` prints the embedded ones.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["name"]))]
pub struct Dialect {
    /// Its name, which `backends[].dialect` says. Required; letters, digits, `_`, `-` and `.`, 1 to 64 of them, unique.
    /// An embedded name replaces the embedded dialect.
    #[schemars(example = &"house")]
    pub name: String,
    /// One line for people. Default empty; at most 500 characters.
    #[garde(length(max = 500))]
    #[schemars(example = &"our own server")]
    pub about: String,
    /// Other names for it. Default none; at most 16.
    #[garde(length(max = 16))]
    pub aliases: Vec<String>,
    /// A dialect whose rules come after this one's own. Default none; its own name means the embedded one it replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"generic")]
    pub extends: Option<String>,
    /// What requests mean; the first rule that fits wins. Default none; at most 256.
    #[garde(length(max = 256), dive)]
    pub requests: Vec<RequestRule>,
    /// What responses tell about hot and cold. Default nothing.
    #[garde(dive)]
    pub starts: Starts,
    /// How the names of models are made alike for metrics. Default: as the dialect says that this one extends; in the end not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub names: Option<Naming>,
    /// Where answers tell tokens. Default nothing.
    #[garde(dive)]
    pub usage: Usage,
    /// Pages that tell which models are in memory, asked in this order where `backends[].state` says so. Default none, which means those of the
    /// dialect that this one extends; at most 8.
    #[garde(length(max = 8), dive)]
    pub state: Vec<StateSource>,
    /// The page that tells of its GPUs, asked with the state. Default: that of the dialect that this one extends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub gpu: Option<GpuPage>,
}

/// What a request with a given path means.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["path"]))]
pub struct RequestRule {
    /// Template of the whole path: `/v2/models/{model}[/versions/{version}]/infer`. `{name}` is one segment or a part
    /// of one, `[…]` may be absent, `{rest*}` at the end is whatever follows. Letters are compared case-sensitively.
    /// Required; at most 1024 characters.
    #[schemars(example = &"/score/{model}[/{version}]")]
    #[garde(length(max = 1024))]
    pub path: String,
    /// Methods, in upper case. Default any; at most 16.
    #[garde(length(max = 16))]
    pub methods: Vec<String>,
    /// Conditions, which must all hold. Default none; at most 16.
    #[garde(length(max = 16), dive)]
    pub when: Vec<When>,
    /// What the request does. Default `infer`.
    pub action: Action,
    /// Which of the server's addresses takes it. Default `inference`.
    pub plane: Plane,
    /// Where the model's name stands: the first source that has one wins. Default: `path: model` if the template has
    /// `{model}`; at most 8.
    #[garde(length(max = 8), dive)]
    pub model: Vec<Source>,
    /// Where the id stands by which the server loads and unloads the model, if it is not the name (SageMaker: a hash).
    /// Default: as `model`; at most 8.
    #[garde(length(max = 8), dive)]
    pub resident: Vec<Source>,
    /// Where the version stands. Default: `path: version` if the template has `{version}`; at most 8.
    #[garde(length(max = 8), dive)]
    pub version: Vec<Source>,
    /// Time for the whole request where it is shorter than the backend's `timeouts.request`, such as that of a health check whose
    /// caller does not wait. Default none; 10ms to 7d. After it: 504.
    #[serde(with = "duration_option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DurationText>", example = &"2s")]
    #[garde(inner(custom(duration_within("10ms", "7d"))))]
    pub timeout: Option<Duration>,
}

/// What a request does to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Asks the model for an answer.
    #[default]
    Infer,
    /// Brings the model into memory.
    Load,
    /// Takes the model out of memory.
    Unload,
    /// Health, metadata, listing: never counted as a model's request.
    Control,
}

/// Which of a server's addresses takes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Plane {
    /// One of `endpoints`.
    #[default]
    Inference,
    /// `management`, if the backend has one.
    Management,
}

/// A condition on a request: one of `query` and `header`, and one of `equals` and `present`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct When {
    /// Name of a query parameter, compared exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"min_worker")]
    #[garde(length(min = 1, max = 256))]
    pub query: Option<String>,
    /// Name of a header, compared case-insensitively.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"x-mode")]
    #[garde(inner(custom(crate::check::token)))]
    pub header: Option<String>,
    /// The value it must have: of a query parameter exactly, of a header without regard to case.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"0")]
    #[garde(length(max = 1024))]
    pub equals: Option<String>,
    /// Whether it must be there (true) or must not (false).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = true)]
    pub present: Option<bool>,
}

/// Where an id stands in a request: exactly one of `path`, `header`, `query`, `json` and `protobuf`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Source {
    /// A capture of the path's template, percent-decoded once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"model")]
    #[garde(length(min = 1, max = 64))]
    pub path: Option<String>,
    /// A header, its name compared case-insensitively.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"x-model")]
    #[garde(inner(custom(crate::check::token)))]
    pub header: Option<String>,
    /// A query parameter, percent-decoded once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"model")]
    #[garde(length(min = 1, max = 256))]
    pub query: Option<String>,
    /// A top-level key of a JSON body whose value is a string; read ahead up to `identify.peek_bytes_max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"model")]
    #[garde(length(min = 1, max = 256))]
    pub json: Option<String>,
    /// A text field of the first message of a gRPC call, by its number or the numbers on the way to it: `1`, `1.1`. At most four
    /// numbers; read ahead as `json` is. No rule has both. A compressed message is not looked into.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"1.1")]
    #[garde(inner(custom(crate::check::field_path)))]
    pub protobuf: Option<String>,
    /// Text to take off the beginning, if it is there. Default nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"models/")]
    #[garde(length(min = 1, max = 256))]
    pub strip_prefix: Option<String>,
    /// Text to take off the end, if it is there. Default nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &".tar.gz")]
    #[garde(length(min = 1, max = 256))]
    pub strip_suffix: Option<String>,
    /// Keep only what follows the last `/`. Default false.
    pub basename: bool,
}
