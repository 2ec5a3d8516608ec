//! Response heads, good and bad.

use super::*;

fn read(method: &Method, head: &str) -> Result<ResponseHead, BadHead> {
    parse(&Bytes::from(head.to_owned()), method)
}

fn get(head: &str) -> Result<(Framing, bool), BadHead> {
    read(&Method::GET, head).map(|head| (head.framing, head.keep_alive))
}

#[test]
fn an_answers_end_is_where_the_rfc_says() {
    for (head, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", (Framing::Length(5), true)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", (Framing::None, true)),
        ("HTTP/1.1 200\r\ntransfer-encoding: chunked\r\n\r\n", (Framing::Chunked, true)),
        ("HTTP/1.1 200 OK\r\n\r\n", (Framing::Close, false)),
        ("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", (Framing::None, false)),
        ("HTTP/1.1 204 No Content\r\n\r\n", (Framing::None, true)),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", (Framing::None, true)),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\n", (Framing::Length(5), false)),
        ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\n", (Framing::Length(5), false)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 05\r\n\r\n", (Framing::Length(5), true)),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
            (Framing::Chunked, false),
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\n", (Framing::Length(5), true)),
    ] {
        assert_eq!(get(head), Ok(expected), "{head:?}");
    }
    let to_head = read(&Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n").unwrap();
    assert_eq!((to_head.framing, to_head.parts.headers.len()), (Framing::None, 1));
}

#[test]
fn an_answer_that_could_be_read_in_two_ways_is_refused() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\0c\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
    ] {
        assert!(get(head).is_err(), "{head:?} {:?}", get(head));
    }
}

#[test]
fn equal_lengths_go_on_as_one() {
    let head =
        read(&Method::GET, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n").unwrap();
    assert_eq!(head.parts.headers.get_all(CONTENT_LENGTH).iter().count(), 1);
}
