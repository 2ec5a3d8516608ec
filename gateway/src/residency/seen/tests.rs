//! Looks and requests in every order; times in seconds.

use super::*;

const LIMITS: Limits =
    Limits { stale_after: Duration::from_secs(30), reload_within: Duration::from_secs(300) };

fn at(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn name() -> ModelName {
    ModelName::new("alpha", 64).unwrap()
}

/// A look that took a tenth of a second.
fn look(seen: &Seen, seconds: f64, word: StateWord) {
    let told = Told { word, memory_bytes: Some(7), gpu_memory_bytes: None };
    seen.told(&told, (at(seconds), at(seconds + 0.1)), LIMITS);
}

fn request(seen: &Seen, began: f64, ended: f64) -> Option<Start> {
    seen.answered(&name(), at(began), at(ended), LIMITS)
}

#[test]
fn the_first_answer_after_a_look_that_missed_the_model_is_cold_and_later_ones_are_hot() {
    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Unloaded);
    assert_eq!(request(&seen, 2.0, 4.0), Some(Start::Cold));
    assert_eq!(request(&seen, 5.0, 5.1), Some(Start::Hot));
    look(&seen, 6.0, StateWord::Loaded);
    assert_eq!(request(&seen, 7.0, 7.1), Some(Start::Hot));
    assert_eq!(seen.known().facts.loads, 1);
}

#[test]
fn a_model_that_loads_between_two_looks_is_cold_once_for_who_comes_first() {
    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Loading);
    look(&seen, 6.0, StateWord::Loaded);
    assert_eq!(request(&seen, 7.0, 7.5), Some(Start::Cold));
    assert_eq!(request(&seen, 7.6, 7.7), Some(Start::Hot));
    assert_eq!(seen.known().facts.loads, 1);
}

#[test]
fn who_began_between_the_looks_beside_the_first_is_unknown_unless_a_look_found_it_waiting() {
    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Unloaded);
    assert_eq!(request(&seen, 2.0, 4.0), Some(Start::Cold));
    assert_eq!(request(&seen, 2.1, 4.1), None, "it may have begun after the load");
    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Unloaded);
    look(&seen, 3.0, StateWord::Loading);
    assert_eq!(request(&seen, 2.0, 4.0), Some(Start::Cold));
    assert_eq!(request(&seen, 2.1, 4.1), Some(Start::Cold), "the look found both waiting");
    assert_eq!(request(&seen, 4.2, 4.3), Some(Start::Hot));
}

#[test]
fn a_request_from_before_an_eviction_says_nothing_and_takes_nothing() {
    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Loaded);
    look(&seen, 6.0, StateWord::Unloaded);
    assert_eq!(request(&seen, 5.0, 7.0), None);
    assert_eq!(request(&seen, 7.5, 9.0), None, "nobody knows whether the one before had to load it");
    look(&seen, 11.0, StateWord::Loaded);
    assert_eq!(request(&seen, 12.0, 12.1), Some(Start::Hot));
    let facts = seen.known().facts;
    assert_eq!((facts.loads, facts.evictions, facts.reloads), (1, 1, 1));
}

#[test]
fn a_model_that_was_always_there_is_hot_for_who_begins_after_the_look() {
    let seen = Seen::new();
    assert_eq!(request(&seen, 0.1, 0.2), None);
    look(&seen, 1.0, StateWord::Loaded);
    assert_eq!(request(&seen, 0.9, 1.5), None);
    assert_eq!(request(&seen, 2.0, 2.1), Some(Start::Hot));
    assert_eq!(seen.known().facts, Facts { memory_bytes: Some(7), ..Facts::default() });
}

#[test]
fn what_is_stale_decides_nothing() {
    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Loaded);
    assert_eq!(request(&seen, 40.0, 40.1), None);
    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Unloaded);
    assert_eq!(request(&seen, 40.0, 40.1), None);
    look(&seen, 50.0, StateWord::Loaded);
    assert_eq!(seen.known().facts.loads, 0, "what was before nobody looked is not known");
}

#[test]
fn an_answer_while_a_look_is_on_its_way_is_not_taken_for_an_eviction() {
    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Unloaded);
    assert_eq!(request(&seen, 2.0, 6.05), Some(Start::Cold));
    look(&seen, 6.0, StateWord::Unloaded);
    assert_eq!(seen.known().facts.evictions, 0);
    look(&seen, 11.0, StateWord::Unloaded);
    let facts = seen.known().facts;
    assert_eq!((facts.evictions, facts.evicted_age), (1, Some(at(4.95))));
    assert_eq!(facts.memory_bytes, None, "what is not in memory takes none");
}

#[test]
fn a_look_that_left_the_model_out_changes_nothing() {
    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Loaded);
    look(&seen, 20.0, StateWord::Unknown);
    assert_eq!(request(&seen, 25.0, 25.1), Some(Start::Hot));
    assert!(seen.known().is_stale(at(40.0), LIMITS.stale_after));
}
