//! A line's two forms: a JSON object, or the combined log format of web servers.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::HeaderValue;
use weir_config::AccessFormat;
use weir_telemetry::Start;

use super::{Line, escape};
use crate::alerts::date_of;

impl Line {
    /// Appends the line and its end.
    pub(super) fn write(&self, format: AccessFormat, out: &mut String) {
        match format {
            AccessFormat::Json => self.json(out),
            AccessFormat::Clf => self.combined(out),
        }
        out.push('\n');
    }

    /// What is not known is left out. Times in seconds, from the first byte of the request's head.
    fn json(&self, out: &mut String) {
        out.push_str("{\"time\":\"");
        rfc3339(self.time, out);
        out.push('"');
        let mut object = Object(out);
        object.text("outcome", Some(self.outcome.as_str()));
        object.number("status", self.status.map(|status| u64::from(status.as_u16())));
        object.text("refused", self.refused);
        object.text("backend", self.backend.as_deref());
        object.text("endpoint", self.endpoint.as_deref());
        object.text("model", self.model.as_deref());
        object.text("model_id", self.model_id.as_deref());
        object.text("version", self.version.as_deref());
        object.text("start", Some(self.start.as_str()));
        object.text("evidence", self.evidence.filter(|_| self.start != Start::Unknown).map(|by| by.as_str()));
        object.seconds("duration", self.total);
        object.seconds("queue", Some(self.queue).filter(|queue| !queue.is_zero()));
        object.seconds("connect", self.connect);
        object.seconds("head", self.head);
        object.seconds("first_byte", self.first_byte);
        object.number("request_bytes", Some(self.request_bytes));
        object.number("response_bytes", Some(self.response_bytes));
        object.text("method", self.method.as_ref().map(http::Method::as_str));
        object.text("path", self.path.as_deref());
        object.text("query", self.query.as_deref());
        object.text("protocol", Some(&format!("{:?}", self.protocol)));
        object.text("client", Some(&self.client.ip().to_canonical().to_string()));
        object.number("client_port", Some(u64::from(self.client.port())));
        object.value("user_agent", self.user_agent.as_ref());
        object.value("request_id", self.request_id.as_ref());
        object.text("trace_id", self.trace.map(|id| format!("{id:032x}")).as_deref());
        out.push('}');
    }

    /// `client - - [time] "request" status bytes "referer" "user agent"`; `-` is what is not known.
    fn combined(&self, out: &mut String) {
        let _ = write!(out, "{} - - [", self.client.ip().to_canonical());
        clf_time(self.time, out);
        out.push_str("] \"");
        self.request_line(out);
        out.push_str("\" ");
        match self.status {
            Some(status) => out.push_str(status.as_str()),
            // Its connection was closed (nginx's word for it).
            None if self.refused.is_some() => out.push_str("444"),
            // Nothing was answered: the client had gone (nginx's word for it).
            None => out.push_str("499"),
        }
        let _ = write!(out, " {} \"", self.response_bytes);
        for (value, end) in [(&self.referer, "\" \""), (&self.user_agent, "\"")] {
            match value {
                Some(value) => escape::clf(value.as_bytes(), out),
                None => out.push('-'),
            }
            out.push_str(end);
        }
    }
}

impl Line {
    /// `-` where there was none.
    fn request_line(&self, out: &mut String) {
        let (Some(method), Some(path)) = (&self.method, &self.path) else { return out.push('-') };
        escape::clf(method.as_str().as_bytes(), out);
        out.push(' ');
        escape::clf(path.as_bytes(), out);
        if let Some(query) = &self.query {
            out.push('?');
            escape::clf(query.as_bytes(), out);
        }
        let _ = write!(out, " {:?}", self.protocol);
    }
}

/// The rest of an object whose first member is written.
struct Object<'o>(&'o mut String);

impl Object<'_> {
    fn key(&mut self, key: &str) {
        self.0.push_str(",\"");
        self.0.push_str(key);
        self.0.push_str("\":");
    }

    fn text(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.key(key);
            escape::json(text, self.0);
        }
    }

    fn value(&mut self, key: &str, value: Option<&HeaderValue>) {
        if let Some(value) = value {
            self.key(key);
            escape::json(&String::from_utf8_lossy(value.as_bytes()), self.0);
        }
    }

    fn number(&mut self, key: &str, number: Option<u64>) {
        if let Some(number) = number {
            self.key(key);
            let _ = write!(self.0, "{number}");
        }
    }

    fn seconds(&mut self, key: &str, time: Option<Duration>) {
        if let Some(time) = time {
            self.key(key);
            let _ = write!(self.0, "{}.{:06}", time.as_secs(), time.subsec_micros());
        }
    }
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn rfc3339(time: SystemTime, out: &mut String) {
    out.push_str(&crate::alerts::rfc3339(since_1970(time)));
}

/// `24/Nov/2026:12:47:10 +0000`.
fn clf_time(time: SystemTime, out: &mut String) {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = since_1970(time).as_secs();
    let (year, month, day) = date_of(seconds / 86_400);
    let month =
        usize::try_from(month).ok().and_then(|month| MONTHS.get(month.wrapping_sub(1))).unwrap_or(&"Jan");
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let _ = write!(out, "{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_web_servers_do() {
        let mut out = String::new();
        clf_time(UNIX_EPOCH + Duration::from_secs(1_795_524_430), &mut out);
        assert_eq!(out, "24/Nov/2026:12:47:10 +0000");
    }
}
