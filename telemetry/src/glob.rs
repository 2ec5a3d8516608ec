//! Patterns of names: `*` stands for any letters, also none, `?` for one.

/// Whether the whole text fits the pattern. Takes at most the product of their lengths, whatever they are.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Where to go on when what follows the last star did not fit: the star takes one letter more.
    let mut star = None;
    loop {
        let mut ahead = pattern.clone();
        let wanted = ahead.next();
        if wanted == Some('*') {
            pattern = ahead;
            star = Some((pattern.clone(), text.clone()));
            continue;
        }
        match (wanted, text.next()) {
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => pattern = ahead,
            _ => {
                let Some((after, from)) = &mut star else { return false };
                if from.next().is_none() {
                    return false;
                }
                (pattern, text) = (after.clone(), from.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_fit() {
        for (pattern, text, fit) in [
            ("", "", true),
            ("*", "", true),
            ("*", "模型", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("*-v?", "ranking-v2", true),
            ("*-v?", "ranking-v22", false),
            ("a**b*", "axxbyy", true),
            ("*a*b", "aabab", true),
            ("?", "", false),
            ("abc", "ab", false),
            ("ab", "abc", false),
            ("*abc", "ababc", true),
        ] {
            assert_eq!(fits(pattern, text), fit, "{pattern} {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_exponential_time() {
        assert!(!fits(&format!("{}b", "*a".repeat(300)), &"a".repeat(1000)));
    }
}
