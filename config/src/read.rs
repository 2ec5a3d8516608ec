//! From text to a valid value, or to a report of everything that is wrong.

use std::collections::HashSet;

use garde::Validate;
use serde::de::DeserializeOwned;

use crate::check::{self, Doubt, Finding, Findings};
use crate::config::Config;
use crate::decode::Decoder;
use crate::dialect::{Dialect, RequestRule, Source};
use crate::embedded;
use crate::interpolate::interpolate;
use crate::locate;
use crate::report::{PROBLEMS_MAX, Problem, Report};
use crate::schema;
use crate::template::Template;
use crate::tree::{self, Kind, Node};

/// Size of a configuration in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 4 << 20;

/// Values of variables shorter than this are not hidden in messages: they are no secrets, and hiding a `1` hides every 1.
const SECRET_BYTES_MIN: usize = 4;

/// Reads a configuration. `name` stands for the text in messages, `env` answers `${VAR}`.
pub fn parse(text: &str, name: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Report> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut draft = Draft::<Config>::read(text, env).map_err(|problems| Report::new(name, text, problems))?;
    let Some(mut config) = draft.value.take() else { return Err(draft.report(name, text, Vec::new())) };
    name_backends(&mut config);
    let findings = findings(&config, draft.doubt());
    if findings.is_empty() && draft.problems.is_empty() {
        return Ok(completed(config));
    }
    Err(draft.report(name, text, findings))
}

/// Checks a configuration that did not come from a text.
pub(crate) fn finish(mut config: Config, name: &str) -> Result<Config, Report> {
    name_backends(&mut config);
    let findings = findings(&config, Doubt::default());
    if findings.is_empty() {
        return Ok(completed(config));
    }
    let problem = |finding: Finding| Problem::new(finding.message).key(finding.path).help(finding.help);
    Err(Report::new(name, "", findings.into_iter().map(problem).collect()))
}

/// Reads one dialect by itself, as the embedded files are; what it extends is not looked at.
pub(crate) fn dialect(text: &str, name: &str) -> Result<Dialect, Report> {
    let mut draft =
        Draft::<Dialect>::read(text, &|_| None).map_err(|problems| Report::new(name, text, problems))?;
    let Some(mut dialect) = draft.value.take() else { return Err(draft.report(name, text, Vec::new())) };
    let mut findings = Findings(bounds(&dialect));
    check::dialect(&dialect, "", &mut findings);
    if findings.0.is_empty() && draft.problems.is_empty() {
        dialect.requests.iter_mut().for_each(name_sources);
        return Ok(dialect);
    }
    Err(draft.report(name, text, findings.0))
}

fn findings(config: &Config, doubt: Doubt) -> Vec<Finding> {
    let mut findings = bounds(config);
    findings.extend(check::config(config, doubt));
    findings
}

fn bounds<T: Validate<Context = ()>>(value: &T) -> Vec<Finding> {
    let Err(report) = value.validate() else { return Vec::new() };
    let finding = |(path, error): (garde::Path, garde::Error)| {
        let message = error.message();
        let message = match message.strip_prefix("length is ") {
            Some(rest) => format!("its length must not be {rest}"),
            None if message.starts_with("lower than") || message.starts_with("greater than") => {
                format!("must not be {message}")
            }
            None => message.to_owned(),
        };
        Finding { path: path.to_string(), message, help: None, missing: false }
    };
    report.into_inner().into_iter().map(finding).collect()
}

fn name_backends(config: &mut Config) {
    for backend in config.backends.iter_mut().filter(|backend| backend.name.is_empty()) {
        backend.dialect.clone_into(&mut backend.name);
    }
}

/// A valid configuration with everything said that goes without saying.
fn completed(mut config: Config) -> Config {
    embedded::extend(&mut config.dialects, embedded::find);
    let of_dialects = config.dialects.iter_mut().flat_map(|dialect| &mut dialect.requests);
    let of_backends = config.backends.iter_mut().flat_map(|backend| &mut backend.requests);
    of_dialects.chain(of_backends).for_each(name_sources);
    config
}

/// Writes down where the model and the version stand if the template says it and the rule does not.
fn name_sources(rule: &mut RequestRule) {
    let Ok(template) = Template::parse(&rule.path) else { return };
    for (name, sources) in [("model", &mut rule.model), ("version", &mut rule.version)] {
        if sources.is_empty() && template.has(name) {
            sources.push(Source { path: Some(name.to_owned()), ..Source::default() });
        }
    }
}

/// What could be read of a text, and what could not.
struct Draft<T> {
    value: Option<T>,
    root: Node,
    skipped: HashSet<u32>,
    problems: Vec<Problem>,
}

impl<T: DeserializeOwned + Default> Draft<T> {
    fn read(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<Problem>> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(vec![Problem::new(format!("the text is larger than {TEXT_BYTES_MAX} bytes"))]);
        }
        let mut problems = Vec::new();
        let mut root = tree::read(text, &mut problems).map_err(|problem| vec![problem])?;
        let mut failed = Vec::new();
        interpolate(&mut root, env, &mut failed);
        let mut draft = Self { value: None, root, skipped: HashSet::new(), problems };
        for (id, problem) in failed {
            let path = locate::by_id(&draft.root, id).map_or_else(String::new, |(found, _)| found.path);
            draft.skipped.insert(id);
            draft.problems.push(problem.key(path));
        }
        draft.decode();
        Ok(draft)
    }

    /// Reads until nothing more is in the way: each misfit is noted and left out of the next attempt.
    fn decode(&mut self) {
        if matches!(&self.root.kind, Kind::Scalar(scalar) if scalar.is_null()) {
            self.value = Some(T::default());
            return;
        }
        while self.problems.len() <= PROBLEMS_MAX {
            match T::deserialize(Decoder { node: &self.root, skipped: &self.skipped }) {
                Ok(value) => return self.value = Some(value),
                Err(misfit) => {
                    self.problems.push(locate::misfit(&self.root, &misfit));
                    let id = misfit.node.unwrap_or(self.root.id);
                    if id == self.root.id || !self.skipped.insert(id) {
                        return;
                    }
                }
            }
        }
    }
}

impl<T> Draft<T> {
    fn lost(&self) -> impl Iterator<Item = String> {
        self.skipped.iter().filter_map(|id| locate::by_id(&self.root, *id)).map(|(found, _)| found.path)
    }

    /// A name that could not be read may be the very one that is looked for.
    fn doubt(&self) -> Doubt {
        let mut doubt = Doubt::default();
        for path in self.lost() {
            let whole = !path.contains('.');
            doubt.backend_names |= path.starts_with("backends")
                && (whole || path.ends_with("].name") || path.ends_with("].dialect"));
            doubt.dialect_names |= path.starts_with("dialects")
                && (whole || path.ends_with("].name") || path.contains("].aliases"));
        }
        doubt
    }

    fn report(mut self, name: &str, text: &str, findings: Vec<Finding>) -> Report {
        let lost: Vec<String> = self.lost().collect();
        let skipped = std::mem::take(&mut self.skipped);
        for finding in findings {
            let found = locate::by_path(&self.root, &finding.path, &|id| skipped.contains(&id));
            // What stands there now is only a default; or it is missing because it could not be read.
            let unread =
                |path: &String| *path == found.path || finding.missing && path.starts_with(&found.path);
            if lost.iter().any(unread) {
                continue;
            }
            let help = finding.help.or_else(|| schema::describe(&finding.path).filter(|_| found.exact));
            // What is missing from the file as a whole has no place in it.
            let place = Some(found.place).filter(|_| found.exact || found.node.id != self.root.id);
            self.problems.push(Problem::new(finding.message).at(place).key(found.path).help(help));
        }
        hide(&self.root, &mut self.problems);
        Report::new(name, text, self.problems)
    }
}

/// Puts `${VAR}` back wherever a message holds its value.
fn hide(node: &Node, problems: &mut [Problem]) {
    match &node.kind {
        Kind::List(items) => items.iter().for_each(|item| hide(item, problems)),
        Kind::Map(entries) => entries.iter().for_each(|entry| hide(&entry.value, problems)),
        Kind::Scalar(scalar) => {
            let Some(source) = scalar.source.as_ref().filter(|_| scalar.text.len() >= SECRET_BYTES_MIN)
            else {
                return;
            };
            for problem in problems {
                let texts = std::iter::once(&mut problem.message).chain(problem.help.as_mut());
                texts.for_each(|text| *text = text.replace(&scalar.text, source));
            }
        }
    }
}
