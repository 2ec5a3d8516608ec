//! The trace that a request belongs to, as its caller says (W3C trace context): it becomes the exemplar of its model's
//! histogram. weir starts no trace of its own and passes the header on as it came.
//!
//! Cost: one look-up of a header for each request; a traced success reads the wall clock and writes 40 bytes.

use std::time::SystemTime;

use http::header::HeaderName;
use weir_telemetry::{Exemplar, ModelRef, Observation, Outcome, Recorder};

use crate::message::HeaderMap;

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The trace id of a `traceparent` header that is well formed.
/// Source: <https://www.w3.org/TR/trace-context/#traceparent-header>.
pub fn id(headers: &HeaderMap) -> Option<u128> {
    let mut all = headers.get_all(&TRACEPARENT).iter();
    let (Some(only), None) = (all.next(), all.next()) else { return None };
    let (version, rest) = only.as_bytes().split_at_checked(2)?;
    let (trace, rest) = rest.strip_prefix(b"-")?.split_at_checked(32)?;
    let (parent, rest) = rest.strip_prefix(b"-")?.split_at_checked(16)?;
    let (flags, rest) = rest.strip_prefix(b"-")?.split_at_checked(2)?;
    // A later version may say more behind a further dash; version 00 may not, and there is no version ff.
    let ends = rest.is_empty() || (version != b"00" && rest.starts_with(b"-"));
    let (trace, parent) = (number(trace)?, number(parent)?);
    let is_well_formed = ends && number(version)? != 0xff && number(flags).is_some();
    (is_well_formed && trace != 0 && parent != 0).then_some(trace)
}

/// A request with this trace was just recorded.
pub fn keep(recorder: &Recorder, model: ModelRef, seen: &Observation, trace: Option<u128>) {
    let Some(trace) = trace.filter(|_| seen.outcome == Outcome::Ok) else { return };
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let unix_ms = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
    recorder.exemplar(model, seen.start, Exemplar { trace, duration_ns: seen.duration_ns, unix_ms });
}

/// Lower-case hexadecimal, as the header must be.
fn number(hex: &[u8]) -> Option<u128> {
    hex.iter().try_fold(0_u128, |number, digit| match digit {
        b'0'..=b'9' => Some(number << 4 | u128::from(digit - b'0')),
        b'a'..=b'f' => Some(number << 4 | u128::from(digit - b'a' + 10)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn of(values: &[&str]) -> Option<u128> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("traceparent", HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        id(&headers)
    }

    #[test]
    fn the_trace_id_of_a_well_formed_header_is_read() {
        assert_eq!(of(&[GOOD]), Some(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736));
        assert!(of(&[&GOOD.replace("00-4", "7f-4")]).is_some(), "of a later version");
        assert!(of(&[&(GOOD.replace("00-4", "7f-4") + "-more")]).is_some());
    }

    #[test]
    fn what_is_not_well_formed_is_no_trace() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[GOOD, GOOD]), None, "two cannot both be right");
        for odd in [
            "",
            "00",
            "00-",
            "-",
            "00-0-0-0",
            &GOOD.to_ascii_uppercase(),
            &GOOD.replace("00-4", "ff-4"),
            &GOOD.replace("-01", "-0"),
            &GOOD.replace("-01", "-zz"),
            &(GOOD.to_owned() + "-more"),
            &(GOOD.to_owned() + "1"),
            &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &GOOD.replace("4bf9", "4bg9"),
            &"é".repeat(55),
            &"0".repeat(100_000),
        ] {
            assert_eq!(of(&[odd]), None, "{odd:.80}");
        }
    }
}
