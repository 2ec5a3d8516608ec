//! One request by the real curl.

use std::process::Command;
use std::time::{Duration, Instant};

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    /// 0 when there was no answer.
    pub(crate) status: u16,
    /// As received, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) took: Duration,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in the body {:?}", self.body))
    }
}

/// Sends one request on a connection of its own.
pub(crate) fn curl(arguments: &[&str]) -> Reply {
    let began = Instant::now();
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--include", "--no-keepalive", "--max-time", "60"])
        .args(arguments)
        .output()
        .expect("curl is installed");
    let took = began.elapsed();
    let text = String::from_utf8_lossy(&output.stdout);
    let (head, body) = final_answer(&text);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    Reply { status: status.unwrap_or(0), headers, body: body.to_owned(), took }
}

/// Leaves out the `100 Continue` that may come first.
fn final_answer(text: &str) -> (&str, &str) {
    let mut rest = text;
    loop {
        let (head, body) = rest.split_once("\r\n\r\n").unwrap_or((rest, ""));
        if !head.starts_with("HTTP/1.1 100") {
            return (head, body);
        }
        rest = body;
    }
}
