//! The access log's own thread: takes lines from a bounded queue, forms them, and writes as many at once as there are.
//!
//! What cannot be written is dropped and counted: a full disk, a closed pipe or a file that cannot be opened is told once to the
//! log of the process and tried again with the next lines.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use metrics::counter;
use weir_config::AccessLog;
use weir_telemetry::names;

use super::Line;

/// Bytes that are written at once.
const BATCH_BYTES: usize = 64 * 1024;
/// How long a file that could not be written is left alone before it is opened again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The sending side, shared by every worker. When the last one is gone, the thread writes what is left and ends.
#[derive(Debug)]
pub struct Log {
    settings: AccessLog,
    queue: SyncSender<Message>,
    reopen: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Message {
    Line(Box<Line>),
    /// Look at `reopen`.
    Wake,
    /// Everything before this is to be written.
    Flush(SyncSender<()>),
}

impl Log {
    /// Starts the thread. Whether the place can be written to is seen there.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(settings: &AccessLog) -> io::Result<Arc<Self>> {
        let (queue, lines) = sync_channel(settings.queue_lines_max as usize);
        let reopen = Arc::new(AtomicBool::new(false));
        let writer = Writer::new(settings.clone(), Arc::clone(&reopen));
        std::thread::Builder::new().name("weir-access-log".to_owned()).spawn(move || writer.run(&lines))?;
        Ok(Arc::new(Self { settings: settings.clone(), queue, reopen }))
    }

    pub(super) fn settings(&self) -> &AccessLog {
        &self.settings
    }

    /// Hands a line over; it is dropped when the queue is full.
    pub(super) fn write(&self, line: Box<Line>) {
        if self.queue.try_send(Message::Line(line)).is_err() {
            counter!(names::ACCESS_LOG_DROPPED, "reason" => "queue_full").increment(1);
        }
    }

    /// The file is opened again under its name: whoever turns logs over has moved it.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Release);
        // A full queue needs no waking.
        let _ = self.queue.try_send(Message::Wake);
    }

    /// Waits until what was handed over is written, no longer than `patience`.
    pub fn flush(&self, patience: Duration) {
        let (done, wait) = sync_channel(1);
        if self.queue.try_send(Message::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(patience);
        }
    }
}

struct Writer {
    settings: AccessLog,
    reopen: Arc<AtomicBool>,
    file: Option<File>,
    batch: String,
    lines: u64,
    /// The last write ended within a line.
    torn: bool,
    failing: bool,
}

impl Writer {
    fn new(settings: AccessLog, reopen: Arc<AtomicBool>) -> Self {
        Self { settings, reopen, file: None, batch: String::new(), lines: 0, torn: false, failing: false }
    }

    fn run(mut self, lines: &Receiver<Message>) {
        // So that a place that cannot be written to is told at once, and a file is there before the first line.
        self.open();
        loop {
            // While it fails there is no hurry.
            let first = match self.failing {
                true => lines.recv_timeout(RETRY_AFTER),
                false => lines.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let mut flushed = Vec::new();
            let mut next = match first {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            while let Some(message) = next {
                match message {
                    Message::Line(line) => {
                        line.write(self.settings.format, &mut self.batch);
                        self.lines += 1;
                    }
                    Message::Wake => {}
                    Message::Flush(done) => flushed.push(done),
                }
                if self.batch.len() >= BATCH_BYTES {
                    break;
                }
                next = lines.try_recv().ok();
            }
            if self.reopen.swap(false, Ordering::AcqRel) {
                self.file = None;
                self.open();
            }
            self.write();
            for done in flushed {
                let _ = done.try_send(());
            }
        }
    }

    fn is_stdout(&self) -> bool {
        self.settings.to == "stdout"
    }

    fn open(&mut self) {
        if self.is_stdout() {
            return;
        }
        match OpenOptions::new().create(true).append(true).open(&self.settings.to) {
            Ok(file) => self.file = Some(file),
            Err(error) => self.failed(&error),
        }
    }

    /// Writes the batch, or drops it.
    fn write(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        if self.file.is_none() {
            self.open();
        }
        if std::mem::take(&mut self.torn) {
            self.batch.insert(0, '\n');
        }
        let written = match &mut self.file {
            _ if self.settings.to == "stdout" => all(&mut io::stdout().lock(), self.batch.as_bytes()),
            Some(file) => all(file, self.batch.as_bytes()),
            None => Err((0, io::ErrorKind::NotFound.into())),
        };
        match written {
            Ok(()) => {
                counter!(names::ACCESS_LOG_LINES).increment(self.lines);
                if std::mem::take(&mut self.failing) {
                    tracing::info!(to = self.settings.to, "the access log is written again");
                }
            }
            Err((done, error)) => {
                let before = self.batch.as_bytes().get(..done).unwrap_or_default();
                let whole = before.iter().filter(|byte| **byte == b'\n').count() as u64;
                self.torn = before.last().is_some_and(|byte| *byte != b'\n');
                counter!(names::ACCESS_LOG_LINES).increment(whole.min(self.lines));
                counter!(names::ACCESS_LOG_DROPPED, "reason" => "write")
                    .increment(self.lines.saturating_sub(whole));
                self.file = None;
                self.failed(&error);
            }
        }
        self.batch.clear();
        self.batch.shrink_to(BATCH_BYTES * 2);
        self.lines = 0;
    }

    fn failed(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(%error, to = self.settings.to, "the access log cannot be written; its lines are dropped and counted");
        }
    }
}

/// Writes all of it, or says how much was written before the error.
fn all(out: &mut impl Write, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        match out.write(rest) {
            Ok(0) => return Err((done, io::ErrorKind::WriteZero.into())),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((done, error)),
        }
    }
    out.flush().map_err(|error| (done, error))
}
