//! Load that counts: threads that ask without a pause until told to stop, and every answer that was not whole and 200.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crate::client::Client;
use crate::gateway::wait;

/// Running load.
#[derive(Debug)]
pub struct Load {
    counts: Arc<Counts>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    stop: AtomicBool,
    asked: AtomicUsize,
    failures: std::sync::Mutex<Vec<String>>,
}

impl Load {
    /// `fresh` threads take a connection for each request, `kept` threads keep theirs as long as the server does.
    pub fn start(address: SocketAddr, fresh: usize, kept: usize) -> Self {
        let counts = Arc::new(Counts::default());
        let threads = (0..fresh + kept).map(|number| {
            let counts = Arc::clone(&counts);
            std::thread::spawn(move || ask(address, number >= fresh, &counts))
        });
        Self { threads: threads.collect(), counts }
    }

    /// Answers so far.
    pub fn asked(&self) -> usize {
        self.counts.asked.load(Ordering::Relaxed)
    }

    /// Waits until so many more were answered.
    pub fn more(&self, count: usize) {
        let from = self.asked();
        wait("load", || self.asked() >= from + count);
    }

    /// Ends it: how many were asked, and what failed.
    pub fn stop(self) -> (usize, Vec<String>) {
        self.counts.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let failures = std::mem::take(&mut *self.counts.failures.lock().unwrap());
        (self.counts.asked.load(Ordering::Relaxed), failures)
    }
}

fn ask(address: SocketAddr, keep: bool, counts: &Counts) {
    let mut connection = None;
    while !counts.stop.load(Ordering::Relaxed) {
        match once(address, &mut connection, keep) {
            Ok(()) => {}
            Err(error) => counts.failures.lock().unwrap().push(error.to_string()),
        }
        counts.asked.fetch_add(1, Ordering::Relaxed);
    }
}

/// A kept connection that the server closed before the request is asked again on a fresh one, as every client must
/// (RFC 9112 §9.3.1), unless bytes of an answer had come. A server that says `Connection: close` spares its clients that.
fn once(address: SocketAddr, connection: &mut Option<Client>, keep: bool) -> io::Result<()> {
    let had_one = connection.is_some();
    let mut client = match connection.take() {
        Some(client) => client,
        None => Client::over(TcpStream::connect(address)?),
    };
    let close = if keep { "" } else { "connection: close\r\n" };
    let sent = client.try_post("/v2/models/alpha/infer", close, "{}");
    let answer = client.answer();
    if had_one && (sent.is_err() || answer.head.is_empty()) {
        return once(address, connection, keep);
    }
    sent?;
    if answer.status != 200 || !answer.complete {
        return Err(io::Error::other(format!("status {} {:?}", answer.status, answer.head)));
    }
    let closes = answer.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    if keep && !closes {
        *connection = Some(client);
    }
    Ok(())
}
