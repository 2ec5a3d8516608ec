//! Protocols, bodies and errors, by curl and nghttp.

use std::fs;

use super::{Site, run};

const INFER: &str = "/v2/models/any/infer";

#[test]
fn curl_is_served_over_every_protocol_that_it_speaks() {
    let site = Site::start();
    let cases: [(&str, &[&str], &str); 8] = [
        ("clear", &["--http1.0"], "200 1.1"),
        ("clear", &["--http1.1"], "200 1.1"),
        ("clear", &["--http2-prior-knowledge"], "200 2"),
        // The upgrade that RFC 9113 has taken away is not done, and does no harm.
        ("clear", &["--http2"], "200 1.1"),
        ("secure", &["--http1.1"], "200 1.1"),
        ("secure", &["--http2"], "200 2"),
        ("secure", &["--http2", "--tlsv1.3"], "200 2"),
        ("secure", &["--http2", "--tls-max", "1.2"], "200 2"),
    ];
    for (listener, arguments, expected) in cases {
        let url = site.url(listener, INFER);
        let (code, said) = site.curl(&[arguments, &["--output", "/dev/null", "--data", "{}", &url]].concat());
        assert_eq!((code, said.as_str()), (0, expected), "{listener} {arguments:?}");
    }
    let scrape = site.weir.settled(8);
    assert_eq!(scrape.outcomes("any"), [("ok", 8)]);
    for (listener, protocol, count) in
        [("clear", "h1", 3), ("clear", "h2", 1), ("secure", "h1", 1), ("secure", "h2", 3)]
    {
        let labels = [("listener", listener), ("protocol", protocol)];
        assert_eq!(scrape.count("weir_http_connections_total", &labels), count, "{labels:?}");
    }
}

#[test]
fn big_bodies_are_the_same_at_the_other_end() {
    let site = Site::start();
    let file = site.weir.folder().join("big");
    let bytes: Vec<u8> = (0..12_u32 << 18).flat_map(|number| (number ^ number >> 7).to_le_bytes()).collect();
    fs::write(&file, &bytes).unwrap();
    let (file, back) = (file.to_str().unwrap(), site.weir.folder().join("back"));
    let expecting = ["--header", "expect: 100-continue"];
    let chunked = ["--header", "transfer-encoding: chunked"];
    let cases: [(&str, &[&str]); 4] = [
        ("clear", &["--http1.1", expecting[0], expecting[1]]),
        ("clear", &["--http1.1", chunked[0], chunked[1]]),
        ("clear", &["--http2-prior-knowledge"]),
        ("secure", &["--http2"]),
    ];
    for (number, (listener, arguments)) in cases.into_iter().enumerate() {
        let url = site.url(listener, &format!("/files/{number}"));
        let (code, said) = site.curl(&[arguments, &["--upload-file", file, &url]].concat());
        assert!(code == 0 && said.starts_with("201"), "{arguments:?}: {code} {said}");
        let protocol = arguments[0];
        let (code, said) = site.curl(&[protocol, "--output", back.to_str().unwrap(), &url]);
        assert!(code == 0 && said.starts_with("200"), "{arguments:?}: {code} {said}");
        assert!(fs::read(&back).unwrap() == bytes, "{arguments:?}: the bytes are others");
    }
}

#[test]
fn chunked_answers_come_in_one_piece_also_where_no_chunks_are_spoken() {
    let site = Site::start();
    let expected: String = (1..=20_000).map(|number| format!("line {number}\n")).collect();
    for (listener, protocol) in [
        ("clear", "--http1.1"),
        ("clear", "--http1.0"),
        ("clear", "--http2-prior-knowledge"),
        ("secure", "--http2"),
    ] {
        let (code, said) = site.curl(&[protocol, &site.url(listener, "/v2/models/chunked/infer")]);
        assert_eq!(code, 0, "{protocol}");
        assert!(said.starts_with(&expected), "{protocol}: {} bytes", said.len());
    }
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it_and_one_that_is_refused_before_does_not_send() {
    let site = Site::start();
    let file = site.weir.folder().join("body");
    fs::write(&file, vec![b'x'; 512 << 10]).unwrap();
    let data = format!("@{}", file.display());
    let ask = |path: &str| {
        let url = site.url("clear", path);
        run(
            "curl",
            &[
                "-sv",
                "--max-time",
                "20",
                "--expect100-timeout",
                "15",
                "--header",
                "expect: 100-continue",
                "--data-binary",
                &data,
                &url,
            ],
        )
    };
    let (_, said) = ask("/read/it");
    assert!(said.contains("< HTTP/1.1 100") && said.contains("< HTTP/1.1 200"), "{said}");
    // nginx says no by the length alone.
    let (_, said) = ask("/v2/models/small-bodies/infer");
    assert!(said.contains("< HTTP/1.1 413") && said.contains("nginx/"), "{said}");
}

#[test]
fn errors_of_the_server_are_its_own() {
    let site = Site::start();
    let file = site.weir.folder().join("body");
    fs::write(&file, vec![b'x'; 8 << 20]).unwrap();
    let data = format!("@{}", file.display());
    let cases: [(&str, &[&str], &str); 4] = [
        ("/nosuch", &[], "404"),
        ("/files/big", &["--data", "{}"], "405"),
        ("/v2/models/dead/infer", &["--data", "{}"], "502"),
        // An answer that comes while the body is still on its way.
        ("/v2/models/small-bodies/infer", &["--data-binary", &data, "--header", "expect:"], "413"),
    ];
    for (path, arguments, status) in &cases {
        for protocol in ["--http1.1", "--http2-prior-knowledge"] {
            let url = site.url("clear", path);
            // This curl forgets an answer of HTTP/2 that comes before its body is sent, from nginx itself as well.
            if *status == "413" && protocol != "--http1.1" {
                let (_, said) = run("nghttp", &["-nv", "-d", file.to_str().unwrap(), &url]);
                assert!(said.contains(":status: 413") && said.contains("NO_ERROR"), "{said}");
                continue;
            }
            let (code, said) = site.curl(&[&[protocol], *arguments, &[url.as_str()]].concat());
            assert!(code == 0 && said.contains("<center>nginx/"), "{protocol} {path}: {code} {said}");
            assert!(said.rsplit('>').next().unwrap().trim().starts_with(status), "{protocol} {path}: {said}");
        }
    }
    let scrape = site.weir.settled(8);
    assert_eq!(
        scrape.outcomes("__unknown__"),
        [("client_error", 2), ("server_error", 2)],
        "no answer was a success"
    );
}

#[test]
fn nghttp_speaks_with_it_over_tls_and_by_prior_knowledge() {
    let site = Site::start();
    let clear = site.url("clear", INFER);
    let (fine, said) = run("nghttp", &["-nv", "-m", "20", "-d", "/etc/hostname", &clear]);
    assert!(fine, "{said}");
    assert_eq!(said.matches(":status: 200").count(), 20, "{said}");
    let secure = format!("https://{}{INFER}", site.weir.address_of("secure"));
    let (fine, said) = run("nghttp", &["-nv", "-m", "20", "--no-verify-peer", &secure]);
    assert!(fine && said.contains("The negotiated protocol: h2"), "{said}");
    assert_eq!(said.matches(":status: 200").count(), 20, "{said}");
}
