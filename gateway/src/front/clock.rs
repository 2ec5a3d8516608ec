//! A clock that is good to half a second and costs one load: for limits that are counted in seconds.

use std::cell::{Cell, RefCell};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// How often the worker's sweep moves the coarse clock.
pub const TICK: Duration = Duration::from_millis(500);

/// The worker's coarse time, moved by its sweep.
#[derive(Debug)]
pub struct CoarseClock {
    now: Cell<Instant>,
    /// The value of Date (RFC 9110 §6.6.1), made when first asked for after a tick.
    date: RefCell<[u8; 29]>,
    dated: Cell<bool>,
}

impl CoarseClock {
    /// A clock that shows the present.
    pub fn new() -> Self {
        Self { now: Cell::new(Instant::now()), date: RefCell::new([b' '; 29]), dated: Cell::new(false) }
    }

    /// The time of the last sweep, at most [`TICK`] ago while the worker is responsive.
    pub fn now(&self) -> Instant {
        self.now.get()
    }

    /// Now, as Date says it.
    pub fn date(&self) -> [u8; 29] {
        let mut date = self.date.borrow_mut();
        if !self.dated.replace(true) {
            let text = httpdate::fmt_http_date(SystemTime::now());
            if let Ok(bytes) = text.as_bytes().try_into() {
                *date = bytes;
            }
        }
        *date
    }

    /// Moves the clock to the present and returns it.
    pub fn advance(&self) -> Instant {
        let now = Instant::now();
        self.now.set(now);
        self.dated.set(false);
        now
    }
}

impl Default for CoarseClock {
    fn default() -> Self {
        Self::new()
    }
}
