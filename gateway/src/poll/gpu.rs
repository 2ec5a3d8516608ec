//! Reads what a server's own page of metrics tells of its GPUs, as its dialect says. The reading is pure.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use weir_config::{Backend, Endpoint, GpuFigure, GpuPage};
use weir_telemetry::Gpu;

/// GPUs of one endpoint.
const GPUS_MAX: usize = 64;
/// A name of a GPU that is longer is left out.
const NAME_BYTES_MAX: usize = 128;

/// What each GPU tells, by [`GpuFigure::index`].
pub(super) type Figures = HashMap<String, [Option<f64>; GpuFigure::ALL.len()]>;

/// What was heard of all endpoints.
#[derive(Debug, Default, Clone)]
pub(super) struct Heard(Arc<Mutex<HashMap<Whose, Word>>>);

/// A backend and one of its endpoints.
type Whose = (String, String);

/// Until when it holds, and what was said.
type Word = (Duration, Figures);

impl Heard {
    /// An endpoint has told this; it is stale from `until` on.
    pub(super) fn tell(&self, backend: &str, endpoint: &str, figures: Figures, until: Duration) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.insert((backend.to_owned(), endpoint.to_owned()), (until, figures));
    }

    /// What holds now.
    pub(super) fn now(&self, now: Duration) -> Vec<Gpu> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.retain(|_, (until, _)| now <= *until);
        let mut gpus = Vec::new();
        for ((backend, endpoint), (_, figures)) in heard.iter() {
            gpus.extend(figures.iter().map(|(gpu, figures)| Gpu {
                backend: backend.as_str().into(),
                endpoint: endpoint.as_str().into(),
                gpu: gpu.as_str().into(),
                figures: *figures,
            }));
        }
        gpus.sort_by(|a, b| (&a.backend, &a.endpoint, &a.gpu).cmp(&(&b.backend, &b.endpoint, &b.gpu)));
        gpus
    }
}

/// Address and path of an endpoint's page: as the backend says, else at the port that the dialect knows to lie beside the endpoint's usual
/// one; none if that is not where the endpoint is.
pub(super) fn page(backend: &Backend, page: &GpuPage, endpoint: &Endpoint) -> Option<(Endpoint, String)> {
    if let Some(url) = &backend.state.metrics_url {
        return weir_config::metrics_page(url, endpoint);
    }
    let at = match (page.port, page.beside) {
        (None, _) => endpoint.clone(),
        (Some(port), Some(beside)) if endpoint.port == beside => Endpoint { port, ..endpoint.clone() },
        (Some(_), _) => return None,
    };
    Some((at, page.path.clone()))
}

/// What a page tells.
pub(super) fn read(page: &GpuPage, text: &str) -> Figures {
    let mut figures = Figures::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let end = line.find(['{', ' ']).unwrap_or(line.len());
        let Some((name, rest)) = line.split_at_checked(end) else { continue };
        let Some(metric) = page.metrics.iter().find(|metric| metric.name == name) else { continue };
        let Some((labels, rest)) = labels(rest) else { continue };
        let value = rest.split_ascii_whitespace().next().and_then(|value| value.parse::<f64>().ok());
        let Some(value) = value.map(|value| value * metric.scale).filter(|value| value.is_finite()) else {
            continue;
        };
        let named = |wanted: &String| labels.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let gpu = page.labels.iter().find_map(named).map_or("all", String::as_str);
        let has_room = figures.len() < GPUS_MAX || figures.contains_key(gpu);
        if has_room && !gpu.is_empty() && gpu.len() <= NAME_BYTES_MAX && !gpu.contains(char::is_control) {
            let figures = figures.entry(gpu.to_owned()).or_default();
            if let Some(figure) = figures.get_mut(metric.tells.index()) {
                *figure = Some(value);
            }
        }
    }
    figures
}

/// The labels at the beginning of what follows a metric's name, and the rest; none if they are malformed.
fn labels(text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let Some(mut rest) = text.strip_prefix('{') else { return Some((Vec::new(), text)) };
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let (mut value, mut chars) = (String::new(), quoted.chars());
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => value.push(match chars.next()? {
                    'n' => '\n',
                    other => other,
                }),
                other => value.push(other),
            }
        }
        labels.push((name.trim().to_owned(), value));
        rest = chars.as_str();
    }
}

#[cfg(test)]
mod tests;
