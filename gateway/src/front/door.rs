//! One listener as a worker serves it: its settings, which a reload may change, and whether it is closing.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;
use weir_config::{HalfClose, HttpProtocol, ListenLimits, Listener, ProxyProtocol};

use super::tls::TlsDoor;

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
    /// Connections open through it.
    pub connections: Cell<u32>,
}

/// What a connection is served with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The listener's name.
    name: String,
    /// Its limits.
    pub limits: Rc<ListenLimits>,
    /// Its TLS.
    pub tls: Option<Arc<TlsDoor>>,
    /// What is spoken.
    pub protocols: Rc<[HttpProtocol]>,
    /// Whether a PROXY header comes first.
    pub proxy_protocol: Rc<ProxyProtocol>,
    /// Whether a client that has closed its sending half gets its answer.
    pub half_close: HalfClose,
}

impl Door {
    /// An open door.
    pub fn new(number: u64, listener: Listener, tls: Option<Arc<TlsDoor>>) -> Rc<Self> {
        let (settings, closing) = (RefCell::new(Settings::new(listener, tls)), watch::Sender::new(None));
        Rc::new(Self { number, settings, closing, connections: Cell::new(0) })
    }

    /// The listener's name, a metric label.
    pub fn name(&self) -> String {
        self.settings.borrow().name.clone()
    }

    /// What a connection that begins now is served with. It keeps that to its end.
    pub fn settings(&self) -> Settings {
        self.settings.borrow().clone()
    }

    /// Takes new settings over, for connections that begin from now on.
    pub fn change(&self, listener: Listener, tls: Option<Arc<TlsDoor>>) {
        *self.settings.borrow_mut() = Settings::new(listener, tls);
    }

    /// Nothing more is accepted, and every connection ends after what it is serving.
    pub fn close(&self, queue: Queue) {
        self.closing.send_if_modified(|closing| closing.replace(queue).is_none());
    }

    /// Whether it is closing.
    pub fn is_closing(&self) -> bool {
        self.closing.borrow().is_some()
    }

    /// Tells when it closes: for `closed`.
    pub fn closing(&self) -> watch::Receiver<Option<Queue>> {
        self.closing.subscribe()
    }
}

impl Settings {
    fn new(listener: Listener, tls: Option<Arc<TlsDoor>>) -> Self {
        let Listener { name, limits, proxy_protocol, protocols, half_close, .. } = listener;
        Self {
            name,
            limits: Rc::new(limits),
            tls,
            protocols: protocols.into(),
            proxy_protocol: Rc::new(proxy_protocol),
            half_close,
        }
    }
}

/// Waits until the door closes. A door that is gone is closed.
pub(super) async fn closed(closing: &mut watch::Receiver<Option<Queue>>) -> Queue {
    closing.wait_for(Option::is_some).await.ok().and_then(|queue| *queue).unwrap_or(Queue::Accept)
}
