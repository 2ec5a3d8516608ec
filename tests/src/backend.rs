//! A backend of our own: every connection is handed to a script that may do what no real server does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A scripted backend. Its threads end with the test's process.
#[derive(Debug)]
pub struct Backend {
    /// Where it listens.
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

/// One connection, and its number from 0.
#[derive(Debug)]
pub struct Wire {
    /// Counted from 0.
    pub number: usize,
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Request line and fields, as they came.
    pub head: String,
    /// The body, of Content-Length or chunked framing.
    pub body: Vec<u8>,
}

impl Backend {
    /// Runs `script` for every connection, each in a thread of its own.
    pub fn start(script: impl Fn(&mut Wire) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (counter, script) = (Arc::clone(&connections), Arc::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&script);
                std::thread::spawn(move || {
                    let reader = BufReader::new(stream.try_clone().unwrap());
                    script(&mut Wire { number, stream, reader });
                });
            }
        });
        Self { address, connections }
    }

    /// Answers every request with what `answer` makes of it.
    pub fn answering(answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start(move |wire| {
            while let Some(seen) = wire.request() {
                wire.send(&answer(&seen));
            }
        })
    }

    /// Answers 200 with a short body.
    pub fn fine() -> Self {
        Self::answering(|_| ok("fine"))
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Wire {
    /// The next request; none when the other side has closed.
    pub fn request(&mut self) -> Option<Seen> {
        let head = self.head()?;
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let body = match length {
            Some(length) => {
                let mut body = vec![0; length];
                self.reader.read_exact(&mut body).ok()?;
                body
            }
            None if lower.contains("transfer-encoding: chunked") => self.chunks()?,
            None => Vec::new(),
        };
        Some(Seen { head, body })
    }

    /// The next request's head alone.
    pub fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        loop {
            let from = head.len();
            if self.reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
            if head.get(from..) == Some("\r\n") {
                return Some(head);
            }
        }
    }

    /// So many bytes, or fewer if the other side closes first.
    pub fn exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.reader.by_ref().take(count as u64).read_to_end(&mut bytes);
        bytes
    }

    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).ok()?;
            let size = usize::from_str_radix(line.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            self.reader.read_exact(&mut chunk).ok()?;
            if size == 0 {
                return Some(body);
            }
            chunk.truncate(size);
            body.extend(chunk);
        }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Closes both directions at once.
    pub fn close(&self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }

    /// Waits until the other side closes; true when it did.
    pub fn wait_closed(&mut self) -> bool {
        let mut byte = [0];
        matches!(self.reader.read(&mut byte), Ok(0) | Err(_))
    }
}

/// A whole answer of status 200.
pub fn ok(body: &str) -> Vec<u8> {
    answer("200 OK", "", body)
}

/// A whole answer; `fields` are header lines with their line ends.
pub fn answer(status: &str, fields: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{fields}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
