//! Messages as AWS sends them, whole, cut anywhere, spoilt and made up.

use proptest::prelude::*;

use super::*;

fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_be_bytes()
}

/// A message with these headers of text and this payload.
pub(in crate::numbers) fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut head = Vec::new();
    for (name, value) in headers {
        head.push(u8::try_from(name.len()).unwrap());
        head.extend(name.as_bytes());
        head.push(7);
        head.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        head.extend(value.as_bytes());
    }
    raw(&head, payload)
}

fn raw(head: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = u32::try_from(16 + head.len() + payload.len()).unwrap();
    let mut message = [total.to_be_bytes(), u32::try_from(head.len()).unwrap().to_be_bytes()].concat();
    message.extend(crc(&message));
    message.extend(head);
    message.extend(payload);
    message.extend(crc(&message));
    message
}

pub(in crate::numbers) fn event(kind: &str, payload: &str) -> Vec<u8> {
    let headers = [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
    message(&headers, payload.as_bytes())
}

pub(in crate::numbers) fn exception(kind: &str) -> Vec<u8> {
    let headers = [(":exception-type", kind), (":message-type", "exception")];
    message(&headers, b"{\"message\":\"no\"}")
}

/// Payloads of events with what they are, exceptions, and whether the reading was lost or stopped within a message.
type Told = (Vec<(Payload, String)>, usize, bool, bool);

fn read(pieces: &[&[u8]]) -> Told {
    let mut stream = EventStream::default();
    let (mut whole, mut open, mut exceptions) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let (read, after) = stream.read(rest);
            rest = after;
            match read {
                Read::Payload(_, run) => open.extend_from_slice(run),
                Read::End(kind) => {
                    whole.push((kind, String::from_utf8_lossy(&std::mem::take(&mut open)).into_owned()));
                }
                Read::Exception => exceptions += 1,
                Read::More => {}
            }
        }
    }
    (whole, exceptions, stream.is_lost(), stream.is_within())
}

#[test]
fn the_specifications_own_example_is_read() {
    // Smithy, "Amazon Event Stream Specification": no headers, payload `{'foo':'bar'}`.
    let bytes = [
        0, 0, 0, 0x1d, 0, 0, 0, 0, 0xfd, 0x52, 0x8c, 0x5a, 0x7b, 0x27, 0x66, 0x6f, 0x6f, 0x27, 0x3a, 0x27,
        0x62, 0x61, 0x72, 0x27, 0x7d, 0xc3, 0x65, 0x39, 0x36,
    ];
    assert_eq!(read(&[&bytes]), (vec![(Payload::Event, "{'foo':'bar'}".to_owned())], 0, false, false));
    assert_eq!(raw(&[], b"{'foo':'bar'}"), bytes);
}

fn stream() -> Vec<u8> {
    [
        event("messageStart", "{\"role\":\"assistant\"}"),
        event("chunk", "{\"bytes\":\"e30=\"}"),
        event("PayloadPart", "data: x"),
        event("nothing", ""),
        exception("modelStreamErrorException"),
    ]
    .concat()
}

#[test]
fn events_are_told_by_their_headers_however_they_are_cut() {
    let bytes = stream();
    let told = read(&[&bytes]);
    let kinds: Vec<_> = told.0.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [Payload::Event, Payload::Chunk, Payload::Part, Payload::Event]);
    assert_eq!((told.1, told.2, told.3), (1, false, false));
    for size in 1..40 {
        assert_eq!(read(&bytes.chunks(size).collect::<Vec<_>>()), told, "{size}");
    }
}

#[test]
fn headers_of_every_type_are_passed_over() {
    let mut head = Vec::new();
    for (kind, value) in [
        (0, &b""[..]),
        (1, b""),
        (2, b"1"),
        (3, b"12"),
        (4, b"1234"),
        (5, b"12345678"),
        (6, b"\0\x02ab"),
        (7, b"\0\0"),
        (8, b"12345678"),
        (9, b"0123456789abcdef"),
    ] {
        head.extend([1, b'x', kind]);
        head.extend(value);
    }
    assert_eq!(read(&[&raw(&head, b"p")]), (vec![(Payload::Event, "p".to_owned())], 0, false, false));
}

#[test]
fn what_cannot_be_ends_the_reading_and_what_is_cut_is_told() {
    let good = event("x", "{}");
    let spoil = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let last = good.len() - 1;
    for (why, bytes) in [
        ("the length's sum", spoil(3)),
        ("a header", spoil(14)),
        ("the payload", spoil(last - 4)),
        ("the sum", spoil(last)),
        ("a header that reaches beyond them all", raw(&[5, b'x'], b"payload")),
        ("a value that does", raw(&[1, b'x', 7, 0, 200, b'y'], b"payload")),
        ("a length that does", raw(&[1, b'x', 7, 0], b"payload")),
        ("a header without a value", raw(&[1, b'x'], b"payload")),
        ("a name of nothing", raw(&[0, 7, 0, 0], b"")),
        ("a type that is none", raw(&[1, b'x', 10], b"")),
        ("no binary message", b"data: {\"a\":1}\n\n".to_vec()),
    ] {
        assert!(read(&[&bytes, &good]).2, "{why}");
    }
    let huge = [0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
    assert!(read(&[&huge, &crc(&huge)]).2);
    for end in 1..good.len() {
        let told = read(&[&good[..end]]);
        assert!(told.0.is_empty() && !told.2 && told.3, "{end}: {told:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_and_no_cut_break_it(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..120_usize, cut in 1..50_usize) {
        let mut all = stream();
        all.splice(at..at, bytes);
        let whole = read(&[&all]);
        prop_assert_eq!(read(&all.chunks(cut).collect::<Vec<_>>()), whole);
    }
}
