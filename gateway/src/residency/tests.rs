//! Stories of one model, told in calls and answers; `many` has many models and many workers.

use http::StatusCode;

use super::*;

mod many;
mod endpoints;

const COLD: Option<(Start, Evidence)> = Some((Start::Cold, Evidence::Lifecycle));
const HOT: Option<(Start, Evidence)> = Some((Start::Hot, Evidence::Lifecycle));
const TOLD: Option<(Start, Evidence)> = Some((Start::Cold, Evidence::Status));

fn models() -> Arc<Models> {
    Residency::default().backend("b")
}

const UNTIMED: Option<Load> = Some(Load { took: None, reload: false });

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn took(seconds: u64) -> Option<Load> {
    Some(Load { took: Some(at(seconds)), reload: false })
}

/// By the only endpoint, at once.
const fn served(seconds: u64) -> Served {
    Served { place: Some(0), began: at(seconds), now: at(seconds) }
}

fn name(text: &str) -> ModelName {
    ModelName::new(text, 256).unwrap()
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap()
}

impl Models {
    /// A load call from second `from` to `to`.
    fn load(self: &Arc<Self>, id: &str, code: u16, from: u64, to: u64) -> LoadSettled {
        self.load_began(id, at(from)).answered(status(code), Some(0), at(to))
    }

    fn unload(&self, id: &str, code: u16, when: u64) -> Option<Evicted> {
        self.unload_answered(id, status(code), served(when))
    }

    fn ok(&self, ticket: InferTicket, id: &str, when: u64) -> Settled {
        self.infer_answered(ticket, id, &name(id), served(when), None)
    }

    /// A request that begins and is answered well.
    fn infer(&self, id: &str, when: u64) -> Option<(Start, Evidence)> {
        self.ok(self.infer_began(id), id, when).start
    }
}

#[test]
fn a_model_that_was_never_seen_loading_is_unknown() {
    let models = models();
    assert_eq!(models.infer("m", 1), None);
    let _ = models.load("other", 200, 1, 2);
    assert_eq!(models.infer("m", 3), None);
}

#[test]
fn the_first_answer_after_a_load_is_cold_and_the_next_are_hot() {
    let models = models();
    let settled = models.load("m", 200, 10, 13);
    assert_eq!(
        settled,
        LoadSettled { outcome: LoadOutcome::Loaded { took: at(3) }, label: None, is_told: false }
    );
    let first = models.ok(models.infer_began("m"), "m", 14);
    assert_eq!(first, Settled { start: COLD, load: took(3) });
    let second = models.ok(models.infer_began("m"), "m", 15);
    assert_eq!(second, Settled { start: HOT, load: None });
}

#[test]
fn a_request_that_waited_for_the_load_is_cold_and_takes_the_token() {
    let models = models();
    let load = models.load_began("m", at(1));
    let (a, b) = (models.infer_began("m"), models.infer_began("m"));
    let _ = load.answered(status(200), Some(0), at(4));
    let later = models.infer_began("m");
    assert_eq!(models.ok(a, "m", 4), Settled { start: COLD, load: took(3) });
    assert_eq!(models.ok(b, "m", 4).start, COLD);
    assert_eq!(models.ok(later, "m", 4).start, HOT);
}

#[test]
fn a_request_that_begins_after_the_load_is_cold_when_it_is_answered_before_those_that_waited() {
    let models = models();
    let load = models.load_began("m", at(1));
    let waited = models.infer_began("m");
    let _ = load.answered(status(200), Some(0), at(4));
    assert_eq!(models.infer("m", 5), COLD);
    assert_eq!(models.ok(waited, "m", 6).start, COLD);
    assert_eq!(models.infer("m", 7), HOT);
}

#[test]
fn an_answer_that_comes_before_the_load_calls_own_takes_the_token_too() {
    let models = models();
    let load = models.load_began("m", at(1));
    assert_eq!(models.infer("m", 3), COLD);
    assert_eq!(models.infer("m", 3), HOT);
    assert_eq!(load.answered(status(200), Some(0), at(4)).outcome, LoadOutcome::Loaded { took: at(3) });
    let next = models.ok(models.infer_began("m"), "m", 5);
    assert_eq!(next, Settled { start: HOT, load: took(3) });
}

#[test]
fn failed_answers_do_not_take_the_token() {
    let models = models();
    let load = models.load_began("m", at(1));
    drop(models.infer_began("m"));
    let _ = load.answered(status(200), Some(0), at(2));
    drop(models.infer_began("m"));
    assert_eq!(models.infer("m", 3), COLD);
}

#[test]
fn an_accepted_load_is_done_with_the_first_answer() {
    let models = models();
    assert_eq!(models.load("m", 202, 1, 1).outcome, LoadOutcome::Accepted);
    let (a, b) = (models.infer_began("m"), models.infer_began("m"));
    drop(models.infer_began("m"));
    assert_eq!(models.ok(a, "m", 4), Settled { start: COLD, load: UNTIMED });
    assert_eq!(models.infer("m", 5), HOT);
    assert_eq!(models.ok(b, "m", 5).start, COLD);
}

#[test]
fn a_load_call_that_nobody_saw_end_is_settled_by_the_next_answer() {
    let models = models();
    drop(models.load_began("m", at(1)));
    assert_eq!(models.infer("m", 3), COLD);
    assert_eq!(models.infer("m", 3), HOT);
    // The next load call may settle it as well.
    drop(models.load_began("n", at(1)));
    assert_eq!(models.load("n", 200, 3, 5).outcome, LoadOutcome::Loaded { took: at(2) });
    assert_eq!(models.infer("n", 6), COLD);
}

#[test]
fn a_refused_load_changes_nothing() {
    for code in [409, 400, 404, 500, 507] {
        let models = models();
        let outcome = models.load("m", code, 1, 2).outcome;
        assert_eq!(outcome, if code == 409 { LoadOutcome::AlreadyLoaded } else { LoadOutcome::Failed });
        assert_eq!(models.infer("m", 3), None, "{code}: nothing was known before");

        let _ = models.load("m", 200, 4, 5);
        let _ = models.load("m", code, 5, 6);
        assert_eq!(models.infer("m", 7), COLD, "{code}: the token is still there");
        let _ = models.load("m", code, 8, 9);
        assert_eq!(models.infer("m", 10), HOT, "{code}: still loaded");

        let _ = models.unload("m", 200, 11);
        let _ = models.load("m", code, 12, 13);
        assert_eq!(models.infer("m", 14), COLD, "{code}: somebody else loaded it");
    }
}

#[test]
fn a_request_during_a_load_that_fails_is_judged_by_what_was_before() {
    for (before, expected) in [("nothing", None), ("loaded", HOT), ("unloaded", COLD)] {
        let models = models();
        match before {
            "loaded" => {
                let _ = models.load("m", 200, 1, 2);
                let _ = models.infer("m", 2);
            }
            "unloaded" => drop(models.unload("m", 200, 2)),
            _ => {}
        }
        let load = models.load_began("m", at(3));
        let during = models.infer_began("m");
        let _ = load.answered(status(409), Some(0), at(4));
        assert_eq!(models.ok(during, "m", 5).start, expected, "{before}");
    }
}

#[test]
fn a_load_that_never_reached_the_backend_changes_nothing() {
    let models = models();
    models.load_began("m", at(1)).never_sent(at(1));
    assert_eq!(models.infer("m", 2), None);
}

#[test]
fn a_model_that_answers_during_a_reload_is_hot() {
    let models = models();
    let _ = models.load("m", 200, 1, 2);
    assert_eq!(models.infer("m", 3), COLD);
    let reload = models.load_began("m", at(4));
    let (a, b) = (models.infer_began("m"), models.infer_began("m"));
    assert_eq!(models.ok(a, "m", 5).start, HOT);
    let _ = reload.answered(status(200), Some(0), at(9));
    assert_eq!(models.ok(b, "m", 9), Settled { start: HOT, load: took(5) });
    assert_eq!(models.infer("m", 10), HOT);
}

#[test]
fn a_model_that_answers_only_after_a_reload_is_cold() {
    let models = models();
    let _ = models.load("m", 200, 1, 2);
    assert_eq!(models.infer("m", 3), COLD);
    let reload = models.load_began("m", at(4));
    let waited = models.infer_began("m");
    let _ = reload.answered(status(200), Some(0), at(9));
    assert_eq!(models.ok(waited, "m", 9).start, COLD);
    assert_eq!(models.infer("m", 10), HOT);
    let _ = models.load("m", 200, 11, 12);
    assert_eq!(models.infer("m", 13), COLD);
}

#[test]
fn workers_added_in_the_background_leave_a_loaded_model_hot() {
    let models = models();
    let _ = models.load("m", 200, 1, 2);
    assert_eq!(models.infer("m", 3), COLD);
    assert_eq!(models.load("m", 202, 4, 4).outcome, LoadOutcome::Accepted);
    assert_eq!(models.infer("m", 5), HOT);
}

#[test]
fn two_load_calls_at_once_are_one_load() {
    let models = models();
    let (a, b) = (models.load_began("m", at(1)), models.load_began("m", at(1)));
    let _ = a.answered(status(409), Some(0), at(2));
    let waited = models.infer_began("m");
    let _ = b.answered(status(200), Some(0), at(3));
    assert_eq!(models.ok(waited, "m", 3).start, COLD);
    assert_eq!(models.infer("m", 4), HOT);

    let (a, b) = (models.load_began("n", at(1)), models.load_began("n", at(1)));
    let _ = a.answered(status(200), Some(0), at(2));
    assert_eq!(models.infer("n", 3), COLD);
    let _ = b.answered(status(200), Some(0), at(4));
    assert_eq!(models.infer("n", 5), HOT);
}

#[test]
fn an_unload_of_a_loaded_model_is_an_eviction_with_its_age() {
    let models = models();
    let _ = models.load("m", 200, 1, 2);
    assert_eq!(models.infer("m", 3), COLD);
    let evicted = models.unload("m", 200, 62).unwrap();
    assert_eq!(evicted, Evicted { age: Some(at(60)), label: Some(name("m")), load: None, is_told: false });
    assert_eq!(models.unload("m", 404, 63), None);
    assert_eq!(models.unload("m", 200, 63), None);
    // Weir came later than the model.
    assert_eq!(models.unload("n", 200, 64), Some(Evicted::default()));
    // Nobody was answered between load and unload: the load is still to be counted.
    let _ = models.load("o", 200, 70, 72);
    assert_eq!(
        models.unload("o", 200, 75).unwrap(),
        Evicted { age: Some(at(3)), label: None, load: took(2), is_told: false }
    );
}

#[test]
fn an_unload_that_fails_changes_nothing_and_one_that_finds_nothing_means_unloaded() {
    let models = models();
    let _ = models.load("m", 200, 1, 2);
    let _ = models.infer("m", 3);
    assert_eq!(models.unload("m", 500, 4), None);
    assert_eq!(models.infer("m", 5), HOT);
    assert_eq!(models.unload("m", 404, 6), None);
    assert_eq!(models.infer("m", 7), COLD);
    assert_eq!(models.infer("m", 8), HOT);
}

#[test]
fn a_name_that_only_a_404_knows_is_not_kept() {
    let residency = Residency::default();
    let models = residency.backend("b");
    for i in 0..100 {
        let id = format!("random-{i}");
        assert_eq!(models.unload(&id, 404, 1), None);
        assert_eq!(models.load(&id, 404, 1, 2).outcome, LoadOutcome::Failed);
        assert_eq!(models.infer(&id, 3), None);
    }
    assert_eq!(residency.entries(), 0);
}

#[test]
fn after_an_unload_an_answer_without_a_load_is_cold() {
    let models = models();
    let _ = models.unload("m", 200, 1);
    drop(models.infer_began("m"));
    let (a, b) = (models.infer_began("m"), models.infer_began("m"));
    assert_eq!(models.ok(a, "m", 2).start, COLD);
    assert_eq!(models.infer("m", 3), HOT);
    assert_eq!(models.ok(b, "m", 3).start, COLD);
}

#[test]
fn a_request_that_began_before_an_unload_was_hot() {
    let models = models();
    let _ = models.load("m", 200, 1, 2);
    let _ = models.infer("m", 3);
    let early = models.infer_began("m");
    let _ = models.unload("m", 200, 4);
    assert_eq!(models.ok(early, "m", 5).start, HOT);
    assert_eq!(models.infer("m", 6), COLD);
}

#[test]
fn a_request_that_waited_through_unload_and_load_is_cold() {
    let models = models();
    let _ = models.unload("m", 200, 1);
    let early = models.infer_began("m");
    let _ = models.load("m", 200, 2, 3);
    assert_eq!(models.ok(early, "m", 4).start, COLD);
    assert_eq!(models.infer("m", 5), HOT);
}

#[test]
fn an_opaque_id_gets_its_label_and_its_load_with_the_first_answer() {
    let models = models();
    assert_eq!(models.load("9f86", 200, 1, 3).label, None);
    let settled =
        models.infer_answered(models.infer_began("9f86"), "9f86", &name("a.tar.gz"), served(4), None);
    assert_eq!(settled, Settled { start: COLD, load: took(2) });
    assert_eq!(models.unload("9f86", 200, 5).unwrap().label, Some(name("a.tar.gz")));
    assert_eq!(
        models.load("9f86", 507, 6, 7),
        LoadSettled { outcome: LoadOutcome::Failed, label: Some(name("a.tar.gz")), is_told: false }
    );
}

#[test]
fn a_status_that_says_loading_makes_the_next_good_answer_cold() {
    let residency = Residency::default();
    let models = residency.backend("b");
    models.told_loading("m", Some(0), at(1));
    drop(models.infer_began("m"));
    assert_eq!(models.infer("m", 5), TOLD);
    // Nothing else is known of it.
    assert_eq!(models.infer("m", 6), None);
    assert_eq!(residency.entries(), 0);
    models.told_loading("m", Some(0), at(1));
    assert_eq!(models.infer("m", 1 + 15 * 60 + 1), None, "the word is old");
}

#[test]
fn a_status_outranks_the_lifecycle_and_takes_its_token() {
    let models = models();
    let _ = models.load("m", 200, 1, 2);
    models.told_loading("m", Some(0), at(3));
    assert_eq!(models.infer("m", 4), TOLD);
    assert_eq!(models.infer("m", 5), HOT);
    models.told_loading("m", Some(0), at(6));
    assert_eq!(models.infer("m", 7), TOLD);
    assert_eq!(models.infer("m", 8), HOT);
}

#[test]
fn backends_do_not_know_each_others_models_and_keep_theirs() {
    let residency = Residency::default();
    let _ = residency.backend("a").load("m", 200, 1, 2);
    assert_eq!(residency.backend("b").infer("m", 3), None);
    assert_eq!(residency.backend("a").infer("m", 3), COLD);
}
