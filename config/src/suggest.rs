//! "Did you mean": the known word that a typo was probably meant to be.

use strsim::jaro_winkler;

/// Below this likeness a guess confuses more than it helps; chosen so that `adress` finds `address` and `listen` finds
/// `listeners`.
const LIKENESS_MIN: f64 = 0.84;

/// The known word most like `found`, if any is like it; `-` and `_` and the case of letters do not count.
pub(crate) fn closest<'k>(found: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let found = folded(found);
    let scored = known.into_iter().map(|word| (jaro_winkler(&found, &folded(word)), word));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    if best.0 >= LIKENESS_MIN { Some(best.1) } else { None }
}

fn folded(word: &str) -> String {
    // A key of a megabyte is not a typo: the measure takes the product of both lengths.
    word.chars().take(64).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word_and_nonsense_finds_none() {
        let known = ["name", "address", "limits", "listeners", "backends", "first_byte"];
        for (found, word) in [
            ("adress", Some("address")),
            ("listen", Some("listeners")),
            ("backend", Some("backends")),
            ("First-Byte", Some("first_byte")),
            ("nmae", Some("name")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(closest(found, known), word, "{found}");
        }
        assert_eq!(closest("name", []), None);
    }
}
