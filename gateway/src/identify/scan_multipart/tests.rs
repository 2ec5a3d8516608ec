//! Forms as clients write them, and as nobody should.

use proptest::prelude::*;

use super::*;

const TYPE: &[u8] = b"multipart/form-data; boundary=XyZ";

/// Value of `model`, value of `other`, flags, and the last progress.
type Found = (Option<String>, Option<String>, ScanFlags, Progress);

fn scan(pieces: &[&[u8]]) -> Found {
    let mut scanner = MultipartScanner::new(TYPE, ["model", "other"], 16).unwrap();
    let last = pieces.iter().map(|piece| scanner.feed(piece)).last().unwrap_or(Progress::NeedMore);
    let value = |field| scanner.value(field).map(str::to_owned);
    (value(0), value(1), scanner.flags(), last)
}

fn part(disposition: &str, body: &str) -> String {
    format!("--XyZ\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{body}\r\n")
}

fn model(body: &str) -> Option<String> {
    scan(&[body.as_bytes()]).0
}

#[test]
fn a_field_is_found_before_and_after_a_large_file() {
    let field = part("name=\"model\"", "whisper-1");
    let file =
        part("name=\"file\"; filename=\"model\"\r\nContent-Type: audio/wav", &"\r\n--Xy\0".repeat(50_000));
    for body in [format!("{field}{file}--XyZ--\r\n"), format!("{file}{field}--XyZ--\r\n")] {
        assert_eq!(model(&body).as_deref(), Some("whisper-1"));
    }
}

#[test]
fn a_value_is_what_stands_between_the_line_breaks() {
    for (value, found) in [
        ("m", Some("m")),
        ("a\r\nb", Some("a\r\nb")),
        ("a\r\n--Xy", Some("a\r\n--Xy")),
        ("\r\n\r\n", Some("\r\n\r\n")),
        ("\r\r\n--X\r", Some("\r\r\n--X\r")),
        (" é ", Some(" é ")),
        ("", None),
        ("0123456789abcdef", Some("0123456789abcdef")),
        ("0123456789abcdef0", None),
    ] {
        let body = part("name=\"model\"", value) + "--XyZ--";
        assert_eq!(model(&body).as_deref(), found, "{value:?}");
        let pieces: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
        assert_eq!(scan(&pieces).0.as_deref(), found, "{value:?} byte by byte");
    }
}

#[test]
fn oddities_that_clients_write_are_read() {
    for body in [
        "preamble\r\n--XyZ \t\r\ncontent-disposition:form-data;name=model\r\n\r\nm\r\n--XyZ--",
        "\r\n--XyZ\r\nA: b\r\nContent-Disposition: form-data; name=\"model\"\r\nContent-Type: text/plain\r\n\r\nm\r\n--XyZ--",
        "--XyZ\r\n\r\nno head\r\n--XyZ\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--XyZ\r\n",
        "--XyZ\r\nA: b\r\n\r\n--XyZ\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--XyZ\r\n",
    ] {
        assert_eq!(model(body).as_deref(), Some("m"), "{body}");
    }
}

#[test]
fn an_empty_part_ends_at_once() {
    let body = "--XyZ\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n--XyZ\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\no\r\n--XyZ--";
    let (model, other, ..) = scan(&[body.as_bytes()]);
    assert_eq!((model, other.as_deref()), (None, Some("o")));
}

#[test]
fn what_cannot_be_followed_ends_the_scan() {
    for body in [
        "--XyZw\r\n".to_owned(),
        "--XyZ-x".to_owned(),
        format!("--XyZ\r\n{}", "A: b\r\n".repeat(4_000)),
        format!("--XyZ\r\n{}", "A".repeat(5_000)),
        "--XyZ\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n".to_owned() + "x\r\n--XyZ!",
    ] {
        let (.., flags, last) = scan(&[body.as_bytes()]);
        assert!(flags.malformed && last == Progress::Done, "{:?}", body.get(..40));
    }
    let invalid =
        [&b"--XyZ\r\nContent-Disposition: form-data; name=model\r\n\r\n"[..], b"\xff\r\n--XyZ--"].concat();
    assert!(scan(&[&invalid]).2.malformed);
}

#[test]
fn without_a_boundary_there_is_no_scan() {
    let long = format!("multipart/form-data; boundary={}", "x".repeat(257));
    for content_type in
        ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\"", &long]
    {
        assert!(MultipartScanner::new(content_type.as_bytes(), ["model"], 16).is_none(), "{content_type}");
    }
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let mut scanner = MultipartScanner::new(TYPE, ["model"], 16).unwrap();
    scanner.feed(part("name=\"file\"; filename=\"f\"", "").trim_end().as_bytes());
    for _ in 0..100 {
        scanner.feed(&[b'x'; 10_000]);
    }
    scanner.feed(b"\r\n--XyZ\r\nContent-Disposition: form-data; name=model\r\n\r\n");
    for _ in 0..100 {
        scanner.feed(&[b'x'; 10_000]);
    }
    assert!(scanner.text.capacity() <= LINE_BYTES_MAX);
}

/// Pieces of which bodies are made that are almost forms.
fn body() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "--XyZ",
        "\r\n",
        "\r",
        "\n",
        "--",
        "-",
        "x",
        "é",
        "\r\n--XyZ\r\n",
        "--XyZ--",
        "\r\n--Xy",
        " ",
        "Content-Disposition: form-data; name=\"model\"\r\n\r\n",
        "Content-Disposition: form-data; name=other\r\n\r\n",
        "Content-Disposition: form-data; name=\"model\"; filename=x\r\n\r\n",
        "A: b\r\n",
    ]);
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

/// The text fields of a form, read with the whole body at hand.
fn reference(body: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let text = format!("\r\n{body}");
    for part in text.split("\r\n--XyZ").skip(1) {
        let Some((head, value)) = part.strip_prefix("\r\n").and_then(|part| {
            part.strip_prefix("\r\n").map(|value| ("", value)).or_else(|| part.split_once("\r\n\r\n"))
        }) else {
            continue;
        };
        let name = head.lines().filter_map(|line| disposition::field_name(line.as_bytes())).next_back();
        fields.extend(name.map(|name| (String::from_utf8(name).unwrap(), value.to_owned())));
    }
    fields
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn however_it_is_cut_the_answer_is_the_same(body in body(), size in 1_usize..9) {
        let pieces: Vec<&[u8]> = body.as_bytes().chunks(size).collect();
        let (cut, whole) = (scan(&pieces), scan(&[body.as_bytes()]));
        prop_assert_eq!((cut.0, cut.1, cut.2), (whole.0, whole.1, whole.2), "{:?}", body);
    }

    #[test]
    fn a_well_formed_form_gives_its_fields(
        parts in prop::collection::vec((prop::sample::select(vec!["model", "other", "file"]), "([a-z]|\r|\n|-|Xy){0,12}"), 0..5),
    ) {
        let body = parts.iter().map(|(name, value)| part(&format!("name=\"{name}\""), value)).collect::<String>() + "--XyZ--";
        let fields = reference(&body);
        // The scan ends with the last key: the first value of each is what both have in any case.
        let first = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        let (model, ..) = scan(&[body.as_bytes()]);
        if fields.iter().filter(|(name, _)| name == "model").count() == 1 {
            prop_assert_eq!(model, first("model").filter(|v| !v.is_empty() && v.len() <= 16), "{:?}", body);
        }
    }

    #[test]
    fn random_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        scan(&[&body]);
    }
}
