//! Credentials as requests see them: fetched and renewed by the control plane, shared by every worker and every configuration that
//! takes them from the same source.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;
use aws_credential_types::Credentials;
use metrics::counter;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use weir_config::Credentials as Source;
use weir_telemetry::names;

use super::sources::{self, Environment};
use crate::app::State;

/// Credentials that end are renewed so long before, or after half of a shorter life.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// How often what has no end is read again: a file may have been rewritten.
const READ_AGAIN: Duration = Duration::from_secs(60);
/// The longest wait after failures in a row; the first is a second.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How often the control plane looks whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Clocks differ: so long before their end credentials are not used any more.
const SKEW: Duration = Duration::from_secs(5);

/// All that there are; those that no configuration has any more are gone.
static RING: Mutex<Vec<Weak<Keys>>> = Mutex::new(Vec::new());

/// One source's credentials.
#[derive(Debug)]
pub struct Keys {
    source: Source,
    profile: Option<String>,
    /// A look at it takes no lock.
    now: ArcSwapOption<Credentials>,
    news: watch::Sender<()>,
    plan: Mutex<Plan>,
}

/// When to fetch next; the control plane's alone.
#[derive(Debug)]
struct Plan {
    due: Instant,
    failures: u32,
}

impl Keys {
    /// Those of that source, the same for whoever asks: a new configuration goes on with what the old one had.
    pub fn shared(source: Source, profile: Option<&str>) -> Arc<Self> {
        let mut ring = lock(&RING);
        ring.retain(|keys| keys.strong_count() > 0);
        let known = ring.iter().filter_map(Weak::upgrade);
        let same = |keys: &Arc<Self>| keys.source == source && keys.profile.as_deref() == profile;
        if let Some(keys) = known.into_iter().find(same) {
            return keys;
        }
        let keys = Arc::new(Self {
            source,
            profile: profile.map(ToOwned::to_owned),
            now: ArcSwapOption::empty(),
            news: watch::Sender::new(()),
            plan: Mutex::new(Plan { due: Instant::now(), failures: 0 }),
        });
        ring.push(Arc::downgrade(&keys));
        keys
    }

    /// What is valid now, waited for if there is nothing.
    pub(crate) async fn wait(&self, wait: Duration) -> Option<Credentials> {
        if let Some(valid) = self.valid(SystemTime::now()) {
            return Some(valid);
        }
        let mut news = self.news.subscribe();
        let comes = async {
            loop {
                // What came between the look above and the subscription is seen here.
                if let Some(valid) = self.valid(SystemTime::now()) {
                    return Some(valid);
                }
                news.changed().await.ok()?;
            }
        };
        tokio::time::timeout(wait, comes).await.ok().flatten()
    }

    fn valid(&self, now: SystemTime) -> Option<Credentials> {
        let held = self.now.load();
        let held = held.as_ref()?;
        held.expiry().is_none_or(|end| now + SKEW < end).then(|| Credentials::clone(held))
    }

    /// Fetches if it is time to; slow sources are given up after a few seconds.
    async fn refresh_if_due(&self, environment: &Environment<'_>) {
        if Instant::now() < lock(&self.plan).due {
            return;
        }
        let found = sources::find(self.source, self.profile.as_deref(), environment).await;
        let mut plan = lock(&self.plan);
        let (result, after) = match found {
            Ok(credentials) => {
                plan.failures = 0;
                let after = until_renewal(credentials.expiry(), SystemTime::now());
                self.now.store(Some(Arc::new(credentials)));
                self.news.send_replace(());
                ("ok", after)
            }
            Err(error) => {
                let after = backoff(plan.failures);
                plan.failures += 1;
                let error: &dyn std::error::Error = &error;
                tracing::warn!(source = ?self.source, error, "no AWS credentials");
                ("failed", after)
            }
        };
        counter!(names::CREDENTIALS_FETCHES, "result" => result).increment(1);
        plan.due = Instant::now() + after;
    }
}

/// Keeps the credentials of every signer fresh; the control plane runs it as long as it lives.
pub async fn keep_fresh(state: Arc<State>) {
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let live = state.shared.load();
        for keys in live.keys() {
            keys.refresh_if_due(&environment).await;
        }
    }
}

fn until_renewal(end: Option<SystemTime>, now: SystemTime) -> Duration {
    let Some(end) = end else { return READ_AGAIN };
    let left = end.duration_since(now).unwrap_or(Duration::ZERO);
    // Not in a loop without rest, whatever the source says.
    left.saturating_sub(RENEW_BEFORE.min(left / 2)).max(Duration::from_secs(1))
}

fn backoff(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.min(6)).min(RETRY_MAX)
}

/// What the locks guard is well formed after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys {
            source: Source::Environment,
            profile: None,
            now: ArcSwapOption::empty(),
            news: watch::Sender::new(()),
            plan: Mutex::new(Plan { due: Instant::now(), failures: 0 }),
        }
    }

    fn environment(name: &str) -> Option<String> {
        name.starts_with("AWS_").then(|| format!("canary-{name}"))
    }

    #[tokio::test]
    async fn what_was_fetched_is_there_at_once_and_never_printed() {
        let keys = keys();
        assert!(keys.wait(Duration::ZERO).await.is_none());
        keys.refresh_if_due(&environment).await;
        let found = keys.wait(Duration::ZERO).await.unwrap();
        assert_eq!(found.access_key_id(), "canary-AWS_ACCESS_KEY_ID");
        assert!(!format!("{keys:?}{found:?}").contains("canary-AWS_SECRET"));
        assert!(!format!("{keys:?}{found:?}").contains("canary-AWS_SESSION"));
    }

    #[tokio::test]
    async fn a_request_that_waits_gets_what_comes_meanwhile() {
        let keys = keys();
        let (found, ()) = tokio::join!(keys.wait(Duration::from_secs(60)), keys.refresh_if_due(&environment));
        assert!(found.is_some());
    }

    #[tokio::test]
    async fn what_has_expired_is_not_used() {
        let keys = keys();
        let ended = SystemTime::now() + SKEW / 2;
        let old = Credentials::new("a", "b", None, Some(ended), "test");
        keys.now.store(Some(Arc::new(old)));
        assert!(keys.wait(Duration::from_millis(1)).await.is_none());
    }

    #[test]
    fn renewal_comes_before_the_end_and_failures_wait_longer_each_time() {
        let now = SystemTime::UNIX_EPOCH;
        for (left, after) in [(3600, 3300), (600, 300), (60, 30), (1, 1), (0, 1)] {
            let end = Some(now + Duration::from_secs(left));
            assert_eq!(until_renewal(end, now), Duration::from_secs(after), "{left}");
        }
        assert_eq!(until_renewal(None, now), READ_AGAIN);
        let waits: Vec<_> = [0, 1, 2, 5, 6, 60].map(|n| backoff(n).as_secs()).to_vec();
        assert_eq!(waits, [1, 2, 4, 32, 60, 60]);
    }

    #[test]
    fn who_asks_for_the_same_source_shares_it() {
        let one = Keys::shared(Source::Profile, Some("shared-by-a-test"));
        assert!(Arc::ptr_eq(&one, &Keys::shared(Source::Profile, Some("shared-by-a-test"))));
        assert!(!Arc::ptr_eq(&one, &Keys::shared(Source::Profile, None)));
    }
}
