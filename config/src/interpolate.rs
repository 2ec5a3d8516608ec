//! `${VAR}`, `${VAR:-default}` and `${VAR:?message}` in plain scalars, after the YAML is parsed: a value can never become a key,
//! a list or a second line. Quoted text stays as it is, and `$${` is a literal `${`.

use crate::report::Problem;
use crate::tree::{Kind, Node};

/// Longest value of one scalar after interpolation, in bytes.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Replaces every reference under `node`; one that cannot be replaced becomes a problem and its scalar stays as it is.
/// `ids` gets the scalars that could not be replaced, so that nobody complains about their text too.
pub(crate) fn interpolate(
    node: &mut Node,
    env: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<(u32, Problem)>,
) {
    match &mut node.kind {
        Kind::List(items) => items.iter_mut().for_each(|item| interpolate(item, env, problems)),
        Kind::Map(entries) => {
            entries.iter_mut().for_each(|entry| interpolate(&mut entry.value, env, problems))
        }
        Kind::Scalar(scalar) if scalar.plain && scalar.text.contains("${") => match expand(&scalar.text, env)
        {
            Ok(text) => scalar.source = Some(std::mem::replace(&mut scalar.text, text)),
            Err(message) => problems.push((node.id, Problem::new(message).at(Some(node.place)))),
        },
        Kind::Scalar(_) => {}
    }
}

fn expand(mut rest: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(literal) = before.strip_suffix('$') {
            out.push_str(literal);
            out.push_str("${");
            rest = after;
            continue;
        }
        let (reference, tail) =
            after.split_once('}').ok_or("`${` has no closing `}`; write `$${` for the text itself")?;
        out.push_str(before);
        out.push_str(&value(reference, env)?);
        if out.len() > VALUE_BYTES_MAX {
            return Err(format!("the value is longer than {VALUE_BYTES_MAX} bytes"));
        }
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

fn value(reference: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let (name, rest) = reference.split_at_checked(name_len(reference)).unwrap_or((reference, ""));
    let set = if name.is_empty() { None } else { env(name) };
    let filled = set.clone().filter(|value| !value.is_empty());
    match (rest, rest.strip_prefix(":-"), rest.strip_prefix(":?")) {
        _ if name.is_empty() => Err(malformed(reference)),
        ("", ..) => set.ok_or_else(|| format!("the environment variable `{name}` is not set")),
        (_, Some(default), _) => Ok(filled.unwrap_or_else(|| default.to_owned())),
        (_, _, Some(message)) => filled.ok_or_else(|| {
            let message = if message.is_empty() { "it is not set" } else { message };
            format!("the environment variable `{name}` is required: {message}")
        }),
        _ => Err(malformed(reference)),
    }
}

fn name_len(text: &str) -> usize {
    let digit_first = text.starts_with(|c: char| c.is_ascii_digit());
    if digit_first { 0 } else { text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count() }
}

fn malformed(reference: &str) -> String {
    format!(
        "`${{{reference}}}` is not understood; the forms are ${{VAR}}, ${{VAR:-default}} and ${{VAR:?message}}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("h1".to_owned()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${HOST}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn references_are_replaced_once_and_a_doubled_dollar_is_literal() {
        for (text, value) in [
            ("http://${HOST}:80", "http://h1:80"),
            ("${HOST}${HOST}", "h1h1"),
            ("${EMPTY}", ""),
            ("${NONE:-x}", "x"),
            ("${EMPTY:-x}", "x"),
            ("${HOST:-x}", "h1"),
            ("${NONE:-}", ""),
            ("${HOST:?must be set}", "h1"),
            ("${NESTED}", "${HOST}"),
            ("$${HOST}", "${HOST}"),
            ("a$b ${HOST}", "a$b h1"),
        ] {
            assert_eq!(expand(text, &env).as_deref(), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_says_which_variable_and_why() {
        for (text, part) in [
            ("${NONE}", "`NONE` is not set"),
            ("${NONE:?see the runbook}", "`NONE` is required: see the runbook"),
            ("${EMPTY:?}", "`EMPTY` is required: it is not set"),
            ("${HOST", "no closing"),
            ("${}", "not understood"),
            ("${1A}", "not understood"),
            ("${HOST+x}", "not understood"),
            ("${HOST:x}", "not understood"),
        ] {
            assert!(expand(text, &env).unwrap_err().contains(part), "{text}");
        }
    }

    #[test]
    fn a_value_cannot_grow_without_bound() {
        let long = |_: &str| Some("x".repeat(40_000));
        assert!(expand("${A}", &long).is_ok());
        assert!(expand("${A}${A}", &long).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[$:{}A-Z0-9?_é-]{0,40}") {
            let _ = expand(&text, &env);
        }
    }
}
