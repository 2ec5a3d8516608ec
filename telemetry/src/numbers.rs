//! Numbers that stand in a backend's answers: tokens and their times, and values that its headers or trailers tell.
//!
//! What a value is called and how it is kept is registered for its backend ([`Store::values`]); a request's value then
//! goes to a fixed place of its model's counters. Places are never given away again: counters of two values must not
//! be mixed, whatever a new configuration says.
//!
//! [`Store::values`]: crate::Store::values

use std::sync::Arc;

use crate::distribution::Distribution;
use crate::store::numbers::Tally;

/// Values that one backend can have over the life of the process. Twice what a configuration may name, so that it can
/// be changed without a restart.
pub const PLACES: usize = 16;

/// Which tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tokens {
    /// Of the prompt.
    Input,
    /// Of the answer.
    Output,
}

impl Tokens {
    /// Both, in the order of [`Usage::tokens`].
    pub const ALL: [Self; 2] = [Self::Input, Self::Output];

    /// The value of the label `type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// How a stream of tokens broke although its answer began with a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    /// It ended as a body should, without the mark that ends a stream.
    Unfinished,
    /// It told an error.
    Error,
    /// The transfer broke off.
    Cut,
}

impl Broken {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Unfinished, Self::Error, Self::Cut];

    /// The value of the label `reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::Error => "error",
            Self::Cut => "cut",
        }
    }
}

/// What one answer told of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// By [`Tokens`]; 0 = not told.
    pub tokens: [u64; 2],
    /// From the first byte of the request's head to the first piece of output, nanoseconds.
    pub first_token_ns: Option<u64>,
    /// The mean time from one output token to the next, nanoseconds.
    pub per_output_token_ns: Option<u64>,
    /// How the stream broke, if it did.
    pub broken: Option<Broken>,
}

/// How a value is kept, in base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Times, as a histogram; recorded in seconds.
    Times,
    /// The last time, in seconds.
    Seconds,
    /// How old what was answered was, in seconds.
    Staleness,
    /// The last size, in bytes.
    Bytes,
    /// The last ratio.
    Ratio,
    /// The last number of anything else.
    Plain,
}

/// A value's place in the counters of every model of its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueId {
    pub(crate) place: u8,
    pub(crate) measure: Measure,
}

/// What is told of one model; see [`Totals::figures`](crate::Totals::figures).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// By [`Tokens`].
    pub tokens: [u64; 2],
    /// Streams that broke, by [`Broken`].
    pub broken: [u64; 3],
    /// Times to the first piece of output of the `ok` ones.
    pub first_token: Distribution,
    /// Times from one output token to the next, one mean for each `ok` request.
    pub per_output_token: Distribution,
    /// By place.
    pub values: Vec<Figure>,
}

/// One value of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figure {
    /// What it is called.
    pub name: Arc<str>,
    /// How it is kept.
    pub measure: Measure,
    /// All of them, for [`Measure::Times`].
    pub times: Distribution,
    last: u64,
    at_ns: u64,
}

/// What is registered of a value.
pub(crate) type Spec = (Arc<str>, Measure);

impl Figure {
    fn new((name, measure): &Spec) -> Self {
        Self { name: Arc::clone(name), measure: *measure, times: Distribution::default(), last: 0, at_ns: 0 }
    }

    /// The last one told, in base units; none for [`Measure::Times`], and of many models together.
    #[must_use]
    pub fn last(&self) -> Option<f64> {
        (self.at_ns > 0).then(|| f64::from_bits(self.last))
    }
}

impl Figures {
    /// Tokens of that kind.
    #[must_use]
    pub fn tokens(&self, which: Tokens) -> u64 {
        self.tokens.get(which as usize).copied().unwrap_or(0)
    }

    /// Streams that broke so.
    #[must_use]
    pub fn broken(&self, how: Broken) -> u64 {
        self.broken.get(how as usize).copied().unwrap_or(0)
    }

    /// Adds what is a sum. The last value of one model says nothing of several, and is not one.
    pub(crate) fn add(&mut self, tally: &Tally, specs: &[Spec]) {
        self.know(specs);
        self.tokens.iter_mut().zip(tally.tokens).for_each(|(ours, theirs)| *ours += theirs);
        self.broken.iter_mut().zip(tally.broken).for_each(|(ours, theirs)| *ours += u64::from(theirs));
        self.first_token.add_dense(&tally.first_token);
        self.per_output_token.add_dense(&tally.per_output_token);
        for (ours, theirs) in self.values.iter_mut().zip(&tally.values) {
            ours.times.add_dense(&theirs.times);
        }
    }

    /// Takes over the last values.
    pub(crate) fn take_last(&mut self, tally: &Tally) {
        for (ours, theirs) in self.values.iter_mut().zip(&tally.values) {
            if theirs.at_ns > ours.at_ns {
                (ours.last, ours.at_ns) = (theirs.last, theirs.at_ns);
            }
        }
    }

    /// Adds the sums of others.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.tokens.iter_mut().zip(other.tokens).for_each(|(ours, theirs)| *ours += theirs);
        self.broken.iter_mut().zip(other.broken).for_each(|(ours, theirs)| *ours += theirs);
        self.first_token.merge(&other.first_token);
        self.per_output_token.merge(&other.per_output_token);
        for (ours, theirs) in self.values.iter_mut().zip(&other.values) {
            ours.times.merge(&theirs.times);
        }
        let more = other.values.iter().skip(self.values.len());
        self.values.extend(more.map(|value| Figure { last: 0, at_ns: 0, ..value.clone() }));
    }

    /// What is here and was not yet in `earlier`; the last values stay.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let mut rest = self.clone();
        rest.tokens.iter_mut().zip(earlier.tokens).for_each(|(ours, theirs)| *ours -= theirs);
        rest.broken.iter_mut().zip(earlier.broken).for_each(|(ours, theirs)| *ours -= theirs);
        rest.first_token = self.first_token.since(&earlier.first_token);
        rest.per_output_token = self.per_output_token.since(&earlier.per_output_token);
        for (ours, theirs) in rest.values.iter_mut().zip(&earlier.values) {
            ours.times = ours.times.since(&theirs.times);
        }
        rest
    }

    fn know(&mut self, specs: &[Spec]) {
        let more = specs.iter().skip(self.values.len());
        self.values.extend(more.map(Figure::new));
    }
}
