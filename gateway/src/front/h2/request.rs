//! What hyper's HTTP/2 lets through and weir does not, and what HTTP/1.1 backends need changed.

use http::header::{COOKIE, HeaderValue};
use http::{Method, Version};
use weir_config::ListenLimits;

use crate::h1::head::BadHead;
use crate::h1::notable::Field;
use crate::h1::request::{check_host, check_names};
use crate::message::RequestParts as Parts;

/// Makes a head sound, or says why it is not (RFC 9113 §8.2, §8.3).
pub(super) fn check(head: &mut Parts, limits: &ListenLimits) -> Result<(), BadHead> {
    if matches!(head.method, Method::CONNECT | Method::TRACE) {
        return Err(BadHead::Method);
    }
    if head.headers.len() > usize::from(limits.header_count_max) {
        return Err(BadHead::TooMany);
    }
    let target = head.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
    if target.len() > limits.request_line_bytes_max.as_usize() {
        return Err(BadHead::LineTooLong);
    }
    let is_star = target == "*" && head.method == Method::OPTIONS;
    if (!target.starts_with('/') && !is_star) || target.contains('#') {
        return Err(BadHead::Malformed("the request target is malformed"));
    }
    let notable = head.notable;
    if head.version == Version::HTTP_2 && head.uri.authority().is_none() && !notable.has(Field::Host) {
        return Err(BadHead::Malformed("neither :authority nor Host"));
    }
    check_host(head, notable)?;
    if notable.has(Field::Underscore) {
        check_names(&head.headers)?;
    }
    join_cookies(head);
    Ok(())
}

/// HTTP/2 may send a cookie in crumbs; HTTP/1.1 knows one field (RFC 9113 §8.2.3).
fn join_cookies(head: &mut Parts) {
    let mut crumbs = head.headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else { return };
    let mut joined = first.as_bytes().to_vec();
    for crumb in std::iter::once(second).chain(crumbs) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(crumb.as_bytes());
    }
    // Joined from valid values it is one.
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        head.headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(method: Method, uri: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri).version(Version::HTTP_2);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0.into()
    }

    #[test]
    fn crumbs_become_one_cookie() {
        let mut head =
            head(Method::GET, "http://a/", &[("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")]);
        check(&mut head, &ListenLimits::default()).unwrap();
        let cookies: Vec<_> = head.headers.get_all(COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3"]);
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let long = format!("http://a/{}", "x".repeat(20_000));
        for (method, uri, fields, error) in [
            (Method::CONNECT, "a:1", &[][..], BadHead::Method),
            (Method::TRACE, "http://a/", &[], BadHead::Method),
            (Method::GET, "/", &[], BadHead::Malformed("neither :authority nor Host")),
            (
                Method::GET,
                "http://a/",
                &[("host", "b")],
                BadHead::Malformed("Host is not the host of the request target"),
            ),
            (Method::GET, "http://u@a/", &[], BadHead::Malformed("the request target is malformed")),
            (
                Method::GET,
                "http://a/",
                &[("content_length", "1")],
                BadHead::Malformed("a header field's name can be taken for another's"),
            ),
            (Method::GET, long.as_str(), &[], BadHead::LineTooLong),
        ] {
            let mut head = head(method, uri, fields);
            assert_eq!(check(&mut head, &ListenLimits::default()), Err(error), "{uri} {fields:?}");
        }
    }
}
