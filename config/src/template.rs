//! The template of a request's path: `/v2/models/{model}[/versions/{version}]/infer`. Reads it; matching paths is the gateway's.

use std::fmt;

/// Captures of one template.
const CAPTURES_MAX: usize = 8;
/// Optional parts of one template: a matcher may write out each choice of them, 2^6.
const OPTIONAL_PARTS_MAX: usize = 6;

/// A path template that is well formed.
///
/// It is a row of parts; each is a row of segments that stand in the path one after the other, and an optional part may
/// be absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The parts in order.
    pub parts: Vec<Part>,
}

/// Segments that are there or absent together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Whether it stood in brackets and may be absent.
    pub optional: bool,
    /// Its segments, without the slashes before them.
    pub segments: Vec<Segment>,
}

/// What stands between two slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// This text, compared as it is.
    Literal(String),
    /// A capture of one or more bytes between two texts, of which either may be empty.
    Capture {
        /// Text before it.
        before: String,
        /// Name of the capture.
        name: String,
        /// Text after it.
        after: String,
    },
    /// Everything that follows, its slashes included; only at the end.
    Rest {
        /// Name of the capture.
        name: String,
    },
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not begin with a slash.
    #[error("a template begins with `/`")]
    NoSlash,
    /// Two slashes follow each other, or one is the last.
    #[error("a template has no empty segment: no `//`, and no `/` at its end")]
    EmptySegment,
    /// A query, a fragment, a space or a control character.
    #[error("a template is a path: it has no `?`, `#` or space (use `when` for the query)")]
    NotAPath,
    /// `{` without `}` or the other way round.
    #[error("a `{{` has no `}}`, or a `}}` no `{{`")]
    Brace,
    /// `[` without `]` or the other way round.
    #[error("a `[` has no `]`, or a `]` no `[`")]
    Bracket,
    /// An optional part within another.
    #[error("an optional part cannot stand inside another")]
    Nested,
    /// An optional part that is not made of whole segments.
    #[error("an optional part holds whole segments: `[/versions/{{version}}]`")]
    Partial,
    /// A capture's name is empty or has other characters than letters, digits and `_`.
    #[error("a capture has a name of letters, digits and `_`: `{{model}}`")]
    Name,
    /// A capture is there twice.
    #[error("the capture `{{{0}}}` is there twice")]
    Twice(String),
    /// Two captures in one segment: where would the first end?
    #[error("a segment holds one capture at most")]
    TwoInSegment,
    /// `{rest*}` is not the last segment, or not a whole one.
    #[error("`{{name*}}` must be the last segment, and a whole one")]
    RestNotLast,
    /// More than 8 captures.
    #[error("a template has at most 8 captures")]
    TooMany,
    /// More than 6 optional parts.
    #[error("a template has at most 6 optional parts")]
    TooManyParts,
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#')) {
            return Err(TemplateError::NotAPath);
        }
        let mut parts = Vec::new();
        for (optional, text) in brackets(text)? {
            match text.strip_prefix('/') {
                // `/` alone is the root.
                Some("") if parts.is_empty() && !optional => {
                    parts.push(Part { optional, segments: Vec::new() })
                }
                Some(inner) => {
                    let segments = inner.split('/').map(segment).collect::<Result<_, _>>()?;
                    parts.push(Part { optional, segments });
                }
                None if parts.is_empty() && !optional => return Err(TemplateError::NoSlash),
                None => return Err(TemplateError::Partial),
            }
        }
        let template = Self { parts };
        if template.parts.iter().filter(|part| part.optional).count() > OPTIONAL_PARTS_MAX {
            return Err(TemplateError::TooManyParts);
        }
        template.check_captures()?;
        Ok(template)
    }

    /// Names of the captures, in order.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.segments().filter_map(Segment::capture)
    }

    /// Whether it has a capture of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.captures().any(|capture| capture == name)
    }

    fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.parts.iter().flat_map(|part| &part.segments)
    }

    fn check_captures(&self) -> Result<(), TemplateError> {
        let names: Vec<&str> = self.captures().collect();
        let twice =
            names.iter().enumerate().find(|(i, name)| names.iter().take(*i).any(|earlier| earlier == *name));
        if let Some((_, name)) = twice {
            return Err(TemplateError::Twice((*name).to_owned()));
        }
        if names.len() > CAPTURES_MAX {
            return Err(TemplateError::TooMany);
        }
        let count = self.segments().count();
        let early = self.segments().take(count.saturating_sub(1)).any(|s| matches!(s, Segment::Rest { .. }));
        if early { Err(TemplateError::RestNotLast) } else { Ok(()) }
    }
}

impl Segment {
    fn capture(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Capture { name, .. } | Self::Rest { name } => Some(name),
        }
    }
}

/// Cuts at brackets: `(false, "/a")`, `(true, "/b")`, …; what stands between two optional parts may be empty and is left out.
fn brackets(text: &str) -> Result<Vec<(bool, &str)>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = text;
    if text.is_empty() {
        return Err(TemplateError::NoSlash);
    }
    while let Some(at) = rest.find(['[', ']']) {
        let (plain, tail) = rest.split_at_checked(at).ok_or(TemplateError::Bracket)?;
        let inner = tail.strip_prefix('[').ok_or(TemplateError::Bracket)?;
        let (inner, after) = inner.split_once(']').ok_or(TemplateError::Bracket)?;
        if inner.contains('[') {
            return Err(TemplateError::Nested);
        }
        parts.extend(
            [(false, plain), (true, inner)]
                .into_iter()
                .filter(|(optional, text)| *optional || !text.is_empty()),
        );
        rest = after;
    }
    parts.extend(Some((false, rest)).filter(|(_, text)| !text.is_empty()));
    Ok(parts)
}

fn segment(text: &str) -> Result<Segment, TemplateError> {
    if text.is_empty() {
        return Err(TemplateError::EmptySegment);
    }
    let Some((before, tail)) = text.split_once('{') else {
        return if text.contains('}') {
            Err(TemplateError::Brace)
        } else {
            Ok(Segment::Literal(text.to_owned()))
        };
    };
    let (name, after) = tail.split_once('}').ok_or(TemplateError::Brace)?;
    if before.contains('}') || name.contains('{') {
        return Err(TemplateError::Brace);
    }
    if after.contains(['{', '}']) {
        return Err(if after.contains('{') { TemplateError::TwoInSegment } else { TemplateError::Brace });
    }
    let (name, rest) = name.strip_suffix('*').map_or((name, false), |name| (name, true));
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(TemplateError::Name);
    }
    let name = name.to_owned();
    match (rest, before.is_empty() && after.is_empty()) {
        (false, _) => Ok(Segment::Capture { before: before.to_owned(), name, after: after.to_owned() }),
        (true, true) => Ok(Segment::Rest { name }),
        (true, false) => Err(TemplateError::RestNotLast),
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            f.write_str(if part.optional { "[" } else { "" })?;
            for segment in &part.segments {
                write!(f, "/{segment}")?;
            }
            // Only the root has a part without segments.
            f.write_str(if part.optional {
                "]"
            } else if part.segments.is_empty() {
                "/"
            } else {
                ""
            })?;
        }
        Ok(())
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => f.write_str(text),
            Self::Capture { before, name, after } => write!(f, "{before}{{{name}}}{after}"),
            Self::Rest { name } => write!(f, "{{{name}*}}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_read_with_their_captures_and_written_back() {
        for (text, captures) in [
            ("/", vec![]),
            ("/ping", vec![]),
            ("/v2/models/{model}[/versions/{version}]/infer", vec!["model", "version"]),
            ("/v1/models/{model}:predict", vec!["model"]),
            ("/v1/models/{model}[/versions/{version}][/labels/{label}]", vec!["model", "version", "label"]),
            ("/v2/repository[/{repository}]/index", vec!["repository"]),
            ("/predictions/{model}/{version}/{rest*}", vec!["model", "version", "rest"]),
            ("[/v1]/models", vec![]),
            ("/{rest*}", vec!["rest"]),
            ("/a/pre{x}post", vec!["x"]),
            ("/x[/a][/b][/c][/d][/e][/f]", vec![]),
        ] {
            let template = Template::parse(text).unwrap();
            assert_eq!(template.captures().collect::<Vec<_>>(), captures, "{text}");
            assert_eq!(template.to_string(), text);
        }
    }

    #[test]
    fn a_part_knows_its_segments_and_whether_it_may_be_absent() {
        let template = Template::parse("/models/{model}:predict[/v/{version}]").unwrap();
        let capture = |before: &str, name: &str, after: &str| Segment::Capture {
            before: before.to_owned(),
            name: name.to_owned(),
            after: after.to_owned(),
        };
        let parts = [
            Part {
                optional: false,
                segments: vec![Segment::Literal("models".to_owned()), capture("", "model", ":predict")],
            },
            Part {
                optional: true,
                segments: vec![Segment::Literal("v".to_owned()), capture("", "version", "")],
            },
        ];
        assert_eq!(template.parts, parts);
    }

    #[test]
    fn what_is_no_template_is_refused_with_its_own_reason() {
        use TemplateError::{
            Brace, Bracket, EmptySegment, Name, Nested, NoSlash, NotAPath, Partial, RestNotLast, TooMany,
            TooManyParts, Twice, TwoInSegment,
        };
        for (text, error) in [
            ("", NoSlash),
            ("models/{model}", NoSlash),
            ("/a//b", EmptySegment),
            ("/a/", EmptySegment),
            ("/a?x=1", NotAPath),
            ("/a b", NotAPath),
            ("/a#b", NotAPath),
            ("/{model", Brace),
            ("/model}", Brace),
            ("/a}{b}", Brace),
            ("/{a{b}}", Brace),
            ("/{a}}", Brace),
            ("/a[/b", Bracket),
            ("/a]/b", Bracket),
            ("/a[/b[/c]]", Nested),
            ("/a[b]", Partial),
            ("/a[/b]c", Partial),
            ("/a[]", Partial),
            ("/a[/]", EmptySegment),
            ("/{}", Name),
            ("/{*}", Name),
            ("/{a-b}", Name),
            ("/{a}/{a}", Twice("a".to_owned())),
            ("/{a}[/{a}]", Twice("a".to_owned())),
            ("/{a}-{b}", TwoInSegment),
            ("/{rest*}/x", RestNotLast),
            ("/x{rest*}", RestNotLast),
            ("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", TooMany),
            ("/x[/a][/b][/c][/d][/e][/f][/g]", TooManyParts),
        ] {
            assert_eq!(Template::parse(text), Err(error), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_it_reads_it_writes_back(text in "[]/{}*a-c\\[:?]{0,24}") {
            if let Ok(template) = Template::parse(&text) {
                proptest::prop_assert_eq!(template.to_string(), text);
            }
        }
    }
}
