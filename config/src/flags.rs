//! Backends from the command line, with no file: `--backend triton=http://127.0.0.1:8000`.

use std::fmt;
use std::str::FromStr;

use crate::backend::Backend;
use crate::config::Config;
use crate::endpoint::{Endpoint, EndpointError};
use crate::read;
use crate::report::Report;
use crate::state::PollMode;

/// What `--backend` takes: `DIALECT=URL[,URL]…[,management=URL][,name=NAME][,state=auto]`.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendFlag(Backend);

/// Why a text is no `--backend`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendFlagError {
    /// There is no `DIALECT=` at its beginning.
    #[error("expected DIALECT=URL, for example triton=http://127.0.0.1:8000")]
    Form,
    /// A part has a key that is not known.
    #[error("unknown part `{0}`; after the URL may come more URLs, management=URL, name=NAME and state=auto")]
    Part(String),
    /// A part is there twice.
    #[error("`{0}` is given twice")]
    Twice(&'static str),
    /// A URL is no endpoint.
    #[error(transparent)]
    Url(#[from] EndpointError),
}

impl FromStr for BackendFlag {
    type Err = BackendFlagError;

    fn from_str(text: &str) -> Result<Self, BackendFlagError> {
        let (dialect, rest) = text.split_once('=').ok_or(BackendFlagError::Form)?;
        if dialect.is_empty() || rest.is_empty() || dialect.contains("://") {
            return Err(BackendFlagError::Form);
        }
        let mut backend = Backend { dialect: dialect.to_owned(), ..Backend::default() };
        for part in rest.split(',') {
            match part.split_once('=') {
                Some(("management", url)) => {
                    once(backend.management.is_none(), "management")?;
                    backend.management = Some(url.parse()?);
                }
                Some(("name", name)) => {
                    once(backend.name.is_empty(), "name")?;
                    name.clone_into(&mut backend.name);
                }
                Some(("state", mode)) => {
                    once(backend.state.poll == PollMode::Off, "state")?;
                    backend.state.poll = match mode {
                        "auto" => PollMode::Auto,
                        _ => return Err(BackendFlagError::Part(part.to_owned())),
                    };
                }
                Some((key, _)) if !key.contains("://") => return Err(BackendFlagError::Part(key.to_owned())),
                _ => backend.endpoints.push(part.parse::<Endpoint>()?),
            }
        }
        if backend.endpoints.is_empty() { Err(BackendFlagError::Form) } else { Ok(Self(backend)) }
    }
}

fn once(first: bool, key: &'static str) -> Result<(), BackendFlagError> {
    if first { Ok(()) } else { Err(BackendFlagError::Twice(key)) }
}

impl fmt::Display for BackendFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Backend { name, dialect, endpoints, management, state, .. } = &self.0;
        write!(f, "{dialect}=")?;
        for (i, endpoint) in endpoints.iter().enumerate() {
            write!(f, "{}{endpoint}", if i == 0 { "" } else { "," })?;
        }
        if let Some(url) = management {
            write!(f, ",management={url}")?;
        }
        if !name.is_empty() {
            write!(f, ",name={name}")?;
        }
        if state.poll == PollMode::Auto { write!(f, ",state=auto") } else { Ok(()) }
    }
}

impl Config {
    /// The default configuration in front of these backends; what would be wrong in a file is wrong here too.
    pub fn from_flags(backends: &[BackendFlag]) -> Result<Self, Report> {
        let backends = backends.iter().map(|flag| flag.0.clone()).collect();
        read::finish(Self { backends, ..Self::default() }, "--backend")
    }

    /// The same configuration checked again after a flag of the command line has changed it.
    ///
    /// # Errors
    /// What would be wrong in a file; `flags` is named as its place.
    pub fn checked(self, flags: &str) -> Result<Self, Report> {
        read::finish(self, flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_gives_the_dialect_the_urls_the_management_plane_and_the_name() {
        let text = "torchserve=http://127.0.0.1:8080,http://b:8080,management=http://127.0.0.1:8081,name=vision,state=auto";
        let flag: BackendFlag = text.parse().unwrap();
        let config = Config::from_flags(std::slice::from_ref(&flag)).unwrap();
        let backend = &config.backends[0];
        assert_eq!(
            (backend.name.as_str(), backend.dialect.as_str(), backend.endpoints.len()),
            ("vision", "torchserve", 2)
        );
        assert_eq!(backend.management.as_ref().unwrap().port, 8081);
        assert_eq!(backend.state.poll, PollMode::Auto);
        assert_eq!(flag.to_string(), text);
    }

    #[test]
    fn a_backend_without_a_name_is_called_like_its_dialect() {
        let config = Config::from_flags(&["triton=http://127.0.0.1:8000".parse().unwrap()]).unwrap();
        assert_eq!(config.backends[0].name, "triton");
    }

    #[test]
    fn a_flag_that_is_none_says_what_is_wrong() {
        use BackendFlagError::{Form, Part, Twice, Url};
        for (text, error) in [
            ("triton", Form),
            ("=http://a:1", Form),
            ("triton=", Form),
            ("http://a:1?x=http://b:1", Form),
            ("triton=name=x", Form),
            ("triton=http://a:1,color=red", Part("color".to_owned())),
            ("triton=http://a:1,state=often", Part("state=often".to_owned())),
            ("triton=http://a:1,state=auto,state=auto", Twice("state")),
            ("triton=http://a:1,name=x,name=y", Twice("name")),
            ("triton=a:1", Url(EndpointError::Scheme)),
            ("triton=ftp://a:1", Url(EndpointError::Scheme)),
            ("triton=http://a:1,management=http://a:1/models", Url(EndpointError::Path)),
        ] {
            assert_eq!(text.parse::<BackendFlag>(), Err(error), "{text}");
        }
    }

    #[test]
    fn two_flags_with_one_name_or_with_an_unknown_dialect_are_reported() {
        let two: Vec<BackendFlag> = ["triton=http://a:1", "triton=http://b:1", "tritn=http://c:1,name=c"]
            .map(|f| f.parse().unwrap())
            .to_vec();
        let report = Config::from_flags(&two).unwrap_err();
        let messages: Vec<_> = report.problems().iter().map(|p| p.message.as_str()).collect();
        assert_eq!(messages, ["another backend is called `triton` too", "unknown dialect `tritn`"]);
        assert!(Config::from_flags(&[]).is_err(), "no backend at all");
    }
}
