//! Amounts with a unit: byte sizes (`64KiB`) and durations (`30s`), read from text, written back to text, and their bounds.
//! It does not accept a bare number: the unit is part of the value.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use crate::percent::Percent;

/// A size in bytes, written `512B`, `64KiB`, `1MiB` or `2GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub u64);

/// Binary units only: whether `MB` means 1,000,000 or 1,048,576 is a question nobody should have to ask a limit.
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

const SPANS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

const SIZE_HELP: &str = "a size is a whole number and a unit, B, KiB, MiB or GiB: `64KiB`";
const SPAN_HELP: &str =
    "a duration is a whole number and a unit, ns, us, ms, s, m, h or d: `500ms`, `30s`, `5m`";

impl Bytes {
    /// `n` × 1,024 bytes.
    #[must_use]
    pub const fn kib(n: u64) -> Self {
        Self(n << 10)
    }

    /// `n` × 1,048,576 bytes.
    #[must_use]
    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }

    /// The number of bytes as a length in memory; saturates where `usize` is smaller.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) =
            SIZES.into_iter().find(|(_, size)| self.0.is_multiple_of(*size)).unwrap_or(("B", 1));
        if self.0 == 0 { write!(f, "0B") } else { write!(f, "{}{unit}", self.0 / size) }
    }
}

impl FromStr for Bytes {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (number, unit) = split(text, SIZE_HELP)?;
        let size = SIZES.into_iter().find(|(name, _)| *name == unit).ok_or(UnitError(SIZE_HELP))?.1;
        number.checked_mul(size).map(Self).ok_or(UnitError("a size must fit in 64 bits"))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for Bytes {
    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)$|\\$\\{" })
    }
}

/// How a duration stands in the file: for `#[serde(with = "units::duration")]`.
pub(crate) mod duration {
    use super::{Cow, Deserialize, Deserializer, Duration, Serializer, de, duration_text, parse_duration};

    pub(crate) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&duration_text(*value))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        parse_duration(&Cow::<str>::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The same where there may be none: for `#[serde(with = "units::duration_option")]`.
pub(crate) mod duration_option {
    use super::{Deserializer, Duration, Serializer, duration};

    pub(crate) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => duration::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        duration::deserialize(deserializer).map(Some)
    }
}

/// How a socket's address stands in the file: for `#[serde(with = "units::address")]`.
pub(crate) mod address {
    use std::net::SocketAddr;

    use super::{Cow, Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(value: &SocketAddr, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(|_| {
            de::Error::custom(
                "an address is an IP address and a port: `127.0.0.1:9900`, `0.0.0.0:80`, `[::1]:9900`",
            )
        })
    }
}

/// The same where there may be none: for `#[serde(with = "units::address_option")]`.
pub(crate) mod address_option {
    use std::net::SocketAddr;

    use super::{Deserializer, Serializer, address};

    pub(crate) fn serialize<S: Serializer>(
        value: &Option<SocketAddr>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => address::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SocketAddr>, D::Error> {
        address::deserialize(deserializer).map(Some)
    }
}

/// The schema of a duration's text.
pub(crate) struct DurationText;

impl schemars::JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$|\\$\\{" })
    }
}

/// Reads `500ms`, `30s`, `5m`, `2h`, `1d`; the same rules as in the file, for flags of the command line.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split(text, SPAN_HELP)?;
    let scale = SPANS.into_iter().find(|(name, _)| *name == unit).ok_or(UnitError(SPAN_HELP))?.1;
    let nanos = u128::from(number) * scale;
    // Below 2^64 ns, about 584 years, so that nobody downstream needs a wider type.
    u64::try_from(nanos)
        .map(Duration::from_nanos)
        .map_err(|_| UnitError("a duration must be below 584 years"))
}

/// Writes a duration in the largest unit that divides it: 90 s as `90s`, 3,600 s as `1h`.
#[must_use]
pub fn duration_text(value: Duration) -> String {
    let nanos = value.as_nanos();
    let (unit, scale) =
        SPANS.into_iter().find(|(_, scale)| nanos.is_multiple_of(*scale)).unwrap_or(("ns", 1));
    if nanos == 0 { "0s".to_owned() } else { format!("{}{unit}", nanos / scale) }
}

/// A text that is no amount: says what one looks like, and never repeats what was found (it may be a secret).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnitError(pub(crate) &'static str);

/// For `#[garde(custom(…))]`: a duration between two inclusive bounds, in the text that the message will show.
pub(crate) fn duration_within(
    min: &'static str,
    max: &'static str,
) -> impl FnOnce(&Duration, &()) -> garde::Result {
    move |value, ()| within(value, parse_duration(min), parse_duration(max), min, max)
}

/// For `#[garde(custom(…))]`: a size between two inclusive bounds, in the text that the message will show.
pub(crate) fn bytes_within(
    min: &'static str,
    max: &'static str,
) -> impl FnOnce(&Bytes, &()) -> garde::Result {
    move |value, ()| within(value, min.parse(), max.parse(), min, max)
}

/// For `#[garde(custom(…))]`: a share between two inclusive bounds, in the text that the message will show.
pub(crate) fn percent_within(
    min: &'static str,
    max: &'static str,
) -> impl FnOnce(&Percent, &()) -> garde::Result {
    move |value, ()| within(value, min.parse(), max.parse(), min, max)
}

fn within<T: PartialOrd>(
    value: &T,
    low: Result<T, UnitError>,
    high: Result<T, UnitError>,
    min: &str,
    max: &str,
) -> garde::Result {
    let (Ok(low), Ok(high)) = (low, high) else { return Err(garde::Error::new("a bound is no amount")) };
    if (low..=high).contains(value) {
        return Ok(());
    }
    Err(garde::Error::new(format!("must be between {min} and {max}")))
}

fn split<'t>(text: &'t str, help: &'static str) -> Result<(u64, &'t str), UnitError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or(UnitError(help))?;
    Ok((number.parse().map_err(|_| UnitError(help))?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit_and_written_in_the_largest_exact_one() {
        for (text, bytes, shown) in [
            ("0B", 0, "0B"),
            ("512B", 512, "512B"),
            ("64KiB", 65_536, "64KiB"),
            ("1024KiB", 1 << 20, "1MiB"),
            ("1 MiB", 1 << 20, "1MiB"),
            ("1025KiB", 1_049_600, "1025KiB"),
        ] {
            let size: Bytes = text.parse().unwrap();
            assert_eq!((size, size.to_string().as_str()), (Bytes(bytes), shown), "{text}");
        }
    }

    #[test]
    fn sizes_without_a_unit_with_a_decimal_one_or_too_large_are_refused() {
        for text in [
            "",
            "64",
            "64kb",
            "64KB",
            "1.5MiB",
            "-1KiB",
            "KiB",
            "99999999999999999999B",
            "18446744073709551615GiB",
        ] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_read_with_their_unit_and_written_in_the_largest_exact_one() {
        for (text, millis, shown) in [
            ("500ms", 500, "500ms"),
            ("30s", 30_000, "30s"),
            ("90s", 90_000, "90s"),
            ("3600s", 3_600_000, "1h"),
            ("2d", 172_800_000, "2d"),
            ("0s", 0, "0s"),
        ] {
            let span = parse_duration(text).unwrap();
            assert_eq!(
                (span, duration_text(span).as_str()),
                (Duration::from_millis(millis), shown),
                "{text}"
            );
        }
    }

    #[test]
    fn durations_without_a_unit_with_an_unknown_one_or_too_long_are_refused() {
        for text in ["", "30", "s", "1.5s", "-1s", "30 sec", "1h30m", "999999999d", "99999999999999999999s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_size_and_duration_survives_its_own_text(n in 0..u64::MAX) {
            proptest::prop_assert_eq!(Bytes(n).to_string().parse::<Bytes>(), Ok(Bytes(n)));
            let span = Duration::from_nanos(n);
            proptest::prop_assert_eq!(parse_duration(&duration_text(span)), Ok(span));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in ".{0,40}") {
            let _ = (text.parse::<Bytes>(), parse_duration(&text));
        }
    }
}
