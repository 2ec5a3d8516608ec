//! A clock that is good to half a second and costs one load: for limits that are counted in seconds.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

/// How often the worker's sweep moves the coarse clock.
pub const TICK: Duration = Duration::from_millis(500);

/// The worker's coarse time, moved by its sweep.
#[derive(Debug)]
pub struct CoarseClock(Cell<Instant>);

impl CoarseClock {
    /// A clock that shows the present.
    pub fn new() -> Self {
        Self(Cell::new(Instant::now()))
    }

    /// The time of the last sweep, at most [`TICK`] ago while the worker is responsive.
    pub fn now(&self) -> Instant {
        self.0.get()
    }

    /// Moves the clock to the present and returns it.
    pub fn advance(&self) -> Instant {
        let now = Instant::now();
        self.0.set(now);
        now
    }
}

impl Default for CoarseClock {
    fn default() -> Self {
        Self::new()
    }
}
