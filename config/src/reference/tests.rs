//! The reference is the default configuration, and has an example of everything.

use super::*;
use crate::read::{finish, parse};

fn parsed(text: &str) -> Config {
    parse(text, "weir.reference.yaml", &|_| None).unwrap()
}

#[test]
fn the_reference_is_the_default_configuration_before_one_backend() {
    assert_eq!(parsed(&reference()), finish(live(), "live").unwrap());
}

#[test]
fn the_reference_without_its_hashes_has_an_example_of_everything() {
    let on = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') || rest.starts_with("  ") => rest.to_owned(),
        _ => line.to_owned(),
    };
    let text: Vec<String> = reference().lines().map(on).collect();
    assert_eq!(parsed(&text.join("\n")), finish(sample(), "sample").unwrap());
}

#[test]
fn every_key_of_the_schema_stands_in_the_reference() {
    let text = reference();
    let schema = schema::schema();
    let all = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    for key in all.filter_map(|def| def["properties"].as_object()).flat_map(Map::keys) {
        assert!(text.contains(&format!("{key}:")), "{key}");
    }
}
