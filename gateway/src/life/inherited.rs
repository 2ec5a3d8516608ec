//! Listening sockets that were opened by somebody else: a service manager, or the process that this one takes over from.

use std::io;
use std::net::{SocketAddr, TcpListener};

use weir_config::{ListenAddress, Listener};

use crate::front::Listening;

/// Sockets that are open already; those that nobody takes are closed.
#[derive(Debug, Default)]
pub struct Inherited {
    /// All that are left.
    pub sockets: Vec<Given>,
}

/// One of them.
#[derive(Debug)]
pub struct Given {
    /// What it is for.
    pub role: Role,
    /// The address that it was asked for, if that is known: port 0 is bound to another one.
    pub asked: Option<ListenAddress>,
    /// The socket.
    pub socket: Listening,
}

/// What a socket is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Whatever is configured at its address.
    Any,
    /// The admin side.
    Admin,
    /// The listener of this name, or another one at its address.
    Listener(String),
}

impl Inherited {
    /// The sockets that the service manager has opened (`sd_listen_fds(3)`). None without one.
    ///
    /// # Errors
    /// A descriptor is no listening socket.
    pub fn from_service_manager() -> io::Result<Self> {
        let mut all = listenfd::ListenFd::from_env();
        let mut inherited = Self::default();
        for number in 0..all.len() {
            if let Some(socket) = all.take_tcp_listener(number)? {
                let socket = Listening::Tcp(socket);
                inherited.sockets.push(Given { role: Role::Any, asked: None, socket });
            }
        }
        Ok(inherited)
    }

    /// Those of a listener; the others stay.
    pub fn take(&mut self, listener: &Listener) -> Vec<Listening> {
        let is_it = |given: &mut Given| match &given.role {
            Role::Admin => false,
            Role::Any => given.is_at(&listener.address),
            Role::Listener(name) => {
                given.is_at(&listener.address)
                    || (*name == listener.name && given.asked.as_ref() == Some(&listener.address))
            }
        };
        self.sockets.extract_if(.., is_it).map(|given| given.socket).collect()
    }

    /// The admin side's, if there is one.
    pub fn take_admin(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let address = ListenAddress::Tcp(address);
        let is_it = |given: &Given| match &given.role {
            Role::Admin => given.asked.as_ref() == Some(&address) || given.is_at(&address),
            Role::Any => given.is_at(&address),
            Role::Listener(_) => false,
        };
        let place = self.sockets.iter().position(is_it)?;
        match self.sockets.remove(place).socket {
            Listening::Tcp(socket) => Some(socket),
            Listening::Unix(_) => None,
        }
    }
}

impl Given {
    fn is_at(&self, address: &ListenAddress) -> bool {
        self.socket.bound().as_ref() == Some(address)
    }
}
