//! Tests of `told`, with alerts that a store raised.

use std::time::Duration;

use weir_config::{Alerts, Percent, Slo};
use weir_telemetry::{Observation, Outcome, Recorder, Reserved, Start, Store};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Models that fail as they are told to.
struct Fleet {
    store: Arc<Store>,
    recorder: Recorder,
    now: Duration,
}

impl Fleet {
    fn new() -> Self {
        let store = Store::new(&weir_config::Telemetry::default(), 1);
        let errors = Slo {
            name: "errors".to_owned(),
            error_rate_max: Some(Percent::of(1)),
            window: s(1),
            hold: s(0),
            keep_for: s(0),
            requests_min: 1,
            ..Slo::default()
        };
        store.promise(&[errors], &Alerts::default());
        store.configure(store.backend("b"), &["x".to_owned(), "y".to_owned()]);
        Self { recorder: store.recorder(0), store, now: s(0) }
    }

    /// Three seconds in which the model does well or not.
    fn pass(&mut self, model: &str, well: bool) -> Vec<Alert> {
        for _ in 0..3 {
            self.now += s(1);
            self.store.tick(self.now);
            let backend = self.store.backend("b");
            let slot = self.recorder.resolve(backend, model);
            let slot = slot.unwrap_or(self.recorder.reserved(backend, Reserved::Unknown));
            self.recorder.begin(slot);
            let outcome = if well { Outcome::Ok } else { Outcome::ServerError };
            self.recorder.end(slot, &Observation::new(outcome, Start::Hot, 1));
        }
        self.now += s(1);
        self.store.tick(self.now);
        self.store.alerts()
    }
}

fn phases(due: &[Alert]) -> Vec<(&str, &str)> {
    due.iter().map(|alert| (&*alert.model, alert.phase.as_str())).collect()
}

#[test]
fn an_alert_is_told_once_again_after_a_while_and_when_it_is_resolved() {
    let (mut fleet, mut told) = (Fleet::new(), Told::default());
    told.update(fleet.pass("x", false), s(4), 10);
    let due = told.due(s(4), HOUR);
    assert_eq!(phases(&due), [("x", "firing")]);
    told.took(&due, s(4));
    told.update(fleet.store.alerts(), s(5), 10);
    assert_eq!(phases(&told.due(s(5), HOUR)), []);
    assert_eq!(phases(&told.due(s(4) + HOUR, HOUR)), [("x", "firing")]);
    told.update(fleet.pass("x", true), s(9), 10);
    let due = told.due(s(9), HOUR);
    assert_eq!(phases(&due), [("x", "resolved")]);
    told.took(&due, s(9));
    told.update(fleet.store.alerts(), s(10), 10);
    assert_eq!(phases(&told.due(s(10) + HOUR, HOUR)), []);
    told.update(Vec::new(), s(11), 10);
    assert!(told.episodes.is_empty(), "what is settled and gone is forgotten");
}

#[test]
fn nothing_is_lost_while_the_receiver_is_down() {
    let (mut fleet, mut told) = (Fleet::new(), Told::default());
    for well in [false, true, false] {
        let alerts = fleet.pass("x", well);
        told.update(alerts, fleet.now, 10);
    }
    told.update(fleet.pass("y", false), fleet.now, 10);
    let due = told.due(fleet.now, HOUR);
    assert!(phases(&due).starts_with(&[("x", "resolved")]), "{due:?}");
    assert_eq!(phases(&due).iter().filter(|(model, _)| *model == "y").count(), 1);
    told.took(&due[..1], fleet.now);
    assert_eq!(told.due(fleet.now, HOUR).len(), due.len() - 1, "what was not taken is still owed");
}

#[test]
fn resolved_episodes_that_nobody_hears_of_are_bounded_and_the_oldest_go() {
    let (mut fleet, mut told) = (Fleet::new(), Told::default());
    let mut forgotten = 0;
    for well in [false, true, false, true, false, true] {
        let alerts = fleet.pass("x", well);
        forgotten += told.update(alerts, fleet.now, 1);
    }
    assert_eq!(phases(&told.due(fleet.now, HOUR)).len(), 2, "one that is gone, one that is still shown");
    assert_eq!(forgotten, 1);
}
