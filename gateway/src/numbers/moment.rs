//! Points in time as servers write them: RFC 3339 and HTTP dates, as seconds since 1970.

use std::time::SystemTime;

/// RFC 3339 §5.6: `2026-11-24T12:00:00.25+01:00`; a space may stand for the `T`.
pub(crate) fn rfc3339(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?.trim_matches([' ', '\t']);
    let (date, time) = (text.get(..10)?, text.get(11..)?);
    if !matches!(text.as_bytes().get(10)?, b'T' | b't' | b' ') {
        return None;
    }
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let (clock, rest) = (time.get(..8)?, time.get(8..)?);
    let [hour, minute, second] = fields(clock, ':', [2, 2, 2])?;
    let digits =
        rest.strip_prefix('.').map_or(0, |more| 1 + more.bytes().take_while(u8::is_ascii_digit).count());
    let (fraction, zone) = rest.split_at_checked(digits)?;
    let fraction = match fraction {
        "" => 0.0,
        "." => return None,
        digits => digits.parse::<f64>().ok()?,
    };
    // 60 is a leap second.
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_since_1970(year, month, day);
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset(zone)?;
    // Exact to microseconds for dates of four digits.
    Some(seconds as f64 + fraction)
}

/// RFC 9110 §5.6.7, the two old forms as well.
pub(super) fn http_date(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?.trim_matches([' ', '\t']);
    let moment = httpdate::parse_http_date(text).ok()?;
    moment.duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs_f64())
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first()? {
        b'Z' | b'z' => return (zone.len() == 1).then_some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let [hours, minutes] = fields(zone.get(1..)?, ':', [2, 2])?;
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Numbers of so many digits with a separator between them, and nothing else.
fn fields<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(separator);
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == width)?;
        if !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Days of the proleptic Gregorian calendar, counted from March so that the leap day is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, month) = (year.div_euclid(400), (month + 9) % 12);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_whatever_their_zone_and_fraction() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0.0),
            ("2026-11-24T12:00:00Z", 1_795_521_600.0),
            ("2026-11-24t13:30:00.25+01:30", 1_795_521_600.25),
            ("2026-11-24 07:00:00-05:00", 1_795_521_600.0),
            ("2000-02-29T23:59:60Z", 951_868_800.0),
            (" 1969-12-31T23:59:59Z ", -1.0),
            ("0000-03-01T00:00:00Z", -62_162_035_200.0),
        ] {
            assert_eq!(rfc3339(text.as_bytes()), Some(seconds), "{text}");
        }
        assert_eq!(http_date(b"Tue, 24 Nov 2026 12:00:00 GMT"), Some(1_795_521_600.0));
        assert_eq!(http_date(b"Sunday, 06-Nov-94 08:49:37 GMT"), Some(784_111_777.0));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "2026",
            "2026-11-24",
            "2026-11-24T12:00:00",
            "2026-11-24T12:00:00.Z",
            "2026-11-24T12:00:00+1:00",
            "2026-11-24T12:00:00Zz",
            "2026-11-24T24:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "26-11-24T12:00:00Z",
            "+026-11-24T12:00:00Z",
            "2026-11-24X12:00:00Z",
            "2026-11-2éT12:00:00Z",
            "1795521600",
        ] {
            assert_eq!(rfc3339(text.as_bytes()), None, "{text}");
            assert_eq!(http_date(text.as_bytes()), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_day_is_one_after_the_day_before_and_no_text_panics(day in -700_000_i64..3_000_000, text in ".{0,40}") {
            _ = rfc3339(text.as_bytes());
            let civil = |day: i64| {
                // The other way round, by search: years are about 365.2425 days.
                let mut year = 1970 + day.div_euclid(if day < 0 { 365 } else { 366 });
                while days_since_1970(year + 1, 1, 1) <= day {
                    year += 1;
                }
                let mut month = 1;
                while month < 12 && days_since_1970(year, month + 1, 1) <= day {
                    month += 1;
                }
                (year, month, day - days_since_1970(year, month, 1) + 1)
            };
            let (year, month, of_month) = civil(day);
            proptest::prop_assert_eq!(days_since_1970(year, month, of_month), day);
            proptest::prop_assert!((1..=31).contains(&of_month));
        }
    }
}
