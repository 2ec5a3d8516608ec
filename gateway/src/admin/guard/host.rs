//! By which names weir may be called. A page that an attacker serves under a name of his own can make that name lead to this
//! address and then read what is here (DNS rebinding); it cannot do so under an IP address, `localhost` or a name that nobody can
//! buy.

use std::net::{IpAddr, Ipv6Addr};

/// Whether `host`, as it stands in `Host`, is one of these or in the list.
pub(super) fn may_be(host: &str, list: &[String]) -> bool {
    let Some(name) = without_port(host) else { return false };
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return false;
    }
    name.parse::<IpAddr>().is_ok()
        || name.len() >= 10 && ends_with(name, ".localhost")
        || !name.contains('.')
        || list.iter().any(|pattern| fits(name, pattern))
}

fn fits(name: &str, pattern: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(rest) => name.len() > rest.len() && ends_with(name, rest),
        None => name.eq_ignore_ascii_case(pattern),
    }
}

fn ends_with(name: &str, end: &str) -> bool {
    let from = name.len().wrapping_sub(end.len());
    name.get(from..).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

fn without_port(host: &str) -> Option<&str> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if host.starts_with('[') {
        let end = host.find(']')? + 1;
        let (name, rest) = host.split_at_checked(end)?;
        return (rest.is_empty() || is_port(rest.strip_prefix(':')?)).then_some(name);
    }
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    (port.is_none_or(is_port) && name.bytes().all(fits)).then_some(name)
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_local_names_and_the_list_are_told_from_other_names() {
        let list = ["weir.monitoring.svc", "*.example.org"].map(str::to_owned);
        for good in [
            "127.0.0.1:9901",
            "10.1.2.3",
            "[::1]:9901",
            "[fe80::1]",
            "localhost",
            "LOCALHOST:9901",
            "a.localhost",
            "weir",
            "weir:9901",
            "weir.monitoring.svc:9901",
            "Weir.Example.org",
            "a.b.example.org.",
        ] {
            assert!(may_be(good, &list), "{good}");
        }
        for bad in [
            "",
            ":80",
            ".",
            "evil.com",
            "evil.com:9901",
            "example.org",
            "xexample.org",
            "weir.monitoring.svc.evil.com",
            "127.0.0.1.evil.com",
            "127.0.0.1:x",
            "127.0.0.1:99999",
            "[::1",
            "[nope]",
            "[::1]x",
            "user@weir",
            "a b",
            "weir/x",
            "évil",
            "localhost.evil.com",
        ] {
            assert!(!may_be(bad, &list), "{bad}");
        }
    }
}
