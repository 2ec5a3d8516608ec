//! The front: client sockets, the protocol spoken on them, and their limits.
//!
//! Entry: [`accept_loop`], one for each worker and listener.

mod clock;
mod guard;
mod listen;
mod detect;
mod sweep;
mod serve;

pub use clock::{CoarseClock, TICK};
pub use guard::{Conn, Guard};
pub use listen::reuseport;
pub use serve::{Door, accept_loop};
pub use sweep::Watch;
