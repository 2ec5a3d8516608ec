//! Where a server tells which models are in its memory, and how often it is asked.

use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dialect::Plane;
use crate::endpoint::Endpoint;
use crate::units::{Bytes, DurationText, bytes_within, duration, duration_within};

/// A page of the server that tells the state of models: one for all, or (`{model}` in its path) one for each. It must be one that only
/// reads, and that refreshes nothing which the server decides by whom to evict.
///
/// A place is a path of keys into JSON (`workers.status`): arrays are passed through, `key[type=GPU]` keeps those objects of an array
/// whose `type` is that text, and `.` is the thing itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["path"]))]
pub struct StateSource {
    /// Path and query. With `{model}` it is asked for each model that a source before it listed, and for those of the backend's
    /// `models`. Required; at most 1024 characters.
    #[schemars(example = &"/house/models")]
    #[garde(length(max = 1024))]
    pub path: String,
    /// How it is asked. Default `GET`.
    pub method: StateMethod,
    /// Which of the server's addresses is asked. Default `inference`.
    pub plane: Plane,
    /// Place of the models in the answer: each value there is one. Default empty, which means the whole answer.
    pub each: String,
    /// Place of a model's name in it. Default none: that of `{model}`, or without it every model listed so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"name")]
    pub name: Option<String>,
    /// An end of a name that requests may leave out (Ollama: `:latest`); such a model is known by both names. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &":latest")]
    #[garde(length(min = 1, max = 64))]
    pub optional_suffix: Option<String>,
    /// Place of its state: texts, numbers or `true` and `false`. Of several values `loaded` goes before `loading` before `unloaded`.
    /// Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"state")]
    pub state: Option<String>,
    /// Values that mean that it is in memory. Default none; at most 16.
    #[garde(length(max = 16))]
    pub loaded: Vec<String>,
    /// Values that mean that it is being loaded. Default none; at most 16.
    #[garde(length(max = 16))]
    pub loading: Vec<String>,
    /// Values that mean that it is not in memory. Default none; at most 16.
    #[garde(length(max = 16))]
    pub unloaded: Vec<String>,
    /// What a model without any value of a state is. Default `unknown`.
    pub otherwise: StateWord,
    /// What a model is that was listed before and is not in this list. Default `unknown`.
    pub absent: StateWord,
    /// Place of the memory that it takes, bytes; several values are added. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"size")]
    pub memory_bytes: Option<String>,
    /// Place of the memory that it takes on GPUs, bytes; several values are added. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"size_vram")]
    pub gpu_memory_bytes: Option<String>,
    /// Place of the token that asks for the next page, and the name of the query parameter that carries it: `place=parameter`.
    /// Default none; at most 64 pages are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"nextPageToken=next_page_token")]
    pub next_page: Option<String>,
}

/// How a page is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum StateMethod {
    /// `GET`.
    #[default]
    #[serde(rename = "GET")]
    Get,
    /// `POST` with `{}`, where listing is one (Triton).
    #[serde(rename = "POST")]
    Post,
}

/// What is said of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateWord {
    /// Nothing.
    #[default]
    Unknown,
    /// It is in memory.
    Loaded,
    /// It is being loaded.
    Loading,
    /// It is not in memory.
    Unloaded,
}

/// Asking a server which models are in its memory, as its dialect's `state` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct StatePoll {
    /// Whether it is asked: `auto` does so if the dialect knows how. Default `off`: a server gets nothing that no client has sent, unless
    /// weir is told to (a server may want a token for these pages, write a line of log for each look, or be somebody else's).
    pub poll: PollMode,
    /// URL of the server's own page of metrics, which tells of its GPUs: `http://HOST:PORT/PATH`, where `{host}` stands for the endpoint's
    /// host. Default: where the dialect knows it to be beside the server's usual port (Triton: 8002 beside 8000), else it is not asked; at
    /// most 1024 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"http://{host}:8002/metrics")]
    #[garde(length(max = 1024), custom(metrics_url_fits))]
    pub metrics_url: Option<String>,
    /// Time between two rounds, to which up to a fifth is added at random; while they fail it doubles up to 32 times. An eviction
    /// and a load between two rounds are not seen. Default `5s`; 100ms to 1h.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("100ms", "1h")))]
    pub interval: Duration,
    /// Time for one answer. Default `2s`; 10ms to 1m.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("10ms", "1m")))]
    pub timeout: Duration,
    /// Bytes of one answer; a longer one is a failure. Default `8MiB`; 1KiB to 64MiB.
    #[garde(custom(bytes_within("1KiB", "64MiB")))]
    pub answer_bytes_max: Bytes,
    /// Models asked one by one in a round; of more, the next round asks the next ones. Default 256; 1 to 10000.
    #[garde(range(min = 1, max = 10_000))]
    pub models_max: u32,
    /// Age from which what was told is unknown again, and its metrics are gone. Default `30s`; 1s to 1d.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("1s", "1d")))]
    pub stale_after: Duration,
    /// A model that is loaded again so soon after it was evicted counts as a reload: memory is too small for what is asked. Default
    /// `5m`; 1s to 1d.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("1s", "1d")))]
    pub reload_within: Duration,
}

impl Default for StatePoll {
    fn default() -> Self {
        Self {
            poll: PollMode::Off,
            metrics_url: None,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            answer_bytes_max: Bytes(8 << 20),
            models_max: 256,
            stale_after: Duration::from_secs(30),
            reload_within: Duration::from_secs(300),
        }
    }
}

/// Address and path of a server's page of metrics, by its URL ([`StatePoll::metrics_url`]) and the endpoint that it belongs to; none if it
/// is no such URL.
#[must_use]
pub fn metrics_page(url: &str, endpoint: &Endpoint) -> Option<(Endpoint, String)> {
    let host =
        if endpoint.host.contains(':') { format!("[{}]", endpoint.host) } else { endpoint.host.clone() };
    let url = url.replacen("{host}", &host, 1);
    let (scheme, rest) = url.split_once("://")?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(at)?;
    let is_path = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    let endpoint = format!("{scheme}://{authority}").parse().ok()?;
    is_path.then(|| (endpoint, if path.is_empty() { "/metrics".to_owned() } else { path.to_owned() }))
}

#[expect(clippy::ref_option, reason = "garde hands it over so")]
fn metrics_url_fits(url: &Option<String>, (): &()) -> garde::Result {
    let example = "http://127.0.0.1:1".parse::<Endpoint>().ok();
    match (url, example) {
        (Some(url), Some(endpoint)) if metrics_page(url, &endpoint).is_none() => {
            Err(garde::Error::new("it is `http://HOST:PORT/PATH`; `{host}` stands for the endpoint's host"))
        }
        _ => Ok(()),
    }
}

/// Whether a server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PollMode {
    /// It is not.
    #[default]
    Off,
    /// It is if the dialect knows how.
    Auto,
}

/// A place in JSON, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(Vec<Step>);

/// One key of a [`Place`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The key.
    pub key: String,
    /// A key and the text that must stand there.
    pub only: Option<(String, String)>,
}

/// Keys of one place.
const DEPTH_MAX: usize = 8;

impl Place {
    /// Reads `a.b[c=d].e`, or `.`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text == "." {
            return Ok(Self(Vec::new()));
        }
        let steps: Option<Vec<Step>> = text.split('.').map(Step::parse).collect();
        match steps {
            Some(steps) if steps.len() <= DEPTH_MAX => Ok(Self(steps)),
            Some(_) => Err("a place has at most 8 keys"),
            None => {
                Err("a place is keys with `.` between them, each perhaps with `[key=text]` behind it, or `.`")
            }
        }
    }

    /// Its keys; none for the thing itself.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl Step {
    fn parse(text: &str) -> Option<Self> {
        let is_word = |word: &str| !word.is_empty() && !word.contains(['[', ']', '=', '"', ' ']);
        let (key, only) = match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
            None => (text, None),
            Some((key, only)) => {
                let (field, wanted) = only.split_once('=')?;
                (is_word(field) && is_word(wanted)).then_some(())?;
                (key, Some((field.to_owned(), wanted.to_owned())))
            }
        };
        is_word(key).then(|| Self { key: key.to_owned(), only })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_keys_perhaps_with_a_condition() {
        assert_eq!(Place::parse(".").unwrap().steps(), []);
        let place = Place::parse("memory_usage[type=GPU].byte_size").unwrap();
        let only = Some(("type".to_owned(), "GPU".to_owned()));
        assert_eq!(place.steps().first(), Some(&Step { key: "memory_usage".to_owned(), only }));
        assert_eq!(place.steps().len(), 2);
        for wrong in ["a..b", ".a", "a[b]", "a[b=]", "a[b=c", "a b", "a.b.c.d.e.f.g.h.i", "[a=b]"] {
            assert!(Place::parse(wrong).is_err(), "{wrong}");
        }
    }
}
