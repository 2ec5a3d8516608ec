//! Receivers that want TLS, a token, a password or headers; and those that turn out to be somebody else.

use std::fs;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};

use weir_config::{Authorization, BasicAuth, ListenTls, Remote, RemoteHeader, UpstreamTls, Url};
use weir_gateway::app::Gateway as App;
use weir_tests::backend::{self, Backend};
use weir_tests::gateway::{self, Gateway};

use crate::alerts::{PATIENCE, ask_until, ask_until_known, serving_with};
use crate::tls::authority::Authority;
use crate::tls::with_tls;

/// Says 200 and hands every head to the test.
fn receiver() -> (SocketAddr, Receiver<String>) {
    answering("200 OK", "")
}

fn answering(status: &'static str, fields: &'static str) -> (SocketAddr, Receiver<String>) {
    let (told, hears) = channel();
    let told = Mutex::new(told);
    let receiver = Backend::answering(move |seen| {
        let _ = told.lock().unwrap().send(seen.head.to_ascii_lowercase());
        backend::answer(status, fields, "")
    });
    (receiver.address, hears)
}

fn at(url: &str) -> Remote {
    url.parse::<Url>().unwrap().into()
}

fn trusting(authority: &Authority, address: SocketAddr, path: &str) -> Remote {
    let tls = UpstreamTls {
        ca: Some(authority.ca()),
        server_name: Some("receiver.example".to_owned()),
        ..UpstreamTls::default()
    };
    Remote { tls: Some(tls), ..at(&format!("https://{address}{path}")) }
}

/// A server with TLS in front of a plain one.
fn with_certificate(authority: &Authority, name: &str, plain: SocketAddr) -> Gateway {
    let tls = ListenTls { certificates: vec![authority.sign(name, &[name])], ..ListenTls::default() };
    Gateway::with("generic", plain, with_tls(tls))
}

#[test]
fn a_receiver_over_https_is_shown_what_its_files_hold_at_the_time() {
    let authority = Authority::new();
    let (plain, hears) = receiver();
    let server = with_certificate(&authority, "receiver.example", plain);
    let (token, key) = (authority.path("token"), authority.path("key"));
    fs::write(&token, "first\n").unwrap();
    fs::write(&key, "canary").unwrap();
    let (gateway, fails) = serving_with(|alerts| {
        alerts.alertmanagers = vec![Remote {
            authorization: Some(Authorization {
                credentials_file: token.display().to_string(),
                ..Authorization::default()
            }),
            headers: vec![
                RemoteHeader { name: "X-Scope".to_owned(), value: Some("a b".to_owned()), value_file: None },
                RemoteHeader {
                    name: "x-key".to_owned(),
                    value: None,
                    value_file: Some(key.display().to_string()),
                },
            ],
            ..trusting(&authority, server.address, "/am")
        }];
    });
    ask_until_known(&gateway);
    fails.store(true, Ordering::Relaxed);
    ask_until(&gateway, "firing");
    let head = hears.recv_timeout(PATIENCE).unwrap();
    assert!(head.starts_with("post /am/api/v2/alerts http/1.1\r\n"), "{head}");
    for line in ["authorization: bearer first\r\n", "x-scope: a b\r\n", "x-key: canary\r\n"] {
        assert!(head.contains(line), "{head}");
    }
    fs::write(&token, "second").unwrap();
    let renewed = || hears.recv_timeout(PATIENCE).unwrap().contains("authorization: bearer second\r\n");
    while !renewed() {}
}

#[test]
fn user_and_password_are_sent_as_basic_authentication_has_them() {
    let (plain, hears) = receiver();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "open sesame\n").unwrap();
    let (gateway, fails) = serving_with(|alerts| {
        alerts.webhooks = vec![Remote {
            basic_auth: Some(BasicAuth {
                username: "Aladdin".to_owned(),
                password_file: file.path().display().to_string(),
            }),
            ..at(&format!("http://{plain}/?key=x"))
        }];
    });
    ask_until_known(&gateway);
    fails.store(true, Ordering::Relaxed);
    ask_until(&gateway, "firing");
    let head = hears.recv_timeout(PATIENCE).unwrap();
    assert!(head.starts_with("post /?key=x http/1.1\r\n"), "{head}");
    // RFC 7617 §2 has this very pair.
    assert!(head.contains("authorization: basic qwxhzgrpbjpvcgvuihnlc2ftzq==\r\n"), "{head}");
}

#[test]
fn a_server_that_is_not_who_it_should_be_is_told_nothing() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (plain, hears) = receiver();
    let other_name = with_certificate(&authority, "other.example", plain);
    let other_authority = with_certificate(&stranger, "receiver.example", plain);
    let (gateway, fails) = serving_with(|alerts| {
        alerts.webhooks = vec![
            trusting(&authority, other_name.address, "/secret-path"),
            trusting(&authority, other_authority.address, "/secret-path"),
        ];
    });
    ask_until_known(&gateway);
    fails.store(true, Ordering::Relaxed);
    ask_until(&gateway, "firing");
    for server in [other_name.address, other_authority.address] {
        let errors = format!("weir_alerts_send_errors_total{{receiver=\"https://{server}\",reason=\"tls\"}}");
        gateway::wait("the failure is counted", || gateway.value(&errors) > 0.0);
    }
    assert!(hears.try_recv().is_err());
}

#[test]
fn a_redirect_is_refused_and_what_would_follow_hears_nothing() {
    let (target, hears) = receiver();
    let location: &'static str = format!("location: http://{target}/\r\n").leak();
    let (redirecting, asked) = answering("307 Temporary Redirect", location);
    let (gateway, fails) = serving_with(|alerts| {
        alerts.webhooks = vec![at(&format!("http://{redirecting}/"))];
    });
    ask_until_known(&gateway);
    fails.store(true, Ordering::Relaxed);
    ask_until(&gateway, "firing");
    asked.recv_timeout(PATIENCE).unwrap();
    let errors =
        format!("weir_alerts_send_errors_total{{receiver=\"http://{redirecting}\",reason=\"refused\"}}");
    gateway::wait("the failure is counted", || gateway.value(&errors) > 0.0);
    assert!(hears.try_recv().is_err());
}

#[test]
fn files_that_cannot_be_used_are_named_before_anything_starts() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    let authorized = |path: &str| {
        let file = path.to_owned();
        let authorization = Authorization { credentials_file: file, ..Authorization::default() };
        Remote { authorization: Some(authorization), ..at("http://127.0.0.1:1") }
    };
    let ca = UpstreamTls { ca: Some("/nowhere/ca.pem".to_owned()), ..UpstreamTls::default() };
    let empty_path = empty.path().display().to_string();
    for (remote, said) in [
        (authorized("/nowhere/token"), "cannot read /nowhere/token"),
        (authorized(&empty_path), "holds nothing"),
        (
            Remote { tls: Some(ca), ..at("https://127.0.0.1:1") },
            "TLS to https://127.0.0.1:1: /nowhere/ca.pem",
        ),
    ] {
        let flag = "generic=http://127.0.0.1:1".parse().unwrap();
        let mut config = weir_config::Config::from_flags(&[flag]).unwrap();
        config.alerts.webhooks = vec![remote];
        let error = App::start(config).unwrap_err().to_string();
        assert!(error.starts_with("alerts: ") && error.contains(said), "{error}");
    }
}
