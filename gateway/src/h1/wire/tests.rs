//! A socket with buffers, on a duplex of a chosen size.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::Wire;

fn pair(room: usize) -> (Wire<DuplexStream>, DuplexStream) {
    let (near, far) = tokio::io::duplex(room);
    (Wire::new(near), far)
}

fn now<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn pieces_leave_in_order_whatever_their_size_and_the_sockets_room() {
    for (size, room) in [(10, 64), (20_000, 64), (20_000, 100_000)] {
        let (mut wire, mut far) = pair(room);
        wire.out().extend_from_slice(b"head ");
        wire.push(Bytes::from(vec![b'x'; size]), b"\r\n");
        let flush = poll_fn(|cx| wire.poll_flush(cx));
        let mut got = vec![0; 5 + size + 2];
        let (flushed, read) = tokio::join!(flush, far.read_exact(&mut got));
        flushed.unwrap();
        read.unwrap();
        assert!(got.starts_with(b"head xx") && got.ends_with(b"x\r\n"), "{size} in {room}");
        assert!(!wire.has_unwritten() && wire.has_room());
    }
}

#[tokio::test]
async fn a_large_piece_and_a_full_buffer_leave_no_room_until_they_are_written() {
    let (mut wire, _far) = pair(16);
    wire.push(Bytes::from(vec![b'x'; 10_000]), b"");
    assert!(!wire.has_room());
    assert!(now(|cx| wire.poll_flush(cx)).is_pending());
    assert!(!wire.has_room());
}

#[tokio::test]
async fn an_idle_connection_holds_no_buffer_and_says_whether_it_is_quiet() {
    let (mut wire, mut far) = pair(64);
    assert!(wire.is_quiet());
    assert!(now(|cx| wire.poll_fill(cx)).is_pending());
    assert_eq!(wire.read.capacity(), 0);
    far.write_all(b"surprise").await.unwrap();
    assert!(!wire.is_quiet());
}

#[tokio::test]
async fn a_closed_connection_is_not_quiet_and_reads_its_end_once_and_again() {
    let (mut wire, far) = pair(64);
    drop(far);
    assert!(!wire.is_quiet());
    for _ in 0..2 {
        assert!(matches!(now(|cx| wire.poll_fill(cx)), Poll::Ready(Ok(0))));
    }
    assert!(wire.ended());
}

#[tokio::test]
async fn more_than_the_first_read_takes_arrives_whole() {
    let (mut wire, mut far) = pair(1_000_000);
    far.write_all(&[b'x'; 300_000]).await.unwrap();
    drop(far);
    while poll_fn(|cx| wire.poll_fill(cx)).await.unwrap() > 0 {}
    assert_eq!(wire.read.len(), 300_000);
    wire.read.clear();
    wire.rest();
    assert_eq!(wire.read.capacity(), 0);
}
