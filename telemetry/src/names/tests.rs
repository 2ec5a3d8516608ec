//! Tests of `names`.

use super::*;

#[test]
fn names_are_unique_and_follow_the_prometheus_rules() {
    let mut names: Vec<_> = all().map(|family| family.name).collect();
    names.sort_unstable();
    assert!(names.is_sorted_by(|a, b| a < b), "a name stands twice");
    for family in all() {
        let name = family.name;
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        if family.scope == Scope::Profile {
            assert!(!name.starts_with("weir_") && family.labels.len() >= 2, "{name}");
            continue;
        }
        assert!(name.starts_with("weir_"), "{name}");
        assert_eq!(family.kind == Kind::Counter, name.ends_with("_total"), "{name}");
        let stem = name.trim_end_matches("_total");
        assert!(family.unit == Unit::Plain || stem.ends_with(family.unit.as_str()), "{name}");
        assert!(family.help.ends_with('.') && !family.help.contains('\n'), "{name}");
        let per_model = family.labels.starts_with(&["backend", "model"]);
        assert!(family.scope != Scope::Model || per_model, "{name}");
    }
}

#[test]
fn classic_bounds_are_the_same_in_text_and_nanoseconds() {
    for (text, ns) in CLASSIC_LE.iter().zip(CLASSIC_LE_NS) {
        assert_eq!((text.parse::<f64>().unwrap() * 1e9).round() as u64, ns);
    }
}
