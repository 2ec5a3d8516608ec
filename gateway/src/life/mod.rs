//! The life cycle: where the configuration comes from and how it is replaced while requests run, the workers and their listeners,
//! and the end.
//!
//! A reload is all or nothing: everything that can fail (reading, checking, opening sockets, compiling) is done first, and what is
//! running stays as it is on any error. Then the new one is swapped in, and the workers are told of listeners that come, change and
//! go. Requests keep what they began with.

mod source;
mod sockets;
mod inherited;
mod notify;
mod takeover;
mod fleet;
mod reload;
mod file;
mod pulse;
mod run;

use tokio::sync::oneshot;

pub use fleet::Fleet;
pub use inherited::{Given, Inherited, Role};
pub use notify::{ready, watchdog};
pub use pulse::{WEDGED_AFTER, wedged};
pub use reload::{Present, ReloadError, Reloaded};
pub use run::{Control, Ended, run};
pub use sockets::Sockets;
pub use source::{Adjust, Loaded, Origin, Source, SourceError, hash_of};
pub use takeover::{Offer, Predecessor, take};

/// What the control plane is asked to do.
#[derive(Debug)]
pub enum Ask {
    /// Load the configuration anew. `by` is who asked, for the log.
    Reload {
        /// Who asked.
        by: &'static str,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Reloaded, ReloadError>>,
    },
    /// Begin the drain.
    Drain,
    /// Another process wants to take over: handles of every listening socket.
    Handles(oneshot::Sender<std::io::Result<Vec<Given>>>),
    /// It has: leave the sockets to it and begin the drain.
    Leave(oneshot::Sender<()>),
    /// A fault that a test asked for, in that worker.
    #[cfg(feature = "faults")]
    Fault(usize, Box<crate::worker::Command>),
}
