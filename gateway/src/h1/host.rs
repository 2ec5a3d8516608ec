//! Host and authority (RFC 9110 §7.2, RFC 3986 §3.2): one that can be read in one way only.

/// Whether it is `name[:port]` or `[v6][:port]`, without user information, lists or empty names.
pub fn is_valid(host: &[u8]) -> bool {
    let (name, port) = match host.iter().rposition(|byte| *byte == b':') {
        Some(colon) if !host.ends_with(b"]") => host.split_at(colon),
        _ => (host, [].as_slice()),
    };
    let port = port.strip_prefix(b":").unwrap_or(port);
    let is_port = port.is_empty()
        || port.iter().all(u8::is_ascii_digit)
            && std::str::from_utf8(port).is_ok_and(|port| port.parse::<u16>().is_ok());
    is_port && (is_name(name) || is_bracketed(name))
}

/// A registered name or an IPv4 address. The comma is left out of the RFC's set: a list of hosts is not a host.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| IN_NAMES.get(usize::from(*byte)) == Some(&true))
}

/// What may stand in a name, by byte.
static IN_NAMES: [bool; 256] = {
    let mut all = [false; 256];
    let mut byte = 0;
    while byte < all.len() {
        #[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "below 256")]
        {
            all[byte] = matches!(byte as u8, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' | b'%'
                | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b';' | b'=');
        }
        byte += 1;
    }
    all
};

fn is_bracketed(name: &[u8]) -> bool {
    let Some(inner) = name.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) else { return false };
    std::str::from_utf8(inner).is_ok_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
}

/// Whether two authorities of `scheme` name the same host and port.
pub fn is_same(one: &str, other: &str, scheme: &str) -> bool {
    let default = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let bare = |authority: &str| {
        let authority = authority.strip_suffix(default).unwrap_or(authority);
        authority.strip_suffix(':').unwrap_or(authority).to_ascii_lowercase()
    };
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_ports_are_hosts() {
        for host in ["a", "a.b-c:80", "127.0.0.1:9", "[::1]", "[::1]:8080", "a:", "xn--caf-dma.example"] {
            assert!(is_valid(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn what_is_empty_or_read_in_two_ways_is_not() {
        for host in [
            "", ":80", "a b", "a,b", "u@a", "a/b", "a:b", "a:123456", "a:65536", "[::1", "::1", "[x]",
            "a\\b", "a:1:2",
        ] {
            assert!(!is_valid(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn a_default_port_and_case_make_no_difference() {
        assert!(is_same("A.example:80", "a.example", "http"));
        assert!(is_same("a:443", "a", "https"));
        assert!(!is_same("a:443", "a", "http"));
        assert!(!is_same("a", "b", "http"));
    }
}
