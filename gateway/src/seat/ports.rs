//! Which port is whose: the platform's for weir, one of the safe range for the server, the last of it for the admin side.

use std::net::{Ipv4Addr, TcpListener};

/// The port that the platform asks at.
pub(super) const BIND: &str = "SAGEMAKER_BIND_TO_PORT";
/// `FIRST-LAST`: ports that no other container of the endpoint uses.
pub(super) const RANGE: &str = "SAGEMAKER_SAFE_PORT_RANGE";
/// Where the platform asks if it does not say so.
const DEFAULT: u16 = 8080;

/// Which port is whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Weir's.
    pub listen: u16,
    /// The server's.
    pub child: u16,
    /// The admin side's, where there is a safe range.
    pub admin: Option<u16>,
    /// What of the safe range is left to the server, both ends included.
    pub left: Option<(u16, u16)>,
}

/// Why there are no ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortsError {
    /// The port is no port.
    #[error("{BIND} is {0:?}; it is a port, 1 to 65535")]
    Bind(String),
    /// The range is no range.
    #[error("{RANGE} is {0:?}; it is FIRST-LAST, two ports")]
    Range(String),
    /// Every port is taken.
    #[error("no port is free for the server{}", if *.0 { " in SAGEMAKER_SAFE_PORT_RANGE" } else { "" })]
    Taken(bool),
}

impl Ports {
    /// From the two variables. The server gets the first free port of the range, else any free one; what the server may use beside it
    /// is what lies between its own and the admin side's.
    pub(super) fn choose(
        bind: Option<&str>,
        range: Option<&str>,
        is_free: &dyn Fn(u16) -> bool,
    ) -> Result<Self, PortsError> {
        let listen = match bind.map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => port(text).ok_or_else(|| PortsError::Bind(text.to_owned()))?,
            None => DEFAULT,
        };
        let Some(text) = range.map(str::trim).filter(|text| !text.is_empty()) else {
            let child = any().filter(|child| *child != listen).ok_or(PortsError::Taken(false))?;
            return Ok(Self { listen, child, admin: None, left: None });
        };
        let ends = text.split_once('-').and_then(|(first, last)| Some((port(first)?, port(last)?)));
        let (first, last) =
            ends.filter(|(first, last)| first <= last).ok_or_else(|| PortsError::Range(text.to_owned()))?;
        let fits = |port: &u16| *port != listen && is_free(*port);
        let child = (first..=last).find(fits).ok_or(PortsError::Taken(true))?;
        // A range of one or two is the server's alone.
        let admin = (child.saturating_add(1)..=last).rev().find(fits).filter(|admin| admin - child > 1);
        let last = admin.map_or(last, |admin| admin - 1);
        let left = child.checked_add(1).filter(|first| *first <= last).map(|first| (first, last));
        Ok(Self { listen, child, admin, left })
    }
}

fn port(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|port| *port != 0)
}

/// Whether nobody listens there now.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn any() -> Option<u16> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    Some(socket.local_addr().ok()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(bind: Option<&str>, range: Option<&str>, taken: &[u16]) -> Result<Ports, PortsError> {
        Ports::choose(bind, range, &|port| !taken.contains(&port))
    }

    fn ports(
        listen: u16,
        child: u16,
        admin: Option<u16>,
        left: Option<(u16, u16)>,
    ) -> Result<Ports, PortsError> {
        Ok(Ports { listen, child, admin, left })
    }

    #[test]
    fn the_server_gets_the_first_free_port_of_the_range_and_the_admin_side_the_last() {
        assert_eq!(choose(None, Some("9000-9999"), &[]), ports(8080, 9000, Some(9999), Some((9001, 9998))));
        assert_eq!(
            choose(Some("9000"), Some(" 9000 - 9999 "), &[9001, 9999]),
            ports(9000, 9002, Some(9998), Some((9003, 9997)))
        );
        assert_eq!(choose(None, Some("9000-9000"), &[]), ports(8080, 9000, None, None));
        assert_eq!(choose(None, Some("9000-9001"), &[]), ports(8080, 9000, None, Some((9001, 9001))));
        assert_eq!(choose(None, Some("65534-65535"), &[65534]), ports(8080, 65535, None, None));
    }

    #[test]
    fn without_a_range_any_free_port_will_do() {
        let chosen = choose(Some("7777"), None, &[]).unwrap();
        assert!(chosen.listen == 7777 && chosen.child != 7777 && chosen.admin.is_none());
        assert_eq!(choose(Some(" "), Some(""), &[]).unwrap().listen, 8080);
    }

    #[test]
    fn what_is_no_port_or_no_range_is_said() {
        for text in ["0", "65536", "http", "-1"] {
            assert_eq!(choose(Some(text), None, &[]), Err(PortsError::Bind(text.to_owned())));
        }
        for text in ["9000", "9999-9000", "a-b", "0-10", "9000-70000", "1-2-3"] {
            assert_eq!(choose(None, Some(text), &[]), Err(PortsError::Range(text.to_owned())), "{text}");
        }
        assert_eq!(choose(None, Some("9000-9001"), &[9000, 9001]), Err(PortsError::Taken(true)));
    }
}
