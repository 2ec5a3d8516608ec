//! A query without its secrets: names alone, or all but the values of parameters that are called like secrets.

/// What stands for a value that is not told.
const HIDDEN: &str = "***";

/// Parts of a parameter's name, in lower case, that tell of a secret. Presigned URLs of AWS, Azure (`sig`) and Google are among them.
const SECRET: [&str; 12] = [
    "key",
    "token",
    "secret",
    "pass",
    "pwd",
    "auth",
    "credential",
    "sig",
    "session",
    "cookie",
    "jwt",
    "code",
];

/// The names of the parameters.
pub(super) fn names(query: &str) -> String {
    filtered(query, |_| false)
}

/// The parameters without values that are secrets by their name.
pub(super) fn redacted(query: &str) -> String {
    filtered(query, |name| {
        // A name that is encoded is not read, so it is not trusted.
        let name = name.to_ascii_lowercase();
        !name.contains('%') && !SECRET.iter().any(|word| name.contains(word))
    })
}

fn filtered(query: &str, may_tell: impl Fn(&str) -> bool) -> String {
    let mut out = String::with_capacity(query.len());
    for (number, part) in query.split('&').enumerate() {
        if number > 0 {
            out.push('&');
        }
        match part.split_once('=') {
            Some((name, _)) if !may_tell(name) => {
                out.push_str(name);
                out.push('=');
                out.push_str(HIDDEN);
            }
            Some(_) => out.push_str(part),
            // Without `=` it may be a value as well as a name.
            None if part.is_empty() => {}
            None => out.push_str(HIDDEN),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_pass_and_the_rest_does() {
        for (query, all, told) in [
            ("a=1&b=2", "a=***&b=***", "a=1&b=2"),
            ("api_key=k&x=y", "api_key=***&x=***", "api_key=***&x=y"),
            (
                "X-Amz-Signature=s&X-Amz-Security-Token=t",
                "X-Amz-Signature=***&X-Amz-Security-Token=***",
                "X-Amz-Signature=***&X-Amz-Security-Token=***",
            ),
            ("%6bey=k", "%6bey=***", "%6bey=***"),
            ("bare", "***", "***"),
            ("", "", ""),
            ("&&a=", "&&a=***", "&&a="),
            ("PassWord=a=b", "PassWord=***", "PassWord=***"),
        ] {
            assert_eq!((names(query).as_str(), redacted(query).as_str()), (all, told), "{query}");
        }
    }
}
