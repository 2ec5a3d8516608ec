//! A share, written `1%`, `99.9%` or `0.05%`: exact to a ten-thousandth of a percent, so that no verdict hangs on rounding.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::units::UnitError;

/// A share in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Percent(u32);

const MILLION: u32 = 1_000_000;
const HELP: &str =
    "a share is a number from 0 to 100, at most four digits behind its point, and `%`: `1%`, `99.9%`";

impl Percent {
    /// So many percent; 100 at most.
    #[must_use]
    pub const fn of(percent: u32) -> Self {
        if percent > 100 { Self(MILLION) } else { Self(percent * 10_000) }
    }

    /// In millionths, 0 to 1,000,000.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// As a ratio, 0 to 1.
    #[must_use]
    pub fn ratio(self) -> f64 {
        f64::from(self.0) / f64::from(MILLION)
    }

    /// What is left of the whole.
    #[must_use]
    pub const fn rest(self) -> Self {
        Self(MILLION - self.0)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        write!(f, "{whole}.{}%", format!("{rest:04}").trim_end_matches('0'))
    }
}

impl FromStr for Percent {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let number = text.strip_suffix('%').ok_or(UnitError(HELP))?.trim_end();
        let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(rest) || whole.len() > 3 || rest.len() > 4 {
            return Err(UnitError(HELP));
        }
        let read = |text: &str| text.parse::<u32>().map_err(|_| UnitError(HELP));
        let millionths = read(whole)? * 10_000 + read(&format!("{rest:0<4}"))?;
        Some(Self(millionths)).filter(|share| share.0 <= MILLION).ok_or(UnitError(HELP))
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]{1,3}([.][0-9]{1,4})?%$|\\$\\{" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_exactly_and_written_as_short_as_they_are() {
        for (text, millionths, shown) in [
            ("0%", 0, "0%"),
            ("1%", 10_000, "1%"),
            ("1.50%", 15_000, "1.5%"),
            ("99.9999%", 999_999, "99.9999%"),
            ("100 %", 1_000_000, "100%"),
        ] {
            let share: Percent = text.parse().unwrap();
            assert_eq!((share.millionths(), share.to_string().as_str()), (millionths, shown), "{text}");
        }
        assert_eq!(Percent::of(95).rest(), Percent::of(5));
    }

    #[test]
    fn shares_without_a_sign_above_the_whole_or_too_fine_are_refused() {
        for text in
            ["", "%", "5", "0.05", "-1%", "101%", "100.1%", "1.23456%", "1,5%", ".5%", "1e1%", "9999%"]
        {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }
}
