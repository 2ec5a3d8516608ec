//! What is wrong with a text: every problem at once, for people (snippet, caret, advice) and for programs (`--json`).

use std::fmt;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report as Snippet,
};
use serde::Serialize;

use crate::tree::Place;

/// Problems shown of one text; who has more has one cause.
pub(crate) const PROBLEMS_MAX: usize = 100;

/// Columns of the rendered text, so that it looks the same in a pipe and in a terminal.
const WIDTH: usize = 110;

/// Everything that is wrong with one text.
pub struct Report {
    name: String,
    text: String,
    problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Line, from 1; none if it is not about a place in the text.
    pub line: Option<u32>,
    /// Column in characters, from 1.
    pub column: Option<u32>,
    /// The key's path, `backends[0].pool.idle_max`; empty for the whole text.
    pub key: String,
    /// What is wrong, with what was found.
    pub message: String,
    /// What is allowed, or what was probably meant.
    pub help: Option<String>,
    /// First byte and length in bytes of the place in the text.
    pub span: Option<(usize, usize)>,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { line: None, column: None, key: String::new(), message: message.into(), help: None, span: None }
    }

    pub(crate) fn at(mut self, place: Option<Place>) -> Self {
        self.line = place.map(|place| place.line);
        self.column = place.map(|place| place.column);
        self.span = place.map(|place| (place.start, place.len));
        self
    }

    pub(crate) fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    pub(crate) fn help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

impl Report {
    /// A report of these problems in the order of the text; those without a place come last.
    pub(crate) fn new(name: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        for problem in &mut problems {
            problem.message = masked(&problem.message);
        }
        problems.sort_by_key(|problem| problem.span.map_or((usize::MAX, 0), |(start, _)| (start, 1)));
        problems.dedup();
        problems.truncate(PROBLEMS_MAX);
        Self { name: name.to_owned(), text: masked(text), problems }
    }

    /// Name of the text: the file, or the flag.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The problems in the order of the text, at least one and at most 100.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// For people, with or without colour.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(WIDTH)
            .with_links(false)
            .with_context_lines(1);
        let mut out = String::new();
        for problem in &self.problems {
            let snippet = self.snippet(problem);
            // Writing into a string fails only where a span lies outside the text; the plain words are still there then.
            if handler.render_report(&mut out, snippet.as_ref()).is_err() {
                out.push_str(&self.line(problem));
            }
            out.push('\n');
        }
        let count = self.problems.len();
        out + &format!("{count} {} in {}\n", if count == 1 { "problem" } else { "problems" }, self.name)
    }

    fn snippet(&self, problem: &Problem) -> Snippet {
        let title = if problem.key.is_empty() {
            problem.message.clone()
        } else {
            format!("{}: {}", problem.key, problem.message)
        };
        let mut diagnostic = MietteDiagnostic::new(title);
        diagnostic.help.clone_from(&problem.help);
        let Some((start, len)) = problem.span else { return Snippet::new(diagnostic) };
        let end = (start + len).min(self.text.len());
        // A caret under the first line only: a value of many lines would repeat the file.
        let lines = self.text.get(start..end).map_or(0, |part| part.lines().next().unwrap_or("").len());
        let label = LabeledSpan::new_with_span(
            None,
            (start.min(end), lines.max(1).min(self.text.len() - start.min(end))),
        );
        Snippet::new(diagnostic.with_label(label))
            .with_source_code(NamedSource::new(&self.name, self.text.clone()))
    }

    fn line(&self, problem: &Problem) -> String {
        let Problem { line, column, key, message, .. } = problem;
        let [line, column] = [line, column].map(|n| n.map_or_else(String::new, |n| format!("{n}:")));
        format!("{}:{line}{column} {key}: {message}\n", self.name)
    }
}

/// The text with stars for user and password of URLs, byte for byte, so that places stay where they are.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let authority = after
            .split(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '`' | ','))
            .next()
            .unwrap_or("");
        let (user, tail) = after.split_at_checked(authority.rfind('@').unwrap_or(0)).unwrap_or(("", after));
        out.extend([before, "://", &"*".repeat(user.len())]);
        rest = tail;
    }
    out + rest
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// As `Display`, so that an `unwrap` in a test shows the snippets.
impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl std::error::Error for Report {}
