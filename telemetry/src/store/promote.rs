//! Decides which models get per-worker lanes: those above a rate, as long as sets last. A model that stays well below
//! that rate gives its set back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::ledger::{Book, Ledger, Lent};
use super::model::{Slot, Slots};

/// Rates are judged at most this often.
pub(crate) const JUDGE_EVERY: Duration = Duration::from_secs(1);

/// Judgements below half of the rate, in a row, after which a set is taken back.
const COOL_JUDGEMENTS: u8 = 30;

impl Ledger {
    /// Lends and takes back, if the last judgement is old enough. `passed(epoch)` says whether every recorder was
    /// outside of any call since `epoch`.
    pub(crate) fn judge(
        &mut self,
        now: Duration,
        slots: &Slots,
        epoch: &AtomicU64,
        passed: impl Fn(u64) -> bool,
    ) {
        let Some(elapsed) = now.checked_sub(*self.judged_at.get_or_insert(now)) else { return };
        if elapsed < JUDGE_EVERY {
            return;
        }
        self.judged_at = Some(now);
        let hot = f64::from(self.settings.shard_above_rps) * elapsed.as_secs_f64();
        let Self { books, sets_free, .. } = self;
        // Of the others nothing began.
        for number in std::mem::take(&mut books.folded).iter() {
            let (Some(book), Some(slot)) = (books.get_mut(number), slots.get(number)) else { continue };
            let began = book.totals.started.wrapping_sub(book.judged) as f64;
            book.judged = book.totals.started;
            match book.lent {
                Lent::No if began > hot => {
                    if let Some(set) = sets_free.pop() {
                        book.lend(slot, set);
                    }
                }
                Lent::Drained { set } => {
                    // A fold came between: nothing is left in the set.
                    sets_free.push(set);
                    book.lent = Lent::No;
                }
                _ => book.keep_or_take_back(began, hot, slot, epoch, &passed),
            }
            books.note(number);
        }
    }
}

impl Book {
    /// One judgement of a model that has a set or had it just now.
    fn keep_or_take_back(
        &mut self,
        began: f64,
        hot: f64,
        slot: &Slot,
        epoch: &AtomicU64,
        passed: impl Fn(u64) -> bool,
    ) {
        match self.lent {
            Lent::Yes { set, .. } if began > hot / 2.0 => self.lent = Lent::Yes { set, cool: 0 },
            Lent::Yes { set, cool } if cool < COOL_JUDGEMENTS => {
                self.lent = Lent::Yes { set, cool: cool + 1 };
            }
            Lent::Yes { set, .. } => {
                slot.set.take_back();
                let epoch = epoch.fetch_add(1, Ordering::AcqRel) + 1;
                self.lent = Lent::Returning { set, epoch };
            }
            Lent::Returning { set, .. } if began > hot => self.lend(slot, set),
            Lent::Returning { set, epoch } if passed(epoch) => self.lent = Lent::Drained { set },
            Lent::No | Lent::Returning { .. } | Lent::Drained { .. } => (),
        }
    }
}
