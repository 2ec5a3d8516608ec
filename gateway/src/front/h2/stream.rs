//! Runs each HTTP/2 stream as a task of the worker, and ends it when its client no longer takes the answer: a window that is never
//! opened would hold the backend's connection for ever, and no socket is blocked to tell.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use metrics::counter;
use tokio::time::{Instant, Sleep};
use weir_telemetry::names;

use crate::body::{BodyError, Outbound};
use crate::front::CoarseClock;

/// Since when a piece of an answer has been waiting for the client's window.
#[derive(Debug, Default)]
pub(super) struct Stall(Cell<Option<Instant>>);

/// Spawns stream tasks. hyper calls the service and then spawns its stream, so the stall made last belongs to the next task.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    made: Rc<RefCell<Option<Rc<Stall>>>>,
    limit: Duration,
}

impl Streams {
    /// `limit`: how long a client may take nothing.
    pub(super) fn new(limit: Duration) -> Self {
        Self { made: Rc::default(), limit }
    }

    /// For the stream that is spawned next.
    pub(super) fn next(&self) -> Rc<Stall> {
        let stall = Rc::<Stall>::default();
        *self.made.borrow_mut() = Some(Rc::clone(&stall));
        stall
    }
}

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, task: F) {
        let stall = self.made.borrow_mut().take().unwrap_or_default();
        let task = Task { task: Box::pin(task), stall, limit: self.limit, timer: None };
        // It ends with its stream, and that with its connection.
        tokio::task::spawn_local(task);
    }
}

struct Task<F> {
    task: Pin<Box<F>>,
    stall: Rc<Stall>,
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<F: Future<Output = ()>> Future for Task<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.task.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        loop {
            let Some(since) = this.stall.0.get() else {
                this.timer = None;
                return Poll::Pending;
            };
            let until = since + this.limit;
            let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= until {
                // Dropping the stream resets it, and settles its request.
                counter!(names::HTTP_REFUSED, "reason" => "write_idle").increment(1);
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
    }
}

/// An answer's body on one stream.
#[derive(Debug)]
pub(super) struct Down {
    body: Outbound,
    stall: Rc<Stall>,
    clock: Rc<CoarseClock>,
}

impl Down {
    /// Its pieces are marked in `stall` until the next one is asked for.
    pub(super) fn new(body: Outbound, stall: Rc<Stall>, clock: Rc<CoarseClock>) -> Self {
        Self { body, stall, clock }
    }
}

impl Body for Down {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        let waits = matches!(&polled, Poll::Ready(Some(Ok(frame))) if frame.is_data());
        this.stall.0.set(waits.then(|| this.clock.now()));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
