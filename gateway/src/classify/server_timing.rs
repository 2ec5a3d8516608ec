//! `Server-Timing` (W3C Server Timing, §3.1 and the parsing steps of §4): `db;dur=53.2, load;desc="from disk";dur="2310"`.
//!
//! As the steps ask, what is odd is skipped, not refused: an entry without a name, a parameter without a value, text behind a value.
//! Of a parameter that is there twice the first counts. Names are compared without regard to case.
//! Cost: one pass, no allocation, linear also on hostile bytes.

use http::header::HeaderName;

use crate::message::HeaderMap;

/// The header.
pub(super) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// One entry, as much of it as rules look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'v> {
    /// Its duration in milliseconds, as it is written; none if it has none.
    pub dur: Option<&'v [u8]>,
}

/// The first entry of this name, in all lines of the header.
#[must_use]
pub fn entry<'v>(headers: &'v HeaderMap, name: &str) -> Option<Entry<'v>> {
    headers.get_all(SERVER_TIMING).iter().find_map(|line| find(line.as_bytes(), name))
}

/// The first entry of this name in one line.
fn find<'v>(line: &'v [u8], name: &str) -> Option<Entry<'v>> {
    let mut rest = line;
    while !rest.is_empty() {
        let (found, after) = token(skip_space(rest));
        let (entry, after) = parameters(after);
        if found.eq_ignore_ascii_case(name.as_bytes()) && !found.is_empty() {
            return Some(entry);
        }
        rest = after;
    }
    None
}

/// Reads `;name=value…` up to the comma that ends the entry, or the end.
fn parameters(bytes: &[u8]) -> (Entry<'_>, &[u8]) {
    let mut entry = Entry { dur: None };
    let mut rest = bytes;
    let mut dur_seen = false;
    loop {
        // Text that belongs to nothing is skipped up to the next parameter or entry.
        let Some(at) = rest.iter().position(|byte| matches!(byte, b';' | b',')) else { return (entry, &[]) };
        let Some((mark, after)) = rest.get(at..).and_then(<[u8]>::split_first) else { return (entry, &[]) };
        if *mark == b',' {
            return (entry, after);
        }
        let (name, after) = token(skip_space(after));
        let (value, after) = value(after);
        if name.eq_ignore_ascii_case(b"dur") && !dur_seen {
            dur_seen = true;
            entry.dur = value;
        }
        rest = after;
    }
}

/// Reads `=value`, a token or a quoted text; none if there is none.
fn value(bytes: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let rest = skip_space(bytes);
    let Some((b'=', rest)) = rest.split_first() else { return (None, rest) };
    let rest = skip_space(rest);
    match rest.split_first() {
        Some((b'"', inner)) => quoted(inner),
        _ => {
            let (text, after) = token(rest);
            ((!text.is_empty()).then_some(text), after)
        }
    }
}

/// Reads up to the closing quote, or to the end if there is none. Escapes stay in it: no number has any.
fn quoted(bytes: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let mut escaped = false;
    let end = bytes.iter().position(|byte| {
        let is_end = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        is_end
    });
    let (text, rest) = end.and_then(|end| bytes.split_at_checked(end)).unwrap_or((bytes, &[]));
    (Some(text), rest.split_first().map_or(rest, |(_, after)| after))
}

/// A token of RFC 9110 §5.6.2, maybe empty.
fn token(bytes: &[u8]) -> (&[u8], &[u8]) {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let end = bytes.iter().position(|byte| !is_token(byte)).unwrap_or(bytes.len());
    bytes.split_at_checked(end).unwrap_or((bytes, &[]))
}

fn skip_space(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t'));
    start.and_then(|start| bytes.get(start..)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
