//! Models that a look tells of for the first time; times in seconds.

use super::*;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn polled() -> Arc<Polled> {
    Arc::new(Polled::new("server:1".to_owned(), &StatePoll { poll: PollMode::Auto, ..StatePoll::default() }))
}

/// A look that finds these models loaded, and knows of no other if it is whole.
fn look(polled: &Polled, seconds: u64, names: &[&str], whole: bool) {
    let loaded = Told { word: StateWord::Loaded, ..Told::default() };
    let told = names.iter().map(|name| ((*name).to_owned(), loaded)).collect();
    polled.told(&told, whole.then_some(StateWord::Unloaded), at(seconds), at(seconds));
}

fn request(polled: &Arc<Polled>, model: &str, seconds: u64) -> Option<Start> {
    let name = ModelName::new(model, 64).unwrap();
    polled.answered(model, &name, (at(seconds), at(seconds)), None)??.0.into()
}

#[test]
fn a_model_that_was_in_no_list_before_is_cold_once() {
    let polled = polled();
    look(&polled, 1, &["alpha"], true);
    look(&polled, 2, &["alpha", "beta"], true);
    assert_eq!([3, 4].map(|time| request(&polled, "beta", time)), [Some(Start::Cold), Some(Start::Hot)]);
    assert_eq!(request(&polled, "alpha", 4), Some(Start::Hot), "it was there when weir came");
}

#[test]
fn a_model_that_answered_before_it_was_listed_is_not_cold_again() {
    for asked_for in ["beta:latest", "beta"] {
        let polled = polled();
        look(&polled, 1, &[], true);
        assert_eq!(request(&polled, asked_for, 2), None, "nobody told of it yet");
        look(&polled, 3, &["beta:latest", "beta"], true);
        assert_eq!(request(&polled, "beta:latest", 4), Some(Start::Hot));
    }
}

#[test]
fn what_a_list_that_is_not_whole_leaves_out_says_nothing() {
    let polled = polled();
    look(&polled, 1, &["alpha"], false);
    look(&polled, 2, &["alpha", "beta"], false);
    assert_eq!(request(&polled, "beta", 3), Some(Start::Hot), "as one that was there when weir came");
}
