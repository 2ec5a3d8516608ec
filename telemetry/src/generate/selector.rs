//! Which series an entry of the configuration is about: those of its name, its backend and its models, but not of models
//! that another entry of the same name names more exactly. What the store decides model by model (`slo::rule`) is said
//! here once and for all, so that rules and the store agree about any model.
//!
//! An entry may need several selectors: where one of its globs yields to another entry's and another does not, and where
//! an entry for any backend yields to one for a certain backend.

use weir_config::{Slo, globs_meet};

use crate::slo::rule::{Exactness, exactness_of};

/// Some series of one promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selector<'s> {
    slo: &'s str,
    backend: Scope<'s>,
    /// None: all.
    models: Vec<&'s str>,
    except: Vec<&'s str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope<'s> {
    Is(&'s str),
    /// Any but these.
    Not(Vec<&'s str>),
}

/// A pattern of an entry; none: the entry has no `models`.
type Pattern<'s> = Option<&'s str>;

/// Those of the entry at `at`, no series in two of them; none if others take all of its models.
pub(super) fn selectors(at: usize, slos: &[Slo]) -> Vec<Selector<'_>> {
    let Some(slo) = slos.get(at) else { return Vec::new() };
    let others: Vec<(usize, &Slo)> =
        slos.iter().enumerate().filter(|(other, rival)| *other != at && rival.name == slo.name).collect();
    let Some(backend) = &slo.backend else {
        let mut apart: Vec<&str> = others
            .iter()
            .filter(|(other, rival)| {
                patterns(slo).any(|own| beaten(at, slo, own, *other, rival).next().is_some())
            })
            .filter_map(|(_, rival)| rival.backend.as_deref())
            .collect();
        apart.sort_unstable();
        apart.dedup();
        let each = apart.clone().into_iter().map(Scope::Is);
        return each.chain([Scope::Not(apart)]).flat_map(|scope| within(at, slo, &others, &scope)).collect();
    };
    within(at, slo, &others, &Scope::Is(backend))
}

fn within<'s>(at: usize, slo: &'s Slo, others: &[(usize, &'s Slo)], scope: &Scope<'s>) -> Vec<Selector<'s>> {
    let mut own: Vec<Pattern<'_>> = patterns(slo).collect();
    own.sort_by_key(|pattern| std::cmp::Reverse(exactness(slo, *pattern)));
    let mut found: Vec<(Vec<&str>, Selector<'_>)> = Vec::new();
    for pattern in own {
        let rivals = others.iter().filter(|(_, rival)| match (scope, rival.backend.as_deref()) {
            (_, None) => true,
            (Scope::Is(backend), Some(theirs)) => *backend == theirs,
            (Scope::Not(_), Some(_)) => false,
        });
        let taken: Option<Vec<&str>> =
            rivals.flat_map(|(other, rival)| beaten(at, slo, pattern, *other, rival)).collect();
        // Somebody else has every model.
        let Some(mut taken) = taken else { continue };
        taken.sort_unstable();
        taken.dedup();
        match found.last_mut() {
            Some((same, selector)) if *same == taken => selector.models.extend(pattern),
            _ => {
                let mut except = taken.clone();
                // Its own more exact ones have their selector already.
                except.extend(found.iter().flat_map(|(_, before)| &before.models));
                except.sort_unstable();
                except.dedup();
                let models = pattern.into_iter().collect();
                found.push((taken, Selector { slo: &slo.name, backend: scope.clone(), models, except }));
            }
        }
    }
    found.into_iter().map(|(_, selector)| selector).collect()
}

fn patterns(slo: &Slo) -> impl Iterator<Item = Pattern<'_>> {
    let all = slo.models.is_empty().then_some(None);
    all.into_iter().chain(slo.models.iter().map(|model| Some(model.as_str())))
}

fn exactness(slo: &Slo, pattern: Pattern<'_>) -> Exactness {
    exactness_of(pattern, slo.backend.is_some())
}

/// The patterns of another entry to which one of ours yields.
fn beaten<'s>(
    at: usize,
    slo: &Slo,
    own: Pattern<'s>,
    other: usize,
    rival: &'s Slo,
) -> impl Iterator<Item = Pattern<'s>> {
    let ours = (exactness(slo, own), std::cmp::Reverse(at));
    let meets =
        move |theirs: Pattern<'_>| own.zip(theirs).is_none_or(|(own, theirs)| globs_meet(own, theirs));
    let wins = move |theirs: &Pattern<'_>| (exactness(rival, *theirs), std::cmp::Reverse(other)) > ours;
    patterns(rival).filter(wins).filter(move |theirs| meets(*theirs))
}

impl Selector<'_> {
    /// As it stands between braces.
    pub(super) fn text(&self) -> String {
        let mut parts = vec![format!("slo={}", quoted(self.slo))];
        match &self.backend {
            Scope::Is(backend) => parts.push(format!("backend={}", quoted(backend))),
            Scope::Not(apart) if apart.is_empty() => {}
            Scope::Not(apart) => parts.push(format!("backend!~{}", quoted(&regexes(apart)))),
        }
        for (models, is) in [(&self.models, "=~"), (&self.except, "!~")] {
            if !models.is_empty() {
                parts.push(format!("model{is}{}", quoted(&regexes(models))));
            }
        }
        parts.join(", ")
    }
}

fn regexes(globs: &[&str]) -> String {
    globs.iter().map(|glob| regex(glob)).collect::<Vec<_>>().join("|")
}

/// A glob as a regular expression.
fn regex(glob: &str) -> String {
    let mut out = String::new();
    for c in glob.chars() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '.' | '+' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' | '|' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weir_config::Percent;

    use super::*;
    use crate::slo::rule::{Rules, glob};
    use crate::store::BackendId;

    fn slo(models: &[&str], backend: Option<&str>) -> Slo {
        Slo {
            name: "fast".to_owned(),
            models: models.iter().map(|&model| model.to_owned()).collect(),
            backend: backend.map(ToOwned::to_owned),
            error_rate_max: Some(Percent::of(1)),
            ..Slo::default()
        }
    }

    fn texts(at: usize, slos: &[Slo]) -> Vec<String> {
        selectors(at, slos).iter().map(Selector::text).collect()
    }

    #[test]
    fn an_entry_selects_its_models_and_leaves_out_those_that_others_name() {
        let all = [slo(&[], None), slo(&["rank-*", "a.b"], None), slo(&["rank-1"], None)];
        assert_eq!(texts(0, &all), [r#"slo="fast", model!~"a\\.b|rank-.*|rank-1""#]);
        assert_eq!(
            texts(1, &all),
            [r#"slo="fast", model=~"a\\.b""#, r#"slo="fast", model=~"rank-.*", model!~"a\\.b|rank-1""#]
        );
        assert_eq!(texts(2, &all), [r#"slo="fast", model=~"rank-1""#]);
        assert_eq!(texts(0, &all[..1]), [r#"slo="fast""#]);
    }

    #[test]
    fn an_entry_for_any_backend_yields_on_the_backends_of_others() {
        let all = [slo(&["a*"], None), slo(&["a*"], Some("x")), slo(&[], Some("y"))];
        assert_eq!(
            texts(0, &all),
            [
                r#"slo="fast", backend="x", model=~"a.*", model!~"a.*""#,
                r#"slo="fast", backend!~"x", model=~"a.*""#
            ]
        );
        assert_eq!(texts(2, &all), [r#"slo="fast", backend="y", model!~"a.*""#]);
        assert_eq!(texts(0, &[slo(&[], None), slo(&[], Some("x"))]), [r#"slo="fast", backend!~"x""#]);
    }

    fn selects(selector: &Selector<'_>, backend: &str, model: &str) -> bool {
        let is_backend = match &selector.backend {
            Scope::Is(of) => *of == backend,
            Scope::Not(apart) => !apart.contains(&backend),
        };
        let any = |models: &[&str]| models.iter().any(|pattern| glob(pattern, model));
        is_backend && (selector.models.is_empty() || any(&selector.models)) && !any(&selector.except)
    }

    proptest! {
        /// Each model is selected by the entry that the store gives it, once, and by no other.
        #[test]
        fn rules_and_the_store_agree_about_every_model(
            entries in prop::collection::vec((prop::collection::vec("[ab*?]{1,3}", 0..4), 0_u8..3), 1..6),
            model in "[ab]{1,3}",
        ) {
            let names = ["x", "y"];
            let slos: Vec<Slo> = entries
                .iter()
                .map(|(models, backend)| {
                    let models: Vec<&str> = models.iter().map(String::as_str).collect();
                    slo(&models, names.get(usize::from(*backend)).copied())
                })
                .collect();
            let rules = Rules::new(&slos, |name| BackendId(u16::from(name == "y")));
            for (id, backend) in (0_u16..).zip(names) {
                let of = rules.of(BackendId(id), &model);
                let chosen = of.first().map(|rule| rule.slo.clone());
                for (at, entry) in slos.iter().enumerate() {
                    let times = selectors(at, &slos).iter().filter(|one| selects(one, backend, &model)).count();
                    // Two entries that are alike are one to this test; the first of them has the model.
                    let is_chosen = chosen.as_ref() == Some(entry) && slos.iter().position(|other| other == entry) == Some(at);
                    prop_assert_eq!(times, usize::from(is_chosen), "{} {} {:?}", backend, model, entry.models);
                }
            }
        }
    }
}
