//! The four places where credentials are found: environment, shared credentials file, container endpoint, instance metadata.
//! Who calls says what the environment holds; nothing here is kept.
//!
//! Not here: assumed roles, web identity (EKS service accounts; use Pod Identity), SSO and credential processes. A profile that needs
//! one of them is told so.
//! Sources: AWS SDKs and Tools Reference Guide ("Standardized credential providers"), EC2 User Guide ("IMDSv2").

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use bytes::Bytes;
use http::{Method, Uri};
use serde::Deserialize;
use weir_config::Credentials as Source;

use super::fetch::{self, FetchError};
use crate::numbers::rfc3339;

/// What the environment holds.
pub(super) type Environment<'e> = dyn Fn(&str) -> Option<String> + Sync + 'e;

/// Where an ECS agent listens.
const CONTAINER_HOST: &str = "http://169.254.170.2";
/// Hosts to which a container's token may go without TLS: loopback, the ECS agent, and EKS Pod Identity's.
const CONTAINER_HOSTS: [&str; 6] =
    ["127.0.0.1", "localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];
const INSTANCE_HOST: &str = "http://169.254.169.254";
/// Bytes of a file that are read: far above any.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a source has no credentials.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error("{0}")]
    Nothing(&'static str),
    #[error("cannot read {path}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("profile {0:?} has no keys; roles, SSO and credential processes are not supported")]
    NoKeys(String),
    #[error("{0} does not answer as it should")]
    Fetch(&'static str, #[source] FetchError),
    #[error("{0} answers with something else than credentials")]
    Answer(&'static str),
    #[error("the container's credentials would go in clear to a host that is neither loopback nor AWS's own")]
    ContainerHost,
    #[error("none of environment, profile, container and instance has credentials")]
    All(#[source] Box<Self>),
}

/// Credentials from that source.
pub(super) async fn find(
    source: Source,
    profile: Option<&str>,
    environment: &Environment<'_>,
) -> Result<Credentials, SourceError> {
    match source {
        Source::Environment => {
            from_environment(environment).ok_or(SourceError::Nothing("the environment has none"))
        }
        Source::Profile => from_profile(profile, environment),
        Source::Container => from_container(environment).await,
        Source::Instance => from_instance(environment).await,
        Source::Default => first(profile, environment).await,
    }
}

/// The first that has some. A source that is set up and fails ends the search: another identity would be a surprise.
async fn first(profile: Option<&str>, environment: &Environment<'_>) -> Result<Credentials, SourceError> {
    if let Some(found) = from_environment(environment) {
        return Ok(found);
    }
    let asked = profile.is_some() || environment("AWS_PROFILE").is_some();
    match from_profile(profile, environment) {
        Err(SourceError::Nothing(_) | SourceError::NoKeys(_)) if !asked => {}
        found => return found,
    }
    match from_container(environment).await {
        Err(SourceError::Nothing(_)) => {}
        found => return found,
    }
    from_instance(environment).await.map_err(|error| SourceError::All(Box::new(error)))
}

fn from_environment(environment: &Environment<'_>) -> Option<Credentials> {
    let (id, secret) = (environment("AWS_ACCESS_KEY_ID")?, environment("AWS_SECRET_ACCESS_KEY")?);
    Some(Credentials::new(id, secret, environment("AWS_SESSION_TOKEN"), None, "environment"))
}

fn from_profile(profile: Option<&str>, environment: &Environment<'_>) -> Result<Credentials, SourceError> {
    let name = profile.map(ToOwned::to_owned).or_else(|| environment("AWS_PROFILE"));
    let name = name.unwrap_or_else(|| "default".to_owned());
    let home = || environment("HOME").map(|home| PathBuf::from(home).join(".aws"));
    let file = |variable, default| {
        environment(variable).map(PathBuf::from).or_else(|| home().map(|home| home.join(default)))
    };
    let files = [
        (file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), name.clone()),
        (file("AWS_CONFIG_FILE", "config"), format!("profile {name}")),
    ];
    let mut is_known = false;
    for (path, section) in files {
        let Some(path) = path else { continue };
        let text = match read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(source) => return Err(SourceError::File { path, source }),
        };
        // In the configuration file the default profile has no word before it.
        let sections = [section.as_str(), "default"];
        let count = if name == "default" { 2 } else { 1 };
        for section in sections.into_iter().take(count) {
            let (known, keys) = in_section(&text, section);
            is_known |= known;
            if let Some((id, secret, token)) = keys {
                return Ok(Credentials::new(id, secret, token, None, "profile"));
            }
        }
    }
    if is_known {
        Err(SourceError::NoKeys(name))
    } else {
        Err(SourceError::Nothing("there is no such profile"))
    }
}

fn read(path: &std::path::Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

type KeyPair = (String, String, Option<String>);

/// Whether the section is there, and its keys if it has both.
fn in_section(text: &str, section: &str) -> (bool, Option<KeyPair>) {
    let (mut inside, mut known) = (false, false);
    let (mut id, mut secret, mut token) = (None, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            let name = name.split(']').next().unwrap_or_default();
            inside = name.split_whitespace().eq(section.split_whitespace());
            known |= inside;
        } else if inside && let Some((key, value)) = line.split_once('=') {
            let place = match key.trim() {
                "aws_access_key_id" => &mut id,
                "aws_secret_access_key" => &mut secret,
                "aws_session_token" => &mut token,
                _ => continue,
            };
            *place = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        }
    }
    (known, id.zip(secret).map(|(id, secret)| (id, secret, token)))
}

/// What the container's and the instance's endpoint answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    code: Option<String>,
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<String>,
}

fn of_answer(body: &[u8], who: &'static str) -> Result<Credentials, SourceError> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| SourceError::Answer(who))?;
    if answer.code.is_some_and(|code| code != "Success") {
        return Err(SourceError::Answer(who));
    }
    let end = match answer.expiration {
        None => None,
        Some(text) => {
            let seconds = rfc3339(text.as_bytes()).filter(|seconds| (0.0..1e12).contains(seconds));
            let seconds = seconds.ok_or(SourceError::Answer(who))?;
            Some(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds))
        }
    };
    Ok(Credentials::new(answer.access_key_id, answer.secret_access_key, answer.token, end, who))
}

async fn from_container(environment: &Environment<'_>) -> Result<Credentials, SourceError> {
    const WHO: &str = "the container's credentials endpoint";
    let relative = environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let uri = match (relative, environment("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
        (Some(path), _) => format!("{CONTAINER_HOST}{path}"),
        (None, Some(full)) => full,
        (None, None) => return Err(SourceError::Nothing("no container endpoint is set")),
    };
    let uri: Uri = uri.parse().map_err(|_| SourceError::Answer(WHO))?;
    if uri.scheme_str() != Some("http") || !uri.host().is_some_and(|host| CONTAINER_HOSTS.contains(&host)) {
        return Err(SourceError::ContainerHost);
    }
    // The file is read every time: Kubernetes rewrites it.
    let token = match environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(PathBuf::from) {
        Some(path) => match read(&path) {
            Ok(token) => Some(token.trim().to_owned()),
            Err(source) => return Err(SourceError::File { path, source }),
        },
        None => environment("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    };
    let fields: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
    let body =
        fetch::fetch(Method::GET, &uri, &fields).await.map_err(|error| SourceError::Fetch(WHO, error))?;
    of_answer(&body, WHO)
}

async fn from_instance(environment: &Environment<'_>) -> Result<Credentials, SourceError> {
    const WHO: &str = "the instance's metadata service";
    if environment("AWS_EC2_METADATA_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true")) {
        return Err(SourceError::Nothing("the instance's metadata service is switched off"));
    }
    let host = environment("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or_else(|| INSTANCE_HOST.to_owned());
    let at = |path: &str| -> Result<Uri, SourceError> {
        let uri = format!("{}{path}", host.trim_end_matches('/'));
        uri.parse().map_err(|_| SourceError::Answer(WHO))
    };
    let failed = |error| SourceError::Fetch(WHO, error);
    let text = |body: Bytes| String::from_utf8(body.into()).map_err(|_| SourceError::Answer(WHO));
    let life = [("x-aws-ec2-metadata-token-ttl-seconds", "21600")];
    let token = fetch::fetch(Method::PUT, &at("/latest/api/token")?, &life).await.map_err(failed)?;
    let token = text(token)?;
    let fields = [("x-aws-ec2-metadata-token", token.trim())];
    let list = "/latest/meta-data/iam/security-credentials/";
    let roles = text(fetch::fetch(Method::GET, &at(list)?, &fields).await.map_err(failed)?)?;
    let role = roles.lines().next().map(str::trim).filter(|role| !role.is_empty());
    let role = role.ok_or(SourceError::Nothing("the instance has no role"))?;
    let body = fetch::fetch(Method::GET, &at(&format!("{list}{role}"))?, &fields).await.map_err(failed)?;
    of_answer(&body, WHO)
}

#[cfg(test)]
mod tests;
