//! TLS on both sides: certificates by name, client certificates, files that change, and backends that are not who they should be.

pub(crate) mod authority;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ServerConfig, ServerConnection, StreamOwned};
use weir_config::{
    CertificateFiles, ClientCertificates, Config, HttpProtocol, ListenAddress, ListenTls, Transport,
    UpstreamTls,
};
use weir_tests::backend::{self, Backend};
use weir_tests::client;
use weir_tests::gateway::{Gateway, wait};

use authority::{Authority, GET, chain, exchange, key};

pub(crate) fn with_tls(tls: ListenTls) -> impl FnOnce(&mut Config) {
    move |config| config.listeners.first_mut().unwrap().tls = Some(tls)
}

/// One GET over TLS; what came, or why nothing did.
fn get(address: SocketAddr, name: &str, config: ClientConfig) -> Result<String, String> {
    exchange(TcpStream::connect(address).unwrap(), name, config, GET)
}

#[test]
fn a_request_over_tls_is_served_and_its_backend_is_told() {
    let authority = Authority::new();
    let backend = Backend::answering(|seen| backend::ok(&seen.head));
    let tls = ListenTls { certificates: vec![authority.sign("a", &["a.example"])], ..ListenTls::default() };
    let gateway = Gateway::with("generic", backend.address, with_tls(tls));
    let answer = get(gateway.address, "a.example", authority.client(None)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("x-forwarded-proto: https"), "{answer}");
    let expiry = "weir_tls_certificate_expiry_timestamp_seconds{listener=\"main\",certificate=\"a.example\"}";
    wait("the certificate's end to be told", || gateway.value(expiry) > 1e9);
}

#[test]
fn the_servers_name_chooses_the_certificate() {
    let authority = Authority::new();
    let backend = Backend::fine();
    let certificates = vec![authority.sign("a", &["a.example"]), authority.sign("b", &["*.b.example"])];
    let gateway = Gateway::with(
        "generic",
        backend.address,
        with_tls(ListenTls { certificates, ..ListenTls::default() }),
    );
    for name in ["a.example", "one.b.example"] {
        assert!(get(gateway.address, name, authority.client(None)).is_ok(), "{name}");
    }
    // The first certificate is for all others, and is not theirs.
    let error = get(gateway.address, "c.example", authority.client(None)).unwrap_err();
    assert!(error.contains("certificate"), "{error}");
}

#[test]
fn clients_show_certificates_where_they_must() {
    let authority = Authority::new();
    let other = Authority::new();
    let backend = Backend::fine();
    let certificates = vec![authority.sign("a", &["a.example"])];
    let good = authority.sign("client", &["client"]);
    let bad = [other.sign("client", &["client"]), authority.sign_expired("old", &["client"])];
    for (client_certificates, without) in
        [(ClientCertificates::Required, false), (ClientCertificates::Optional, true)]
    {
        let tls = ListenTls {
            certificates: certificates.clone(),
            client_ca: Some(authority.ca()),
            client_certificates,
            ..ListenTls::default()
        };
        let gateway = Gateway::with("generic", backend.address, with_tls(tls));
        assert!(get(gateway.address, "a.example", authority.client(Some(&good))).is_ok());
        for bad in &bad {
            assert!(get(gateway.address, "a.example", authority.client(Some(bad))).is_err(), "{}", bad.cert);
        }
        assert_eq!(get(gateway.address, "a.example", authority.client(None)).is_ok(), without);
    }
}

#[test]
fn changed_files_are_read_again_and_bad_ones_leave_the_old() {
    let authority = Authority::new();
    let backend = Backend::fine();
    let files = authority.sign("a", &["a.example"]);
    let tls = ListenTls { certificates: vec![files.clone()], ..ListenTls::default() };
    let gateway = Gateway::with("generic", backend.address, with_tls(tls));
    let reloads = |result: &str| {
        gateway.value(&format!("weir_tls_certificate_reloads_total{{listener=\"main\",result=\"{result}\"}}"))
    };
    fs::write(&files.cert, "nonsense").unwrap();
    wait("the bad file to be refused", || reloads("error") > 0.0);
    assert!(get(gateway.address, "a.example", authority.client(None)).is_ok());
    authority.sign("a", &["b.example"]);
    wait("the new file to be read", || reloads("ok") > 0.0);
    assert!(get(gateway.address, "b.example", authority.client(None)).is_ok());
}

#[test]
fn plain_bytes_on_a_tls_listener_are_refused_and_counted() {
    let authority = Authority::new();
    let backend = Backend::fine();
    let tls = ListenTls { certificates: vec![authority.sign("a", &["a.example"])], ..ListenTls::default() };
    let gateway = Gateway::with("generic", backend.address, with_tls(tls));
    // Other tests of this process count too.
    let before = gateway.value("weir_http_refused_total{reason=\"tls\"}");
    assert_eq!(client::get(gateway.address, "/x").status, 0);
    wait("it to be counted", || gateway.value("weir_http_refused_total{reason=\"tls\"}") > before);
    assert_eq!(backend.connections(), 0);
}

#[test]
fn a_certificate_that_has_ended_is_served_told_and_for_clients_to_judge() {
    let authority = Authority::new();
    let tls = ListenTls {
        certificates: vec![authority.sign_expired("old", &["old.example"])],
        ..ListenTls::default()
    };
    let gateway = Gateway::with("generic", Backend::fine().address, with_tls(tls));
    let error = get(gateway.address, "old.example", authority.client(None)).unwrap_err();
    assert!(error.contains("expired"), "{error}");
    let expiry =
        "weir_tls_certificate_expiry_timestamp_seconds{listener=\"main\",certificate=\"old.example\"}";
    wait("the certificate's end to be told", || (1e9..1.1e9).contains(&gateway.value(expiry)));
}

#[test]
fn a_handshake_that_does_not_come_is_given_up_and_counted() {
    let authority = Authority::new();
    let tls = ListenTls { certificates: vec![authority.sign("a", &["a.example"])], ..ListenTls::default() };
    let gateway = Gateway::with("generic", Backend::fine().address, |config| {
        let listener = config.listeners.first_mut().unwrap();
        listener.tls = Some(tls);
        listener.limits.handshake_timeout = Duration::from_millis(200);
    });
    let count = || gateway.value("weir_http_refused_total{reason=\"handshake_timeout\"}");
    let before = count();
    let mut silent = client::Client::connect(gateway.address);
    // The beginning of a hello that goes no further.
    silent.send([0x16, 0x03, 0x01, 0x02, 0x00]);
    assert_eq!(silent.everything(), "");
    wait("it to be counted", || count() > before);
}

/// A backend over TLS that answers every connection once, and may ask for a certificate of the authority `clients`.
fn tls_backend(files: &CertificateFiles, clients: Option<&Authority>) -> SocketAddr {
    let (listener, config) = (TcpListener::bind("127.0.0.1:0").unwrap(), server(files, clients));
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            answer_once(socket, &config);
        }
    });
    address
}

fn server(files: &CertificateFiles, clients: Option<&Authority>) -> Arc<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let roots = Arc::new(authority.roots());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    Arc::new(builder.with_single_cert(chain(&files.cert), key(&files.key)).unwrap())
}

fn answer_once(socket: impl Read + Write, config: &Arc<ServerConfig>) {
    let session = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut stream = StreamOwned::new(session, socket);
    let mut seen = Vec::new();
    let mut piece = [0; 1024];
    while !seen.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => seen.extend_from_slice(piece.get(..count).unwrap()),
            _ => break,
        }
    }
    let _ = stream.write_all(&backend::answer("200 OK", "connection: close\r\n", "over tls"));
    let _ = stream.flush();
}

#[test]
fn a_backends_certificate_is_checked_unless_it_is_said_not_to() {
    let authority = Authority::new();
    let address = tls_backend(&authority.sign("backend", &["models.internal"]), None);
    let over = |tls: UpstreamTls| {
        Gateway::with("generic", address, move |config| {
            let backend = config.backends.first_mut().unwrap();
            backend.endpoints.first_mut().unwrap().transport = Transport::Tls;
            backend.tls = Some(tls);
        })
    };
    let named = UpstreamTls {
        ca: Some(authority.ca()),
        server_name: Some("models.internal".to_owned()),
        ..UpstreamTls::default()
    };
    for (tls, status) in [
        (named.clone(), 200),
        (UpstreamTls { server_name: Some("other.internal".to_owned()), ..named.clone() }, 502),
        (UpstreamTls { ca: Some(Authority::new().ca_kept()), ..named }, 502),
        (UpstreamTls { insecure_skip_verify: true, ..UpstreamTls::default() }, 200),
    ] {
        let gateway = over(tls.clone());
        let answer = client::get(gateway.address, "/x");
        assert_eq!(answer.status, status, "{tls:?} {}", answer.body_text());
        if status == 502 {
            assert!(answer.body_text().contains("tls_failed"), "{}", answer.body_text());
        }
    }
}

#[test]
fn tls_goes_over_unix_sockets_too_down_and_up() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let (front, back) = (folder.path().join("weir.sock"), folder.path().join("model.sock"));
    let (listener, config) =
        (UnixListener::bind(&back).unwrap(), server(&authority.sign("b", &["localhost"]), None));
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            answer_once(socket, &config);
        }
    });
    let tls = ListenTls { certificates: vec![authority.sign("a", &["a.example"])], ..ListenTls::default() };
    let (at, ca) = (front.clone(), authority.ca());
    let _gateway = Gateway::with("generic", "127.0.0.1:9".parse().unwrap(), move |config| {
        let listener = config.listeners.first_mut().unwrap();
        (listener.address, listener.tls) = (ListenAddress::Unix(at), Some(tls));
        let backend = config.backends.first_mut().unwrap();
        *backend.endpoints.first_mut().unwrap() = format!("https+unix:{}", back.display()).parse().unwrap();
        backend.tls = Some(UpstreamTls { ca: Some(ca), ..UpstreamTls::default() });
    });
    let over = |request| {
        exchange(UnixStream::connect(&front).unwrap(), "a.example", authority.client(None), request)
    };
    let answer = over(GET).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("over tls"), "{answer}");
    // Without TLS there is no answer: it is not a plain listener.
    let mut plain = UnixStream::connect(&front).unwrap();
    plain.write_all(GET).unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[test]
fn a_listener_speaks_what_it_is_told_to_and_offers_nothing_else() {
    let authority = Authority::new();
    let backend = Backend::fine();
    let certificates = vec![authority.sign("a", &["a.example"])];
    for (protocols, agreed, plain, preface) in [
        (vec![HttpProtocol::H2, HttpProtocol::Http1], Some(&b"h2"[..]), "HTTP/1.1 200", true),
        (vec![HttpProtocol::Http1], Some(b"http/1.1"), "HTTP/1.1 200", false),
        (vec![HttpProtocol::H2], Some(b"h2"), "", true),
    ] {
        let tls = ListenTls { certificates: certificates.clone(), ..ListenTls::default() };
        let spoken = protocols.clone();
        let gateway = Gateway::with("generic", backend.address, |config| {
            let listener = config.listeners.first_mut().unwrap();
            (listener.tls, listener.protocols) = (Some(tls), spoken);
        });
        let mut offers = authority.client(None);
        offers.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let socket = TcpStream::connect(gateway.address).unwrap();
        assert_eq!(authority::agreed(socket, "a.example", offers).as_deref(), agreed, "{protocols:?}");
        // Who offers nothing is told by the first bytes.
        let answer = get(gateway.address, "a.example", authority.client(None)).unwrap_or_default();
        assert!(answer.starts_with(plain) && answer.is_empty() == plain.is_empty(), "{protocols:?} {answer}");
        let socket = TcpStream::connect(gateway.address).unwrap();
        let hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let said = authority::first_bytes(socket, "a.example", authority.client(None), hello);
        // A SETTINGS frame, or HTTP/1.1's refusal.
        assert_eq!(said.get(3) == Some(&4), preface, "{protocols:?} {said:?}");
    }
}

/// A gateway before a backend that is called `models.internal` and signed by the authority.
fn before_models_internal(
    address: SocketAddr,
    authority: &Authority,
    client: Option<CertificateFiles>,
) -> Gateway {
    let tls = UpstreamTls {
        ca: Some(authority.ca()),
        server_name: Some("models.internal".to_owned()),
        client,
        ..UpstreamTls::default()
    };
    Gateway::with("generic", address, move |config| {
        let backend = config.backends.first_mut().unwrap();
        backend.endpoints.first_mut().unwrap().transport = Transport::Tls;
        backend.tls = Some(tls);
    })
}

#[test]
fn a_backend_that_asks_for_a_certificate_is_shown_the_configured_one() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let address = tls_backend(&authority.sign("backend", &["models.internal"]), Some(&clients));
    let ours = clients.sign("weir", &["weir"]);
    for (client, status) in
        [(Some(ours), 200), (None, 502), (Some(clients.sign_expired("old", &["weir"])), 502)]
    {
        let gateway = before_models_internal(address, &authority, client.clone());
        assert_eq!(client::get(gateway.address, "/x").status, status, "{client:?}");
    }
}

#[test]
fn a_backend_whose_certificate_has_ended_is_not_trusted() {
    let authority = Authority::new();
    let address = tls_backend(&authority.sign_expired("backend", &["models.internal"]), None);
    let gateway = before_models_internal(address, &authority, None);
    let answer = client::get(gateway.address, "/x");
    assert!(answer.status == 502 && answer.body_text().contains("tls_failed"), "{}", answer.body_text());
}
