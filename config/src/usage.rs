//! Where a language model's answer tells tokens, pieces of output, its end and its errors.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where JSON answers, whole or streamed (`text/event-stream`, `application/x-ndjson`), tell tokens and their times.
/// A place is a path of keys (`usage.prompt_tokens`; arrays are passed through), optionally with the text that must
/// stand there (`type=response.completed`). Default nothing: answers are not looked into. An extended dialect's places
/// are added.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Usage {
    /// Tokens of the prompt; of several numbers in one answer the last counts. Default none; at most 16.
    #[garde(length(max = 16))]
    pub input: Vec<String>,
    /// Tokens of the answer; of several numbers in one answer the last counts. Default none; at most 16.
    #[garde(length(max = 16))]
    pub output: Vec<String>,
    /// A piece of output in a stream: a text that is not empty. Default none; at most 16.
    #[garde(length(max = 16))]
    pub piece: Vec<String>,
    /// The mark of a stream that came to its end (`[DONE]` always is one): a value that is not null, false, 0 or an
    /// empty text. A stream that had pieces and ends without one is broken. Default none; at most 16.
    #[garde(length(max = 16))]
    pub finished: Vec<String>,
    /// An error within a stream: a value that is not null, false, 0 or an empty text. Default none; at most 16.
    #[garde(length(max = 16))]
    pub error: Vec<String>,
    /// Time that the model's load took as part of this request, in nanoseconds. Default none; at most 16.
    #[garde(length(max = 16))]
    pub load_ns: Vec<String>,
}

/// Bytes of one key, and of the text behind `=`.
pub const USAGE_WORD_BYTES_MAX: usize = 40;

/// Keys of one path.
pub const USAGE_DEPTH_MAX: usize = 6;

impl Usage {
    /// Whether there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists().iter().all(|(_, paths)| paths.is_empty())
    }

    /// Every list by its key.
    #[must_use]
    pub fn lists(&self) -> [(&'static str, &Vec<String>); 6] {
        [
            ("input", &self.input),
            ("output", &self.output),
            ("piece", &self.piece),
            ("finished", &self.finished),
            ("error", &self.error),
            ("load_ns", &self.load_ns),
        ]
    }

    /// These places, and behind them those of `base`.
    #[must_use]
    pub fn before(&self, base: &Self) -> Self {
        let both = |ours: &[String], theirs: &[String]| [ours, theirs].concat();
        Self {
            input: both(&self.input, &base.input),
            output: both(&self.output, &base.output),
            piece: both(&self.piece, &base.piece),
            finished: both(&self.finished, &base.finished),
            error: both(&self.error, &base.error),
            load_ns: both(&self.load_ns, &base.load_ns),
        }
    }
}
