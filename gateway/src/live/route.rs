//! Which requests a route is for.

use http::header::{HOST, HeaderName, HeaderValue};

use crate::message::RequestParts as Parts;

/// A way to a backend: whatever it does not name fits.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) host: Option<String>,
    pub(super) path_prefix: Option<String>,
    pub(super) header: Option<(HeaderName, HeaderValue)>,
    pub(super) body_bytes_max: Option<u64>,
    pub(super) backend: usize,
}

/// The first thing of a request that is not as a route wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteMisfit {
    /// Another host.
    Host,
    /// The path begins otherwise.
    PathPrefix,
    /// The header is not there, or has another value.
    Header,
}

impl Route {
    /// The first thing that does not fit; nothing: the request goes this way.
    pub(super) fn misfit(&self, head: &Parts) -> Option<RouteMisfit> {
        let host_of = || {
            let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
            let host = head.uri.authority().map(http::uri::Authority::as_str).or(host)?;
            Some(
                host.rsplit_once(':')
                    .filter(|(_, port)| port.parse::<u16>().is_ok())
                    .map_or(host, |(name, _)| name),
            )
        };
        let is_host = |want: &String| host_of().is_some_and(|host| host.eq_ignore_ascii_case(want));
        let begins = |prefix: &String| is_within(head.uri.path(), prefix);
        let has = |(name, value): &(HeaderName, HeaderValue)| {
            head.headers.get_all(name).iter().any(|line| line == value)
        };
        if !self.host.as_ref().is_none_or(is_host) {
            Some(RouteMisfit::Host)
        } else if !self.path_prefix.as_ref().is_none_or(begins) {
            Some(RouteMisfit::PathPrefix)
        } else if !self.header.as_ref().is_none_or(has) {
            Some(RouteMisfit::Header)
        } else {
            None
        }
    }
}

/// Whether a path is the prefix or below it, segment by segment: `/a` and `/a/` stand for `/a` and all that is below, not for `/ab`.
fn is_within(path: &str, prefix: &str) -> bool {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_of_whole_segments() {
        for (prefix, path, is) in [
            ("/a", "/a", true),
            ("/a", "/a/", true),
            ("/a", "/a/b", true),
            ("/a", "/ab", false),
            ("/a", "/A", false),
            ("/a", "/", false),
            ("/a/", "/a", true),
            ("/a/", "/a/b", true),
            ("/a/", "/ab", false),
            ("/a/b", "/a/b/c", true),
            ("/a/b", "/a/bc", false),
            ("/", "/", true),
            ("/", "/x/y", true),
            ("/", "*", false),
        ] {
            assert_eq!(is_within(path, prefix), is, "{prefix} {path}");
        }
    }
}
