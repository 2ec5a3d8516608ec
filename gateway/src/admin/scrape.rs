//! `GET /metrics`: the models and the gateway in one body, in the format that the scraper wants most, compressed if it
//! says that it can read that. `GET /metrics/tail`: a few counters of each model that is summed up as `__other__`
//! there; to be scraped every minute or two.
//!
//! Bodies are built on a thread of their own, once for all who ask at the same time (`flight`).

use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::State as Given;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, VARY,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use metrics::{counter, histogram};
use weir_telemetry::{Coding, Format, TEXT_CONTENT_TYPE, encode_tail, names};

use super::flight::Flights;
use crate::app::State;
use crate::control;

/// A body below this is not worth compressing, bytes.
const COMPRESS_FROM: usize = 1_024;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Page {
    Metrics(Format),
    Tail,
}

/// Bodies under way, by what is asked for and how it is coded.
pub(super) type Scrapes = Flights<(Page, Coding)>;

pub(super) async fn metrics(state: Given<Arc<State>>, headers: HeaderMap, scrapes: Arc<Scrapes>) -> Response {
    let format = Format::of_accept(&all(&headers, ACCEPT));
    control::refresh(&state.0);
    scrape(state, &headers, &scrapes, Page::Metrics(format)).await
}

pub(super) async fn tail(state: Given<Arc<State>>, headers: HeaderMap, scrapes: Arc<Scrapes>) -> Response {
    scrape(state, &headers, &scrapes, Page::Tail).await
}

async fn scrape(
    Given(state): Given<Arc<State>>,
    headers: &HeaderMap,
    scrapes: &Scrapes,
    page: Page,
) -> Response {
    let coding = Coding::of_accept_encoding(&all(headers, ACCEPT_ENCODING));
    counter!(names::SCRAPES, "format" => page.as_str()).increment(1);
    let body = scrapes.body((page, coding), move || {
        let began = Instant::now();
        let body = code(page.build(&state), coding);
        histogram!(names::SCRAPE_DURATION).record(began.elapsed().as_secs_f64());
        body
    });
    match body.await {
        Some(body) => answer(page, body),
        None => (StatusCode::INTERNAL_SERVER_ERROR, "the scrape could not be built\n").into_response(),
    }
}

fn answer(page: Page, body: Bytes) -> Response {
    // Gzip's mark; a text begins with `#`, and a protobuf body with the length of a family and then its first field.
    let is_compressed = body.starts_with(&[0x1f, 0x8b]);
    let vary = HeaderValue::from_static("Accept, Accept-Encoding");
    let mut response = ([(CONTENT_TYPE, page.content_type())], body).into_response();
    response.headers_mut().insert(VARY, vary);
    if is_compressed {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

impl Page {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Metrics(format) => format.as_str(),
            Self::Tail => "tail",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Metrics(format) => format.content_type(),
            Self::Tail => TEXT_CONTENT_TYPE,
        }
    }

    fn build(self, state: &State) -> Vec<u8> {
        match self {
            Self::Metrics(format) => format.encode(&state.store.snapshot(), &state.process),
            Self::Tail => {
                let mut body = String::new();
                let models_max = state.shared.load().config.telemetry.tail_models_max;
                encode_tail(&state.store.tail(models_max as usize), &mut body);
                body.into_bytes()
            }
        }
    }
}

/// Fast rather than small: a scraper sits near, and every second body is compressed again.
fn code(body: Vec<u8>, coding: Coding) -> Vec<u8> {
    if coding == Coding::Identity || body.len() < COMPRESS_FROM {
        return body;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
    match encoder.write_all(&body).and_then(|()| encoder.finish()) {
        Ok(compressed) => compressed,
        // Memory does not fail to be written to; were it to, the plain body is as good.
        Err(_) => body,
    }
}

/// All values of a header as the one list that they stand for.
fn all(headers: &HeaderMap, name: HeaderName) -> String {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.collect::<Vec<_>>().join(",")
}
