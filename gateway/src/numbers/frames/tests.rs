//! Frames, and that any split of a body gives the same.

use http::HeaderValue;
use proptest::prelude::*;
use weir_config::Usage;

use super::super::tokens::Told;
use super::*;

fn places() -> Places {
    let of = |path: &str| vec![path.to_owned()];
    Places::new(&Usage {
        output: of("n"),
        piece: of("text"),
        finished: of("done"),
        error: of("error"),
        ..Usage::default()
    })
}

fn read(framing: Framing, pieces: &[&[u8]]) -> (Told, bool, bool) {
    let (mut frames, mut told, places) = (Frames::new(framing), Told::default(), places());
    pieces.iter().for_each(|piece| frames.feed(piece, &places, &mut told));
    frames.end(&places, &mut told);
    (told, frames.done, frames.lost)
}

fn events(text: &str) -> (Told, bool, bool) {
    read(Framing::Events, &[text.as_bytes()])
}

#[test]
fn events_are_read_whatever_ends_their_lines() {
    for end in ["\n", "\r\n", "\r"] {
        let text = ": hello\nevent: x\ndata: {\"text\":\"a\"}\n\ndata:{\"text\":\"b\",\ndata: \"n\":4}\nid: 7\n\ndata: [DONE]\n\n";
        let (told, done, lost) = events(&text.replace('\n', end));
        assert_eq!((told.pieces, told.output, done, lost), (2, Some(4), true, false), "{end:?}");
    }
}

#[test]
fn two_events_in_one_piece_and_one_event_in_many_are_the_same() {
    let text = b"data: {\"text\":\"a\"}\n\ndata: {\"text\":\"b\"}\n\n";
    let bytes: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(read(Framing::Events, &bytes), read(Framing::Events, &[text]));
    assert_eq!(read(Framing::Events, &[text]).0.pieces, 2);
}

#[test]
fn only_the_whole_mark_is_the_mark_of_the_end() {
    for (text, done, lost) in [
        ("data: [DONE]\n\n", true, false),
        ("data:[DONE]\r\n", true, false),
        ("data: [DONE]", false, false),
        ("data: [DONE] \n\n", false, true),
        ("data: [DON\n\n", false, true),
        ("data:  [DONE]\n\n", false, true),
        ("datax: [DONE]\n\n", false, false),
        ("data: [1,{\"text\":\"x\"}]\n\n", false, false),
    ] {
        let found = events(text);
        assert_eq!((found.1, found.2), (done, lost), "{text}");
    }
    assert_eq!(events("data: [1,{\"text\":\"x\"}]\n\n").0.pieces, 1, "a list is no mark");
}

#[test]
fn a_malformed_event_spoils_itself_alone() {
    let (told, _, lost) = events("data: {\"text\": oops\n\ndata: {\"text\":\"b\"}\n\n");
    assert_eq!((told.pieces, lost), (1, true));
    let (told, _, lost) = read(Framing::Lines, &[b"{\"n\":1\n{\"n\":2}\n}\n{\"text\":\"b\"}"]);
    assert_eq!((told.output, told.pieces, lost), (Some(2), 1, true));
}

#[test]
fn a_last_line_without_its_end_counts() {
    assert_eq!(read(Framing::Lines, &[b"{\"n\":1}\n{\"n\":25"]).0.output, Some(25));
    assert_eq!(read(Framing::Whole, &[b"12"]).0.output, None);
    assert_eq!(events("data: {\"n\":3}").0.output, Some(3));
}

#[test]
fn the_head_says_whether_and_how_a_body_is_read() {
    for (kind, encoding, framing) in [
        ("text/event-stream", None, Ok(Framing::Events)),
        ("Text/Event-Stream; charset=utf-8", Some("identity"), Ok(Framing::Events)),
        ("application/json ; charset=utf-8", None, Ok(Framing::Whole)),
        ("application/x-ndjson", None, Ok(Framing::Lines)),
        ("application/json", Some("gzip"), Err(Unread::Compressed)),
        ("application/octet-stream", Some("gzip"), Err(Unread::Other)),
        ("application/jsonp", None, Err(Unread::Other)),
        ("", None, Err(Unread::Other)),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(encoding) = encoding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        assert_eq!(Framing::of(&headers), framing, "{kind}");
    }
    assert_eq!(Framing::of(&HeaderMap::new()), Err(Unread::Other));
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => Just("data: {\"text\":\"a\"}"),
        1 => Just("data: {\"n\":123456}"),
        1 => Just("data: {\"text\":"),
        1 => Just("data: [DONE]"),
        1 => Just("data: [DO"),
        1 => Just("data"),
        1 => Just("event: error"),
        1 => Just("{\"done\":true,\"error\":\"x\"}"),
        3 => Just(""),
    ];
    let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    let noise = prop::collection::vec(any::<u8>(), 0..3);
    prop::collection::vec((line, end, noise), 0..20).prop_map(|lines| {
        lines
            .into_iter()
            .flat_map(|(line, end, noise)| {
                // Noise is rare, or nothing would ever be read.
                let noise = if noise.len() == 2 { noise } else { Vec::new() };
                [line.as_bytes().to_vec(), noise, end.as_bytes().to_vec()].concat()
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn any_split_gives_the_same(body in stream(), at in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let mut cuts: Vec<_> = at.iter().map(|at| at.index(body.len() + 1)).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &body[cut[0]..cut[1]]).collect();
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        for framing in [Framing::Events, Framing::Lines, Framing::Whole] {
            let whole = read(framing, &[&body]);
            prop_assert_eq!(&read(framing, &pieces), &whole);
            prop_assert_eq!(&read(framing, &bytes), &whole);
        }
    }
}
