//! A client that sends exactly the bytes it is given and reads one answer at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection to the gateway.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

/// An answer as it came.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The status code; 0 when the connection closed without one.
    pub status: u16,
    /// Status line and fields, as they came.
    pub head: String,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// Whether the body came to its end.
    pub complete: bool,
}

impl Answer {
    /// The body as text.
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A field's value.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    /// Over a connection that is open.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Self { stream, reader }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a POST with a body.
    pub fn post(&mut self, path: &str, fields: &str, body: &str) {
        self.try_post(path, fields, body).unwrap();
    }

    /// The same, where the other side may be gone.
    ///
    /// # Errors
    /// What the socket said.
    pub fn try_post(&mut self, path: &str, fields: &str, body: &str) -> std::io::Result<()> {
        let length = body.len();
        let request =
            format!("POST {path} HTTP/1.1\r\nhost: weir\r\n{fields}content-length: {length}\r\n\r\n{body}");
        self.stream.write_all(request.as_bytes())
    }

    /// Reads one answer.
    pub fn answer(&mut self) -> Answer {
        let mut answer = Answer::default();
        loop {
            let from = answer.head.len();
            match self.reader.read_line(&mut answer.head) {
                Ok(0) | Err(_) => return answer,
                Ok(_) if answer.head.get(from..) == Some("\r\n") => break,
                Ok(_) => {}
            }
        }
        answer.status = answer.head.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0);
        if let Some(length) = answer.field("content-length").and_then(|length| length.parse().ok()) {
            let got = self.reader.by_ref().take(length).read_to_end(&mut answer.body);
            answer.complete = got.is_ok_and(|got| got as u64 == length);
        } else if answer.field("transfer-encoding").is_some() {
            answer.complete = self.chunks(&mut answer.body).is_some();
        }
        answer
    }

    /// So many bytes, or fewer if the other side closes first.
    pub fn exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.reader.by_ref().take(count as u64).read_to_end(&mut bytes);
        bytes
    }

    /// Says that nothing more will be sent.
    pub fn finish(&self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    /// The sending half, for another thread.
    pub fn sender(&self) -> TcpStream {
        self.stream.try_clone().unwrap()
    }

    /// Reads to the end of the connection, as it comes.
    pub fn everything(&mut self) -> String {
        let mut all = Vec::new();
        let _ = self.reader.read_to_end(&mut all);
        String::from_utf8_lossy(&all).into_owned()
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> Option<()> {
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).ok()?;
            let size = usize::from_str_radix(line.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            self.reader.read_exact(&mut chunk).ok()?;
            if size == 0 {
                return Some(());
            }
            chunk.truncate(size);
            body.extend(chunk);
        }
    }
}

/// One GET on a connection of its own.
pub fn get(address: SocketAddr, path: &str) -> Answer {
    let mut client = Client::connect(address);
    client.send(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n"));
    client.answer()
}

/// One POST on a connection of its own.
pub fn post(address: SocketAddr, path: &str, body: &str) -> Answer {
    let mut client = Client::connect(address);
    client.post(path, "", body);
    client.answer()
}
