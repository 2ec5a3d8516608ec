//! Lines as servers write them, and as nobody should.

use proptest::prelude::*;

use super::*;

fn dur<'l>(line: &'l str, name: &str) -> Option<Option<&'l str>> {
    find(line.as_bytes(), name).map(|entry| entry.dur.map(|dur| std::str::from_utf8(dur).unwrap()))
}

#[test]
fn an_entry_is_found_by_its_name_and_its_duration_read() {
    for (line, found) in [
        ("load;dur=53.2", Some(Some("53.2"))),
        ("load", Some(None)),
        ("a;dur=1, load;desc=\"from, disk; dur=9\";dur=2", Some(Some("2"))),
        ("a;dur=1,load ; dur = 2 ", Some(Some("2"))),
        ("LOAD;DUR=3", Some(Some("3"))),
        ("load;dur=\"4.5\"", Some(Some("4.5"))),
        ("load;dur=1;dur=2", Some(Some("1"))),
        ("load;dur=;dur=2", Some(None)),
        ("load;dur;desc=x", Some(None)),
        ("load;dur=1, load;dur=2", Some(Some("1"))),
        ("load;dur=1x y=3;desc=a", Some(Some("1x"))),
        ("load;desc=\"a\\\"b;dur=7\";dur=8", Some(Some("8"))),
        ("load;desc=\"never closed;dur=7", Some(None)),
        (",,;dur=1,load;dur=2", Some(Some("2"))),
        ("load junk;dur=6", Some(Some("6"))),
        ("preload;dur=1, loads;dur=2", None),
        ("a;desc=\"load;dur=1\"", None),
        ("a;desc=\"x, load;dur=1", None),
        ("", None),
        (" ,\t, ", None),
    ] {
        assert_eq!(dur(line, "load"), found, "{line}");
    }
    assert_eq!(dur(";dur=1", ""), None);
}

#[test]
fn all_lines_of_the_header_are_looked_through() {
    let mut headers = HeaderMap::new();
    for line in ["a;dur=1", "b;dur=2, load;dur=3", "load;dur=4"] {
        headers.append(SERVER_TIMING, line.parse().unwrap());
    }
    assert_eq!(entry(&headers, "load").unwrap().dur, Some(b"3".as_slice()));
    assert_eq!(entry(&headers, "c"), None);
}

#[test]
fn a_long_hostile_line_takes_linear_time() {
    for unit in ["\"", "\\\"", ";", ",", "a=", "load\"", ";dur=\"\\"] {
        let line = unit.repeat(1_000_000 / unit.len());
        let _ = find(line.as_bytes(), "nosuch");
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(line in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = find(&line, "load");
    }

    #[test]
    fn almost_valid_lines_never_panic(line in r#"(load|dur|desc|[;,=" \\\t0-9.]){0,40}"#) {
        let _ = find(line.as_bytes(), "load");
    }
}
