//! Requests of every kind against the rules of the door.

use axum::body::Body;

use super::*;

const TOKEN: &[u8] = b"0123456789abcdef";
const NEAR: &str = "127.0.0.1:5000";
const FAR: &str = "192.0.2.7:5000";

fn admin(address: &str, token: bool) -> Admin {
    Admin {
        address: address.parse().unwrap(),
        token_file: token.then(|| "/run/token".into()),
        hosts: vec!["weir.example.org".to_owned()],
        ..Admin::default()
    }
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

fn ask(admin: &Admin, (door, peer): (Door, &str), request: &Request) -> Result<Granted, Denied> {
    granted(request, caller((door, peer), false), admin, |shown| shown == TOKEN)
}

fn caller((door, peer): (Door, &str), certified: bool) -> Caller {
    Caller { peer: peer.parse().unwrap(), door, certified }
}

const HOST: (&str, &str) = ("host", "127.0.0.1:9901");
const GOOD: (&str, &str) = ("authorization", "Bearer 0123456789abcdef");

#[test]
fn on_loopback_without_a_token_this_machine_reads_and_writes() {
    let admin = admin("127.0.0.1:9901", false);
    let at = |peer| (Door::Admin, peer);
    assert_eq!(ask(&admin, at(NEAR), &request("GET", "/api/v1/models", &[HOST])), Ok(Granted::Read));
    assert_eq!(ask(&admin, at(NEAR), &request("POST", "/-/reload", &[HOST])), Ok(Granted::Write));
    assert_eq!(ask(&admin, at(FAR), &request("POST", "/-/reload", &[HOST])), Err(Denied::Elsewhere));
    for form in [
        "application/x-www-form-urlencoded",
        "Text/Plain; charset=utf-8",
        "multipart/form-data; boundary=x",
        "",
    ] {
        let sent = request("POST", "/-/reload", &[HOST, ("content-type", form)]);
        assert_eq!(ask(&admin, at(NEAR), &sent), Err(Denied::Form), "{form}");
    }
    let json = request("POST", "/-/reload", &[HOST, ("content-type", "application/json")]);
    assert_eq!(ask(&admin, at(NEAR), &json), Ok(Granted::Write));
}

#[test]
fn a_token_is_needed_for_every_write_and_elsewhere_for_reads_too() {
    let (near, wide) = (admin("127.0.0.1:9901", true), admin("0.0.0.0:9901", true));
    let at = (Door::Admin, NEAR);
    let read = || request("GET", "/metrics", &[HOST]);
    assert_eq!(ask(&near, at, &read()), Ok(Granted::Read));
    assert_eq!(ask(&wide, at, &read()), Err(Denied::Token));
    assert_eq!(ask(&wide, at, &request("GET", "/metrics", &[HOST, GOOD])), Ok(Granted::Read));
    for health in ["/healthz", "/readyz"] {
        assert_eq!(ask(&wide, at, &request("GET", health, &[HOST])), Ok(Granted::Read));
        assert_eq!(ask(&wide, at, &request("POST", health, &[HOST])), Err(Denied::Token));
    }
    for admin in [&near, &wide] {
        assert_eq!(ask(admin, at, &request("POST", "/-/drain", &[HOST])), Err(Denied::Token));
        assert_eq!(ask(admin, at, &request("POST", "/-/drain", &[HOST, GOOD])), Ok(Granted::Write));
        for wrong in ["Bearer 0123456789abcdeF", "Bearer", "Basic 0123456789abcdef", "0123456789abcdef", ""] {
            let sent = request("POST", "/-/drain", &[HOST, ("authorization", wrong)]);
            assert_eq!(ask(admin, at, &sent), Err(Denied::Token), "{wrong}");
        }
        let two = request("POST", "/-/drain", &[HOST, GOOD, GOOD]);
        assert_eq!(ask(admin, at, &two), Err(Denied::Token), "two cannot both be meant");
    }
}

#[test]
fn a_client_certificate_stands_for_the_token_and_for_nothing_else() {
    let far = |door| caller((door, FAR), true);
    for token in [true, false] {
        let admin = admin("0.0.0.0:9901", token);
        let asked =
            |door, request: &Request| granted(request, far(door), &admin, |shown: &[u8]| shown == TOKEN);
        assert_eq!(asked(Door::Admin, &request("GET", "/metrics", &[HOST])), Ok(Granted::Read));
        assert_eq!(asked(Door::Admin, &request("POST", "/-/drain", &[HOST])), Ok(Granted::Write));
        let page = [HOST, ("origin", "http://evil.example")];
        assert_eq!(asked(Door::Admin, &request("POST", "/-/drain", &page)), Err(Denied::Origin));
        assert_eq!(asked(Door::Metrics, &request("POST", "/-/drain", &[HOST])), Err(Denied::NotHere));
    }
}

#[test]
fn a_foreign_name_and_a_foreign_page_are_turned_away_everywhere() {
    let admin = admin("127.0.0.1:9901", false);
    for door in [Door::Admin, Door::Metrics] {
        let at = (door, NEAR);
        let with = |more: &[(&str, &str)]| request("GET", "/metrics", &[&[HOST], more].concat());
        assert_eq!(ask(&admin, at, &request("GET", "/metrics", &[("host", "evil.com")])), Err(Denied::Host));
        assert_eq!(ask(&admin, at, &request("GET", "/metrics", &[HOST, HOST])), Err(Denied::Host));
        assert_eq!(ask(&admin, at, &request("GET", "/metrics", &[])), Err(Denied::Host), "1.1 needs one");
        assert_eq!(ask(&admin, at, &request("GET", "http://evil.com/metrics", &[HOST])), Err(Denied::Host));
        let mut old = request("GET", "/metrics", &[]);
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(ask(&admin, at, &old), Ok(Granted::Read), "probes of old");
        for foreign in ["http://evil.com", "null", "http://127.0.0.1:9902", "file://", "127.0.0.1:9901"] {
            assert_eq!(ask(&admin, at, &with(&[("origin", foreign)])), Err(Denied::Origin), "{foreign}");
        }
        assert_eq!(ask(&admin, at, &with(&[("origin", "http://127.0.0.1:9901")])), Ok(Granted::Read));
        for (site, admitted) in
            [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false), ("?", false)]
        {
            assert_eq!(ask(&admin, at, &with(&[("sec-fetch-site", site)])).is_ok(), admitted, "{site}");
        }
    }
    let link = [
        HOST,
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    let at = (Door::Admin, NEAR);
    assert_eq!(ask(&admin, at, &request("GET", "/", &link)), Ok(Granted::Read), "a link from an alert");
    assert_eq!(ask(&admin, at, &request("POST", "/-/drain", &link)), Err(Denied::Origin), "a form on a page");
    let frame = [
        HOST,
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "iframe"),
    ];
    assert_eq!(ask(&admin, at, &request("GET", "/", &frame)), Err(Denied::Origin));
}

#[test]
fn at_the_metrics_address_are_metrics_and_health_alone() {
    let admin = admin("127.0.0.1:9901", true);
    let at = (Door::Metrics, FAR);
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(ask(&admin, at, &request("GET", path, &[HOST])), Ok(Granted::Read));
        assert_eq!(ask(&admin, at, &request("POST", path, &[HOST, GOOD])), Err(Denied::ReadOnly));
    }
    for path in ["/", "/api/v1/models", "/metrics/tail", "/-/drain"] {
        assert_eq!(ask(&admin, at, &request("GET", path, &[HOST, GOOD])), Err(Denied::NotHere));
    }
}
