//! One data-plane thread: a single-threaded runtime, its own listening sockets, upstream connections and telemetry shard.
//!
//! Workers share nothing that is locked. What the control plane says reaches them as a swapped immutable value ([`Live`]), a watch
//! channel (drain) and a channel of [`Command`]s about listeners.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use weir_telemetry::{Recorder, Store};

use crate::front::{CoarseClock, Door, Listening, Queue, TICK, TlsDoor, Watch, accept_loop};
use crate::identify::Origin;
use crate::live::{Live, Shared};
use crate::upstream::Pool;

/// What a worker's thread owns.
#[derive(Debug)]
pub struct Worker {
    /// Its number, from 0.
    pub id: usize,
    /// Coarse time for limits in seconds.
    pub clock: Rc<CoarseClock>,
    /// Its client connections.
    pub watch: Watch,
    /// Its telemetry shard.
    pub recorder: Recorder,
    /// The gateway's start: telemetry's time zero.
    pub epoch: Instant,
    shared: Arc<Shared>,
    view: RefCell<Rc<View>>,
    drain: watch::Receiver<bool>,
    beat: Arc<Beat>,
    doors: RefCell<Vec<Rc<Door>>>,
    draining: Cell<bool>,
}

/// A configuration as one worker sees it: the shared part, and its own pools by endpoint number.
#[derive(Debug)]
pub struct View {
    /// The compiled configuration.
    pub live: Arc<Live>,
    /// One pool an endpoint, in the order of [`Live::endpoints`].
    pub pools: Vec<Rc<Pool>>,
}

/// What a worker shows the control plane: its last sign of life and what it holds.
#[derive(Debug, Default)]
pub struct Beat {
    /// Milliseconds since the gateway's start when the worker last swept.
    pub swept_ms: AtomicU64,
    /// Whether it ever did.
    pub started: AtomicBool,
    /// Client connections it has open.
    pub connections: AtomicU64,
    /// Upstream connections it holds idle.
    pub upstream_idle: AtomicU64,
    /// Upstream connections it has open, idle or not.
    pub upstream_open: AtomicU64,
    /// Requests by where their model's name was found: [`FOUND_IN`].
    pub found: [AtomicU64; FOUND_IN.len()],
}

/// Where a model's name can stand, as a metric label.
pub const FOUND_IN: [&str; 5] = ["path", "header", "query", "body", "none"];

/// What a worker is started with.
#[derive(Debug)]
pub struct Orders {
    /// Its number.
    pub id: usize,
    /// The gateway's start.
    pub epoch: Instant,
    /// The swapped configuration.
    pub shared: Arc<Shared>,
    /// The telemetry store.
    pub store: Arc<Store>,
    /// True once the drain has begun.
    pub drain: watch::Receiver<bool>,
    /// True once the drain's deadline has passed.
    pub abort: watch::Receiver<bool>,
    /// Its sign of life.
    pub beat: Arc<Beat>,
    /// What the control plane tells it of listeners, the first ones among it.
    pub commands: mpsc::UnboundedReceiver<Command>,
}

/// What the control plane tells a worker of a listener. The number is the control plane's own.
#[derive(Debug)]
pub enum Command {
    /// Accept on these sockets.
    Open(u64, Box<weir_config::Listener>, Option<Arc<TlsDoor>>, Vec<Listening>),
    /// New connections get other settings.
    Change(u64, Box<weir_config::Listener>, Option<Arc<TlsDoor>>),
    /// Accept no more; connections end after what they are serving.
    Close(u64, Queue),
    /// Panic outside of any connection.
    #[cfg(feature = "faults")]
    Panic,
    /// Block the thread for so long.
    #[cfg(feature = "faults")]
    Block(Duration),
}

impl Beat {
    /// A worker starts, or starts again.
    pub fn revive(&self, now: Duration) {
        self.swept_ms.store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Worker {
    /// A worker without sockets: the data path with nothing in front of it.
    pub fn new(orders: &Orders) -> Rc<Self> {
        let clock = Rc::new(CoarseClock::new());
        let view = View::new(orders.shared.load(), &[], &clock);
        Rc::new(Self {
            id: orders.id,
            clock,
            watch: Watch::default(),
            recorder: orders.store.recorder(orders.id),
            epoch: orders.epoch,
            shared: Arc::clone(&orders.shared),
            view: RefCell::new(view),
            drain: orders.drain.clone(),
            beat: Arc::clone(&orders.beat),
            doors: RefCell::default(),
            draining: Cell::new(false),
        })
    }

    /// The configuration for a request that begins now. A request keeps the one it began with.
    pub fn view(&self) -> Rc<View> {
        let current = Rc::clone(&self.view.borrow());
        if current.live.generation == self.shared.generation() {
            return current;
        }
        let fresh = View::new(self.shared.load(), &current.pools, &self.clock);
        *self.view.borrow_mut() = Rc::clone(&fresh);
        fresh
    }

    /// Whether the drain has begun.
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Counts where a model's name was found. This worker is the only writer of its counts.
    pub fn found(&self, origin: Option<Origin>) {
        let place = origin.map_or(FOUND_IN.len() - 1, |origin| origin as usize);
        if let Some(count) = self.beat.found.get(place) {
            count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    /// Closes one door, or all of them.
    fn close(&self, number: Option<u64>, queue: Queue) {
        self.doors.borrow_mut().retain(|door| {
            let stays = number.is_some_and(|number| number != door.number);
            if !stays {
                door.close(queue);
                self.watch.retire(door.number);
            }
            stays
        });
    }

    fn sweep(&self) {
        self.recorder.quiesce();
        let now = self.clock.advance();
        self.watch.sweep(now, |reason| {
            metrics::counter!(weir_telemetry::names::HTTP_REFUSED, "reason" => reason).increment(1);
        });
        let view = self.view();
        let (mut idle, mut open) = (0, 0);
        for pool in &view.pools {
            pool.sweep();
            idle += pool.idle() as u64;
            open += u64::from(pool.open());
        }
        self.beat.upstream_idle.store(idle, Ordering::Relaxed);
        self.beat.upstream_open.store(open, Ordering::Relaxed);
        self.beat.connections.store(self.watch.count() as u64, Ordering::Relaxed);
        let since = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.beat.swept_ms.store(since, Ordering::Relaxed);
        self.beat.started.store(true, Ordering::Relaxed);
    }
}

impl View {
    fn new(live: Arc<Live>, earlier: &[Rc<Pool>], clock: &Rc<CoarseClock>) -> Rc<Self> {
        let pools = live
            .endpoints
            .iter()
            .map(|target| {
                let kept = earlier.iter().find(|pool| pool.target == *target);
                kept.map_or_else(|| Pool::new(target.clone(), Rc::clone(clock)), Rc::clone)
            })
            .collect();
        Rc::new(Self { live, pools })
    }
}

/// Runs a worker on the calling thread until the drain has ended.
///
/// # Errors
/// The runtime could not be built, a socket not be registered with it, or an accept loop panicked.
pub fn run(orders: Orders) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async move {
        let worker = Worker::new(&orders);
        serve(&worker, orders.commands, orders.abort).await
    })
}

/// Sweeps and obeys until drained: every socket closed and no connection left, or the deadline passed.
async fn serve(
    worker: &Rc<Worker>,
    mut commands: mpsc::UnboundedReceiver<Command>,
    mut abort: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut tick = tokio::time::interval(TICK);
    let mut drain = worker.drain.clone();
    let mut accepting = JoinSet::new();
    loop {
        let is_draining = worker.is_draining();
        tokio::select! {
            biased;
            Some(command) = commands.recv() => obey(worker, command, &mut accepting)?,
            _ = tick.tick() => worker.sweep(),
            Some(ended) = accepting.join_next(), if !accepting.is_empty() => ended.map_err(io::Error::other)?,
            _ = drain.wait_for(|draining| *draining), if !is_draining => {
                worker.draining.set(true);
                worker.close(None, Queue::Accept);
                tick = tokio::time::interval(DRAIN_TICK);
            }
            _ = abort.wait_for(|abort| *abort) => {
                cut(worker).await;
                return Ok(());
            }
        }
        if worker.is_draining() && accepting.is_empty() && worker.watch.count() == 0 {
            return Ok(());
        }
    }
}

fn obey(worker: &Rc<Worker>, command: Command, accepting: &mut JoinSet<()>) -> io::Result<()> {
    match command {
        Command::Open(number, listener, tls, sockets) => {
            let door = Door::new(number, *listener, tls);
            if worker.is_draining() {
                return Ok(());
            }
            for socket in sockets {
                accepting.spawn_local(accept_loop(Rc::clone(worker), socket, Rc::clone(&door)));
            }
            worker.doors.borrow_mut().push(door);
        }
        Command::Change(number, listener, tls) => {
            if let Some(door) = worker.doors.borrow().iter().find(|door| door.number == number) {
                door.change(*listener, tls);
            }
        }
        Command::Close(number, queue) => worker.close(Some(number), queue),
        #[cfg(feature = "faults")]
        Command::Panic => crate::faults::panic(),
        #[cfg(feature = "faults")]
        Command::Block(time) => crate::faults::block(time),
    }
    Ok(())
}

async fn cut(worker: &Rc<Worker>) {
    let cut = worker.watch.abort_all();
    if cut > 0 {
        tracing::warn!(worker = worker.id, connections = cut, "drain deadline passed, connections cut");
    }
    // One turn of the loop, so that what was cut is settled and counted.
    tokio::task::yield_now().await;
}

/// How often a draining worker looks whether it is done.
const DRAIN_TICK: Duration = Duration::from_millis(20);
