//! The workers, as the control plane has them: started, told of listeners, and started again when one ends by itself.
//!
//! A worker's thread ends by itself when something panics outside of a connection (a panic in a connection costs that connection
//! alone). Its connections are lost; its sockets are not, as the control plane has a handle of each: a new worker goes on with what
//! the kernel has queued. One that keeps ending is a fault that another start does not mend: then the gateway drains and fails.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::counter;
use tokio::sync::{mpsc, watch};
use weir_telemetry::names;

use super::sockets::{Plan, Sockets};
use crate::app::State;
use crate::front::Queue;
use crate::worker::{self, Command, Orders};

/// Starts again within [`RESTART_WINDOW`], of all workers together.
const RESTARTS_MAX: usize = 5;
/// Older restarts are forgotten.
const RESTART_WINDOW: Duration = Duration::from_secs(60);

/// The workers.
#[derive(Debug)]
pub struct Fleet {
    state: Arc<State>,
    /// Their listeners.
    pub sockets: Sockets,
    posts: Vec<mpsc::UnboundedSender<Command>>,
    drain: watch::Receiver<bool>,
    abort: watch::Receiver<bool>,
    ended: mpsc::UnboundedSender<usize>,
    restarts: Vec<Instant>,
}

impl Fleet {
    /// Starts every worker. The receiver gets a worker's number when its thread ends.
    ///
    /// # Errors
    /// A thread could not be started, or there are no more descriptors.
    pub fn start(
        state: &Arc<State>,
        sockets: Sockets,
        drain: watch::Receiver<bool>,
        abort: watch::Receiver<bool>,
    ) -> io::Result<(Self, mpsc::UnboundedReceiver<usize>)> {
        let (ended, ends) = mpsc::unbounded_channel();
        let state = Arc::clone(state);
        let mut fleet = Self { state, sockets, posts: Vec::new(), drain, abort, ended, restarts: Vec::new() };
        for id in 0..fleet.state.beats.len() {
            let post = fleet.spawn(id)?;
            fleet.posts.push(post);
        }
        Ok((fleet, ends))
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.posts.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.posts.is_empty()
    }

    /// Tells every worker what becomes of the listeners, and remembers it.
    ///
    /// # Errors
    /// No more descriptors; nobody was told anything.
    pub fn take_over(&mut self, plan: Plan) -> io::Result<()> {
        let workers = self.posts.len();
        let mut openings = Vec::new();
        for (id, post) in self.posts.iter().enumerate() {
            for open in &plan.opened {
                let sockets = open.of_worker(id, workers)?;
                openings.push((
                    post,
                    Command::Open(open.number, Box::new(open.listener.clone()), open.tls.clone(), sockets),
                ));
            }
        }
        for (post, opening) in openings {
            let _ = post.send(opening);
        }
        for post in &self.posts {
            for (number, listener, tls) in &plan.changed {
                let _ = post.send(Command::Change(*number, Box::new(listener.clone()), tls.clone()));
            }
            for number in &plan.closed {
                let _ = post.send(Command::Close(*number, Queue::Accept));
            }
        }
        for open in &plan.opened {
            tracing::info!(name = open.listener.name, address = %open.bound, "listening");
        }
        for open in self.sockets.iter().filter(|open| plan.closed.contains(&open.number)) {
            tracing::info!(name = open.listener.name, address = %open.bound, "no longer listening");
        }
        self.sockets.take_over(plan);
        Ok(())
    }

    /// Every listener closes, and what the kernel has queued is left to the process that has the same sockets.
    pub fn leave_queues(&mut self) {
        for number in self.sockets.leave() {
            for post in &self.posts {
                let _ = post.send(Command::Close(number, Queue::Leave));
            }
        }
    }

    /// One worker's thread has ended and should not have: starts another one in its place, unless that happens too often.
    ///
    /// # Errors
    /// Why there is none; the gateway is to end.
    pub fn replace(&mut self, id: usize) -> io::Result<()> {
        let now = Instant::now();
        self.restarts.retain(|then| now.duration_since(*then) < RESTART_WINDOW);
        if self.restarts.len() >= RESTARTS_MAX {
            return Err(io::Error::other(format!(
                "workers ended {RESTARTS_MAX} times within {RESTART_WINDOW:?}"
            )));
        }
        self.restarts.push(now);
        counter!(names::WORKER_RESTARTS).increment(1);
        let post = self.spawn(id)?;
        if let Some(place) = self.posts.get_mut(id) {
            *place = post;
        }
        Ok(())
    }

    /// Says something to one worker.
    #[cfg(feature = "faults")]
    pub fn tell(&self, id: usize, command: Command) {
        if let Some(post) = self.posts.get(id) {
            let _ = post.send(command);
        }
    }

    fn spawn(&self, id: usize) -> io::Result<mpsc::UnboundedSender<Command>> {
        let (post, commands) = mpsc::unbounded_channel();
        for open in self.sockets.iter() {
            let sockets = open.of_worker(id, self.state.beats.len())?;
            let _ = post.send(Command::Open(
                open.number,
                Box::new(open.listener.clone()),
                open.tls.clone(),
                sockets,
            ));
        }
        let beat = self.state.beats.get(id).map(Arc::clone).unwrap_or_default();
        beat.revive(self.state.epoch.elapsed());
        let orders = Orders {
            id,
            epoch: self.state.epoch,
            shared: Arc::clone(&self.state.shared),
            store: Arc::clone(&self.state.store),
            drain: self.drain.clone(),
            abort: self.abort.clone(),
            beat,
            commands,
        };
        // Sent also when the thread unwinds: a dead worker is noticed, not waited for.
        let last_word = LastWord { id, ended: self.ended.clone() };
        std::thread::Builder::new().name(format!("weir-worker-{id}")).spawn(move || {
            let _last_word = last_word;
            if let Err(error) = worker::run(orders) {
                tracing::error!(%error, worker = id, "worker failed");
            }
        })?;
        Ok(post)
    }
}

#[derive(Debug)]
struct LastWord {
    id: usize,
    ended: mpsc::UnboundedSender<usize>,
}

impl Drop for LastWord {
    fn drop(&mut self) {
        let _ = self.ended.send(self.id);
    }
}
