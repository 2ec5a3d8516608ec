//! Names made alike: what is refused, and what a dialect hands on.

use crate::wrong;

fn wrong_names(names: &str) -> Vec<String> {
    wrong(&format!("backends: [{{dialect: mms, endpoints: [http://a:1], names: {names}}}]"))
}

#[test]
fn rules_that_never_fit_and_names_that_are_none_are_refused() {
    for (names, said) in [
        ("{lowercase: true, strip_suffix: [.TAR]}", "names.strip_suffix[0]: `.TAR` never fits"),
        ("{lowercase: true, map: [{from: 'A*', to: a}]}", "names.map[0].from: `A*` never fits"),
        ("{map: [{from: '*', to: a}, {from: b, to: c}]}", "names.map[1]: it is never reached"),
        ("{map: [{from: b, to: a}, {from: b, to: c}]}", "names.map[1].from: `b` is mapped twice"),
        ("{map: [{to: a}]}", "names.map[0].from: a mapping needs a `from`"),
        ("{map: [{from: a}]}", "names.map[0].to: a mapping needs a `to`"),
        ("{map: [{from: a, to: __other__}]}", "names.map[0].to: no model can be called `__other__`"),
        ("{map: [{from: a, to: \"b\\n\"}]}", "names.map[0].to: a name has no control characters"),
        ("{strip_prefix: ['']}", "names.strip_prefix[0]"),
        ("{upper: true}", "names.upper: unknown key"),
    ] {
        let wrong = wrong_names(names);
        assert!(wrong.len() == 1 && wrong[0].contains(said), "{names}: {wrong:?}");
    }
    let dialect = "dialects: [{name: house, names: {map: [{from: a}]}}]";
    let wrong = crate::wrong_with_backend(dialect);
    assert!(wrong.len() == 1 && wrong[0].contains("dialects[0].names.map[0].to"), "{wrong:?}");
}

#[test]
fn a_dialect_has_the_names_of_the_one_that_it_extends_unless_it_has_its_own() {
    let config = crate::parse(
        "backends: [{dialect: b, endpoints: [http://a:1]}]\ndialects:\n\
         - {name: a, extends: mms, names: {lowercase: true}}\n\
         - {name: b, extends: a}\n- {name: c, extends: a, names: {strip_suffix: [.x]}}",
    );
    let names = |dialect: &str| config.dialect(dialect).unwrap().names.clone();
    assert!(names("b").unwrap().lowercase);
    assert!(!names("c").unwrap().lowercase);
    assert_eq!(names("mms"), None);
}
