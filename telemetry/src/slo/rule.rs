//! A promise made ready: what is bad, how much of it is allowed, and which models it holds for.

use std::sync::Arc;
use std::time::Duration;

use weir_config::{Percent, Slo, SloStart};

use crate::observation::Start;
use crate::store::BackendId;

/// One promise as it stands in the configuration.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub struct Rule {
    /// The label `slo`.
    pub name: Arc<str>,
    /// What is bad.
    pub target: Target,
    /// Share of bad ones that is allowed.
    pub allowed: Percent,
    /// All of it.
    pub slo: Slo,
}

/// What a request, or an answer, is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Successes that started so (`None`: however) are bad above the limit.
    Latency {
        /// Which successes.
        start: Option<Start>,
        /// The limit.
        limit: Duration,
    },
    /// What the serving side failed is bad; callers' own errors do not count.
    Errors,
    /// Cold starts are bad, of successes whose start is known. Promised as a highest share of cold ones.
    Cold,
    /// The same, promised as a lowest share of hot ones.
    Hits,
    /// Answers that tell an age above the limit are bad, of those that tell one.
    Staleness {
        /// The limit.
        limit: Duration,
    },
}

impl Target {
    /// As the API spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Errors => "errors",
            Self::Cold => "cold_rate",
            Self::Hits => "hit_rate",
            Self::Staleness { .. } => "staleness",
        }
    }

    /// The limit that each request is compared with, if there is one.
    #[must_use]
    pub const fn limit(self) -> Option<Duration> {
        match self {
            Self::Latency { limit, .. } | Self::Staleness { limit } => Some(limit),
            Self::Errors | Self::Cold | Self::Hits => None,
        }
    }
}

impl Rule {
    /// A promise; none of an SLO without a target, which no valid configuration has.
    #[must_use]
    pub fn new(slo: &Slo) -> Option<Self> {
        let (target, allowed) = match slo {
            Slo { latency: Some(latency), .. } => {
                let start = match latency.start {
                    SloStart::Any => None,
                    SloStart::Hot => Some(Start::Hot),
                    SloStart::Cold => Some(Start::Cold),
                };
                (Target::Latency { start, limit: latency.below }, latency.percentile.rest())
            }
            Slo { error_rate_max: Some(most), .. } => (Target::Errors, *most),
            Slo { cold_rate_max: Some(most), .. } => (Target::Cold, *most),
            Slo { hit_rate_min: Some(least), .. } => (Target::Hits, least.rest()),
            Slo { staleness: Some(target), .. } => {
                (Target::Staleness { limit: target.below }, target.percentile.rest())
            }
            _ => return None,
        };
        Some(Self { name: slo.name.as_str().into(), target, allowed, slo: slo.clone() })
    }

    /// Whether so many bad ones of so many are too many. Exact.
    pub(crate) fn is_broken_by(&self, bad: u64, total: u64) -> bool {
        u128::from(bad) * 1_000_000 > u128::from(total) * u128::from(self.allowed.millionths())
    }
}

/// All promises.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// In the file's order; the backend is resolved.
    all: Vec<(Arc<Rule>, Option<BackendId>)>,
}

impl Rules {
    pub(crate) fn new(slos: &[Slo], backend: impl Fn(&str) -> BackendId) -> Self {
        let ready = |slo: &Slo| Some((Arc::new(Rule::new(slo)?), slo.backend.as_deref().map(&backend)));
        Self { all: slos.iter().filter_map(ready).collect() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.all.iter().map(|(rule, _)| rule)
    }

    /// Models of that backend that a promise calls by their own name.
    pub(crate) fn names(&self, backend: BackendId) -> impl Iterator<Item = Arc<str>> {
        let of = move |only: &Option<BackendId>| only.is_none_or(|only| only == backend);
        let rules = self.all.iter().filter(move |(_, only)| of(only));
        let models = rules.flat_map(|(rule, _)| &rule.slo.models);
        models.filter(|name| !name.contains(['*', '?'])).map(|name| name.as_str().into())
    }

    /// The promises of one model, one of each name: the one that names the model most exactly, the first of equals.
    pub(crate) fn of(&self, backend: BackendId, model: &str) -> Vec<Arc<Rule>> {
        let mut found: Vec<(Exactness, &Arc<Rule>)> = Vec::new();
        for (rule, only) in &self.all {
            if only.is_some_and(|only| only != backend) {
                continue;
            }
            let Some(exactness) = exactness(&rule.slo, model) else { continue };
            match found.iter_mut().find(|(_, other)| other.name == rule.name) {
                Some(other) if other.0 < exactness => *other = (exactness, rule),
                Some(_) => (),
                None => found.push((exactness, rule)),
            }
        }
        found.into_iter().map(|(_, rule)| Arc::clone(rule)).collect()
    }
}

/// Whether it is the model's very name, how many letters of it stand there, whether its backend does.
pub(crate) type Exactness = (bool, usize, bool);

/// How exactly a pattern, or none, names the models that fit it.
pub(crate) fn exactness_of(pattern: Option<&str>, backend: bool) -> Exactness {
    let Some(pattern) = pattern else { return (false, 0, backend) };
    let letters = pattern.chars().filter(|c| !matches!(c, '*' | '?')).count();
    // One more, so that `*` is more exact than no name at all.
    (!pattern.contains(['*', '?']), letters + 1, backend)
}

fn exactness(slo: &Slo, model: &str) -> Option<Exactness> {
    let backend = slo.backend.is_some();
    if slo.models.is_empty() {
        return Some(exactness_of(None, backend));
    }
    // A name without `*` and `?` fits itself alone.
    let of = |pattern: &String| glob(pattern, model).then(|| exactness_of(Some(pattern), backend));
    slo.models.iter().filter_map(of).max()
}

/// Whether the whole text fits a pattern of `*` (any letters, also none) and `?` (one). Time: their lengths' product.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut star: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let (before, mut rest) = (text.clone(), pattern.clone());
        match (rest.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                star = Some((rest.clone(), before.clone()));
                (pattern, text) = (rest, before);
            }
            (Some('?'), Some(_)) => pattern = rest,
            (Some(wanted), Some(found)) if wanted == found => pattern = rest,
            _ => {
                // The last star takes one letter more.
                let Some((after, mut from)) = star.take() else { return false };
                if from.next().is_none() {
                    return false;
                }
                star = Some((after.clone(), from.clone()));
                (pattern, text) = (after, from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const B: BackendId = BackendId(0);

    fn slo(name: &str, models: &[&str], most: u32) -> Slo {
        Slo {
            name: name.to_owned(),
            models: models.iter().map(|&model| model.to_owned()).collect(),
            error_rate_max: Some(Percent::of(most)),
            ..Slo::default()
        }
    }

    #[test]
    fn globs_match_whole_names() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("*", "", true),
            ("*", "模型", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("*-v?", "ranking-v2", true),
            ("*-v?", "ranking-v22", false),
            ("a**b*", "axxbyy", true),
            ("*a*b", "aabab", true),
            ("?", "", false),
            ("abc", "ab", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_exponential_time() {
        assert!(!glob(&"*a".repeat(200), &"a".repeat(199)));
        assert!(!glob(&format!("{}b", "*a".repeat(300)), &"a".repeat(1000)));
    }

    #[test]
    fn a_model_has_the_most_exact_promise_of_each_name() {
        let slos = [
            slo("e", &[], 1),
            slo("e", &["rank-*"], 2),
            slo("e", &["rank-a*", "x"], 3),
            slo("e", &["rank-a1"], 4),
            Slo { backend: Some("other".to_owned()), ..slo("e", &["rank-a1"], 5) },
            slo("f", &["*"], 6),
        ];
        let rules = Rules::new(&slos, |_| BackendId(1));
        let of = |backend, model| {
            let of = rules.of(backend, model);
            of.iter().map(|rule| (&*rule.name == "e", rule.allowed)).collect::<Vec<_>>()
        };
        for (backend, model, most) in
            [(B, "ads", 1), (B, "rank-z", 2), (B, "rank-a2", 3), (B, "x", 3), (B, "rank-a1", 4)]
        {
            assert_eq!(of(backend, model), [(true, Percent::of(most)), (false, Percent::of(6))], "{model}");
        }
        assert_eq!(of(BackendId(1), "rank-a1").first(), Some(&(true, Percent::of(5))));
    }

    #[test]
    fn a_share_is_broken_by_the_first_one_too_many() {
        let rule = Rule::new(&slo("e", &[], 5)).unwrap();
        assert!(!rule.is_broken_by(5, 100) && rule.is_broken_by(6, 100));
        assert!(!rule.is_broken_by(0, 0) && !rule.is_broken_by(u64::MAX / 20, u64::MAX));
    }
}
