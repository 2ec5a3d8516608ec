//! Whether connections begin with a PROXY header, and from whom that is believed.
//!
//! In the file one word will do (`proxy_protocol: required`) where everybody is believed.

use std::fmt;

use garde::Validate;
use schemars::{JsonSchema, Schema};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::network::Network;

/// Whether connections begin with a PROXY header (HAProxy's, version 1 or 2), which names the client, and from whom it is believed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Validate, JsonSchema)]
#[garde(allow_unvalidated)]
#[schemars(default)]
pub struct ProxyProtocol {
    /// Whether there is one. Default `off`.
    pub mode: ProxyMode,
    /// Networks of the load balancers that are believed: a header from elsewhere ends its connection. Default none, which means that
    /// whoever connects is believed; needed for `optional`; at most 256. Whoever may open a Unix socket is believed.
    #[garde(length(max = 256))]
    pub trusted: Vec<Network>,
}

/// Whether there is a PROXY header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProxyMode {
    /// There is none.
    #[default]
    Off,
    /// Always; a connection without it is closed, and so is one from a source that is not trusted.
    Required,
    /// Trusted sources may send one; anybody else, and who sends none, is the client itself.
    Optional,
}

impl From<ProxyMode> for ProxyProtocol {
    fn from(mode: ProxyMode) -> Self {
        Self { mode, trusted: Vec::new() }
    }
}

/// The form with keys.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Keys {
    mode: ProxyMode,
    trusted: Vec<Network>,
}

impl<'de> Deserialize<'de> for ProxyProtocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = ProxyProtocol;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one of `off`, `required` and `optional`, or the keys `mode` and `trusted`")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<ProxyProtocol, E> {
                let word: StrDeserializer<'_, E> = word.into_deserializer();
                ProxyMode::deserialize(word).map(ProxyProtocol::from)
            }

            fn visit_map<A: MapAccess<'de>>(self, keys: A) -> Result<ProxyProtocol, A::Error> {
                let Keys { mode, trusted } = Keys::deserialize(MapAccessDeserializer::new(keys))?;
                Ok(ProxyProtocol { mode, trusted })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// For the schema: one word will do.
pub(crate) fn or_a_word(schema: &mut Schema) {
    if let Some(keys) = schema.remove("$ref") {
        schema.insert(
            "anyOf".to_owned(),
            serde_json::json!([{ "$ref": keys }, { "$ref": "#/$defs/ProxyMode" }]),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::report::Report;

    fn parse(proxy: &str) -> Result<Config, Report> {
        let text = format!(
            "version: 1\nlisteners: [{{proxy_protocol: {proxy}}}]\n\
             backends: [{{dialect: triton, endpoints: ['http://127.0.0.1:1']}}]\n"
        );
        crate::parse(&text, "weir.yaml", &|_| None)
    }

    #[test]
    fn a_word_or_keys_say_it() {
        let trusted: Vec<Network> = vec!["10.0.0.0/8".parse().unwrap()];
        for (text, mode, trusted) in [
            ("off", ProxyMode::Off, Vec::new()),
            ("required", ProxyMode::Required, Vec::new()),
            ("{mode: required}", ProxyMode::Required, Vec::new()),
            ("{mode: optional, trusted: [10.0.0.0/8]}", ProxyMode::Optional, trusted),
        ] {
            let config = parse(text).unwrap();
            assert_eq!(config.listeners[0].proxy_protocol, ProxyProtocol { mode, trusted }, "{text}");
            assert_eq!(crate::parse(&crate::show(&config), "weir.yaml", &|_| None).unwrap(), config);
        }
    }

    #[test]
    fn what_is_neither_is_told_with_its_place() {
        for (text, said) in [
            ("sometimes", "`optional`"),
            ("[required]", "or the keys `mode`"),
            ("{mode: sometimes}", "proxy_protocol.mode"),
            ("{mode: required, trusting: []}", "did you mean `trusted`?"),
            ("{mode: required, trusted: [10.1.0.0/8]}", "proxy_protocol.trusted[0]"),
            ("optional", "needs `trusted` networks"),
        ] {
            let report = parse(text).unwrap_err().to_string();
            assert!(report.contains(said), "{text}: {report}");
        }
    }
}
