//! Messages as clients send them, against a plain reader with the whole message at hand.

use proptest::prelude::*;

use super::*;

/// A field of a message.
#[derive(Debug, Clone)]
enum Field {
    Varint(u32, u64),
    Fixed64(u32),
    Fixed32(u32),
    Bytes(u32, Vec<u8>),
    Message(u32, Vec<Self>),
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7F).unwrap() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap());
}

fn encode(fields: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        let tag = |number: &u32, kind: u64, out: &mut Vec<u8>| varint(u64::from(*number) << 3 | kind, out);
        match field {
            Field::Varint(number, value) => {
                tag(number, 0, &mut out);
                varint(*value, &mut out);
            }
            Field::Fixed64(number) => {
                tag(number, 1, &mut out);
                out.extend([0xFF; 8]);
            }
            Field::Fixed32(number) => {
                tag(number, 5, &mut out);
                out.extend([0xFF; 4]);
            }
            Field::Bytes(number, bytes) => {
                tag(number, 2, &mut out);
                varint(u64::try_from(bytes.len()).unwrap(), &mut out);
                out.extend(bytes);
            }
            Field::Message(number, fields) => {
                let bytes = encode(fields);
                tag(number, 2, &mut out);
                varint(u64::try_from(bytes.len()).unwrap(), &mut out);
                out.extend(bytes);
            }
        }
    }
    out
}

fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], length.as_slice(), message].concat()
}

/// Every value at a way, in order.
fn read(fields: &[Field], way: &[u32]) -> Vec<Vec<u8>> {
    let Some((first, rest)) = way.split_first() else { return Vec::new() };
    let of = |field: &Field| match field {
        Field::Bytes(number, bytes) if number == first && rest.is_empty() => vec![bytes.clone()],
        // Text and message are written alike.
        Field::Message(number, fields) if number == first && rest.is_empty() => vec![encode(fields)],
        Field::Message(number, fields) if number == first => read(fields, rest),
        _ => Vec::new(),
    };
    fields.iter().flat_map(of).collect()
}

struct Found {
    values: [Option<String>; 2],
    flags: ScanFlags,
    last: Progress,
}

fn scan(pieces: &[&[u8]]) -> Found {
    let mut scanner = ProtobufScanner::new(["1", "2.1"], 16).unwrap();
    let last = pieces.iter().map(|piece| scanner.feed(piece)).last().unwrap_or(Progress::NeedMore);
    let values = [0, 1].map(|field| scanner.value(field).map(str::to_owned));
    Found { values, flags: scanner.flags(), last }
}

fn text(number: u32, text: &str) -> Field {
    Field::Bytes(number, text.as_bytes().to_vec())
}

#[test]
fn a_recorded_model_infer_request_names_its_model() {
    // tritonclient 2.73: model_name "gamma", id "req-8", one input of two FP32.
    let body =
        b"\0\0\0\0'\n\x05gamma\x1a\x05req-8*\r\n\x01x\x12\x04FP32\x1a\x02\x01\x02:\x08\0\0\x80?\0\0\0@";
    let found = scan(&[body]);
    assert_eq!(found.values[0].as_deref(), Some("gamma"));
    assert_eq!((found.flags, found.last), (ScanFlags::default(), Progress::Done));
    // RepositoryModelLoad: repository_name is absent, model_name is field 2.
    let mut load = ProtobufScanner::new(["2"], 16).unwrap();
    load.feed(b"\0\0\0\0\x07\x12\x05gamma");
    assert_eq!(load.value(0), Some("gamma"));
}

#[test]
fn a_nested_name_is_found_behind_other_fields() {
    let spec = |name| Field::Message(2, vec![Field::Varint(2, 7), text(3, "sig"), text(1, name)]);
    let body = frame(&encode(&[
        Field::Fixed64(9),
        Field::Fixed32(8),
        text(3, &"x".repeat(1000)),
        spec("m"),
        text(1, "top"),
    ]));
    let found = scan(&[&body]);
    assert_eq!(found.values, [Some("top".to_owned()), Some("m".to_owned())]);
}

#[test]
fn the_search_stops_when_all_is_found() {
    let mut scanner = ProtobufScanner::new(["1"], 16).unwrap();
    let body = frame(&encode(&[text(1, "m"), text(5, "tensors")]));
    assert_eq!(scanner.feed(&body[..8]), Progress::Done);
    assert_eq!(scanner.value(0), Some("m"));
}

/// A scan for `model_spec.name`, and beside it for a version by number or label.
fn versioned(body: &[u8]) -> (Vec<Option<String>>, Progress, usize) {
    let mut scanner = ProtobufScanner::new(["1.1", "1.2.1", "1.4"], 16).unwrap().only(0b111, 0b110);
    let end = body.iter().position(|byte| scanner.feed(&[*byte]) == Progress::Done);
    let values = (0..3).map(|key| scanner.value(key).map(str::to_owned)).collect();
    let last = if end.is_some() { Progress::Done } else { Progress::NeedMore };
    (values, last, end.map_or(body.len(), |at| at + 1))
}

#[test]
fn a_version_is_read_where_it_is_near_and_nobody_reads_on_for_it() {
    let tensor = || Field::Bytes(2, vec![7; 1000]);
    let spec = |fields: Vec<Field>| Field::Message(1, fields);
    let some = |text: &str| Some(text.to_owned());
    let version = |number: u64| Field::Message(2, vec![Field::Varint(1, number)]);
    for (fields, told) in [
        (vec![text(1, "m"), version(42)], [some("m"), some("42"), None]),
        (vec![text(1, "m"), version(u64::MAX)], [some("m"), some("-1"), None]),
        (vec![text(1, "m"), text(3, "sig"), text(4, "stable")], [some("m"), None, some("stable")]),
        (vec![text(1, "m")], [some("m"), None, None]),
        (vec![text(1, "m"), Field::Message(2, vec![])], [some("m"), None, None]),
        // The name of a model is no number.
        (vec![Field::Varint(1, 5), version(1)], [None, some("1"), None]),
    ] {
        let body = frame(&encode(&[spec(fields.clone()), tensor()]));
        let (values, last, read) = versioned(&body);
        assert_eq!((values.as_slice(), last), (told.as_slice(), Progress::Done), "{fields:?}");
        assert!(read < 60 || told[0].is_none(), "{fields:?}: {read} bytes read");
    }
    // Out of order the name is found all the same, and what stood before it counts.
    let (values, ..) = versioned(&frame(&encode(&[tensor(), spec(vec![version(3), text(1, "m")])])));
    assert_eq!(values, [some("m"), some("3"), None]);
}

#[test]
fn a_compressed_message_is_left_alone() {
    let mut body = frame(&encode(&[text(1, "m")]));
    body[0] = 1;
    let found = scan(&[&body]);
    assert!(found.flags.compressed && !found.flags.malformed && found.last == Progress::Done);
    assert_eq!(found.values, [None, None]);
}

#[test]
fn lengths_beyond_the_message_and_other_nonsense_end_the_scan() {
    let nested = |inner: &[u8]| [&[0x12, u8::try_from(inner.len()).unwrap()], inner].concat();
    for message in [
        vec![0x0A, 5, b'a'],
        vec![0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
        vec![0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
        vec![0x0B],
        vec![0x0C],
        vec![0x0E, 1],
        vec![0x02, 1, b'a'],
        vec![0x09, 1, 2],
        vec![0x0A, 1, 0xFF],
        nested(&[0x0A, 5, b'a']),
        nested(&[0x80]),
    ] {
        // A message of the given length follows, so that nothing is missing.
        let body = [frame(&message), vec![0; 64]].concat();
        let found = scan(&[&body]);
        assert!(found.flags.malformed && found.last == Progress::Done, "{message:?}");
    }
    assert!(scan(&[&[2, 0, 0, 0, 0]]).flags.malformed);
}

#[test]
fn an_empty_message_and_what_follows_the_first_one_hold_nothing() {
    let body = [frame(&[]), frame(&encode(&[text(1, "second")]))].concat();
    let found = scan(&[&body]);
    assert_eq!((found.values, found.last), ([None, None], Progress::Done));
}

#[test]
fn only_a_way_of_numbers_can_be_looked_for() {
    for way in ["x", "0", "1.", ".1", "1..2", "-1", "1.2.3.4.5", "99999999999"] {
        assert!(ProtobufScanner::new([way], 16).is_none(), "{way}");
    }
    assert!(ProtobufScanner::new(["1.2.3.4", "536870911"], 16).is_some());
}

fn field() -> impl Strategy<Value = Field> {
    let number = || 1..4_u32;
    let leaf = prop_oneof![
        (number(), any::<u64>()).prop_map(|(n, v)| Field::Varint(n, v)),
        number().prop_map(Field::Fixed64),
        number().prop_map(Field::Fixed32),
        (number(), "[a-zé]{0,18}").prop_map(|(n, t)| text(n, &t)),
    ];
    // A message stands where a message is expected, and nowhere else: what is expected decides how bytes are read.
    leaf.prop_filter("2 is a message", |field| !matches!(field, Field::Bytes(2, _)))
}

fn message() -> impl Strategy<Value = Vec<Field>> {
    let nested = prop::collection::vec(field(), 0..4).prop_map(|fields| Field::Message(2, fields));
    prop::collection::vec(prop_oneof![3 => field(), 1 => nested], 0..8)
}

/// The last value that there is, up to where the scan may stop: when both have been seen.
fn expected(fields: &[Field], way: &[u32]) -> Option<String> {
    let last = read(fields, way).pop()?;
    Some(String::from_utf8(last).unwrap()).filter(|text| !text.is_empty() && text.len() <= 16)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_valid_message_gives_what_a_plain_reader_gives(fields in message()) {
        let found = scan(&[&frame(&encode(&fields))]);
        prop_assert!(!found.flags.malformed && found.last == Progress::Done, "{fields:?}");
        // When both are there the scan stops at the first of the second kind, and later ones are not seen.
        if read(&fields, &[1]).len() < 2 && read(&fields, &[2, 1]).len() < 2 {
            prop_assert_eq!(&found.values[0], &expected(&fields, &[1]), "{:?}", fields);
            prop_assert_eq!(&found.values[1], &expected(&fields, &[2, 1]), "{:?}", fields);
        }
    }

    #[test]
    fn however_it_is_cut_the_answer_is_the_same(
        fields in message(), size in 1_usize..7, damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut body = frame(&encode(&fields));
        if let Some((at, byte)) = damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let pieces: Vec<&[u8]> = body.chunks(size).collect();
        let (cut, whole) = (scan(&pieces), scan(&[&body]));
        prop_assert_eq!((cut.values, cut.flags), (whole.values, whole.flags), "{:?}", body);
    }

    #[test]
    fn random_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..100)) {
        scan(&[&body]);
        scan(&[&frame(&body)]);
    }

    #[test]
    fn a_truncated_message_only_asks_for_more(fields in message(), cut in any::<prop::sample::Index>()) {
        let body = frame(&encode(&fields));
        let found = scan(&[&body[..cut.index(body.len())]]);
        prop_assert!(!found.flags.malformed);
    }
}
