//! Whose model is it? Finds the rule of the dialect that a request fits, and the model's name where that rule says it stands: in the
//! path, a header, the query, or a body of which a bounded part is read ahead.
//!
//! Pure: no I/O and no clock. It never refuses a request; where there is no name the answer is none, and the request is still served.
//!
//! Cost of a request whose name is in its head: one walk through the tree of templates (`template`; 50 to 160 ns), one look-up for each
//! place that is tried, one copy of the name: 150 to 250 ns together, and an allocation only if the name is longer than 24 bytes or has
//! escapes. A name in the body costs one pass over the bytes up to it (`scan_json`), and an allocation only if the name is split over
//! two pieces of the body or has escapes.

mod template;
mod decode;
mod query;
mod name;
mod naming;
mod source;
mod rule;
mod slots;
mod json_text;
mod scan_json;
mod scan_form;
mod disposition;
mod boundary;
mod scan_multipart;
mod scan_protobuf;
mod scanner;
mod body;
mod tried;

use http::{Method, Uri};
use weir_config::{Action, Dialect, Identify, Plane, RequestRule, Template, TemplateError};

pub use body::{BodyScan, Progress, ScanFlags, Scanned};
pub use name::ModelName;
pub use naming::NameStep;
pub use rule::Misfit;
pub use scan_form::FormScanner;
pub use scan_json::JsonScanner;
pub use scan_multipart::MultipartScanner;
pub use scan_protobuf::ProtobufScanner;
pub use tried::{Fit, Places};

use body::Choice;
use naming::Naming;
use rule::Rule;
use scanner::Scanner;
use source::Head;
use template::{Captures, RuleIndex, Tree};

use crate::message::HeaderMap;

/// The longest text that is looked at as a name: the bound of `identify.model_name_bytes_max`.
const NAME_BYTES_MAX: usize = 1024;

/// The request rules of one backend, compiled once per configuration.
#[derive(Debug)]
pub struct Matcher {
    rules: Vec<Rule>,
    tree: Tree,
    /// What models are called, if that is not what requests say.
    naming: Option<Naming>,
    versions: Versions,
}

/// The rule that a request fits.
#[derive(Debug, Clone)]
pub struct Found<'m> {
    rule: &'m Rule,
    index: RuleIndex,
    captures: Captures,
    called: Called<'m>,
}

/// How what a request says is called and counted.
#[derive(Debug, Clone, Copy)]
struct Called<'m> {
    naming: Option<&'m Naming>,
    versions: Versions,
}

/// What is known about the model before the body is looked at.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack while the body is read; a box is an allocation a request"
)]
pub enum Identified<'m> {
    /// It has a name.
    Model(Identity),
    /// The body must be read ahead: [`BodyScan::feed`] until it says enough, then [`BodyScan::finish`].
    NeedsBody(BodyScan<'m>),
    /// Nothing names it.
    None,
}

/// Whose model it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name that people know, the label `model`.
    pub name: ModelName,
    /// The id by which the server loads and unloads it, where that is another one.
    pub resident: Option<ModelName>,
    /// The version that the request asks for, if it says so and somebody wants to know ([`Matcher::versions`]).
    pub version: Option<ModelName>,
    /// Whether it is counted by its version.
    pub by_version: bool,
    /// Where the name stood.
    pub origin: Origin,
}

impl Identity {
    /// The id by which the server loads and unloads it.
    #[must_use]
    pub fn resident(&self) -> &ModelName {
        self.resident.as_ref().unwrap_or(&self.name)
    }

    /// The version that it is counted by, if it is.
    #[must_use]
    pub fn counted_version(&self) -> Option<&ModelName> {
        self.version.as_ref().filter(|_| self.by_version)
    }
}

/// What becomes of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// Nobody wants to know.
    Unread,
    /// Requests tell theirs.
    Read,
    /// And are counted by them.
    Counted,
}

/// Where a name stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A capture of the path's template.
    Path,
    /// A header.
    Header,
    /// A query parameter.
    Query,
    /// A top-level key of a JSON body, or a field of a form.
    Body,
}

/// Why a rule that the configuration's checks let through does not compile.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// The template.
    #[error("its path is no template")]
    Template(#[from] TemplateError),
    /// Not exactly one place.
    #[error("a source names no place, or several")]
    Source,
    /// A capture that is not there.
    #[error("its path has no capture `{{{0}}}`")]
    Capture(String),
    /// No header's name.
    #[error("`{0}` is no header name")]
    Header(String),
    /// No method.
    #[error("`{0}` is no method")]
    Method(String),
    /// A condition without exactly one place and one test.
    #[error("a condition needs one of `query` and `header`, and one of `equals` and `present`")]
    Condition,
    /// Too many keys of a body.
    #[error("its sources name more than {} different keys of a body", source::KEYS_MAX)]
    Keys,
    /// Too many rules.
    #[error("a backend has at most 65535 rules")]
    Rules,
}

/// A rule that does not compile.
#[derive(Debug, thiserror::Error)]
#[error("the rule for `{path}`")]
pub struct MatcherError {
    path: String,
    source: RuleError,
}

impl Matcher {
    /// Compiles a backend's own rules and, behind them, its dialect's.
    ///
    /// # Errors
    /// The first rule that does not compile; the configuration's checks leave none.
    pub fn new(dialect: &Dialect, own: &[RequestRule]) -> Result<Self, MatcherError> {
        let mut matcher =
            Self { rules: Vec::new(), tree: Tree::default(), naming: None, versions: Versions::Unread };
        for rule in own.iter().chain(&dialect.requests) {
            matcher.add(rule).map_err(|source| MatcherError { path: rule.path.clone(), source })?;
        }
        Ok(matcher)
    }

    /// The same, where models are called otherwise than requests say.
    #[must_use]
    pub fn naming(mut self, rules: Option<&weir_config::Naming>) -> Self {
        self.naming = rules.and_then(Naming::new);
        self
    }

    /// The same, with each model's version.
    #[must_use]
    pub const fn versions(mut self, versions: Versions) -> Self {
        self.versions = versions;
        self
    }

    /// What a model is called of which a request, or the server, says `id`.
    #[must_use]
    pub fn called(&self, id: &str) -> Option<ModelName> {
        self.naming.as_ref()?.apply(&ModelName::new(id, NAME_BYTES_MAX)?).into()
    }

    /// The same, step by step.
    #[must_use]
    pub fn renaming(&self, id: &str) -> Vec<NameStep> {
        self.naming.as_ref().map(|naming| naming.steps(id)).unwrap_or_default()
    }

    /// The first rule that a request fits. Allocates nothing.
    #[must_use]
    pub fn find(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Found<'_>> {
        let fits = |rule: RuleIndex| {
            self.rules
                .get(usize::from(rule))
                .is_some_and(|rule| rule.misfit(method, uri.query(), headers).is_none())
        };
        let (index, captures) = self.tree.find(uri.path(), fits)?;
        let rule = self.rules.get(usize::from(index))?;
        Some(Found {
            rule,
            index,
            captures,
            called: Called { naming: self.naming.as_ref(), versions: self.versions },
        })
    }

    fn add(&mut self, rule: &RequestRule) -> Result<(), RuleError> {
        let template = Template::parse(&rule.path)?;
        let compiled = Rule::new(rule, &template)?;
        let index = RuleIndex::try_from(self.rules.len()).ok().filter(|index| *index < RuleIndex::MAX);
        self.tree.add(&template, index.ok_or(RuleError::Rules)?);
        self.rules.push(compiled);
        Ok(())
    }
}

impl Called<'_> {
    fn of(self, identity: Identity) -> Identity {
        let by_version = matches!(self.versions, Versions::Counted) && identity.version.is_some();
        let identity = Identity { by_version, ..identity };
        match self.naming {
            Some(naming) => naming.rename(identity),
            None => identity,
        }
    }
}

impl<'m> Found<'m> {
    /// What the request does.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.rule.action
    }

    /// A limit of its own on the whole request.
    #[must_use]
    pub const fn timeout(&self) -> Option<std::time::Duration> {
        self.rule.timeout
    }

    /// Which of the backend's addresses takes it.
    #[must_use]
    pub const fn plane(&self) -> Plane {
        self.rule.plane
    }

    /// The rule's template, as the configuration has it.
    #[must_use]
    pub fn template(&self) -> &'m str {
        &self.rule.template
    }

    /// Whose model it is, as far as the head tells. `uri` and `headers` are those that were matched.
    #[must_use]
    pub fn identify(&self, uri: &Uri, headers: &HeaderMap, limits: &Identify) -> Identified<'m> {
        let head = self.head(uri, headers, limits);
        let model = Choice::new(&self.rule.model, &head);
        let resident = Choice::new(&self.rule.resident, &head);
        let version = match self.called.versions {
            Versions::Unread => Choice::nothing(),
            Versions::Read | Versions::Counted => Choice::new(&self.rule.version, &head),
        };
        let scanner = (model.needs_body() || resident.needs_body() || version.needs_body())
            .then(|| Scanner::new(headers, self.rule, model.wanted() | resident.wanted(), version.wanted()))
            .flatten();
        if let Some(scanner) = scanner {
            let choices = [model, resident, version];
            return Identified::NeedsBody(BodyScan::new(scanner, self.called, choices, head.name_bytes_max));
        }
        let identity = body::identity(model.known(), resident.known(), version.known());
        identity.map(|identity| self.called.of(identity)).map_or(Identified::None, Identified::Model)
    }

    /// The same, and its version is read whether anybody wanted to know or not.
    #[must_use]
    pub const fn with_version(mut self) -> Self {
        if matches!(self.called.versions, Versions::Unread) {
            self.called.versions = Versions::Read;
        }
        self
    }

    /// The version that the head names.
    #[must_use]
    pub fn version(&self, uri: &Uri, headers: &HeaderMap, limits: &Identify) -> Option<ModelName> {
        let head = self.head(uri, headers, limits);
        self.rule.version.iter().find_map(|spot| spot.read(&head))
    }

    fn head<'r>(&'r self, uri: &'r Uri, headers: &'r HeaderMap, limits: &Identify) -> Head<'r> {
        Head {
            path: uri.path(),
            query: uri.query(),
            headers,
            captures: &self.captures,
            name_bytes_max: usize::from(limits.model_name_bytes_max),
        }
    }
}

#[cfg(test)]
mod tests;
