//! HTTP/1.1 of our own, on both sides: strict in what is accepted, exact about where a message ends, and lean.
//!
//! Why not hyper's: a gateway must refuse what hyper repairs in silence (a length beside chunks, a bare line feed), must relay
//! interim answers and upgrades, must answer a panic with 500, and needs neither a task nor a channel between a request and its
//! upstream connection. HTTP/2 is the crate `h2`'s.
//!
//! [`wire`] is a socket with buffers, [`head`] finds and checks the head of a message, [`decode`] finds the end of its body, [`encode`]
//! writes. [`server`] serves a client's connection, [`client`] asks a backend.
//!
//! Rules: RFC 9112; where it leaves a choice, what two parties could read in two ways is refused.

pub mod wire;
pub mod head;
pub mod notable;
pub mod host;
mod lines;
mod names;
pub mod request;
pub mod response;
pub mod decode;
pub mod encode;
pub mod server;
pub mod client;
pub mod tunnel;
