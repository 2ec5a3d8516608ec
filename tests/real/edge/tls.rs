//! TLS as openssl sees it: versions, names, ALPN, client certificates.

use std::io::Write;
use std::process::{Command, Stdio};

use super::Site;

/// One handshake by `openssl s_client` and a request behind it, at whose end weir closes; whether it came about, and what was said.
fn shake(site: &Site, listener: &str, arguments: &[&str]) -> (bool, String) {
    let address = site.weir.address_of(listener);
    let ca = site.authority.ca();
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address, "-CAfile", &ca, "-verify_return_error", "-ign_eof"]);
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("openssl is installed");
    let mut stdin = child.stdin.take().expect("it is ours");
    // It may be gone already.
    let _ = stdin.write_all(b"GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n");
    drop(stdin);
    let output = child.wait_with_output().expect("our own child");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    // With TLS 1.3 the client is done before the server has looked at its certificate: an alert comes behind.
    (said.contains("Verify return code: 0 (ok)") && !said.contains(":SSL alert number"), said)
}

#[test]
fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    let site = Site::start();
    for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let (fine, said) = shake(&site, "secure", &["-servername", "a.example", version]);
        assert!(fine && said.contains(&format!("New, {name}, Cipher is ")), "{said}");
    }
    for version in ["-tls1", "-tls1_1"] {
        // The client's own security level would not even ask.
        let (fine, said) =
            shake(&site, "secure", &["-servername", "a.example", version, "-cipher", "DEFAULT@SECLEVEL=0"]);
        assert!(!fine && said.contains(":SSL alert number"), "{said}");
    }
    let refused = site.weir.scrape().count("weir_http_refused_total", &[("reason", "tls")]);
    assert_eq!(refused, 2, "each handshake that failed is counted");
}

#[test]
fn the_name_chooses_the_certificate() {
    let site = Site::start();
    for name in ["a.example", "b.example"] {
        let (fine, said) = shake(&site, "secure", &["-servername", name, "-verify_hostname", name]);
        assert!(fine, "{name}: {said}");
    }
    let (fine, said) = shake(&site, "secure", &["-servername", "b.example", "-verify_hostname", "a.example"]);
    assert!(!fine && said.contains("hostname mismatch"), "{said}");
    // The first certificate is for all others.
    for arguments in [&["-noservername"][..], &["-servername", "nobody.example"]] {
        let (fine, said) = shake(&site, "secure", &[arguments, &["-verify_hostname", "a.example"]].concat());
        assert!(fine, "{said}");
    }
}

#[test]
fn the_protocol_is_agreed_on_or_there_is_none() {
    let site = Site::start();
    for (offer, agreed) in [("h2,http/1.1", "h2"), ("http/1.1,h2", "h2"), ("http/1.1", "http/1.1")] {
        let (fine, said) = shake(&site, "secure", &["-servername", "a.example", "-alpn", offer]);
        assert!(fine && said.contains(&format!("ALPN protocol: {agreed}")), "{offer}: {said}");
    }
    let (fine, said) = shake(&site, "secure", &["-servername", "a.example"]);
    assert!(fine && said.contains("No ALPN negotiated"), "{said}");
    let (fine, said) = shake(&site, "secure", &["-servername", "a.example", "-alpn", "spdy/3"]);
    assert!(!fine && said.contains("no application protocol"), "{said}");
}

#[test]
fn a_client_without_a_good_certificate_is_not_served() {
    let site = Site::start();
    let ours = site.authority.sign("client", &["client"]);
    let stranger = weir_tests::authority::Authority::new().sign_kept("client", &["client"]);
    for version in ["-tls1_2", "-tls1_3"] {
        let base = ["-servername", "a.example", version];
        let with = |cert: &str, key: &str| {
            shake(&site, "mutual", &[&base[..], &["-cert", cert, "-key", key]].concat())
        };
        let (fine, said) = with(&ours.cert, &ours.key);
        assert!(fine, "{said}");
        let (fine, said) = shake(&site, "mutual", &base);
        assert!(!fine && said.contains("alert"), "{said}");
        let (fine, said) = with(&stranger.cert, &stranger.key);
        assert!(!fine && said.contains("alert"), "{said}");
    }
    let (cert, key) = (ours.cert.as_str(), ours.key.as_str());
    let url = site.url("mutual", "/v2/models/any/infer");
    let asked = |arguments: &[&str]| site.curl(&[arguments, &["--output", "/dev/null", &url]].concat());
    assert_eq!(asked(&["--cert", cert, "--key", key]), (0, "200 2".to_owned()));
    assert!(asked(&[]).0 != 0);
}
