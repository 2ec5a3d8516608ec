//! Bodies, whole and in pieces, good and bad.

use proptest::prelude::*;

use super::*;

/// The whole body from pieces, and its trailers.
fn decode(framing: Framing, pieces: &[&[u8]], ended: bool) -> Result<(Vec<u8>, HeaderMap, Vec<u8>), BadBody> {
    let (mut decoder, mut read) = (Decoder::new(framing), BytesMut::new());
    let (mut body, mut trailers) = (Vec::new(), HeaderMap::new());
    for (number, piece) in pieces.iter().enumerate() {
        read.extend_from_slice(piece);
        let ended = ended && number + 1 == pieces.len();
        loop {
            match decoder.decode(&mut read, ended)? {
                Piece::Data(data) => body.extend_from_slice(&data),
                Piece::Trailers(all) => trailers = all,
                Piece::End => break,
                Piece::More => break,
            }
        }
    }
    if !decoder.is_done() {
        return Err(BadBody::Truncated);
    }
    Ok((body, trailers, read.to_vec()))
}

fn chunked(bytes: &[u8]) -> Result<Vec<u8>, BadBody> {
    decode(Framing::Chunked, &[bytes], false).map(|(body, _, _)| body)
}

#[test]
fn a_length_ends_where_it_says_and_leaves_the_rest() {
    let (body, _, rest) = decode(Framing::Length(5), &[b"hel", b"lo, next"], false).unwrap();
    assert_eq!((body.as_slice(), rest.as_slice()), (&b"hello"[..], &b", next"[..]));
    assert!(decode(Framing::Length(5), &[b"hel"], true).is_err());
    assert_eq!(decode(Framing::Close, &[b"all", b" of it"], true).unwrap().0, b"all of it");
}

#[test]
fn chunks_extensions_and_trailers_are_read() {
    let wire = b"5;a=\"b\"\r\nhello\r\n1 ; x\r\n!\r\n0\r\nX-T: 1\r\nhost: evil\r\n\r\nnext";
    let (body, trailers, rest) = decode(Framing::Chunked, &[wire], false).unwrap();
    assert_eq!((body.as_slice(), rest.as_slice()), (&b"hello!"[..], &b"next"[..]));
    assert_eq!(trailers.len(), 1);
    assert_eq!(trailers["x-t"], "1");
}

#[test]
fn chunks_that_two_could_read_in_two_ways_are_refused() {
    for wire in [
        &b"5\nhello\r\n0\r\n\r\n"[..],
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello!\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5_\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b"-1\r\n",
        b"10000000000000005\r\nhello",
        b"ffffffffffffffff\r\nhello",
        b"5;a\rb\r\nhello\r\n0\r\n\r\n",
        b"5;a\0\r\nhello\r\n0\r\n\r\n",
        b"0\r\nbad trailer\r\n\r\n",
        b"0\r\nx: 1\n\r\n",
        b"0\r\nx : 1\r\n\r\n",
    ] {
        assert!(
            matches!(chunked(wire), Err(BadBody::Malformed(_))),
            "{:?} {:?}",
            wire.escape_ascii().to_string(),
            chunked(wire)
        );
    }
}

#[test]
fn lines_and_extensions_without_end_are_refused() {
    assert!(matches!(chunked(&[b'0'; 2000]), Err(BadBody::Malformed(_))));
    let long = format!("1;{}\r\nx\r\n", "a".repeat(900));
    let many = long.repeat(100) + "0\r\n\r\n";
    assert!(matches!(chunked(many.as_bytes()), Err(BadBody::Malformed(_))));
    let trailers = format!("0\r\nx: {}\r\n\r\n", "a".repeat(20_000));
    assert!(matches!(chunked(trailers.as_bytes()), Err(BadBody::Malformed(_))));
}

proptest! {
    /// However the bytes are cut, the same body, trailers and rest come out.
    #[test]
    fn where_the_reads_end_makes_no_difference(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 0..8),
        trailer in any::<bool>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut wire = Vec::new();
        for chunk in &chunks {
            wire.extend(format!("{:X}\r\n", chunk.len()).bytes());
            wire.extend(chunk);
            wire.extend(b"\r\n");
        }
        wire.extend(if trailer { &b"0\r\nt: 1\r\n\r\nrest"[..] } else { b"0\r\n\r\nrest" });
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len())).collect();
        at.extend([0, wire.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &wire[pair[0]..pair[1]]).collect();
        let (body, trailers, rest) = decode(Framing::Chunked, &pieces, false).unwrap();
        prop_assert_eq!(body, chunks.concat());
        prop_assert_eq!(trailers.len(), usize::from(trailer));
        prop_assert_eq!(rest, b"rest");
    }

    /// No bytes make it panic or give more than they hold.
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(body) = chunked(&bytes) {
            prop_assert!(body.len() <= bytes.len());
        }
    }
}
