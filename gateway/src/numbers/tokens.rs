//! What a language model's answer tells while it passes: tokens, the times of its pieces, its end, its errors, and a load.

use std::time::Duration;

use metrics::counter;
use weir_telemetry::{Broken, Outcome, Usage, names};

use super::frames::{Frames, Framing};
use super::json::Sink;
use super::places::{Places, Roles};

/// More tokens than this in one answer are no number of tokens: a backend is not trusted to put any number into a sum.
const TOKENS_MAX: u64 = 1 << 32;

/// The longest load that is believed.
const LOAD_MAX: Duration = Duration::from_secs(24 * 3600);

/// One answer, as far as it has come.
#[derive(Debug)]
pub(super) struct Tokens {
    frames: Frames,
    told: Told,
    /// When the first and the last piece of output came, since the request began.
    pieces: Option<(Duration, Duration)>,
}

/// What was told so far.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) input: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) load_ns: Option<u64>,
    pub(super) pieces: u64,
    pub(super) finished: bool,
    pub(super) error: bool,
}

impl Sink for Told {
    fn number(&mut self, roles: Roles, number: u64) {
        let tokens = (number <= TOKENS_MAX).then_some(number);
        if roles.has(Roles::INPUT) {
            self.input = tokens;
        }
        if roles.has(Roles::OUTPUT) {
            self.output = tokens;
        }
        if roles.has(Roles::LOAD) {
            self.load_ns = Some(number);
        }
        self.finished |= roles.has(Roles::FINISHED) && number > 0;
        self.error |= roles.has(Roles::ERROR) && number > 0;
    }

    fn something(&mut self, roles: Roles, is_text: bool) {
        self.pieces += u64::from(roles.has(Roles::PIECE) && is_text);
        self.finished |= roles.has(Roles::FINISHED);
        self.error |= roles.has(Roles::ERROR);
    }
}

impl Tokens {
    pub(super) fn new(framing: Framing) -> Self {
        Self { frames: Frames::new(framing), told: Told::default(), pieces: None }
    }

    /// A piece of the body has come, `at` since the request began.
    pub(super) fn piece(&mut self, bytes: &[u8], at: Duration, places: &Places) {
        let before = self.told.pieces;
        self.frames.feed(bytes, places, &mut self.told);
        if self.told.pieces > before {
            let first = self.pieces.map_or(at, |(first, _)| first);
            self.pieces = Some((first, at));
        }
    }

    /// The answer ends with `outcome`; how it counts, knowing what was told.
    pub(super) fn end(&mut self, outcome: Outcome, places: &Places) -> (Outcome, Usage) {
        self.frames.end(places, &mut self.told);
        if self.frames.lost {
            counter!(names::NUMBERS_FLAGS, "flag" => "usage_malformed").increment(1);
        }
        let broken = self.broken(outcome);
        let outcome = if broken.is_some() { Outcome::ServerError } else { outcome };
        let times = (outcome == Outcome::Ok && self.frames.is_stream()).then_some(self.pieces).flatten();
        let usage = Usage {
            tokens: [self.told.input.unwrap_or(0), self.told.output.unwrap_or(0)],
            first_token_ns: times.map(|(first, _)| nanos(first)),
            per_output_token_ns: times.and_then(|times| self.per_token(times)),
            broken,
        };
        (outcome, usage)
    }

    /// The time that the answer says its model's load took.
    pub(super) fn load(&self) -> Option<Duration> {
        self.told.load_ns.map(Duration::from_nanos).filter(|load| *load <= LOAD_MAX)
    }

    fn broken(&self, outcome: Outcome) -> Option<Broken> {
        let finished = self.told.finished || self.frames.done;
        match outcome {
            _ if !self.frames.is_stream() => None,
            Outcome::Ok | Outcome::ServerError if self.told.error => Some(Broken::Error),
            Outcome::ServerError => Some(Broken::Cut),
            // A stream that never had a piece is of a kind that is not known here.
            Outcome::Ok if self.frames.is_cut() => Some(Broken::Unfinished),
            Outcome::Ok if self.told.pieces > 0 && !finished => Some(Broken::Unfinished),
            _ => None,
        }
    }

    /// The mean time from one token to the next. Where the server tells no number of tokens, pieces stand for them.
    fn per_token(&self, (first, last): (Duration, Duration)) -> Option<u64> {
        let steps = self.told.output.unwrap_or(self.told.pieces).checked_sub(1).filter(|steps| *steps > 0)?;
        let took = last.checked_sub(first).filter(|took| !took.is_zero())?;
        nanos(took).checked_div(steps)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
