//! Looks and requests in every order; times in seconds.

use weir_config::StateWord;
use weir_telemetry::Lifecycle;

use super::*;
use crate::residency::{By, Facts};

const LIMITS: Limits =
    Limits { stale_after: Some(Duration::from_secs(30)), reload_within: Duration::from_secs(300) };

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
    seen.answered(&name(), (at(began), at(ended)), None, LIMITS).map(|(start, _)| start)
}

#[test]
fn the_first_answer_after_a_look_that_missed_the_model_is_cold_and_later_ones_are_hot() {
    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Unloaded);
    assert_eq!(request(&seen, 2.0, 4.0), Some(Start::Cold));
    assert_eq!(request(&seen, 5.0, 5.1), Some(Start::Hot));
    look(&seen, 6.0, StateWord::Loaded);
    assert_eq!(request(&seen, 7.0, 7.1), Some(Start::Hot));
    assert_eq!(seen.known().facts.counts.loads, 1);
}

#[test]
fn a_model_that_loads_between_two_looks_is_cold_once_for_who_comes_first() {
    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Loading);
    look(&seen, 6.0, StateWord::Loaded);
    assert_eq!(request(&seen, 7.0, 7.5), Some(Start::Cold));
    assert_eq!(request(&seen, 7.6, 7.7), Some(Start::Hot));
    assert_eq!(seen.known().facts.counts.loads, 1);
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
    assert_eq!((facts.counts.loads, facts.counts.evictions, facts.counts.reloads), (1, 1, 1));
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
    assert_eq!(seen.known().facts.counts.loads, 0, "what was before nobody looked is not known");
}

#[test]
fn an_answer_while_a_look_is_on_its_way_is_not_taken_for_an_eviction() {
    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Unloaded);
    assert_eq!(request(&seen, 2.0, 6.05), Some(Start::Cold));
    look(&seen, 6.0, StateWord::Unloaded);
    assert_eq!(seen.known().facts.counts.evictions, 0);
    look(&seen, 11.0, StateWord::Unloaded);
    let facts = seen.known().facts;
    assert_eq!((facts.counts.evictions, facts.counts.evicted_age), (1, Some(at(4.95))));
    assert_eq!(facts.memory_bytes, None, "what is not in memory takes none");
}

#[test]
fn a_look_that_left_the_model_out_changes_nothing() {
    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Loaded);
    look(&seen, 20.0, StateWord::Unknown);
    assert_eq!(request(&seen, 25.0, 25.1), Some(Start::Hot));
    assert!(seen.known().is_stale(at(40.0), LIMITS));
}

fn call(seen: &Seen, called: Called, sent: f64, answered: f64) {
    seen.called(called, (at(sent), at(answered)), LIMITS);
}

fn start_and_layer(seen: &Seen, began: f64, ended: f64) -> Option<(Start, Evidence)> {
    seen.answered(&name(), (at(began), at(ended)), None, LIMITS)
}

#[test]
fn what_a_call_and_a_look_both_show_is_counted_once_whichever_came_first() {
    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Unloaded);
    call(&seen, Called::Loaded, 2.0, 5.0);
    look(&seen, 6.0, StateWord::Loaded);
    call(&seen, Called::Unloaded, 10.0, 10.1);
    look(&seen, 11.0, StateWord::Unloaded);
    let counts = seen.known().facts.counts;
    assert_eq!((counts.loads, counts.timed_loads, counts.last_load), (1, 1, Some(at(3.0))));
    assert_eq!((counts.evictions, counts.evicted_age.unwrap().as_secs_f64().round()), (1, 5.0));

    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Unloaded);
    look(&seen, 4.0, StateWord::Loaded);
    call(&seen, Called::Loaded, 2.0, 5.0);
    let counts = seen.known().facts.counts;
    assert_eq!((counts.loads, counts.timed_loads, counts.load_time), (1, 1, at(3.0)));
}

#[test]
fn a_look_that_was_on_its_way_when_a_call_was_answered_says_nothing_and_a_later_one_contradicts_it() {
    let seen = Seen::new();
    call(&seen, Called::Loaded, 1.0, 2.0);
    seen.told(&Told { word: StateWord::Unloaded, ..Told::default() }, (at(1.9), at(2.1)), LIMITS);
    assert_eq!((seen.known().phase, seen.known().by), (StateWord::Loaded, By::Call));
    assert_eq!(start_and_layer(&seen, 3.0, 3.1), Some((Start::Cold, Evidence::Lifecycle)));
    look(&seen, 4.0, StateWord::Unloaded);
    assert_eq!((seen.known().phase, seen.known().by), (StateWord::Unloaded, By::Look));
    assert_eq!(start_and_layer(&seen, 5.0, 6.0), Some((Start::Cold, Evidence::State)));
    assert_eq!(seen.known().facts.counts.evictions, 1);
}

#[test]
fn who_waited_for_a_load_call_is_cold_and_who_comes_behind_the_first_is_hot() {
    let seen = Seen::new();
    call(&seen, Called::Loaded, 1.0, 4.0);
    assert_eq!(request(&seen, 2.0, 4.1), Some(Start::Cold));
    assert_eq!(request(&seen, 3.0, 4.2), Some(Start::Cold));
    assert_eq!(request(&seen, 5.0, 5.1), Some(Start::Hot));
    call(&seen, Called::Unloaded, 6.0, 6.1);
    assert_eq!(request(&seen, 5.9, 6.2), None, "it may have been answered from memory");
    let seen = Seen::new();
    call(&seen, Called::Accepted, 1.0, 1.1);
    assert_eq!(seen.known().phase, StateWord::Loading);
    assert_eq!(request(&seen, 2.0, 4.0), Some(Start::Cold));
    assert_eq!(seen.known().phase, StateWord::Loaded);
}

#[test]
fn a_load_that_comes_to_nothing_is_a_failure_once() {
    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Unloaded);
    look(&seen, 2.0, StateWord::Loading);
    look(&seen, 3.0, StateWord::Unloaded);
    call(&seen, Called::Failed, 1.5, 3.5);
    assert_eq!(seen.known().facts.counts.load_failures, 1, "seen by a look, then by its call");
    call(&seen, Called::Failed, 4.0, 4.5);
    assert_eq!(seen.known().facts.counts.load_failures, 2);
    look(&seen, 5.0, StateWord::Loaded);
    look(&seen, 6.0, StateWord::Loading);
    look(&seen, 7.0, StateWord::Unloaded);
    let counts = seen.known().facts.counts;
    assert_eq!((counts.load_failures, counts.evictions), (2, 1), "a worker that ends is no load that fails");
}

#[test]
fn a_load_time_that_an_answer_tells_belongs_to_the_load_that_was_seen() {
    let seen = Seen::new();
    let told = |began, now| seen.answered(&name(), (at(began), at(now)), Some(at(2.0)), LIMITS);
    look(&seen, 1.0, StateWord::Unloaded);
    assert_eq!(told(2.0, 4.5), Some((Start::Cold, Evidence::State)));
    assert_eq!(told(2.1, 4.6), None, "it waited for the same load");
    let counts = seen.known().facts.counts;
    assert_eq!((counts.loads, counts.timed_loads, counts.load_time), (1, 1, at(2.0)));
    look(&seen, 5.0, StateWord::Loaded);
    // Put out and loaded between two looks: the answer alone knows.
    assert_eq!(told(6.0, 9.0), Some((Start::Hot, Evidence::State)), "as far as looks tell");
    assert_eq!(seen.known().facts.counts.loads, 2);
}

#[test]
fn what_happened_is_handed_out_once_and_kept_if_nobody_takes_it() {
    let seen = Seen::new();
    look(&seen, 1.0, StateWord::Unloaded);
    look(&seen, 2.0, StateWord::Loaded);
    let events = seen.take_pending();
    assert_eq!(events, Lifecycle::Loaded { took: None }.into());
    assert!(seen.take_pending().is_empty());
    look(&seen, 3.0, StateWord::Unloaded);
    seen.give_back(events);
    let events = seen.take_pending();
    assert_eq!((events.loads, events.evictions), (1, 1));
}

#[test]
fn what_only_calls_have_shown_does_not_grow_stale() {
    let limits = Limits { stale_after: None, ..LIMITS };
    let seen = Seen::new();
    seen.called(Called::Loaded, (at(1.0), at(2.0)), limits);
    let answered = |began, now| seen.answered(&name(), (at(began), at(now)), None, limits);
    assert_eq!(answered(3.0, 3.1), Some((Start::Cold, Evidence::Lifecycle)));
    assert_eq!(answered(90_000.0, 90_000.1).map(|(start, _)| start), Some(Start::Hot));
}
