//! Whether the pages that tell the state of models can be asked and read.

use super::Findings;
use crate::state::{Place, StateSource};

/// Checks the pages of one dialect.
pub(super) fn state(sources: &[StateSource], path: &str, findings: &mut Findings) {
    for (i, source) in sources.iter().enumerate() {
        one(source, &format!("{path}[{i}]"), findings);
    }
}

fn one(source: &StateSource, path: &str, findings: &mut Findings) {
    if source.path.is_empty() {
        findings.missing(format!("{path}.path"), "a page has a `path`", None);
    } else {
        let plain = source.path.replacen("{model}", "m", 1);
        let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}' | b'#');
        if !plain.starts_with('/') || !plain.bytes().all(fits) {
            let help = "for example `/models/{model}`".to_owned();
            let message = "it begins with `/`, and is printable ASCII with at most one `{model}`";
            findings.add_with(format!("{path}.path"), message, help);
        }
    }
    let places = [
        ("each", Some(&source.each)),
        ("name", source.name.as_ref()),
        ("state", source.state.as_ref()),
        ("memory_bytes", source.memory_bytes.as_ref()),
        ("gpu_memory_bytes", source.gpu_memory_bytes.as_ref()),
    ];
    for (key, place) in places.into_iter().filter_map(|(key, place)| Some((key, place?))) {
        if let Err(message) = Place::parse(place) {
            findings.add(format!("{path}.{key}"), message);
        }
    }
    let words = [&source.loaded, &source.loading, &source.unloaded];
    if source.state.is_none() && words.iter().any(|words| !words.is_empty()) {
        findings.add(format!("{path}.state"), "there are words for a state, and no place to find one");
    }
    if let Some(next) = &source.next_page {
        let fits =
            |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !next.split_once('=').is_some_and(|(place, query)| Place::parse(place).is_ok() && fits(query)) {
            let help = "for example `nextPageToken=next_page_token`".to_owned();
            findings.add_with(format!("{path}.next_page"), "it is a place, `=` and a query parameter", help);
        }
    }
}
