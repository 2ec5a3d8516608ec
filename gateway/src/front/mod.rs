//! The front: client sockets, the protocol spoken on them, and their limits.
//!
//! Entry: [`accept_loop`], one for each worker and listener.

mod clock;
mod guard;
mod listen;
mod detect;
pub mod proxy_protocol;
mod tls;
mod sweep;
mod door;
mod serve;
mod h2;

pub use clock::{CoarseClock, TICK};
pub use door::{Door, Queue};
pub use guard::{Conn, Guard};
pub use listen::{Bound, Listening, bind, bind_beside};
pub use serve::accept_loop;
pub use sweep::Watch;
pub use tls::{Expiry, TlsDoor};
