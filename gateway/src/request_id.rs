//! What ties a request's traces together: `X-Request-Id`, made or kept, and what an answer tells of itself.
//!
//! `traceparent`, `tracestate` and `baggage` (W3C Trace Context, W3C Baggage) pass like any other field, unread and unchanged: weir
//! makes no span of its own, and a proxy that makes none must not change them (Trace Context §3.4).
//!
//! Cost: where an id is made, 16 bytes of a generator that each thread has, and one allocation.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use weir_config::{Forward, RequestId};
use weir_telemetry::Start;

use crate::message::HeaderMap;

/// Ties what a request leaves behind together.
pub static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static X_WEIR_START: HeaderName = HeaderName::from_static("x-weir-start");
static SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Longer ids are not believed.
const ID_BYTES_MAX: usize = 128;

/// Sees to the request's id as the policy says; none where there is none.
pub fn see_to(headers: &mut HeaderMap, policy: RequestId) -> Option<HeaderValue> {
    if policy == RequestId::Off {
        return None;
    }
    let mut given = headers.get_all(&X_REQUEST_ID).iter();
    let given = (given.next(), given.next());
    match given {
        (Some(only), None) if is_well_formed(only) => return Some(only.clone()),
        (Some(_), _) if policy == RequestId::Keep => {
            headers.remove(&X_REQUEST_ID);
            return None;
        }
        (None, _) if policy == RequestId::Keep => return None,
        _ => {}
    }
    let (made, is_new) = (made(), given.0.is_none());
    if !is_new {
        headers.remove(&X_REQUEST_ID);
    }
    headers.append(&X_REQUEST_ID, made.clone());
    Some(made)
}

/// Whether an id that came in may go into logs and headers: letters, digits and a few marks.
pub fn is_well_formed(id: &HeaderValue) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@~".contains(byte);
    (1..=ID_BYTES_MAX).contains(&id.len()) && id.as_bytes().iter().all(fits)
}

/// 128 random bits as 32 hexadecimal digits.
fn made() -> HeaderValue {
    thread_local! {
        static RANDOM: RefCell<StdRng> = RefCell::new(StdRng::from_seed(seed()));
    }
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut bytes = [0_u8; 16];
    RANDOM.with_borrow_mut(|random| random.fill_bytes(&mut bytes));
    let mut text = [0_u8; 32];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        let digit = |four: u8| DIGITS.get(usize::from(four)).copied().unwrap_or(b'0');
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("0"))
}

/// From the system's random numbers, by way of the keys that the standard library takes for its maps. Ids are told apart by it;
/// nothing is kept secret by it.
fn seed() -> [u8; 32] {
    let mut seed = [0_u8; 32];
    for part in seed.as_chunks_mut::<8>().0 {
        *part = RandomState::new().hash_one(part.as_ptr()).to_ne_bytes();
    }
    seed
}

/// What an answer tells of itself, where the configuration wants it. `start` is asked for only then.
pub fn tell(
    headers: &mut HeaderMap,
    policy: &Forward,
    until_head: impl FnOnce() -> Duration,
    start: impl FnOnce() -> Option<Start>,
) {
    if !policy.server_timing && !policy.start_header {
        return;
    }
    let start = match start() {
        Some(Start::Hot) => Some("hot"),
        Some(Start::Cold) => Some("cold"),
        _ => None,
    };
    if policy.start_header {
        // What another weir behind this one said is not this one's word.
        headers.remove(&X_WEIR_START);
        if let Some(start) = start {
            headers.insert(&X_WEIR_START, HeaderValue::from_static(start));
        }
    }
    if policy.server_timing {
        let spent = until_head().as_secs_f64() * 1e3;
        let said = start.map_or_else(String::new, |start| format!(";desc=\"{start}\""));
        if let Ok(entry) = HeaderValue::from_str(&format!("weir;dur={spent:.3}{said}")) {
            headers.append(&SERVER_TIMING, entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(ids: &[&'static str]) -> HeaderMap {
        ids.iter().map(|id| (&X_REQUEST_ID, HeaderValue::from_static(id))).collect()
    }

    #[test]
    fn an_id_is_made_where_there_is_none_and_no_two_are_alike() {
        let mut headers = with(&[]);
        let one = see_to(&mut headers, RequestId::Make).unwrap();
        assert_eq!(headers.get(&X_REQUEST_ID), Some(&one));
        assert_eq!(one.len(), 32);
        assert!(one.as_bytes().iter().all(u8::is_ascii_hexdigit), "{one:?}");
        assert_ne!(Some(one), see_to(&mut with(&[]), RequestId::Make));
        assert_eq!(see_to(&mut with(&[]), RequestId::Keep), None);
    }

    #[test]
    fn a_well_formed_id_is_kept_and_a_malformed_one_or_two_are_not() {
        let long: &'static str = "x".repeat(129).leak();
        for policy in [RequestId::Keep, RequestId::Make] {
            for good in ["a", "7f3c-11", "urn:uuid:0/1+2=@~_."] {
                let mut headers = with(&[good]);
                assert_eq!(see_to(&mut headers, policy).unwrap(), good);
                assert_eq!(headers[&X_REQUEST_ID], good);
            }
            for bad in [&["a b"][..], &["a\"b"], &[""], &[long], &["one", "two"]] {
                let mut headers = with(bad);
                let id = see_to(&mut headers, policy);
                assert_eq!(id.is_some(), policy == RequestId::Make, "{bad:?}");
                assert_eq!(
                    headers.get_all(&X_REQUEST_ID).iter().collect::<Vec<_>>(),
                    id.iter().collect::<Vec<_>>()
                );
            }
        }
        let mut headers = with(&["a b"]);
        assert_eq!(see_to(&mut headers, RequestId::Off), None);
        assert_eq!(headers[&X_REQUEST_ID], "a b", "a header like any other");
    }

    #[test]
    fn an_answer_tells_of_itself_only_when_asked_to() {
        let told = |policy: Forward, start| {
            let mut headers = HeaderMap::new();
            headers.insert(&X_WEIR_START, HeaderValue::from_static("hot"));
            tell(&mut headers, &policy, || Duration::from_micros(12_345), || start);
            let of = |name: &HeaderName| {
                headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned())
            };
            (of(&X_WEIR_START), of(&SERVER_TIMING))
        };
        let text = |text: &str| Some(text.to_owned());
        let timing = Forward { server_timing: true, ..Forward::default() };
        let header = Forward { start_header: true, ..Forward::default() };
        assert_eq!(told(Forward::default(), Some(Start::Cold)), (text("hot"), None));
        assert_eq!(told(header.clone(), Some(Start::Cold)), (text("cold"), None));
        assert_eq!(told(header, Some(Start::Unknown)), (None, None));
        assert_eq!(told(timing.clone(), Some(Start::Cold)).1, text("weir;dur=12.345;desc=\"cold\""));
        assert_eq!(told(timing, None).1, text("weir;dur=12.345"));
    }
}
