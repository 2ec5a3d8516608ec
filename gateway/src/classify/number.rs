//! A number in a header: `2310`, ` 2.5 `, `1e3`. What is no finite number, and a unit written behind one, is none.

use std::time::Duration;

/// The longest load that is believed. A backend is not trusted to put a century into a sum.
const LOAD_MAX: Duration = Duration::from_secs(24 * 3600);

/// Reads a decimal number.
pub(crate) fn parse(value: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    // `f64` also reads `inf`, `nan` and `infinity`.
    let numeric =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    if numeric { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

/// A number of units of `unit_nanos` nanoseconds as a time; none if it is negative or beyond belief.
pub(super) fn duration(number: f64, unit_nanos: f64) -> Option<Duration> {
    let seconds = number * unit_nanos / 1e9;
    Duration::try_from_secs_f64(seconds).ok().filter(|load| *load <= LOAD_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_finite_decimal_number_is_one() {
        for (text, number) in [
            ("0", 0.0),
            ("2310", 2310.0),
            (" 2.5 ", 2.5),
            ("1e3", 1000.0),
            ("-1", -1.0),
            ("+4", 4.0),
            (".5", 0.5),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(number), "{text}");
        }
        for text in
            ["", " ", "inf", "NaN", "infinity", "1e999", "12ms", "0x10", "1 2", "1,5", "true", "-", "e", "."]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(&[0xff, b'1']), None);
    }

    #[test]
    fn a_load_time_is_not_negative_and_at_most_a_day() {
        assert_eq!(duration(2310.0, 1e6), Some(Duration::from_millis(2310)));
        assert_eq!(duration(0.5, 1e9), Some(Duration::from_millis(500)));
        assert_eq!(duration(-1.0, 1e6), None);
        assert_eq!(duration(1e300, 1e9), None);
        assert_eq!(duration(86_401.0, 1e9), None);
    }
}
