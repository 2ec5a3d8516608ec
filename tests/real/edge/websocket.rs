//! A WebSocket through weir, by Python's `websockets`: a tunnel both ways, closed by its own handshake, and counted.

use serde_json::json;

use crate::kit::{Server, Weir, client_of, eventually, ports};

#[test]
fn messages_of_every_size_come_back_and_the_close_code_too() {
    let [port] = ports();
    let _server = Server::start("websocket", &[port], &[]);
    eventually("the echo", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let weir = Weir::serve(&format!("openai=http://127.0.0.1:{port}"));
    let url = weir.url("/v1/realtime?model=talker").replace("http://", "ws://");
    for _ in 0..2 {
        let said = client_of("wires", "websocket_echo.py", &["talk", &url]);
        assert_eq!(said[0]["close_code"], json!(4001), "{said:?}");
    }
    let scrape = weir.settled(2);
    assert_eq!(scrape.outcomes("talker"), [("ok", 2)]);
    assert_eq!(scrape.count("weir_http_tunnels_total", &[]), 2);
}
