//! Texts that mean harm or nonsense: always an answer, in bounded time, and never a panic.

use std::fmt::Write as _;

use proptest::prelude::{ProptestConfig, any, proptest};

use crate::{BACKEND, no_env, parse, wrong};

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let aliases = vec![format!("*a{}", i - 1); 10].join(", ");
        writeln!(text, "a{i}: &a{i} [{aliases}]").unwrap();
    }
    assert_eq!(wrong(&text).len(), 1, "one problem, about the aliases");
}

#[test]
fn deep_nesting_is_refused_in_both_styles() {
    let flow = format!("a: {}{}", "[".repeat(5_000), "]".repeat(5_000));
    let mut block = String::new();
    for depth in 0..2_000 {
        writeln!(block, "{}a:", " ".repeat(depth)).unwrap();
    }
    for text in [flow, block] {
        assert_eq!(wrong(&text).len(), 1);
    }
}

#[test]
fn a_text_above_4_mib_is_refused_unread() {
    let text = format!("{BACKEND}# {}", "x".repeat(4 << 20));
    assert_eq!(wrong(&text), [": the text is larger than 4194304 bytes"]);
    assert!(parse(text.get(..4 << 20).unwrap()).backends.len() == 1, "one of exactly that size is read");
}

#[test]
fn a_thousand_mistakes_are_cut_at_a_hundred() {
    let mut text = BACKEND.to_owned();
    for i in 0..1_000 {
        writeln!(text, "key{i}: 1").unwrap();
    }
    assert_eq!(wrong(&text).len(), 100);
}

#[test]
fn a_regular_expression_that_would_need_too_much_memory_is_refused() {
    let text = format!(
        "{BACKEND}dialects: [{{name: x, starts: {{headers: [{{header: a, matches: '(a{{1000}}){{1000}}'}}]}}}}]"
    );
    assert!(wrong(&text)[0].contains("does not compile"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_the_reader_panic(text in r#"([-\[\]{}:,&*#?|>!%@`"' \t\n]|\PC|[a-z]){0,200}"#) {
        if let Err(report) = weir_config::parse(&text, "x", &no_env) {
            assert!(!report.problems().is_empty());
            assert!(!report.render(true).is_empty());
        }
    }

    #[test]
    fn no_damage_to_a_good_file_makes_the_reader_panic(at in any::<usize>(), cut in 0..40_usize, paste in "[-{}\\[\\]:&*\"'\n a-z${]{0,6}") {
        let good: Vec<char> = include_str!("../golden/many.yaml").chars().collect();
        let at = at % good.len();
        let damaged: String = good[..at].iter().copied().chain(paste.chars()).chain(good[(at + cut).min(good.len())..].iter().copied()).collect();
        let report = weir_config::parse(&damaged, "x", &no_env).unwrap_err();
        assert!(report.problems().len() <= 100 && report.render(false).contains("in x"));
    }
}
