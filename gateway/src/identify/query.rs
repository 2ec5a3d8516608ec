//! Looking up one parameter of a query or a form: `a=1&model=x`.
//!
//! The first one of a name counts, also when it is empty (as in Java's, Go's and TorchServe's decoders). Names are compared decoded.
//! Cost: one pass over the bytes, no allocation.

use super::decode;

/// The raw value of a parameter: `""` for `model` and `model=`; none if it is not there.
#[must_use]
pub(super) fn find<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        decode::query_is(key.as_bytes(), name).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_parameter_of_a_name_counts_and_may_be_empty() {
        for (query, value) in [
            ("model=a&model=b", Some("a")),
            ("x=1&model=a%2Fb", Some("a%2Fb")),
            ("model=", Some("")),
            ("model", Some("")),
            ("m%6Fdel=a=b", Some("a=b")),
            ("models=a&Model=b&=c", None),
            ("", None),
            ("&&&", None),
        ] {
            assert_eq!(find(query, "model"), value, "{query}");
        }
    }
}
