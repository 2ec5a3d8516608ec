//! A histogram's counters, and the two ways to add to a counter: shared by many writers, or owned by one.

use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};

use super::grid::index;

/// How a counter is raised. Two real ways exist: [`Shared`] and [`Owned`]; the code between is the same.
pub(crate) trait Writer {
    /// Adds `n`, wrapping; what was there before. Who reads the sum with `Acquire` sees what its writer wrote before.
    fn add64(counter: &AtomicU64, n: u64) -> u64;
    /// Adds `n`, wrapping.
    fn add32(counter: &AtomicU32, n: u32);
}

/// Many threads write: one read-modify-write.
#[derive(Debug)]
pub(crate) enum Shared {}

/// One thread alone ever writes: a load and a store, with no lock prefix. A reader sees the old or the new value.
#[derive(Debug)]
pub(crate) enum Owned {}

impl Writer for Shared {
    #[inline]
    fn add64(counter: &AtomicU64, n: u64) -> u64 {
        counter.fetch_add(n, Release)
    }

    #[inline]
    fn add32(counter: &AtomicU32, n: u32) {
        counter.fetch_add(n, Relaxed);
    }
}

impl Writer for Owned {
    #[inline]
    fn add64(counter: &AtomicU64, n: u64) -> u64 {
        let before = counter.load(Relaxed);
        counter.store(before.wrapping_add(n), Release);
        before
    }

    #[inline]
    fn add32(counter: &AtomicU32, n: u32) {
        counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
    }
}

/// Cells of one chunk, two cache lines: three octaves and a half, about what the hot requests of one model spread over.
const CHUNK: usize = 32;
/// One more than the grid needs, a power of two.
const CHUNKS: usize = 256 / CHUNK;

type Chunk = [AtomicU32; CHUNK];

/// One histogram: a counter for each cell of the grid, in chunks that are made when they are first hit. There is no
/// count beside it, the count is their sum, so the exported `_count` and the `+Inf` bucket can never differ.
#[derive(Debug, Default)]
pub(crate) struct Cells([OnceLock<Box<Chunk>>; CHUNKS]);

impl Cells {
    #[inline]
    pub(crate) fn record<W: Writer>(&self, ns: u64) {
        // The remainders are masks and change nothing; with them the compiler drops both checks.
        let cell = index(ns);
        let Some(chunk) = self.0.get(cell / CHUNK % CHUNKS) else { return };
        if let Some(cell) = made(chunk).get(cell % CHUNK) {
            W::add32(cell, 1);
        }
    }

    /// The cell of the shortest times, 0 among them, if it can have been hit.
    pub(crate) fn first(&self) -> Option<&AtomicU32> {
        self.0.first()?.get()?.first()
    }

    /// The cells that can have been hit, each with its number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &AtomicU32)> {
        let chunks = self.0.iter().enumerate().filter_map(|(at, chunk)| Some((at * CHUNK, chunk.get()?)));
        chunks.flat_map(|(first, chunk)| (first..).zip(chunk.iter()))
    }
}

#[inline]
fn made(chunk: &OnceLock<Box<Chunk>>) -> &Chunk {
    match chunk.get() {
        Some(chunk) => chunk,
        None => make(chunk),
    }
}

/// At most seven times for each histogram; kept out of the way of all later requests.
#[cold]
#[inline(never)]
fn make(chunk: &OnceLock<Box<Chunk>>) -> &Chunk {
    chunk.get_or_init(|| Box::new([const { AtomicU32::new(0) }; CHUNK]))
}
