//! The worker's sweep: twice a second it moves the coarse clock and ends connections that overstay their phase.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use tokio::task::AbortHandle;
use tokio::time::Instant;
use weir_config::ListenLimits;

use super::guard::Conn;

/// One connection under watch.
#[derive(Debug)]
struct Watched {
    conn: Rc<Conn>,
    limits: Rc<ListenLimits>,
    door: u64,
    task: AbortHandle,
}

/// All client connections of one worker.
#[derive(Debug, Default)]
pub struct Watch {
    next: RefCell<u64>,
    conns: RefCell<HashMap<u64, Watched>>,
}

impl Watch {
    /// Takes a connection that came through a door under watch; the returned number takes it out again.
    pub fn add(&self, conn: Rc<Conn>, limits: Rc<ListenLimits>, door: u64, task: AbortHandle) -> u64 {
        let mut next = self.next.borrow_mut();
        *next += 1;
        self.conns.borrow_mut().insert(*next, Watched { conn, limits, door, task });
        *next
    }

    /// The connection has ended by itself.
    pub fn remove(&self, number: u64) {
        self.conns.borrow_mut().remove(&number);
    }

    /// Connections now open.
    pub fn count(&self) -> usize {
        self.conns.borrow().len()
    }

    /// Ends what has overstayed and tells `ended` why.
    pub fn sweep(&self, now: Instant, ended: impl Fn(&'static str)) {
        self.conns.borrow_mut().retain(|_, watched| match watched.conn.overstayed(now, &watched.limits) {
            // A head that does not end can be answered: 408 (RFC 9110 §15.5.9).
            Some("header_timeout") if watched.conn.tell_overdue() => true,
            Some(reason) => {
                watched.task.abort();
                ended(reason);
                false
            }
            None => true,
        });
    }

    /// Every connection that came through this door ends after the request that it is serving.
    pub fn retire(&self, door: u64) {
        for watched in self.conns.borrow().values().filter(|watched| watched.door == door) {
            watched.conn.retire();
        }
    }

    /// Ends every connection: the drain's deadline has passed.
    pub fn abort_all(&self) -> usize {
        let all = std::mem::take(&mut *self.conns.borrow_mut());
        for watched in all.values() {
            watched.task.abort();
        }
        all.len()
    }
}
