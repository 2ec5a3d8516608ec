//! One endpoint that is asked, and several that are told apart.

use std::collections::HashMap;

use weir_config::{PollMode, StatePoll, StateWord};

use super::*;

const SEEN_COLD: Option<(Start, Evidence)> = Some((Start::Cold, Evidence::State));

fn poll(mode: PollMode) -> StatePoll {
    StatePoll { poll: mode, ..StatePoll::default() }
}

/// A backend with so many endpoints that have tables.
fn with_tables(count: usize, mode: PollMode) -> Arc<Models> {
    let models = models();
    let table = |n| Arc::new(Polled::new(format!("server-{n}:1"), &poll(mode)));
    let tables = (0..count).map(table).collect();
    models.watched.store(Arc::new(Watched { tables, are_several: count > 1, reload_within: at(300) }));
    models
}

/// Endpoint `place` is asked and tells this of `m`.
fn look(models: &Models, place: usize, seconds: u64, word: StateWord) {
    let told = HashMap::from([("m".to_owned(), Told { word, ..Told::default() })]);
    let watched = models.watched();
    let table = watched.tables.get(place).unwrap();
    table.told(&told, Some(StateWord::Unloaded), at(seconds), at(seconds));
    if watched.tables.len() == 1 {
        models.told(&told, at(seconds));
    }
}

/// A request that endpoint `place` answers well at once.
fn infer(models: &Models, place: usize, seconds: u64) -> Option<(Start, Evidence)> {
    let served = Served { place: Some(place), began: at(seconds), now: at(seconds) };
    models.infer_answered(models.infer_began("m"), "m", &name("m"), served, None).start
}

fn load(models: &Arc<Models>, place: usize, from: u64, to: u64) -> LoadSettled {
    models.load_began("m", at(from)).answered(status(200), Some(place), at(to))
}

#[test]
fn a_model_that_a_call_loaded_and_the_server_put_out_again_is_cold_by_state() {
    let models = with_tables(1, PollMode::Auto);
    look(&models, 0, 1, StateWord::Unloaded);
    assert!(load(&models, 0, 2, 3).is_told);
    assert_eq!(infer(&models, 0, 4), COLD);
    assert_eq!(infer(&models, 0, 5), HOT);
    look(&models, 0, 6, StateWord::Unloaded);
    assert_eq!(infer(&models, 0, 7), SEEN_COLD, "calls alone would say hot");
    assert_eq!(infer(&models, 0, 8).map(|(start, _)| start), Some(Start::Hot));
}

#[test]
fn a_model_that_a_call_put_out_and_somebody_loaded_again_is_not_cold_for_its_callers_sake() {
    let models = with_tables(1, PollMode::Auto);
    let _ = load(&models, 0, 1, 2);
    assert_eq!(infer(&models, 0, 3), COLD);
    let _ = models.unload("m", 200, 4);
    look(&models, 0, 5, StateWord::Unloaded);
    look(&models, 0, 6, StateWord::Loaded);
    assert_eq!(infer(&models, 0, 7), SEEN_COLD, "the first since it was found again");
    assert_eq!(infer(&models, 0, 8).map(|(start, _)| start), Some(Start::Hot));
}

#[test]
fn an_older_look_does_not_contradict_a_newer_call() {
    let models = with_tables(1, PollMode::Auto);
    let _ = load(&models, 0, 3, 5);
    let told = HashMap::from([("m".to_owned(), Told { word: StateWord::Unloaded, ..Told::default() })]);
    models.told(&told, at(4));
    assert_eq!(infer(&models, 0, 6), COLD);
    assert_eq!(infer(&models, 0, 7), HOT);
}

#[test]
fn each_of_several_endpoints_is_judged_by_its_own_memory() {
    let models = with_tables(2, PollMode::Auto);
    look(&models, 0, 1, StateWord::Loaded);
    look(&models, 1, 1, StateWord::Unloaded);
    let start = |place, seconds| infer(&models, place, seconds).map(|(start, _)| start);
    assert_eq!(start(0, 2), Some(Start::Hot));
    assert_eq!(infer(&models, 1, 2), SEEN_COLD);
    assert_eq!(start(1, 3), Some(Start::Hot));
    look(&models, 0, 4, StateWord::Unloaded);
    assert_eq!(infer(&models, 0, 5), SEEN_COLD);
    assert_eq!(start(1, 5), Some(Start::Hot));
}

#[test]
fn a_load_of_one_endpoint_says_nothing_of_another() {
    let models = with_tables(2, PollMode::Off);
    let _ = load(&models, 0, 1, 2);
    assert_eq!(infer(&models, 1, 3), None);
    assert_eq!(infer(&models, 0, 3), COLD);
    assert_eq!(infer(&models, 0, 4).map(|(start, _)| start), Some(Start::Hot));
    assert_eq!(infer(&models, 1, 4), None, "never guessed into hot");
    let _ = load(&models, 1, 5, 6);
    assert_eq!(infer(&models, 1, 7), COLD);
    let counts: Vec<u32> = models
        .watched()
        .tables
        .iter()
        .flat_map(|table| table.known())
        .map(|(_, known)| known.facts.counts.loads)
        .collect();
    assert_eq!(counts, [1, 1]);
}

#[test]
fn of_several_endpoints_behind_one_management_address_nothing_is_said() {
    let models = models();
    models.watched.store(Arc::new(Watched { tables: Vec::new(), are_several: true, reload_within: at(300) }));
    let settled = models.load_began("m", at(1)).answered(status(200), None, at(2));
    assert!(!settled.is_told);
    assert_eq!(infer(&models, 0, 3), None);
    assert_eq!(infer(&models, 0, 4), None);
}

#[test]
fn one_endpoint_that_says_it_is_loading_makes_no_other_cold() {
    let models = with_tables(2, PollMode::Off);
    models.told_loading("m", Some(0), at(1));
    assert_eq!(infer(&models, 1, 2), None);
    assert_eq!(infer(&models, 0, 3), TOLD);
    assert_eq!(infer(&models, 0, 4), None);
}

#[test]
fn a_load_soon_after_an_eviction_is_a_reload() {
    let models = models();
    models.watched.store(Arc::new(Watched { reload_within: at(10), ..Watched::default() }));
    let _ = models.load("m", 200, 1, 2);
    let _ = models.infer("m", 3);
    let _ = models.unload("m", 200, 4);
    let _ = models.load("m", 200, 5, 6);
    let reload = Some(Load { took: Some(at(1)), reload: true });
    assert_eq!(models.ok(models.infer_began("m"), "m", 7), Settled { start: COLD, load: reload });
    let _ = models.unload("m", 200, 8);
    let _ = models.load("m", 200, 30, 31);
    assert_eq!(models.ok(models.infer_began("m"), "m", 32).load, took(1), "not so soon");
    let (_, account) = models.accounts().pop().unwrap();
    assert_eq!(
        (account.counts.loads, account.counts.evictions, account.counts.evicted_age),
        (3, 2, Some(at(2)))
    );
}
