//! Names made alike, and what a hostile one comes to.

use proptest::prelude::*;

use super::*;
use crate::identify::Origin;

fn naming(lowercase: bool, prefix: &[&str], suffix: &[&str], map: &[(&str, &str)]) -> Naming {
    let texts = |all: &[&str]| all.iter().map(|&text| text.to_owned()).collect();
    let map = map.iter().map(|&(from, to)| NameMap { from: from.to_owned(), to: to.to_owned() });
    let rules = weir_config::Naming {
        lowercase,
        strip_prefix: texts(prefix),
        strip_suffix: texts(suffix),
        map: map.collect(),
    };
    Naming::new(&rules).unwrap()
}

fn name(text: &str) -> ModelName {
    ModelName::new(text, NAME_BYTES_MAX).unwrap()
}

#[test]
fn names_are_made_alike_in_the_stated_order() {
    let all = naming(
        true,
        &["models/", "m/"],
        &[".tar.gz", ":latest"],
        &[("ranking-*-v?", "ranking"), ("ranking*", "other"), ("llama3", "llama-3")],
    );
    for (given, called) in [
        ("models/Ranking-EU-v7.tar.gz", "ranking"),
        ("Ranking-EU-v17", "other"),
        ("LLAMA3:latest", "llama-3"),
        ("resnet", "resnet"),
        // Each is taken off once, and the first that is there.
        ("models/models/a", "models/a"),
        ("a.tar.gz:latest", "a.tar.gz"),
        // Nothing is left of no name.
        ("models/", "models/"),
        (".tar.gz", ".tar.gz"),
        // Letters beyond A to Z stay.
        ("ÉCOLE", "École".to_lowercase().replace('é', "É").as_str()),
    ] {
        assert_eq!(all.apply(&name(given)), called, "{given}");
        let steps = all.steps(given);
        assert_eq!(steps.last().map_or(given, |step| &step.name), called, "{given}: {steps:?}");
    }
}

#[test]
fn a_first_text_that_would_leave_nothing_is_passed_over_with_those_behind_it() {
    let suffixes = naming(false, &[], &["abc", "c"], &[]);
    assert_eq!(suffixes.apply(&name("abc")), "abc");
    assert_eq!(suffixes.apply(&name("xc")), "x");
}

#[test]
fn what_changes_nothing_is_no_rule() {
    assert!(Naming::new(&weir_config::Naming::default()).is_none());
}

#[test]
fn the_server_knows_a_renamed_model_by_what_the_request_said() {
    let short = naming(false, &[], &[".tar.gz"], &[]);
    let of = |said: &str, resident: Option<&str>| {
        let identity = Identity {
            name: name(said),
            resident: resident.map(name),
            version: None,
            by_version: false,
            origin: Origin::Header,
        };
        let Identity { name, resident, .. } = short.rename(identity);
        (name.to_string(), resident.map(|id| id.to_string()))
    };
    let told = |name: &str, id: Option<&str>| (name.to_owned(), id.map(str::to_owned));
    assert_eq!(of("a.tar.gz", None), told("a", Some("a.tar.gz")));
    assert_eq!(of("a.tar.gz", Some("9f86")), told("a", Some("9f86")));
    assert_eq!(of("a.tar.gz", Some("a")), told("a", None));
    assert_eq!(of("b", None), told("b", None));
}

proptest! {
    #[test]
    fn any_name_comes_to_a_name_and_to_what_the_steps_tell(text in "\\PC{1,40}") {
        let all = naming(true, &["é", "a"], &["z", "é"], &[("*q?", "to")]);
        let called = all.apply(&name(&text));
        prop_assert!(!called.is_empty() && called.len() <= text.len().max(2));
        let steps = all.steps(&text);
        prop_assert_eq!(steps.last().map_or(text.as_str(), |step| &step.name), called.as_str());
    }
}
