//! Rules for one word, beside the fields that they guard: names and tokens.

/// A name that becomes a label or stands in another key.
pub(crate) fn name(value: &str, _: &()) -> garde::Result {
    let fits = value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if fits && (1..=64).contains(&value.len()) {
        return Ok(());
    }
    Err(garde::Error::new("a name is 1 to 64 letters, digits, `_`, `-` and `.`"))
}

/// The name of a label, as Prometheus and Alertmanager have it; those that alerts bring themselves are taken.
pub(crate) fn label_name(value: &str, _: &()) -> garde::Result {
    let fits = value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let digit = value.starts_with(|first: char| first.is_ascii_digit());
    if !fits || digit || !(1..=64).contains(&value.len()) {
        return Err(garde::Error::new(
            "a label's name is 1 to 64 letters, digits and `_`, and no digit first",
        ));
    }
    if matches!(value, "alertname" | "severity" | "model" | "backend" | "slo") || value.starts_with("__") {
        return Err(garde::Error::new("every alert has a label of that name already"));
    }
    Ok(())
}

/// One to four numbers of protobuf fields, parted by dots.
pub(crate) fn field_path(value: &str, _: &()) -> garde::Result {
    let is_number = |text: &str| {
        text.bytes().all(|b| b.is_ascii_digit())
            && text.parse::<u32>().is_ok_and(|n| (1..1 << 29).contains(&n))
    };
    if value.split('.').all(is_number) && value.split('.').count() <= 4 {
        return Ok(());
    }
    Err(garde::Error::new("it must be one to four numbers of fields with dots between: `1`, `1.1`"))
}

/// A header name, or a part of one that must be a token: RFC 9110 §5.6.2.
pub(crate) fn token(value: &str, _: &()) -> garde::Result {
    if value.is_empty() {
        return Err(garde::Error::new("it is missing or empty"));
    }
    let fits = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    if fits && (1..=64).contains(&value.len()) {
        return Ok(());
    }
    Err(garde::Error::new(
        "it must be 1 to 64 letters, digits and characters of a header name, without spaces or `:`",
    ))
}

/// A host's name, perhaps with `*.` before it.
pub(crate) fn host_pattern(value: &str, _: &()) -> garde::Result {
    let name = value.strip_prefix("*.").unwrap_or(value);
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if !name.is_empty() && value.len() <= 253 && name.bytes().all(fits) {
        return Ok(());
    }
    Err(garde::Error::new("a host is a name such as `weir.example.org` or `*.example.org`, without a port"))
}

/// A user's name for basic authentication, which ends at the colon (RFC 7617 §2).
pub(crate) fn user_name(value: &str, _: &()) -> garde::Result {
    let fits = value.bytes().all(|b| (b.is_ascii_graphic() || b == b' ') && b != b':');
    if fits && (1..=256).contains(&value.len()) {
        return Ok(());
    }
    Err(garde::Error::new("a user is 1 to 256 visible ASCII characters without `:`"))
}

/// A header's value as weir sends it.
pub(crate) fn printable(value: &str, _: &()) -> garde::Result {
    if (1..=8192).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Ok(());
    }
    Err(garde::Error::new("it is 1 to 8192 visible ASCII characters and spaces"))
}

/// The name of a header that a user may add to what weir sends: none that frames the message or has a key of its own.
pub(crate) fn remote_header(value: &str, _: &()) -> garde::Result {
    const OURS: [&str; 11] = [
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    token(value, &())?;
    if OURS.iter().any(|ours| value.eq_ignore_ascii_case(ours)) {
        return Err(garde::Error::new(
            "weir writes this header itself; for `Authorization` there are `authorization` and `basic_auth`",
        ));
    }
    Ok(())
}

/// A region of AWS, or one of its services.
pub(crate) fn region(value: &str, _: &()) -> garde::Result {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=64).contains(&value.len()) && value.bytes().all(fits) {
        return Ok(());
    }
    Err(garde::Error::new("it is 1 to 64 lower-case letters, digits and `-`, such as `eu-central-1`"))
}

/// A name of visible ASCII.
pub(crate) fn visible(value: &str, _: &()) -> garde::Result {
    if (1..=255).contains(&value.len())
        && value.bytes().all(|b| b.is_ascii_graphic())
        && !value.starts_with(':')
    {
        return Ok(());
    }
    Err(garde::Error::new("it is 1 to 255 visible ASCII characters, no colon first"))
}

/// A header's value to compare with.
pub(crate) fn header_value(value: &str, _: &()) -> garde::Result {
    if (1..=8192).contains(&value.len()) {
        return Ok(());
    }
    Err(garde::Error::new("it is missing or empty, or longer than 8192 bytes"))
}

/// A status that can tell of a model that is not ready.
pub(crate) fn error_status(value: &u16, _: &()) -> garde::Result {
    if (400..=599).contains(value) {
        return Ok(());
    }
    Err(garde::Error::new("a status rule needs a `code` between 400 and 599"))
}

/// A method: a token in upper case, since methods are case-sensitive (RFC 9110 §9.1).
pub(crate) fn method(value: &str) -> garde::Result {
    token(value, &())?;
    if value.bytes().any(|b| b.is_ascii_lowercase()) {
        let message = format!("methods are case-sensitive: write `{}`", value.to_ascii_uppercase());
        return Err(garde::Error::new(message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tokens_methods_and_statuses_are_told_from_what_is_none() {
        for (fits, outcome) in [
            (true, name("triton-2.b_c", &())),
            (false, name("", &())),
            (false, name("a b", &())),
            (false, name("é", &())),
            (false, name(&"x".repeat(65), &())),
            (true, token("X-Amzn-SageMaker-Target-Model", &())),
            (true, token("serve_multiplexed_model_id", &())),
            (false, token("x model", &())),
            (false, token("x:", &())),
            (false, token("", &())),
            (true, label_name("cluster", &())),
            (false, label_name("1st", &())),
            (false, label_name("a-b", &())),
            (false, label_name("model", &())),
            (true, user_name("weir 1", &())),
            (false, user_name("a:b", &())),
            (false, user_name("", &())),
            (true, printable("Team A", &())),
            (false, printable("a\r\nb", &())),
            (false, printable("", &())),
            (true, remote_header("X-Scope-OrgID", &())),
            (false, remote_header("Host", &())),
            (false, remote_header("a b", &())),
            (true, region("eu-central-1", &())),
            (false, region("", &())),
            (false, region("EU", &())),
            (true, visible("service.name", &())),
            (false, visible("", &())),
            (false, visible(":a", &())),
            (false, visible("a b", &())),
            (true, host_pattern("weir.example.org", &())),
            (true, host_pattern("*.svc", &())),
            (false, host_pattern("*", &())),
            (false, host_pattern("a:80", &())),
            (false, host_pattern("", &())),
            (true, method("POST")),
            (true, method("M-SEARCH")),
            (false, method("post")),
            (false, method("")),
            (true, error_status(&429, &())),
            (false, error_status(&200, &())),
            (false, error_status(&0, &())),
            (false, error_status(&600, &())),
        ] {
            assert_eq!(outcome.is_ok(), fits, "{outcome:?}");
        }
    }
}
