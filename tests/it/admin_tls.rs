//! The admin side over TLS: who is let in by a certificate, and weir's own commands over it.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Output};

use rustls::ClientConfig;
use weir_config::{ClientCertificates, Config, ListenTls};
use weir_gateway::app::{Gateway as App, StartError};
use weir_tests::binary;
use weir_tests::gateway::{Gateway, wait};

use crate::tls::authority::{Authority, exchange};

const NAME: &str = "admin.example";
const TOKEN: &str = "canary-admin-token-0123456789";

fn tls(authority: &Authority, clients: Option<ClientCertificates>) -> ListenTls {
    ListenTls {
        certificates: vec![authority.sign("admin", &[NAME])],
        client_ca: clients.map(|_| authority.ca()),
        client_certificates: clients.unwrap_or_default(),
        ..ListenTls::default()
    }
}

fn before_nothing(change: impl FnOnce(&mut Config)) -> Gateway {
    Gateway::with("triton", "127.0.0.1:1".parse().unwrap(), change)
}

fn local(address: SocketAddr) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], address.port()))
}

/// The status of the answer; 0 where there is none.
fn ask(admin: SocketAddr, client: ClientConfig, method: &str, path: &str, fields: &str) -> u16 {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{fields}connection: close\r\ncontent-length: 0\r\n\r\n"
    );
    let socket = TcpStream::connect(local(admin)).unwrap();
    let answer = exchange(socket, NAME, client, request.as_bytes()).unwrap_or_default();
    answer.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0)
}

#[test]
fn required_certificates_guard_an_open_address_and_stand_for_the_token() {
    let authority = Authority::new();
    let mine = authority.sign("me", &["me"]);
    let foreign = Authority::new();
    let theirs = foreign.sign("them", &["them"]);
    let gateway = before_nothing(|config| {
        config.admin.address = "0.0.0.0:0".parse().unwrap();
        config.admin.tls = Some(tls(&authority, Some(ClientCertificates::Required)));
    });
    let get = |client, path| ask(gateway.admin, client, "GET", path, "");
    assert_eq!(get(authority.client(Some(&mine)), "/metrics"), 200);
    assert_eq!(get(authority.client(None), "/healthz"), 0);
    assert_eq!(get(authority.client(Some(&theirs)), "/metrics"), 0);
    assert_eq!(ask(gateway.admin, authority.client(Some(&mine)), "POST", "/-/drain", ""), 202);
}

#[test]
fn optional_certificates_are_no_guard_by_themselves_and_stand_beside_the_token() {
    let authority = Authority::new();
    let optional = tls(&authority, Some(ClientCertificates::Optional));
    let flag = "triton=http://127.0.0.1:1".parse().unwrap();
    for tls in [optional.clone(), tls(&authority, None)] {
        let mut config = Config::from_flags(std::slice::from_ref(&flag)).unwrap();
        config.admin.address = "0.0.0.0:0".parse().unwrap();
        config.admin.tls = Some(tls);
        assert!(matches!(App::start(config), Err(StartError::AdminOpen(_))));
    }
    let folder = binary::folder();
    let file = folder.join("token");
    fs::write(&file, TOKEN).unwrap();
    let mine = authority.sign("me", &["me"]);
    let gateway = before_nothing(|config| {
        config.admin.address = "0.0.0.0:0".parse().unwrap();
        (config.admin.tls, config.admin.token_file) = (Some(optional), Some(file));
    });
    let bearer = format!("authorization: Bearer {TOKEN}\r\n");
    let ask = |client, method, path, fields: &str| ask(gateway.admin, client, method, path, fields);
    assert_eq!(ask(authority.client(None), "GET", "/healthz", ""), 200);
    assert_eq!(ask(authority.client(None), "GET", "/metrics", ""), 401);
    assert_eq!(ask(authority.client(None), "GET", "/metrics", &bearer), 200);
    assert_eq!(ask(authority.client(None), "POST", "/-/reload", ""), 401);
    assert_eq!(ask(authority.client(Some(&mine)), "GET", "/metrics", ""), 200);
    // Entitled to: but this gateway has no file.
    assert_eq!(ask(authority.client(Some(&mine)), "POST", "/-/reload", ""), 409);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn metrics_have_tls_of_their_own_and_changed_files_are_read_again() {
    let authority = Authority::new();
    let flag = "triton=http://127.0.0.1:1".parse().unwrap();
    let mut config = Config::from_flags(&[flag]).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    config.listeners.first_mut().unwrap().address = any.into();
    (config.admin.address, config.admin.metrics_address, config.workers) = (any, Some(any), Some(1));
    config.admin.metrics_tls = Some(tls(&authority, None));
    let app = App::start(config).unwrap();
    let metrics = app.metrics.unwrap();
    let ask = |client, path| ask(metrics, client, "GET", path, "");
    assert_eq!(ask(authority.client(None), "/metrics"), 200);
    assert_eq!(ask(authority.client(None), "/api/v1/models"), 404);
    let plain = weir_tests::client::get(metrics, "/metrics");
    assert_eq!(plain.status, 0);
    let scrape = || weir_tests::client::get(app.admin, "/metrics").body_text();
    let expiry = "weir_tls_certificate_expiry_timestamp_seconds{listener=\"admin_metrics\",certificate=\"admin.example\"}";
    wait("the certificate's end to be told", || scrape().contains(expiry));
    authority.sign("admin", &["next.example"]);
    let read = "weir_tls_certificate_reloads_total{listener=\"admin_metrics\",result=\"ok\"} 1";
    wait("the new file to be read", || scrape().contains(read));
    // The certificate is another one's now.
    assert_eq!(ask(authority.client(None), "/metrics"), 0);
    app.drain();
    app.wait();
}

fn weir(gateway: &Gateway, command: &[&str], arguments: &[String]) -> Output {
    let admin = format!("https://{}", local(gateway.admin));
    Command::new(binary::path()).args(command).args(["--admin", &admin]).args(arguments).output().unwrap()
}

#[test]
fn weirs_own_commands_ask_over_tls() {
    let authority = Authority::new();
    let mine = authority.sign("me", &["me"]);
    let gateway = before_nothing(|config| {
        config.admin.address = "0.0.0.0:0".parse().unwrap();
        config.admin.tls = Some(tls(&authority, Some(ClientCertificates::Required)));
    });
    let ca = ["--ca".to_owned(), authority.ca(), "--server-name".to_owned(), NAME.to_owned()];
    let me = ["--client-cert".to_owned(), mine.cert, "--client-key".to_owned(), mine.key];
    for (arguments, why) in [
        (&me[..], "TLS handshake failed"),
        (&ca[..], "cannot ask the gateway at https://127.0.0.1:"),
        (&me[..2], "--client-key"),
    ] {
        let output = weir(&gateway, &["drain"], arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{said}");
    }
    let all = [&ca[..], &me[..]].concat();
    let reload = weir(&gateway, &["reload"], &all);
    let said = String::from_utf8_lossy(&reload.stderr).into_owned();
    assert!(said.contains("no file to load again"), "{said}");
    let drain = weir(&gateway, &["drain"], &all);
    assert!(drain.status.success() && drain.stdout == b"draining\n", "{drain:?}");
    gateway.wait_drained();
}
