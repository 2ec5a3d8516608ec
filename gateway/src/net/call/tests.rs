//! Servers that answer well, late, too much, nonsense, or somewhere else.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use weir_config::Transport;

use super::*;

/// Sends every caller the same bytes and then closes, or stays silent with an open connection.
async fn server(answer: &'static [u8], stays: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            _ = stream.read(&mut head).await;
            _ = stream.write_all(answer).await;
            while stays && stream.read(&mut head).await.is_ok_and(|count| count > 0) {}
        }
    });
    address
}

async fn ask(address: SocketAddr, timeout: Duration) -> Result<Reply, CallError> {
    let endpoint =
        Endpoint { host: address.ip().to_string(), port: address.port(), transport: Transport::Tcp };
    let asked = Call {
        endpoint: &endpoint,
        tls: None,
        method: Method::GET,
        path: "/x?y=z",
        headers: HeaderMap::new(),
        body: Bytes::new(),
        timeout,
        answer_bytes_max: 8,
    };
    call(asked).await
}

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn bodies_are_read_however_they_are_framed() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"[..],
        b"HTTP/1.0 200 OK\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n1;x=y\r\ni\r\n0\r\n\r\n",
    ] {
        let reply = ask(server(answer, false).await, PATIENCE).await.unwrap();
        assert_eq!((reply.status, &reply.body[..]), (StatusCode::OK, &b"hi"[..]));
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let answer = b"HTTP/1.1 307 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let reply = ask(server(answer, false).await, PATIENCE).await.unwrap();
    assert_eq!(reply.status, StatusCode::TEMPORARY_REDIRECT);
}

#[tokio::test]
async fn what_is_no_answer_has_its_reason() {
    for (answer, reason) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n123456789"[..], "too_long"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n", "too_long"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n123", "broken"),
        (b"SSH-2.0-OpenSSH\r\n", "broken"),
        (b"", "broken"),
    ] {
        let error = ask(server(answer, false).await, PATIENCE).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
    }
    let silent = ask(server(b"", true).await, Duration::from_millis(50)).await;
    assert_eq!(silent.unwrap_err().reason(), "timeout");
    let trickling =
        ask(server(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n1", true).await, Duration::from_millis(50))
            .await;
    assert_eq!(trickling.unwrap_err().reason(), "timeout");
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(ask(nobody, PATIENCE).await.unwrap_err().reason(), "connect");
}
