//! What weir would make of a request, and why: the answer of `weir explain` and `GET /api/v1/explain`.
//!
//! It asks the rooms of the data path (`live`, `identify`) themselves, sends nothing and counts nothing. `asked` reads what is asked,
//! `answer` is what is told, `words` says rules in words, `text` prints it for people.

mod asked;
mod answer;
mod words;
mod text;

use std::sync::Arc;

use weir_config::{Action, Dialect, Plane, RequestRule, Source};
use weir_telemetry::{Reserved, Store};

pub use answer::{
    BodyRead, Chosen, CountedUnder, Explained, Name, Place, Renamed, RequestTold, RouteTried, RuleTried,
    Stands, Starts,
};
pub use asked::{Asked, AskedError};

use crate::identify::{BodyScan, Fit, Found, Identified, Identity, ModelName, Places, Progress, ScanFlags};
use crate::live::{Backend, Live, Routed, Why};

/// What is known of the model in the end.
#[derive(Debug, Default)]
struct Subject {
    identity: Option<Identity>,
    places: Places,
    body: Option<BodyRead>,
}

/// Explains a request; nothing if no backend is configured.
#[must_use]
pub fn explain(live: &Live, store: &Arc<Store>, asked: &Asked) -> Option<Explained> {
    let head = asked.head();
    let routed = live.route(head)?;
    let Routed { backend, why, found, .. } = routed;
    let found = found.map(Found::with_version);
    let config = live.config.backends.iter().find(|config| config.name == backend.name)?;
    let dialect = live.config.dialect(&config.dialect)?;
    let rules: Vec<(Stands, &RequestRule)> = own_and_dialects(config, dialect).collect();
    let fits = backend.matcher.tried(&head.method, &head.uri, &head.headers);
    let rule = fits.iter().position(|fit| *fit == Fit::Chosen).and_then(|chosen| rules.get(chosen));
    let subject = found.as_ref().map(|found| whose(live, asked, found)).unwrap_or_default();
    let action = found.as_ref().map_or(Action::Infer, Found::action);
    let plane = found.as_ref().map_or(Plane::Inference, Found::plane);
    let sources = rule.map(|(_, rule)| words::sources(rule)).unwrap_or_default();
    let places = &subject.places;
    let model_places = places_told(&sources.model, &places.model);
    let resident_places = places_told(&sources.resident, &places.resident);
    let version_places = places_told(&sources.version, &places.version);
    let identity = subject.identity.as_ref();
    Some(Explained {
        request: asked.told(),
        routes: routes(live, asked, why),
        backend: Chosen {
            name: backend.name.clone(),
            dialect: config.dialect.clone(),
            why: words::why(why),
            addresses: addresses(config, plane),
        },
        rules: rules
            .iter()
            .zip(&fits)
            .map(|((stands, rule), fit)| words::rule(*stands, rule, *fit))
            .collect(),
        action,
        plane,
        model: identity.map(|identity| Name {
            name: identity.name.to_string(),
            found_in: found_in(&model_places).or_else(|| found_in(&resident_places)),
        }),
        renamed: said(&model_places, &resident_places).map(|said| renamed(backend, said)).unwrap_or_default(),
        resident: identity.and_then(|identity| identity.resident.as_ref()).map(|id| Name {
            name: id.to_string(),
            found_in: found_in(&resident_places).or_else(|| found_in(&model_places)),
        }),
        version: version_places.iter().find_map(|place| {
            let name = place.value.clone()?;
            Some(Name { name, found_in: Some(place.place.clone()) })
        }),
        looked_in: [model_places, resident_places, version_places].concat(),
        counted_under: counted_under(store, backend, action, identity),
        starts: starts(config, dialect, backend, action),
        body: subject.body,
    })
}

/// The rules in the order in which the matcher has them.
fn own_and_dialects<'c>(
    config: &'c weir_config::Backend,
    dialect: &'c Dialect,
) -> impl Iterator<Item = (Stands, &'c RequestRule)> {
    let own = config.requests.iter().map(|rule| (Stands::Backend, rule));
    own.chain(dialect.requests.iter().map(|rule| (Stands::Dialect, rule)))
}

fn routes(live: &Live, asked: &Asked, why: Why) -> Vec<RouteTried> {
    let tried = live.config.routes.iter().zip(live.routes_tried(asked.head())).enumerate();
    tried.map(|(i, (route, misfit))| words::route(i, route, misfit, why == Why::Route(i))).collect()
}

fn addresses(config: &weir_config::Backend, plane: Plane) -> Vec<String> {
    match (&config.management, plane) {
        (Some(management), Plane::Management) => vec![management.to_string()],
        _ => config.endpoints.iter().map(ToString::to_string).collect(),
    }
}

/// Whose model it is, as the data path finds it.
fn whose(live: &Live, asked: &Asked, found: &Found<'_>) -> Subject {
    let (head, limits) = (asked.head(), live.identify());
    let places = |scan: Option<&BodyScan<'_>>| found.places(&head.uri, &head.headers, limits, scan);
    match found.identify(&head.uri, &head.headers, limits) {
        Identified::Model(identity) => Subject { identity: Some(identity), places: places(None), body: None },
        Identified::None => Subject { places: places(None), ..Subject::default() },
        Identified::NeedsBody(mut scan) => {
            let bytes_max = limits.peek_bytes_max.as_usize();
            let ahead = asked.body.get(..bytes_max).unwrap_or(&asked.body);
            let is_whole = ahead.len() == asked.body.len();
            let progress = if ahead.is_empty() { Progress::NeedMore } else { scan.feed(ahead) };
            if is_whole {
                scan.end();
            }
            let places = places(Some(&scan));
            let scanned = scan.finish();
            let body = read(ahead.len(), is_whole || progress != Progress::NeedMore, scanned.flags);
            Subject { identity: scanned.identity, places, body: Some(body) }
        }
    }
}

fn read(bytes: usize, is_enough: bool, flags: ScanFlags) -> BodyRead {
    BodyRead { bytes_read_ahead: bytes, is_enough, flags: flags.names().collect() }
}

fn places_told(sources: &[Source], values: &[Option<ModelName>]) -> Vec<Place> {
    let told = |(source, value): (&Source, &Option<ModelName>)| Place {
        place: words::source(source),
        value: value.as_ref().map(ToString::to_string),
    };
    sources.iter().zip(values).map(told).collect()
}

fn found_in(places: &[Place]) -> Option<String> {
    places.iter().find(|place| place.value.is_some()).map(|place| place.place.clone())
}

/// What the request says the model is called.
fn said<'p>(model: &'p [Place], resident: &'p [Place]) -> Option<&'p str> {
    model.iter().chain(resident).find_map(|place| place.value.as_deref())
}

fn renamed(backend: &Backend, said: &str) -> Vec<Renamed> {
    let steps = backend.matcher.renaming(said);
    steps.into_iter().map(|step| Renamed { by: step.rule, to: step.name }).collect()
}

/// As `Exchange::is_about` and its settling have it.
fn counted_under(
    store: &Arc<Store>,
    backend: &Backend,
    action: Action,
    identity: Option<&Identity>,
) -> CountedUnder {
    let label = |which: Reserved| which.as_str().to_owned();
    let (model, once_answered) = match (action, identity) {
        (Action::Infer, None) => (label(Reserved::None_), None),
        (Action::Infer, Some(identity)) => {
            // A recorder of no worker: it has no lanes, and is gone at the end of this line.
            match store.recorder(usize::MAX).resolve(backend.id, &identity.name) {
                Some(_) => (identity.name.to_string(), None),
                None => (label(Reserved::Unknown), Some(identity.name.to_string())),
            }
        }
        (Action::Load | Action::Unload | Action::Control, _) => (label(Reserved::Control), None),
    };
    CountedUnder { backend: backend.name.clone(), model, once_answered }
}

fn starts(config: &weir_config::Backend, dialect: &Dialect, backend: &Backend, action: Action) -> Starts {
    let all = || config.starts.iter().chain([&dialect.starts]);
    Starts {
        is_start: action == Action::Infer,
        headers: all().flat_map(|starts| &starts.headers).map(words::header_rule).collect(),
        statuses: all().flat_map(|starts| &starts.statuses).map(words::status_rule).collect(),
        lifecycle: backend.lifecycle,
        state: config.state.poll,
        inferred: config.inferred.as_ref().map(words::inferred).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
