//! A histogram's counters, and the two ways to add to a counter: shared by many writers, or owned by one.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::grid::{CELLS, index};

/// How a counter is raised. Two real ways exist: [`Shared`] and [`Owned`]; the code between is the same.
pub(crate) trait Writer {
    /// Adds `n`, wrapping.
    fn add64(counter: &AtomicU64, n: u64);
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
    fn add64(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Relaxed);
    }

    #[inline]
    fn add32(counter: &AtomicU32, n: u32) {
        counter.fetch_add(n, Relaxed);
    }
}

impl Writer for Owned {
    #[inline]
    fn add64(counter: &AtomicU64, n: u64) {
        counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
    }

    #[inline]
    fn add32(counter: &AtomicU32, n: u32) {
        counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
    }
}

/// One histogram: a counter for each cell of the grid. There is no count beside it, the count is their sum, so the
/// exported `_count` and the `+Inf` bucket can never differ.
#[derive(Debug)]
pub(crate) struct Cells([AtomicU32; CELLS]);

impl Cells {
    pub(crate) fn boxed() -> Box<Self> {
        Box::new(Self([const { AtomicU32::new(0) }; CELLS]))
    }

    #[inline]
    pub(crate) fn record<W: Writer>(&self, ns: u64) {
        if let Some(cell) = self.0.get(index(ns)) {
            W::add32(cell, 1);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &AtomicU32> {
        self.0.iter()
    }
}
