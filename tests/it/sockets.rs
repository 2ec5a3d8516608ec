//! Unix sockets up and down, the PROXY header, limits on connections and bodies.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use weir_config::{Config, ListenAddress, Listener, ProxyMode, ProxyProtocol, Transport};
use weir_tests::backend::{self, Backend};
use weir_tests::client::{self, Client};
use weir_tests::gateway::{Gateway, wait};

fn first(change: impl FnOnce(&mut Listener)) -> impl FnOnce(&mut Config) {
    move |config| change(config.listeners.first_mut().unwrap())
}

#[test]
fn a_unix_socket_is_served_its_stale_file_replaced_and_a_used_one_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.sock");
    drop(UnixListener::bind(&path).unwrap());
    let backend = Backend::answering(|seen| backend::ok(&seen.head));
    let address = ListenAddress::Unix(path.clone());
    let gateway =
        Gateway::with("generic", backend.address, first(|listener| listener.address = address.clone()));
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"GET /x HTTP/1.1\r\nhost: weir\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("x-forwarded-for: unknown"), "{answer}");

    let flag: weir_config::BackendFlag = format!("generic=http://{}", backend.address).parse().unwrap();
    let mut config = Config::from_flags(&[flag]).unwrap();
    config.listeners.first_mut().unwrap().address = address;
    config.admin.address = "127.0.0.1:0".parse().unwrap();
    let error = weir_gateway::app::Gateway::start(config).unwrap_err();
    assert!(error.to_string().contains("weir.sock"), "{error}");
    gateway.drain();
    gateway.wait_drained();
    assert!(!path.exists());
}

#[test]
fn a_backend_behind_a_unix_socket_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut seen = [0; 4096];
            while stream.read(&mut seen).is_ok_and(|count| count > 0) {
                let _ = stream.write_all(&backend::ok("over a unix socket"));
            }
        }
    });
    let nowhere = "127.0.0.1:9".parse().unwrap();
    let gateway = Gateway::with("generic", nowhere, |config| {
        config.backends.first_mut().unwrap().endpoints.first_mut().unwrap().transport = Transport::Unix(path);
    });
    assert_eq!(client::get(gateway.address, "/x").body_text(), "over a unix socket");
}

fn proxied(mode: ProxyMode, trusted: &str) -> impl FnOnce(&mut Config) {
    let trusted = vec![trusted.parse().unwrap()];
    first(move |listener| listener.proxy_protocol = ProxyProtocol { mode, trusted })
}

#[test]
fn a_proxy_header_from_elsewhere_is_refused_and_counted() {
    let backend = Backend::answering(|seen| backend::ok(&seen.head));
    for (mode, without) in [(ProxyMode::Required, 0), (ProxyMode::Optional, 200)] {
        let gateway = Gateway::with("generic", backend.address, proxied(mode, "192.0.2.0/24"));
        let refused = "weir_http_refused_total{reason=\"proxy_protocol_untrusted\"}";
        let before = gateway.value(refused);
        let mut client = Client::connect(gateway.address);
        client.send("PROXY TCP4 10.1.2.3 10.0.0.2 4000 80\r\nGET /x HTTP/1.1\r\nhost: weir\r\n\r\n");
        assert_eq!(client.answer().status, 0, "{mode:?}");
        wait("it to be counted", || gateway.value(refused) > before);
        assert_eq!(client::get(gateway.address, "/x").status, without, "{mode:?}");
    }
}

#[test]
fn an_optional_proxy_header_is_told_from_a_request_however_it_comes() {
    let backend = Backend::answering(|seen| backend::ok(&seen.head));
    let gateway = Gateway::with("generic", backend.address, proxied(ProxyMode::Optional, "127.0.0.0/8"));
    let version_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\x01\x02\x04\x0a\0\0\x02\x0f\xa0\0\x50";
    let get = b"T /x HTTP/1.1\r\nhost: weir\r\n\r\n";
    for (header, client) in [
        (&b"PROXY TCP4 10.1.2.3 10.0.0.2 4000 80\r\nGE"[..], "10.1.2.3"),
        (&[version_2.as_slice(), b"GE"].concat(), "10.1.2.4"),
        (b"GE", "127.0.0.1"),
        (b"P", "127.0.0.1"),
    ] {
        let mut connection = Client::connect(gateway.address);
        let (one, rest) = header.split_at(1);
        connection.send(one);
        connection.send(rest);
        connection.send(if header == b"P" { b"OST /x HTTP/1.1\r\nhost: weir\r\n\r\n" } else { &get[..] });
        let head = connection.answer().body_text();
        assert!(head.contains(&format!("x-forwarded-for: {client}\r\n")), "{client}: {head}");
    }
}

#[test]
fn a_proxy_header_names_the_client_and_without_one_nothing_is_served() {
    let backend = Backend::answering(|seen| backend::ok(&seen.head));
    let change = first(|listener| listener.proxy_protocol = ProxyMode::Required.into());
    let gateway = Gateway::with("generic", backend.address, change);
    let mut client = Client::connect(gateway.address);
    client.send("PROXY TCP4 10.1.2.3 10.0.0.2 4000 80\r\nGET /x HTTP/1.1\r\nhost: weir\r\n\r\n");
    let head = client.answer().body_text();
    assert!(head.contains("x-forwarded-for: 10.1.2.3\r\n"), "{head}");
    assert_eq!(client::get(gateway.address, "/x").status, 0);
    gateway.wait_for("weir_http_refused_total{reason=\"proxy_protocol\"}", 1.0);
}

#[test]
fn a_body_above_its_limit_is_413_whether_its_length_is_told_or_not() {
    let backend = Backend::answering(|seen| backend::ok(&seen.body.len().to_string()));
    let gateway = Gateway::with(
        "triton",
        backend.address,
        first(|listener| listener.limits.body_bytes_max = weir_config::Bytes(10)),
    );
    let infer = "/v2/models/alpha/infer";
    assert_eq!(client::post(gateway.address, infer, "0123456789").body_text(), "10");
    let answer = client::post(gateway.address, infer, "0123456789a");
    assert_eq!((answer.status, answer.field("connection")), (413, Some("close")));
    let mut chunks = Client::connect(gateway.address);
    chunks.send(format!(
        "POST {infer} HTTP/1.1\r\nhost: weir\r\ntransfer-encoding: chunked\r\n\r\n8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n"
    ));
    assert_eq!(chunks.answer().status, 413);
    gateway.wait_for("weir_http_refused_total{reason=\"body_too_large\"}", 2.0);
}

#[test]
fn the_last_request_of_a_connection_says_so() {
    let backend = Backend::fine();
    let change = first(|listener| listener.limits.requests_per_connection_max = 2);
    let gateway = Gateway::with("generic", backend.address, change);
    let mut client = Client::connect(gateway.address);
    client.post("/x", "", "{}");
    assert_eq!(client.answer().field("connection"), None);
    client.post("/x", "", "{}");
    assert_eq!(client.answer().field("connection"), Some("close"));
    assert_eq!(client.everything(), "");
}

#[test]
fn connections_above_the_limit_are_closed_and_counted() {
    let backend = Backend::fine();
    let gateway = Gateway::with("generic", backend.address, |config| {
        config.workers = Some(1);
        config.listeners.first_mut().unwrap().limits.connections_max = 2;
    });
    let held: Vec<Client> = (0..2).map(|_| Client::connect(gateway.address)).collect();
    wait("both to be served", || gateway.value("weir_http_connections_active") >= 2.0);
    assert_eq!(client::get(gateway.address, "/x").status, 0);
    gateway.wait_for("weir_http_refused_total{reason=\"connections_max\"}", 1.0);
    drop(held);
    wait("room again", || client::get(gateway.address, "/x").status == 200);
}

#[test]
fn requests_above_a_backends_connections_wait_their_turn_and_no_more_than_allowed() {
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let backend = Backend::start(move |wire| {
        while wire.request().is_some() {
            let _ = gate.lock().unwrap().recv();
            wire.send(&backend::ok("fine"));
        }
    });
    let gateway = Gateway::with("triton", backend.address, |config| {
        config.workers = Some(1);
        let pool = &mut config.backends.first_mut().unwrap().pool;
        (pool.connections_max, pool.pending_max) = (1, 1);
    });
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(gateway.address)).collect();
    clients.get_mut(0).unwrap().post("/v2/models/alpha/infer", "", "{}");
    wait("the first to hold the connection", || backend.connections() == 1);
    let mut shed = 0;
    for client in clients.iter_mut().skip(1) {
        client.post("/v2/models/alpha/infer", "", "{}");
    }
    wait("one to be turned away", || {
        gateway.value("weir_http_refused_total{reason=\"upstream_pending\"}") > 0.0
    });
    for _ in 0..2 {
        open.send(()).unwrap();
    }
    for client in &mut clients {
        let answer = client.answer();
        shed += u32::from(answer.status == 503 && answer.field("retry-after") == Some("1"));
        assert!(answer.status == 200 || answer.status == 503, "{}", answer.status);
    }
    assert_eq!((shed, backend.connections()), (1, 1));
}
