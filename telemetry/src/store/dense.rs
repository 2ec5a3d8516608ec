//! What one histogram counted between two folds: dense, and cleared for the next model, so that folding allocates
//! nothing. It remembers the stretch that was hit; nobody walks over the rest.

use super::grid::CELLS;

/// A histogram's increments.
#[derive(Debug)]
pub(crate) struct Dense {
    cells: [u32; CELLS],
    /// Nanoseconds, all together.
    pub(crate) sum: u64,
    /// All of them.
    pub(crate) count: u32,
    /// The stretch that was hit; empty if `end` is 0.
    first: usize,
    end: usize,
}

impl Default for Dense {
    fn default() -> Self {
        Self { cells: [0; CELLS], sum: 0, count: 0, first: CELLS, end: 0 }
    }
}

impl Dense {
    /// `n` more in a cell; their times are added to `sum` by the caller.
    #[inline]
    pub(crate) fn add(&mut self, cell: usize, n: u32) {
        if n == 0 {
            return;
        }
        if let Some(counter) = self.cells.get_mut(cell) {
            *counter += n;
            self.count = self.count.wrapping_add(n);
            self.first = self.first.min(cell);
            self.end = self.end.max(cell + 1);
        }
    }

    /// The first cell that was hit, and the counts from there to the last; `None` if none was.
    pub(crate) fn hit(&self) -> Option<(usize, &[u32])> {
        let hit = self.cells.get(self.first..self.end)?;
        (!hit.is_empty()).then_some((self.first, hit))
    }

    pub(crate) fn clear(&mut self) {
        if let Some(hit) = self.cells.get_mut(self.first..self.end) {
            hit.fill(0);
        }
        (self.sum, self.count, self.first, self.end) = (0, 0, CELLS, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stretch_that_was_hit_is_told_and_cleared() {
        let mut dense = Dense::default();
        assert_eq!(dense.hit(), None);
        dense.add(7, 0);
        assert_eq!(dense.hit(), None, "nothing was added");
        for (cell, n) in [(9, 2), (6, 1), (CELLS, 5)] {
            dense.add(cell, n);
        }
        assert_eq!((dense.hit(), dense.count), (Some((6, &[1, 0, 0, 2][..])), 3));
        dense.clear();
        assert_eq!((dense.hit(), dense.count), (None, 0));
        dense.add(CELLS - 1, 1);
        assert_eq!(dense.hit(), Some((CELLS - 1, &[1][..])));
    }
}
