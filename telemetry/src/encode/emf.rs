//! CloudWatch's Embedded Metric Format: what each model did since the last time, as JSON lines. In it names read as SageMaker's do.
//!
//! Each set of dimension values is a metric that is paid for by the month. So only the busiest models, and those with an SLO of their
//! own or pinned, are dimensions; the others are summed up as `__other__` and get a line of plain JSON each, for Logs Insights.
//! Times keep their cells as `Values` and `Counts`, so that percentiles work; what is a share (`CacheHitRatio`) is counted as ones
//! and zeros, as SageMaker's own `ModelCacheHit` is, so that its average is right over any number of gateways and minutes.
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::distribution::Distribution;
use crate::observation::Start;
use crate::snapshot::{ModelSnapshot, Snapshot};
use crate::store::{Reason, Reserved};
use crate::totals::Totals;

/// Values of one metric in one line, by the format.
const VALUES_MAX: usize = 100;
/// Characters of a dimension's value, by CloudWatch.
const DIMENSION_CHARS_MAX: usize = 1024;

/// How lines are to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmfSettings {
    /// The namespace.
    pub namespace: String,
    /// Dimensions of every metric, before the model's.
    pub dimensions: Vec<(String, String)>,
    /// Models that are dimensions.
    pub top_models: usize,
}

/// Remembers what was told last.
#[derive(Debug, Default)]
pub struct Emf {
    before: HashMap<Key, Past>,
    /// Models that are dimensions; they stay while they are busy enough, so that none comes and goes by the minute.
    named: BTreeSet<Key>,
}

type Key = (Arc<str>, Arc<str>);

#[derive(Debug, Default)]
struct Past {
    totals: Totals,
    /// Requests and violations by promise.
    promised: HashMap<Arc<str>, (u64, u64)>,
}

/// One model since the last time.
struct Change<'s> {
    model: &'s ModelSnapshot,
    key: Key,
    totals: Totals,
}

impl Emf {
    /// What happened since the last call, one JSON object a line; nothing of a model that did nothing.
    pub fn lines(&mut self, snapshot: &Snapshot, unix_ms: u64, settings: &EmfSettings) -> String {
        let mut changes: Vec<Change<'_>> = snapshot.models.iter().map(|model| self.change(model)).collect();
        changes.sort_by_key(|change| std::cmp::Reverse(change.totals.settled()));
        self.choose(&changes, settings.top_models);
        let mut text = String::new();
        let mut rest: HashMap<Arc<str>, Totals> = HashMap::new();
        for change in &changes {
            let is_other = &*change.model.model == Reserved::Other.as_str();
            if self.named.contains(&change.key) || (change.model.reserved && !is_other) {
                let writer = Writer { settings, unix_ms, key: &change.key };
                writer.model(&mut text, &change.totals, change.model.in_flight());
                self.promises(&writer, &mut text, change.model);
                continue;
            }
            if !is_other {
                plain(&mut text, unix_ms, change);
            }
            rest.entry(Arc::clone(&change.model.backend)).or_default().merge(&change.totals);
        }
        let mut rest: Vec<_> = rest.into_iter().collect();
        rest.sort_by(|a, b| a.0.cmp(&b.0));
        for (backend, totals) in rest {
            let key = (backend, Arc::from(Reserved::Other.as_str()));
            Writer { settings, unix_ms, key: &key }.model(&mut text, &totals, 0);
        }
        self.remember(snapshot);
        text
    }

    fn change<'s>(&self, model: &'s ModelSnapshot) -> Change<'s> {
        let key = (Arc::clone(&model.backend), tiered(model));
        let past = self.before.get(&key).map(|past| &past.totals).filter(|past| follows(&model.totals, past));
        let totals = past.map_or_else(|| model.totals.clone(), |past| model.totals.since(past));
        Change { model, key, totals }
    }

    fn choose(&mut self, changes: &[Change<'_>], top: usize) {
        let of = |change: &&Change<'_>| !change.model.reserved;
        let busy: BTreeSet<&Key> =
            changes.iter().filter(of).take(top.saturating_mul(2)).map(|change| &change.key).collect();
        self.named.retain(|key| busy.contains(key));
        let is_wanted =
            |change: &&Change<'_>| matches!(change.model.reason, Some(Reason::Pinned | Reason::Objective));
        let wanted: Vec<Key> =
            changes.iter().filter(of).filter(is_wanted).take(top).map(|change| change.key.clone()).collect();
        let mut surplus: Vec<Key> = changes
            .iter()
            .rev()
            .filter(|change| self.named.contains(&change.key) && !wanted.contains(&change.key))
            .map(|change| change.key.clone())
            .collect();
        for key in wanted {
            // A wanted one takes the place of the least busy.
            if !self.named.contains(&key) && self.named.len() >= top && !surplus.is_empty() {
                self.named.remove(&surplus.remove(0));
            }
            if self.named.len() < top {
                self.named.insert(key);
            }
        }
        for change in changes.iter().filter(of).filter(|change| change.totals.settled() > 0) {
            if self.named.len() >= top {
                return;
            }
            self.named.insert(change.key.clone());
        }
    }

    fn promises(&self, writer: &Writer<'_>, text: &mut String, model: &ModelSnapshot) {
        for promise in &model.promised {
            let slo = &promise.rule.name;
            let past = self.before.get(writer.key).and_then(|past| past.promised.get(slo));
            let (total, bad) = past
                .copied()
                .filter(|(total, bad)| *total <= promise.total && *bad <= promise.bad)
                .unwrap_or_default();
            let mut metrics = Metrics::default();
            if promise.total > total {
                metrics.put("SloRequests", "Count", json!(promise.total - total));
                metrics.put("SloViolations", "Count", json!(promise.bad - bad));
            }
            if let Some(left) = promise.left {
                metrics.put("SloBudgetLeft", "None", json!(left));
            }
            writer.write(text, &[("Slo", slo)], false, metrics);
        }
    }

    fn remember(&mut self, snapshot: &Snapshot) {
        self.before.clear();
        for model in &snapshot.models {
            let of = model.promised.iter();
            let promised = of.map(|one| (Arc::clone(&one.rule.name), (one.total, one.bad))).collect();
            let key = (Arc::clone(&model.backend), tiered(model));
            self.before.insert(key, Past { totals: model.totals.clone(), promised });
        }
    }
}

/// `__other__` of each tier is one of its own, and is told apart only here.
fn tiered(model: &ModelSnapshot) -> Arc<str> {
    match &model.tier {
        Some((_, tier)) if model.reserved => format!("{}\0{tier}", model.model).into(),
        _ => Arc::clone(&model.model),
    }
}

/// Whether nothing went back: a model that was forgotten and came again begins anew.
fn follows(now: &Totals, past: &Totals) -> bool {
    let grew = |now: &[u64], past: &[u64]| now.iter().zip(past).all(|(now, past)| now >= past);
    let plain = |of: &Totals| [of.queued, of.loads, of.load_failures, of.evictions, of.first_byte.count()];
    grew(&now.outcomes, &past.outcomes)
        && grew(&now.cold_starts, &past.cold_starts)
        && grew(&plain(now), &plain(past))
        && grew(
            &now.durations.each_ref().map(Distribution::count),
            &past.durations.each_ref().map(Distribution::count),
        )
        && now.queue_ns >= past.queue_ns
        && now.load_ns >= past.load_ns
}

#[derive(Default)]
struct Metrics(Vec<(&'static str, &'static str, Value)>);

impl Metrics {
    fn put(&mut self, name: &'static str, unit: &'static str, value: Value) {
        self.0.push((name, unit, value));
    }

    fn times(&mut self, name: &'static str, times: &Distribution) {
        if !times.is_empty() {
            self.put(name, "Milliseconds", values(times));
        }
    }
}

struct Writer<'w> {
    settings: &'w EmfSettings,
    unix_ms: u64,
    key: &'w Key,
}

impl Writer<'_> {
    fn model(&self, text: &mut String, totals: &Totals, in_flight: u64) {
        let mut metrics = Metrics::default();
        if totals.settled() > 0 || in_flight > 0 {
            metrics.put("Requests", "Count", json!(totals.settled()));
            metrics.put("Errors", "Count", json!(totals.failures()));
            metrics.put("ColdStarts", "Count", json!(totals.cold_starts.iter().sum::<u64>()));
            metrics.put("InFlight", "Count", json!(in_flight));
        }
        let (hot, cold) = (totals.duration(Start::Hot).count(), totals.duration(Start::Cold).count());
        if hot + cold > 0 {
            metrics.put("CacheHitRatio", "None", json!({ "Values": [1, 0], "Counts": [hot, cold] }));
        }
        if totals.loads > 0 {
            let mean_ms = totals.load_ns as f64 / 1e6 / totals.loads as f64;
            metrics.put(
                "ModelLoadTime",
                "Milliseconds",
                json!({ "Values": [mean_ms], "Counts": [totals.loads] }),
            );
        }
        if totals.evictions > 0 {
            metrics.put("Evictions", "Count", json!(totals.evictions));
        }
        metrics.times("TimeToFirstByte", &totals.first_byte);
        self.write(text, &[], false, metrics);
        for start in Start::ALL {
            let mut metrics = Metrics::default();
            metrics.times("RequestDuration", totals.duration(start));
            self.write(text, &[("Start", start.as_str())], true, metrics);
        }
    }

    /// One line. `also_without`: the metrics are told without the further dimensions too.
    fn write(&self, text: &mut String, further: &[(&str, &str)], also_without: bool, metrics: Metrics) {
        if metrics.0.is_empty() {
            return;
        }
        let own = self.settings.dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let model = self.key.1.split('\0').next().unwrap_or_default();
        let common: Vec<(&str, &str)> = own.chain([("Backend", &*self.key.0), ("Model", model)]).collect();
        let names = |of: &[(&str, &str)]| of.iter().map(|(name, _)| json!(name)).collect::<Vec<_>>();
        let all = [common.as_slice(), further].concat();
        let mut sets = vec![json!(names(&all))];
        if also_without {
            sets.push(json!(names(&common)));
        }
        let told: Vec<Value> =
            metrics.0.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
        let mut line = Map::new();
        line.insert("_aws".to_owned(), json!({
            "Timestamp": self.unix_ms,
            "CloudWatchMetrics": [{ "Namespace": self.settings.namespace, "Dimensions": sets, "Metrics": told }],
        }));
        for (name, value) in all {
            line.insert(name.to_owned(), dimension(value).into());
        }
        for (name, _, value) in metrics.0 {
            line.insert(name.to_owned(), value);
        }
        text.push_str(&Value::Object(line).to_string());
        text.push('\n');
    }
}

/// A model that is no dimension: for those who search the log.
fn plain(text: &mut String, unix_ms: u64, change: &Change<'_>) {
    let totals = &change.totals;
    if totals.settled() == 0 {
        return;
    }
    let p95 = |start| totals.duration(start).quantile(0.95).map(|time| time.as_secs_f64() * 1e3);
    let line = json!({
        "Timestamp": unix_ms,
        "Backend": &*change.model.backend,
        "Model": &*change.model.model,
        "Requests": totals.settled(),
        "Errors": totals.failures(),
        "ColdStarts": totals.cold_starts.iter().sum::<u64>(),
        "P95HotMilliseconds": p95(Start::Hot),
        "P95ColdMilliseconds": p95(Start::Cold),
        "P95UnknownMilliseconds": p95(Start::Unknown),
    });
    text.push_str(&line.to_string());
    text.push('\n');
}

/// Milliseconds and how many took them; where there are too many cells, neighbours become one.
fn values(times: &Distribution) -> Value {
    let mut points: Vec<(f64, u64)> = times.points().map(|(ns, count)| (ns as f64 / 1e6, count)).collect();
    while points.len() > VALUES_MAX {
        points = points
            .chunks(2)
            .map(|pair| {
                let count: u64 = pair.iter().map(|(_, count)| count).sum();
                let sum: f64 = pair.iter().map(|(ms, count)| ms * *count as f64).sum();
                (sum / count as f64, count)
            })
            .collect();
    }
    let (values, counts): (Vec<f64>, Vec<u64>) = points.into_iter().unzip();
    json!({ "Values": values, "Counts": counts })
}

/// A dimension's value: visible ASCII, not empty, no colon first. What is not is percent-escaped, so that two names never become one.
fn dimension(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for (at, byte) in value.bytes().enumerate() {
        if (byte.is_ascii_graphic() || byte == b' ') && byte != b'%' && !(at == 0 && byte == b':') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    // CloudWatch has no value of white space alone.
    if out.trim().is_empty() {
        return "%20".to_owned();
    }
    out.truncate(DIMENSION_CHARS_MAX);
    out
}

#[cfg(test)]
mod tests;
