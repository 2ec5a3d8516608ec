//! Whether two globs (`*` any letters, `?` one) have a name in common.

/// Whether some name fits both. Time: the product of their lengths.
#[must_use]
pub fn globs_meet(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // What is left of `a` from its end on, against each rest of `b`.
    let mut below: Vec<bool> = (0..=b.len()).map(|at| b.iter().skip(at).all(|c| *c == '*')).collect();
    for from_a in a.iter().rev() {
        let end = *from_a == '*' && below.last().copied().unwrap_or(false);
        let mut row = vec![end; b.len() + 1];
        let mut right = end;
        for (at, from_b) in b.iter().enumerate().rev() {
            let cell = |row: &[bool], at: usize| row.get(at).copied().unwrap_or(false);
            let meet = match (*from_a, *from_b) {
                ('*', _) | (_, '*') => cell(&below, at) || right,
                (one, other) => (one == other || one == '?' || other == '?') && cell(&below, at + 1),
            };
            if let Some(place) = row.get_mut(at) {
                *place = meet;
            }
            right = meet;
        }
        below = row;
    }
    below.first().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_meet_where_a_name_fits_both() {
        for (a, b, meet) in [
            ("", "", true),
            ("", "*", true),
            ("", "?", false),
            ("a*", "*b", true),
            ("a*", "b*", false),
            ("rank-*", "*-v2", true),
            ("rank-*", "ran?", false),
            ("rank-*", "ran??", true),
            ("*a", "*b", false),
            ("a*c", "ab*d", false),
            ("a*c", "ab*", true),
            ("x", "x", true),
            ("**", "?*?", true),
        ] {
            assert_eq!((globs_meet(a, b), globs_meet(b, a)), (meet, meet), "{a} {b}");
        }
    }
}
