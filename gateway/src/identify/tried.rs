//! How every rule and every place stands to a request: what `weir explain` tells. The data path asks the same questions and stops at
//! the first answer; this asks all of them, and allocates.

use std::cell::RefCell;

use http::{Method, Uri};
use weir_config::Identify;

use super::body::BodyScan;
use super::name::ModelName;
use super::rule::Misfit;
use super::source::Spot;
use super::{Found, Matcher};
use crate::message::HeaderMap;

/// How a rule stands to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It decides.
    Chosen,
    /// It would fit, but one before it does too.
    Later,
    /// Its template is not the path.
    Path,
    /// Its template is the path, and something else is not as it wants it.
    Misfit(Misfit),
}

/// What stands at each place that a rule names, in the rule's order; nothing where there is no name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// Where the model's name may stand.
    pub model: Vec<Option<ModelName>>,
    /// Where the id may stand by which the server loads it.
    pub resident: Vec<Option<ModelName>>,
    /// Where the version may stand.
    pub version: Vec<Option<ModelName>>,
}

impl Matcher {
    /// How each rule stands to a request: the backend's own, then its dialect's, in the order in which they are tried.
    #[must_use]
    pub fn tried(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Vec<Fit> {
        let chosen = self.find(method, uri, headers).map(|found| usize::from(found.index));
        let paths = RefCell::new(vec![false; self.rules.len()]);
        // A search that nothing satisfies comes to every template that is the path.
        self.tree.find(uri.path(), |rule| {
            if let Some(is_path) = paths.borrow_mut().get_mut(usize::from(rule)) {
                *is_path = true;
            }
            false
        });
        let stands = |(index, (rule, is_path)): (usize, (&super::Rule, bool))| {
            if !is_path {
                return Fit::Path;
            }
            match rule.misfit(method, uri.query(), headers) {
                Some(misfit) => Fit::Misfit(misfit),
                None if chosen == Some(index) => Fit::Chosen,
                None => Fit::Later,
            }
        };
        self.rules.iter().zip(paths.into_inner()).enumerate().map(stands).collect()
    }
}

impl Found<'_> {
    /// What stands at each of the rule's places. `scan` is the one that [`Found::identify`] gave, if it did, fed.
    #[must_use]
    pub fn places(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        limits: &Identify,
        scan: Option<&BodyScan<'_>>,
    ) -> Places {
        let head = self.head(uri, headers, limits);
        let read = |spot: &Spot| spot.read(&head).or_else(|| scan?.read(spot));
        let all = |spots: &[Spot]| spots.iter().map(read).collect();
        Places {
            model: all(&self.rule.model),
            resident: all(&self.rule.resident),
            version: all(&self.rule.version),
        }
    }
}
