//! What a model is called in metrics, logs and promises, where that is not what its requests say: names made alike and names mapped.
//! What is forwarded never changes.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the names of models are made alike, in this order: `lowercase`, `strip_prefix`, `strip_suffix`, `map`. Metrics, promises, the
/// access log and the admin side have the result; the request goes on byte for byte. A step that would leave nothing is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Naming {
    /// Letters A to Z become small. Default false.
    pub lowercase: bool,
    /// Texts to take off the beginning; the first that is there is taken off, once. Default none; at most 16, of 1 to 256 bytes.
    #[garde(length(max = 16), inner(length(min = 1, max = 256)))]
    pub strip_prefix: Vec<String>,
    /// Texts to take off the end; the first that is there is taken off, once. Default none; at most 16, of 1 to 256 bytes.
    #[garde(length(max = 16), inner(length(min = 1, max = 256)))]
    pub strip_suffix: Vec<String>,
    /// Names that become others; the first that fits decides. Default none; at most 256.
    #[garde(length(max = 256), dive)]
    pub map: Vec<NameMap>,
}

impl Naming {
    /// Whether it changes nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        !self.lowercase && self.strip_prefix.is_empty() && self.strip_suffix.is_empty() && self.map.is_empty()
    }
}

/// Names that become another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["from", "to"]))]
pub struct NameMap {
    /// The whole name, or a glob (`*` any letters, `?` one), as the steps before leave it. Required; 1 to 1024 bytes.
    #[schemars(example = &"ranking-*-v?")]
    #[garde(length(max = 1024))]
    pub from: String,
    /// What it becomes. Required; 1 to 1024 bytes.
    #[schemars(example = &"ranking")]
    #[garde(length(max = 1024))]
    pub to: String,
}
