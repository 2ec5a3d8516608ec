//! Bodies that take a while to build, built once for all who ask at the same time: a second scraper, or one that hung
//! up and came back, waits for the body that is under way and gets the same. So however many ask, no more bodies are
//! built at a time than there are kinds of them, and each is in memory once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::OnceCell;

type Flight = OnceCell<Option<Bytes>>;

/// The bodies that are under way, by kind.
#[derive(Debug)]
pub(super) struct Flights<K>(Mutex<HashMap<K, Weak<Flight>>>);

impl<K> Default for Flights<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Copy> Flights<K> {
    /// The body of that kind: one that is under way, else what `build` makes on a thread of its own, off the control
    /// plane's. `None` if that failed.
    pub(super) async fn body(
        &self,
        kind: K,
        build: impl FnOnce() -> Vec<u8> + Send + 'static,
    ) -> Option<Bytes> {
        let flight = self.join(kind);
        // If whoever builds goes away, the next who waits builds.
        let built =
            flight.get_or_init(|| async { tokio::task::spawn_blocking(build).await.ok().map(Bytes::from) });
        built.await.clone()
    }

    fn join(&self, kind: K) -> Arc<Flight> {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = under_way.get(&kind).and_then(Weak::upgrade) {
            return flight;
        }
        let flight = Arc::new(Flight::new());
        under_way.insert(kind, Arc::downgrade(&flight));
        flight
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn those_who_ask_while_a_body_is_built_share_it_and_those_after_do_not() {
        let (flights, built) = (Flights::<u8>::default(), Arc::new(AtomicUsize::new(0)));
        let (go, wait) = mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let ask = |kind| {
            let (built, wait) = (Arc::clone(&built), Arc::clone(&wait));
            flights.body(kind, move || {
                let number = built.fetch_add(1, SeqCst);
                wait.lock().unwrap().recv().unwrap();
                vec![number as u8]
            })
        };
        let first = async {
            let all = tokio::join!(ask(1), ask(1), ask(1));
            assert!(all.0.is_some() && all.0 == all.1 && all.1 == all.2);
        };
        let release = async {
            while built.load(SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            go.send(()).unwrap();
        };
        tokio::join!(first, release);
        assert_eq!(built.load(SeqCst), 1);
        go.send(()).unwrap();
        go.send(()).unwrap();
        assert_ne!(ask(1).await, ask(2).await);
        assert_eq!(built.load(SeqCst), 3);
    }

    #[tokio::test]
    async fn a_build_that_panics_is_told_and_the_next_is_built_again() {
        let flights = Flights::<u8>::default();
        assert_eq!(flights.body(1, || panic!("broken")).await, None);
        assert_eq!(flights.body(1, || vec![7]).await, Some(Bytes::from_static(&[7])));
    }

    #[tokio::test]
    async fn who_waits_builds_when_the_one_who_built_hung_up() {
        let flights = Flights::<u8>::default();
        let (go, wait) = mpsc::channel::<()>();
        let mut gone = Box::pin(flights.body(1, move || {
            _ = wait.recv();
            vec![1]
        }));
        let second = async {
            tokio::task::yield_now().await;
            flights.body(1, || vec![2]).await
        };
        tokio::pin!(second);
        // The first began to build and then hangs up while the second waits.
        tokio::select! {
            biased;
            _ = &mut gone => panic!("it waits"),
            () = tokio::task::yield_now() => {}
        }
        drop(gone);
        assert_eq!(second.await, Some(Bytes::from_static(&[2])));
        drop(go);
    }
}
