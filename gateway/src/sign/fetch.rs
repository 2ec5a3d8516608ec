//! One small HTTP/1.1 request over plain TCP, for the endpoints on this machine that hand out credentials: no redirects, no proxy, a
//! limit on time and on size.

use std::time::Duration;

use http::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// All of it, connection included: these endpoints are on the same machine, and a machine without them must not hold the control
/// plane up for long.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of an answer, head included.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const FIELDS_MAX: usize = 64;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("it has no host")]
    NoHost,
    #[error("the connection failed")]
    Io(#[from] std::io::Error),
    #[error("no answer within {PATIENCE:?}")]
    Timeout,
    #[error("the answer is not HTTP, or too long")]
    Malformed,
    #[error("the answer has status {0}")]
    Status(u16),
}

/// The body of a good answer.
pub(super) async fn fetch(method: &str, uri: &Uri, fields: &[(&str, &str)]) -> Result<Vec<u8>, FetchError> {
    tokio::time::timeout(PATIENCE, ask(method, uri, fields)).await.unwrap_or(Err(FetchError::Timeout))
}

async fn ask(method: &str, uri: &Uri, fields: &[(&str, &str)]) -> Result<Vec<u8>, FetchError> {
    let authority = uri.authority().ok_or(FetchError::NoHost)?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n");
    for (name, value) in fields {
        if value.contains(['\r', '\n']) {
            return Err(FetchError::Malformed);
        }
        head.extend([name, ": ", *value, "\r\n"]);
    }
    head.push_str("content-length: 0\r\n\r\n");
    let mut stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        let is_ended = stream.read_buf(&mut answer).await? == 0;
        if let Some(body) = body(&answer, is_ended)? {
            return Ok(body);
        }
        if is_ended || answer.len() > ANSWER_BYTES_MAX {
            return Err(FetchError::Malformed);
        }
    }
}

/// The body of an answer, if all of it has come; without a length it goes to the connection's end.
fn body(answer: &[u8], is_ended: bool) -> Result<Option<Vec<u8>>, FetchError> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Response::new(&mut fields);
    let length = match head.parse(answer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(FetchError::Malformed),
    };
    let status = head.code.ok_or(FetchError::Malformed)?;
    if status != 200 {
        return Err(FetchError::Status(status));
    }
    let rest = answer.get(length..).unwrap_or_default();
    let field = |name: &str| head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
    if field("transfer-encoding").is_some() {
        return chunks(rest);
    }
    let Some(length) = field("content-length") else { return Ok(is_ended.then(|| rest.to_vec())) };
    let length = std::str::from_utf8(length.value).ok().and_then(|text| text.trim().parse::<usize>().ok());
    Ok(rest.get(..length.ok_or(FetchError::Malformed)?).map(<[u8]>::to_vec))
}

fn chunks(mut rest: &[u8]) -> Result<Option<Vec<u8>>, FetchError> {
    let mut body = Vec::new();
    loop {
        let (line, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(FetchError::Malformed),
        };
        if size == 0 {
            return Ok(Some(body));
        }
        let size = usize::try_from(size).map_err(|_| FetchError::Malformed)?;
        rest = rest.get(line..).unwrap_or_default();
        let Some((chunk, after)) = rest.split_at_checked(size) else { return Ok(None) };
        let Some(after) = after.strip_prefix(b"\r\n") else { return Ok(None) };
        body.extend_from_slice(chunk);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_however_they_are_framed_and_not_before_their_end() {
        for (answer, needs_end) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", false),
            ("HTTP/1.0 200 OK\r\n\r\nhi", true),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n1;x=y\r\ni\r\n0\r\n", false),
        ] {
            let bytes = answer.as_bytes();
            assert_eq!(body(bytes, true).unwrap().as_deref(), Some(&b"hi"[..]), "{answer}");
            assert_eq!(body(bytes, false).unwrap().is_none(), needs_end, "{answer}");
            for cut in 0..bytes.len() {
                assert!(body(&bytes[..cut], false).unwrap().is_none(), "{answer} cut at {cut}");
            }
        }
    }

    #[test]
    fn what_is_malformed_or_no_success_is_refused() {
        for answer in [
            "hello",
            "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nhi",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhi",
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nhi",
        ] {
            assert!(body(answer.as_bytes(), true).is_err(), "{answer}");
        }
        let endless = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nhi";
        assert!(!matches!(body(endless.as_bytes(), true), Ok(Some(_))));
    }
}
