//! Promises of whole models: counted exactly, alerted of, kept over a new configuration.

use std::sync::Arc;
use std::time::Duration;

use weir_config::{Alerts, LatencyTarget, Percent, Slo, SloStart, StalenessTarget};

use crate::numbers::Measure;
use crate::observation::{Evidence, Lifecycle, Observation, Outcome, Start};
use crate::slo::{Alert, Phase, State};
use crate::store::{BackendId, Recorder, Reserved, Store};
use crate::{Settings, encode_text};

const MS: u64 = 1_000_000;

fn slo(name: &str) -> Slo {
    let second = Duration::from_secs;
    Slo { name: name.to_owned(), window: second(60), hold: second(300), ..Slo::default() }
}

fn latency(name: &str, below_ms: u64, start: SloStart) -> Slo {
    let below = Duration::from_millis(below_ms);
    Slo { latency: Some(LatencyTarget { below, start, ..LatencyTarget::default() }), ..slo(name) }
}

/// A store, a recorder of it and its clock.
struct Bench {
    store: Arc<Store>,
    recorder: Recorder,
    backend: BackendId,
    now: Duration,
}

impl Bench {
    fn new(slos: &[Slo]) -> Self {
        let store = Store::with(Settings::default(), 2);
        let backend = store.backend("b");
        store.promise(slos, &Alerts::default());
        Self { recorder: store.recorder(0), backend, store, now: Duration::ZERO }
    }

    fn request(&self, model: &str, outcome: Outcome, start: Start, ms: u64) {
        let evidence = Some(Evidence::Header);
        let seen = Observation { evidence, ..Observation::new(outcome, start, ms * MS) };
        let known = self.recorder.resolve(self.backend, model);
        self.recorder.begin(known.unwrap_or(self.recorder.reserved(self.backend, Reserved::Unknown)));
        let model = known.unwrap_or_else(|| self.recorder.admit(self.backend, model));
        self.recorder.end(model, &seen);
    }

    /// So many seconds, each with what `second` does.
    fn run(&mut self, seconds: u64, mut second: impl FnMut(&Self)) {
        for _ in 0..seconds {
            second(self);
            self.now += Duration::from_secs(1);
            self.store.tick(self.now);
        }
    }

    fn firing(&self) -> Vec<Alert> {
        let all = self.store.alerts();
        all.into_iter().filter(|alert| alert.phase == Phase::Firing).collect()
    }

    /// Names of the alerts that are firing, and of their models.
    fn names(&self) -> Vec<(&'static str, String)> {
        self.firing().iter().map(|alert| (alert.kind.name(), alert.model.to_string())).collect()
    }
}

#[test]
fn good_and_bad_are_exact_from_the_very_first_request_on() {
    let mut bench = Bench::new(&[latency("any", 200, SloStart::Any), latency("hot", 100, SloStart::Hot)]);
    bench.request("m", Outcome::Ok, Start::Cold, 3000);
    for ms in 1..=1000 {
        bench.request("m", Outcome::Ok, Start::Hot, ms);
        bench.request("m", Outcome::ServerError, Start::Unknown, 9999);
    }
    bench.run(1, |_| ());
    let standings = bench.store.standings(bench.now);
    let of = |name: &str| {
        let found = standings.iter().find(|standing| &*standing.rule.name == name).unwrap();
        (found.total, found.bad, found.verdict.state)
    };
    assert_eq!(of("any"), (1001, 801, State::Broken));
    assert_eq!(of("hot"), (1000, 900, State::Broken));
    let mut text = String::new();
    encode_text(&bench.store.snapshot(), &mut text);
    for line in [
        "weir_model_slo_requests_total{backend=\"b\",model=\"m\",slo=\"any\"} 1001\n",
        "weir_model_slo_violations_total{backend=\"b\",model=\"m\",slo=\"hot\"} 900\n",
        "weir_model_slo_threshold_seconds{backend=\"b\",model=\"m\",slo=\"any\"} 0.2\n",
        "weir_model_slo_objective_ratio{backend=\"b\",model=\"m\",slo=\"any\"} 0.95\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn a_slow_model_fires_after_its_hold_and_no_other_does() {
    let mut bench = Bench::new(&[latency("fast", 200, SloStart::Any)]);
    let both = |slow: u64| {
        move |bench: &Bench| {
            for n in 0..20 {
                bench.request("quick", Outcome::Ok, Start::Hot, if n == 0 { 900 } else { 40 });
                bench.request("slow", Outcome::Ok, Start::Hot, if n < 2 { slow } else { 40 });
            }
        }
    };
    bench.run(299, both(900));
    assert_eq!(bench.names(), [], "not yet");
    bench.run(3, both(900));
    assert_eq!(bench.names(), [("WeirModelLatencyHigh", "slow".to_owned())]);
    let alert = &bench.firing()[0];
    assert!(alert.summary().contains("Model slow of b is slow: 10 %"), "{}", alert.summary());
    assert!(alert.description().contains("hot: p50 "), "{}", alert.description());
    bench.run(200, both(40));
    assert_eq!(bench.names(), []);
    assert_eq!(bench.store.alerts()[0].phase, Phase::Resolved);
}

#[test]
fn five_percent_cold_are_called_so_and_not_slow() {
    let mut bench = Bench::new(&[latency("fast", 200, SloStart::Any)]);
    bench.run(310, |bench| {
        for n in 0..18 {
            let cold = n == 0;
            let (start, ms) = if cold { (Start::Cold, 3000) } else { (Start::Hot, 40) };
            bench.request("m", Outcome::Ok, start, ms);
        }
    });
    assert_eq!(bench.names(), [("WeirModelLatencyBimodal", "m".to_owned())]);
    let summary = bench.firing()[0].summary();
    assert!(summary.contains("is 5.6 % cold, and not slow otherwise"), "{summary}");
}

#[test]
fn two_peaks_are_recognised_where_no_backend_tells_of_cold_starts() {
    let mut bench = Bench::new(&[latency("fast", 200, SloStart::Any)]);
    bench.run(310, |bench| {
        for n in 0..18 {
            bench.request("m", Outcome::Ok, Start::Unknown, if n == 0 { 3000 } else { 40 });
        }
    });
    assert_eq!(bench.names(), [("WeirModelLatencyBimodal", "m".to_owned())]);
}

#[test]
fn errors_cold_starts_and_hits_have_denominators_of_their_own() {
    let rate = |name: &str| Slo { hold: Duration::ZERO, ..slo(name) };
    let mut bench = Bench::new(&[
        Slo { error_rate_max: Some(Percent::of(1)), ..rate("errors") },
        Slo { cold_rate_max: Some(Percent::of(10)), ..rate("cold") },
        Slo { hit_rate_min: Some(Percent::of(80)), ..rate("hits") },
    ]);
    bench.run(2, |bench| {
        for n in 0..100 {
            let start = if n < 15 { Start::Cold } else { Start::Hot };
            bench.request("m", Outcome::Ok, start, 40);
            bench.request("m", Outcome::Ok, Start::Unknown, 40);
            bench.request("m", Outcome::ClientError, Start::Unknown, 40);
            bench.request("m", Outcome::Cancelled, Start::Unknown, 40);
        }
        bench.request("m", Outcome::Timeout, Start::Unknown, 40);
        bench.request("m", Outcome::Shed, Start::Unknown, 40);
    });
    let counted: Vec<_> = bench.store.standings(bench.now).iter().map(|s| (s.total, s.bad)).collect();
    assert_eq!(counted, [(404, 4), (200, 30), (200, 30)]);
    assert_eq!(bench.names(), [("WeirModelThrashing", "m".to_owned())]);
}

#[test]
fn old_data_is_told_by_the_answers_themselves() {
    let staleness = StalenessTarget { below: Duration::from_secs(48 * 3600), ..StalenessTarget::default() };
    let mut bench = Bench::new(&[Slo {
        staleness: Some(staleness),
        models: vec!["rank-*".to_owned()],
        hold: Duration::ZERO,
        ..slo("fresh")
    }]);
    let id = bench.store.values(bench.backend, &[("age", Measure::Staleness)])[0].unwrap();
    bench.run(2, |bench| {
        for (model, hours) in [("rank-a", 47.0), ("rank-b", 49.0), ("ads", 999.0)] {
            for _ in 0..20 {
                bench.request(model, Outcome::Ok, Start::Hot, 5);
                let model = bench.recorder.resolve(bench.backend, model);
                if let Some(model) = model {
                    bench.recorder.value(model, id, hours * 3600.0, Duration::from_secs(1));
                }
            }
        }
    });
    bench.run(1, |bench| bench.request("rank-b", Outcome::Ok, Start::Hot, 5));
    assert_eq!(bench.names(), [("WeirModelStale", "rank-b".to_owned())]);
}

#[test]
fn a_budget_that_burns_fires_at_its_level_long_before_it_is_gone() {
    // The same as 30 days and 5 minutes, in an hour: windows are 8640 times shorter than the budget.
    let budget = Duration::from_secs(30 * 86_400 / 60);
    let errors = Slo {
        error_rate_max: Some(Percent::of(1)),
        burn_alerts: true,
        budget,
        hold: Duration::from_secs(86_400),
        ..slo("e")
    };
    let mut bench = Bench::new(&[errors]);
    bench.run(90, |bench| {
        for n in 0..20 {
            bench.request("m", if n < 5 { Outcome::ServerError } else { Outcome::Ok }, Start::Hot, 5);
        }
    });
    let critical: Vec<_> =
        bench.firing().iter().map(|alert| (alert.kind.name(), alert.severity().as_str())).collect();
    assert!(critical.contains(&("WeirModelErrorBudgetBurn", "critical")), "{critical:?}");
    assert!(bench.firing()[0].summary().contains("25.0 times too fast"), "{}", bench.firing()[0].summary());
}

#[test]
fn a_promise_that_stays_the_same_goes_on_over_a_new_configuration() {
    let mut bench = Bench::new(&[latency("a", 200, SloStart::Any), latency("b", 300, SloStart::Any)]);
    let all = |bench: &Bench| (0..30).for_each(|_| bench.request("m", Outcome::Ok, Start::Hot, 250));
    bench.run(1, all);
    let slos = [latency("b", 240, SloStart::Any), latency("a", 200, SloStart::Any)];
    bench.store.promise(&slos, &Alerts::default());
    bench.run(1, all);
    let counted: Vec<_> =
        bench.store.standings(bench.now).iter().map(|s| (s.rule.name.to_string(), s.total, s.bad)).collect();
    assert_eq!(counted, [("b".to_owned(), 30, 30), ("a".to_owned(), 60, 60)]);
    bench.store.promise(&[], &Alerts::default());
    bench.run(1, all);
    assert!(bench.store.standings(bench.now).is_empty());
}

#[test]
fn alerts_of_what_is_no_more_are_resolved_and_their_number_is_bounded() {
    let fast = || Slo { hold: Duration::ZERO, keep_for: Duration::ZERO, ..latency("a", 1, SloStart::Any) };
    let mut bench = Bench::new(&[]);
    bench.store.promise(&[fast()], &Alerts { alerts_max: 3, ..Alerts::default() });
    bench.run(1, |bench| {
        for model in 0..5 {
            (0..20).for_each(|_| bench.request(&format!("m{model}"), Outcome::Ok, Start::Hot, 9));
        }
    });
    assert_eq!((bench.firing().len(), bench.store.alerts_left_out()), (3, 2));
    bench.store.promise(&[], &Alerts::default());
    bench.run(1, |_| ());
    assert!(bench.store.alerts().iter().all(|alert| alert.phase == Phase::Resolved));
}

#[test]
fn the_next_tenant_of_a_slot_has_promises_of_its_own() {
    let settings = Settings { models_max: 1, idle_after: Duration::from_secs(60), ..Settings::default() };
    let store = Store::with(settings, 1);
    let backend = store.backend("b");
    store.promise(
        &[Slo { models: vec!["fir*".to_owned()], ..latency("a", 1, SloStart::Any) }],
        &Alerts::default(),
    );
    let mut bench = Bench { recorder: store.recorder(0), backend, store, now: Duration::ZERO };
    bench.request("first", Outcome::Ok, Start::Hot, 9);
    bench.run(200, |bench| bench.recorder.quiesce());
    bench.request("second", Outcome::Ok, Start::Hot, 9);
    bench.run(1, |_| ());
    assert!(bench.store.model("b", "second").is_some(), "it has the slot of the first");
    assert!(bench.store.standings(bench.now).is_empty());
}

#[test]
fn evictions_are_told_with_an_alert() {
    let mut bench = Bench::new(&[Slo { hold: Duration::ZERO, ..latency("a", 1, SloStart::Any) }]);
    bench.run(2, |bench| {
        (0..20).for_each(|_| bench.request("m", Outcome::Ok, Start::Hot, 9));
        if let Some(model) = bench.recorder.resolve(bench.backend, "m") {
            bench.recorder.lifecycle(model, Lifecycle::Evicted { age: None });
        }
    });
    bench.run(20, |bench| bench.request("m", Outcome::Ok, Start::Hot, 9));
    assert!(
        bench.firing()[0].description().contains("Put out of memory 1 times"),
        "{}",
        bench.firing()[0].description()
    );
}
