//! One timer for each upstream connection, set anew only when it has to be.
//!
//! A limit of a minute is set for every request, and nearly none is ever reached. To enter it into the runtime's wheel and take it out
//! again would cost more than writing the request. So the timer stays where an earlier request has set it, as long as that is before
//! the limit of this one; when it goes off too early it is set again.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is used again and again.
#[derive(Debug, Default)]
pub struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready once `due` has come. The task is woken then at the latest, and perhaps before.
    pub fn poll(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if sleep.deadline() > due {
            sleep.as_mut().reset(due);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_limit_is_kept_whatever_the_one_before_was() {
        let mut alarm = Alarm::default();
        let began = Instant::now();
        for ms in [50, 20, 1000, 1000, 1, 0, 30] {
            let wait = Duration::from_millis(ms);
            let due = Instant::now() + wait;
            // The one before has not been reached: it is left as it stands.
            let _ = timeout(wait / 2, poll_fn(|cx| alarm.poll(cx, due))).await;
            poll_fn(|cx| alarm.poll(cx, due)).await;
            assert_eq!(Instant::now(), due, "{:?} after the start", began.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_went_off_while_nobody_looked_is_set_again() {
        let mut alarm = Alarm::default();
        let due = Instant::now() + Duration::from_millis(5);
        let _ = timeout(Duration::from_millis(1), poll_fn(|cx| alarm.poll(cx, due))).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let due = Instant::now() + Duration::from_millis(7);
        poll_fn(|cx| alarm.poll(cx, due)).await;
        assert_eq!(Instant::now(), due);
    }
}
