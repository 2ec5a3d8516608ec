//! Pushes OTLP over HTTP: the numbers of now, cut into messages, compressed, signed if it is AWS that takes them.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use weir_config::{ExportSign, OtlpHistograms};
use weir_telemetry::{OTLP_CONTENT_TYPE, OtlpSettings, encode_otlp, otlp_rejected};

use super::{Again, Settled};
use crate::app::State;
use crate::control;
use crate::net::remote::{Remote, RemoteError};
use crate::sign::{Keys, Message, MessageError, sign_message};

/// What CloudWatch is called in a signature.
const SERVICE: &str = "monitoring";
/// How long a push waits for credentials that are not there yet.
const CREDENTIALS_PATIENCE: Duration = Duration::from_secs(5);
/// What is shown of an answer, in the log.
const SHOWN_CHARS_MAX: usize = 200;

/// One receiver of OTLP, made ready.
#[derive(Debug)]
pub struct Otlp {
    remote: Remote,
    settled: Settled,
    sign: Option<(ExportSign, Arc<Keys>)>,
}

/// Why metrics were not taken.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// Nothing came back.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// It cannot be signed.
    #[error("there are no credentials to sign with")]
    NoCredentials,
    /// It cannot be signed.
    #[error(transparent)]
    Sign(#[from] MessageError),
    /// The receiver said no.
    #[error("it answered {status}: {text:?}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// The beginning of what it said.
        text: String,
        /// When it may be asked again, if it said so.
        after: Option<Duration>,
    },
    /// The thread that makes messages ended.
    #[error("the messages could not be made")]
    Made,
}

impl OtlpError {
    /// The label `result`.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Remote(error) => error.reason(),
            Self::NoCredentials | Self::Sign(_) => "credentials",
            Self::Refused { status, .. } if is_passing(*status) => "unavailable",
            Self::Refused { .. } => "rejected",
            Self::Made => "broken",
        }
    }

    /// Whether another try may help: the specification's list of statuses, and whatever broke on the way.
    pub(super) const fn again(&self) -> Again {
        match self {
            Self::Refused { status, after: Some(after), .. } if is_passing(*status) => Again::After(*after),
            Self::Refused { status, .. } if !is_passing(*status) => Again::NextTime,
            _ => Again::Soon,
        }
    }
}

const fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

impl Otlp {
    /// Makes ready what the configuration and the environment say together.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn new(settled: Settled, sign: Option<&ExportSign>) -> Result<Self, RemoteError> {
        let remote = Remote::new(&settled.to)?;
        let keys = |sign: &ExportSign| Keys::shared(sign.credentials, sign.profile.as_deref());
        let sign = sign.map(|sign| (sign.clone(), keys(sign)));
        Ok(Self { remote, settled, sign })
    }

    /// Time between two pushes.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.settled.interval
    }

    /// Where to, without the path.
    #[must_use]
    pub fn place(&self) -> String {
        self.remote.place()
    }

    /// Whose credentials sign, if any do.
    #[must_use]
    pub fn keys(&self) -> Option<&Arc<Keys>> {
        self.sign.as_ref().map(|(_, keys)| keys)
    }

    /// Pushes everything; says how many points were taken and not kept.
    ///
    /// # Errors
    /// The first message that was not taken; those after it are not sent.
    pub(super) async fn push(&self, state: &Arc<State>) -> Result<u64, OtlpError> {
        let messages = self.messages(state).await?;
        let mut rejected = 0;
        for message in messages {
            rejected += self.send(message).await?;
        }
        Ok(rejected)
    }

    async fn messages(&self, state: &Arc<State>) -> Result<Vec<Bytes>, OtlpError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = state.clock.unix(Duration::ZERO);
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let settings = OtlpSettings {
            resource: self.settled.resource.clone(),
            exponential: self.settled.histograms == OtlpHistograms::Exponential,
            message_bytes_max: self.settled.message_bytes_max,
            start_unix_ns: nanos(start),
            // The wall's clock may have been set back.
            now_unix_ns: nanos(now.max(start)),
        };
        let (state, gzip) = (Arc::clone(state), self.settled.gzip);
        let made = tokio::task::spawn_blocking(move || {
            control::refresh(&state);
            let mut text = String::new();
            state.process.render_to(&mut text);
            let messages = encode_otlp(&state.store.snapshot(), &text, &settings);
            messages
                .into_iter()
                .map(|message| Bytes::from(if gzip { compressed(message) } else { message }))
                .collect()
        });
        made.await.map_err(|_| OtlpError::Made)
    }

    async fn send(&self, message: Bytes) -> Result<u64, OtlpError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(OTLP_CONTENT_TYPE));
        headers.insert(ACCEPT, HeaderValue::from_static(OTLP_CONTENT_TYPE));
        // Gzip's mark; a message begins with 0x0a.
        if message.starts_with(&[0x1f, 0x8b]) {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let url = &self.remote.config.url;
        let path = if url.path.is_empty() { "/" } else { &url.path };
        if let Some((sign, keys)) = &self.sign {
            let credentials = keys.wait(CREDENTIALS_PATIENCE).await.ok_or(OtlpError::NoCredentials)?;
            let message = Message {
                service: sign.service.as_deref().unwrap_or(SERVICE),
                region: &sign.region,
                method: Method::POST,
                endpoint: &url.endpoint,
                path,
                body: &message,
            };
            sign_message(&message, credentials, &mut headers, SystemTime::now())?;
        }
        let reply = self.remote.post(path, headers, message, self.settled.timeout).await?;
        if reply.status.is_success() {
            return Ok(otlp_rejected(&reply.body));
        }
        let text = String::from_utf8_lossy(&reply.body).chars().take(SHOWN_CHARS_MAX).collect();
        let seconds =
            reply.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Err(OtlpError::Refused { status: reply.status, text, after: seconds.map(Duration::from_secs) })
    }
}

fn compressed(message: Vec<u8>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(message.len() / 4), Compression::fast());
    match encoder.write_all(&message).and_then(|()| encoder.finish()) {
        Ok(compressed) => compressed,
        // Memory does not fail to be written to; were it to, the plain message is as good.
        Err(_) => message,
    }
}
