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
    /// None until its handshake is over.
    conn: Option<Rc<Conn>>,
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
    /// A number for a connection that is about to begin.
    pub fn number(&self) -> u64 {
        let mut next = self.next.borrow_mut();
        *next += 1;
        *next
    }

    /// Takes the task of a connection that came through a door under watch.
    pub fn add(&self, number: u64, limits: Rc<ListenLimits>, door: u64, task: AbortHandle) {
        self.conns.borrow_mut().insert(number, Watched { conn: None, limits, door, task });
    }

    /// The connection's handshake is over.
    pub fn began(&self, number: u64, conn: &Rc<Conn>) {
        if let Some(watched) = self.conns.borrow_mut().get_mut(&number) {
            watched.conn = Some(Rc::clone(conn));
        }
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
        let overstayed = |watched: &Watched| watched.conn.as_ref()?.overstayed(now, &watched.limits);
        let conns = self.conns.borrow();
        conns.values().filter_map(|watched| watched.conn.as_ref()).for_each(|conn| conn.leave_if_due(now));
        drop(conns);
        self.conns.borrow_mut().retain(|_, watched| match overstayed(watched) {
            // A head that does not end can be answered: 408 (RFC 9110 §15.5.9).
            Some("header_timeout") if watched.conn.as_ref().is_some_and(|conn| conn.tell_overdue()) => true,
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
            if let Some(conn) = &watched.conn {
                conn.retire();
            }
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
