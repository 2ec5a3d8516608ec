//! One listener as a worker serves it: its settings, which a reload may change, and whether it is closing.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::watch;
use weir_config::{ListenLimits, Listener};

/// What becomes of connections that the kernel has queued on a socket that is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// They are accepted first: nobody else can.
    Accept,
    /// They are left to the process that has the same socket.
    Leave,
}

/// One listener as a worker serves it.
#[derive(Debug)]
pub struct Door {
    /// The control plane's number of it.
    pub number: u64,
    settings: RefCell<Settings>,
    closing: watch::Sender<Option<Queue>>,
}

#[derive(Debug)]
struct Settings {
    name: String,
    limits: Rc<ListenLimits>,
}

impl Door {
    /// An open door.
    pub fn new(number: u64, listener: Listener) -> Rc<Self> {
        let closing = watch::Sender::new(None);
        Rc::new(Self { number, settings: RefCell::new(Settings::from(listener)), closing })
    }

    /// The listener's name, a metric label.
    pub fn name(&self) -> String {
        self.settings.borrow().name.clone()
    }

    /// The limits for a connection that begins now. A connection keeps those that it began with.
    pub fn limits(&self) -> Rc<ListenLimits> {
        Rc::clone(&self.settings.borrow().limits)
    }

    /// Takes new settings over, for connections that begin from now on.
    pub fn change(&self, listener: Listener) {
        *self.settings.borrow_mut() = Settings::from(listener);
    }

    /// Nothing more is accepted, and every connection ends after what it is serving.
    pub fn close(&self, queue: Queue) {
        self.closing.send_if_modified(|closing| closing.replace(queue).is_none());
    }

    /// Whether it is closing.
    pub fn is_closing(&self) -> bool {
        self.closing.borrow().is_some()
    }

    /// Tells when it closes: for [`closed`].
    pub fn closing(&self) -> watch::Receiver<Option<Queue>> {
        self.closing.subscribe()
    }
}

impl From<Listener> for Settings {
    fn from(listener: Listener) -> Self {
        Self { name: listener.name, limits: Rc::new(listener.limits) }
    }
}

/// Waits until the door closes. A door that is gone is closed.
pub(super) async fn closed(closing: &mut watch::Receiver<Option<Queue>>) -> Queue {
    closing.wait_for(Option::is_some).await.ok().and_then(|queue| *queue).unwrap_or(Queue::Accept)
}
