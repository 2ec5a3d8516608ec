//! Decides which models get per-worker lanes: those above a rate, as long as sets last. A model that stays well below
//! that rate gives its set back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::ledger::{Ledger, Lent};
use super::model::Slots;
use super::sharding::Sets;

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
        (slots, sets): (&Slots, &Sets),
        epoch: &AtomicU64,
        passed: impl Fn(u64) -> bool,
    ) {
        let Some(elapsed) = now.checked_sub(*self.judged_at.get_or_insert(now)) else { return };
        if elapsed < JUDGE_EVERY {
            return;
        }
        self.judged_at = Some(now);
        let hot = f64::from(self.settings.shard_above_rps) * elapsed.as_secs_f64();
        let Self { books, sets_free, tracked, .. } = self;
        for book in books.values_mut() {
            if book.windows.is_tracked() && book.windows.is_idle(now) {
                *tracked -= 1;
                book.windows.track(false);
            }
            let began = book.totals.started.wrapping_sub(book.judged) as f64;
            book.judged = book.totals.started;
            let Some(slot) = slots.get(book.model.slot) else { continue };
            match book.lent {
                Lent::No if began > hot => {
                    if let Some(set) = sets_free.pop() {
                        sets.make(set);
                        book.lend(slot, set);
                    }
                }
                Lent::Yes { set, .. } if began > hot / 2.0 => book.lent = Lent::Yes { set, cool: 0 },
                Lent::Yes { set, cool } if cool < COOL_JUDGEMENTS => {
                    book.lent = Lent::Yes { set, cool: cool + 1 }
                }
                Lent::Yes { set, .. } => {
                    slot.set.take_back();
                    let epoch = epoch.fetch_add(1, Ordering::AcqRel) + 1;
                    book.lent = Lent::Returning { set, epoch };
                }
                Lent::Returning { set, .. } if began > hot => book.lend(slot, set),
                Lent::Returning { set, epoch } if passed(epoch) => book.lent = Lent::Drained { set },
                Lent::Drained { set } => {
                    // A fold came between: nothing is left in the set.
                    sets_free.push(set);
                    book.lent = Lent::No;
                }
                Lent::No | Lent::Returning { .. } => (),
            }
        }
    }
}
