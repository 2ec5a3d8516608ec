//! THE table of every metric that weir exports. No other place in the workspace spells a metric's name: encoders,
//! docs, rules and dashboards take it from here.
//!
//! Names are written in full, with unit and suffix, because an exporter that appends them does so in one format and
//! not in the other (TELEMETRY.md §1).

/// What kind of metric a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, and starts again from 0 with the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Classic buckets in text, classic and native ones in protobuf.
    Histogram,
}

impl Kind {
    /// As `# TYPE` spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// What a value counts or measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things, or a flag of 0 and 1.
    Plain,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// 0 to 1.
    Ratio,
}

impl Unit {
    /// As the name spells it; empty for [`Unit::Plain`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::Ratio => "ratio",
        }
    }
}

/// Who writes a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One or more series for each model; our encoder. Labels `backend` and `model` come first.
    Model,
    /// One series for each model that is not exported under its own name; `GET /metrics/tail`.
    Tail,
    /// About the store itself; our encoder.
    Store,
    /// About the gateway; through the `metrics` macros and [`crate::process`].
    Gateway,
    /// The names of others, for each model; only where a profile asks for them (`encode::profiles`). The second label
    /// holds the model's name.
    Profile,
}

/// One metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// The full name, with unit and suffix.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// The unit.
    pub unit: Unit,
    /// Label names, in the order they are written.
    pub labels: &'static [&'static str],
    /// One sentence for `# HELP`.
    pub help: &'static str,
    /// Who writes it.
    pub scope: Scope,
}

/// So that `counter!(names::PANICS)` takes the family for its name.
impl From<Family> for metrics::SharedString {
    fn from(family: Family) -> Self {
        Self::const_str(family.name)
    }
}

/// Every family, in the order of exposition.
pub fn all() -> impl Iterator<Item = &'static Family> {
    FAMILIES.iter().copied()
}

/// The family of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Family> {
    all().find(|family| family.name == name)
}

/// Upper bounds of the classic buckets in seconds: OTel's `http.server.request.duration` and what model servers need
/// above 10 s. All lie on the store's grid, so the buckets are exact.
pub const CLASSIC_LE: [&str; 18] = [
    "0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1", "2.5", "5", "7.5", "10",
    "30", "60", "120", "300",
];

/// The same bounds in nanoseconds.
pub(crate) const CLASSIC_LE_NS: [u64; 18] = [
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    75_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    750_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    7_500_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
    120_000_000_000,
    300_000_000_000,
];

/// Declares the families as constants and lists them, so that none can be declared and left out.
macro_rules! families {
    ($($constant:ident = $scope:ident $kind:ident $unit:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = concat!("`", $name, "`: ", $help)]
            pub const $constant: Family = Family {
                name: $name,
                kind: Kind::$kind,
                unit: Unit::$unit,
                labels: &[$($label),*],
                help: $help,
                scope: Scope::$scope,
            };
        )*
        const FAMILIES: &[&Family] = &[$(&$constant),*];
    };
}

#[rustfmt::skip]
families! {
    // Per model.
    MODEL_REQUESTS = Model Counter Plain "weir_model_requests_total" ["backend", "model", "outcome"]
        "Requests that ended, by how they ended.";
    MODEL_REQUEST_DURATION = Model Histogram Seconds "weir_model_request_duration_seconds" ["backend", "model", "start"]
        "Duration of successful requests, from the first byte of the head to the end of the answer, by whether the model was in memory.";
    MODEL_TIME_TO_FIRST_BYTE = Model Histogram Seconds "weir_model_time_to_first_byte_seconds" ["backend", "model"]
        "Time from the first byte of the request's head to the first byte of the answer's body, of successful requests.";
    MODEL_COLD_STARTS = Model Counter Plain "weir_model_cold_starts_total" ["backend", "model", "evidence"]
        "Requests that met a model not in memory, whatever their outcome, by what told so.";
    MODEL_LOADS = Model Counter Plain "weir_model_loads_total" ["backend", "model"]
        "Loads of the model that succeeded: seen as calls, told by answers, or seen by asking the server.";
    MODEL_LOAD_FAILURES = Model Counter Plain "weir_model_load_failures_total" ["backend", "model"]
        "Loads of the model that failed.";
    MODEL_TIMED_LOADS = Model Counter Plain "weir_model_timed_loads_total" ["backend", "model"]
        "Those of them whose time is known.";
    MODEL_LOAD_SECONDS = Model Counter Seconds "weir_model_load_seconds_total" ["backend", "model"]
        "Time that the model's timed loads took together.";
    MODEL_LAST_LOAD = Model Gauge Seconds "weir_model_last_load_seconds" ["backend", "model"]
        "Time that the model's last timed load took.";
    MODEL_EVICTIONS = Model Counter Plain "weir_model_evictions_total" ["backend", "model"]
        "Times the model was put out of memory.";
    MODEL_EVICTED_AGE = Model Gauge Seconds "weir_model_last_eviction_age_seconds" ["backend", "model"]
        "How long the model had been loaded when it was last put out; absent if that is not known.";
    MODEL_RELOADS = Model Counter Plain "weir_model_reloads_total" ["backend", "model"]
        "Loads soon after an eviction (backends[].state.reload_within): memory is too small for what is asked.";
    MODEL_QUEUE_SECONDS = Model Counter Seconds "weir_model_queue_seconds_total" ["backend", "model"]
        "Time that requests waited inside weir.";
    MODEL_QUEUED_REQUESTS = Model Counter Plain "weir_model_queued_requests_total" ["backend", "model"]
        "Requests that waited inside weir.";
    MODEL_IN_FLIGHT = Model Gauge Plain "weir_model_in_flight_requests" ["backend", "model"]
        "Requests that began and have not ended.";
    MODEL_REQUEST_BYTES = Model Counter Bytes "weir_model_request_bytes_total" ["backend", "model"]
        "Body bytes received from callers.";
    MODEL_RESPONSE_BYTES = Model Counter Bytes "weir_model_response_bytes_total" ["backend", "model"]
        "Body bytes received from backends.";
    MODEL_TOKENS = Model Counter Plain "weir_model_tokens_total" ["backend", "model", "type"]
        "Tokens that answers said were read (input) and written (output).";
    MODEL_TIME_TO_FIRST_TOKEN = Model Histogram Seconds "weir_model_time_to_first_token_seconds" ["backend", "model"]
        "Time from the first byte of the request's head to the first piece of output of a streamed answer, of successful requests.";
    MODEL_TIME_PER_OUTPUT_TOKEN = Model Histogram Seconds "weir_model_time_per_output_token_seconds" ["backend", "model"]
        "Time from one output token to the next, one mean for each successful request with a streamed answer.";
    MODEL_BROKEN_STREAMS = Model Counter Plain "weir_model_broken_streams_total" ["backend", "model", "reason"]
        "Streamed answers that began with a success and broke, by how.";
    MODEL_VALUE_TIMES = Model Histogram Seconds "weir_model_header_value_seconds" ["backend", "model", "value"]
        "Times that answers told in headers or trailers, by the value's name.";
    MODEL_VALUE_LAST_SECONDS = Model Gauge Seconds "weir_model_header_value_last_seconds" ["backend", "model", "value"]
        "The last time that an answer told in a header or trailer, by the value's name.";
    MODEL_VALUE_STALENESS = Model Gauge Seconds "weir_model_header_value_staleness_seconds" ["backend", "model", "value"]
        "How old what the last answer was made of was when it was answered, by the value's name.";
    MODEL_VALUE_LAST_BYTES = Model Gauge Bytes "weir_model_header_value_last_bytes" ["backend", "model", "value"]
        "The last size that an answer told in a header or trailer, by the value's name.";
    MODEL_VALUE_LAST_RATIO = Model Gauge Ratio "weir_model_header_value_last_ratio" ["backend", "model", "value"]
        "The last ratio that an answer told in a header or trailer, by the value's name.";
    MODEL_VALUE_LAST = Model Gauge Plain "weir_model_header_value_last" ["backend", "model", "value"]
        "The last number that an answer told in a header or trailer, by the value's name.";
    MODEL_SLO_REQUESTS = Model Counter Plain "weir_model_slo_requests_total" ["backend", "model", "slo"]
        "Requests that count for a promise.";
    MODEL_SLO_VIOLATIONS = Model Counter Plain "weir_model_slo_violations_total" ["backend", "model", "slo"]
        "Those of them that break it.";
    MODEL_SLO_COLD_VIOLATIONS = Model Counter Plain "weir_model_slo_cold_violations_total" ["backend", "model", "slo"]
        "Those of them that met the model not in memory; of promises of latency for any start.";
    MODEL_SLO_THRESHOLD = Model Gauge Seconds "weir_model_slo_threshold_seconds" ["backend", "model", "slo"]
        "The limit above which a request breaks a promise of latency or staleness.";
    MODEL_SLO_OBJECTIVE = Model Gauge Ratio "weir_model_slo_objective_ratio" ["backend", "model", "slo"]
        "The share of requests that are promised not to break it.";
    MODEL_SLO_BUDGET = Model Gauge Ratio "weir_model_slo_budget_left_ratio" ["backend", "model", "slo"]
        "What is left of the share that may break it, over its budget's time or since weir began; below 0 once overdrawn.";
    MODEL_LOADED = Model Gauge Plain "weir_model_loaded" ["backend", "model"]
        "Endpoints that have it in memory, by calls that were seen and by asking them; absent if nothing is known.";
    MODEL_MEMORY = Model Gauge Bytes "weir_model_memory_bytes" ["backend", "model"]
        "Memory that it takes, as its server tells; absent if it does not, or not lately.";
    MODEL_GPU_MEMORY = Model Gauge Bytes "weir_model_gpu_memory_bytes" ["backend", "model"]
        "Memory that it takes on GPUs, as its server tells; absent if it does not, or not lately.";
    MODEL_TIER = Model Gauge Plain "weir_model_tier" ["backend", "model", "reason"]
        "Always 1; why the model is exported under its own name and not as part of __other__.";

    // What servers tell of their GPUs on their own pages of metrics (backends[].state).
    BACKEND_GPU_UTILIZATION = Store Gauge Ratio "weir_backend_gpu_utilization_ratio" ["backend", "endpoint", "gpu"]
        "How busy a GPU is, as the server that uses it tells; absent if it does not, or not lately.";
    BACKEND_GPU_MEMORY_USED = Store Gauge Bytes "weir_backend_gpu_memory_used_bytes" ["backend", "endpoint", "gpu"]
        "Memory of a GPU that is in use, as the server tells.";
    BACKEND_GPU_MEMORY_TOTAL = Store Gauge Bytes "weir_backend_gpu_memory_total_bytes" ["backend", "endpoint", "gpu"]
        "Memory that a GPU has, as the server tells.";
    BACKEND_GPU_POWER = Store Gauge Plain "weir_backend_gpu_power_watts" ["backend", "endpoint", "gpu"]
        "Power that a GPU draws, as the server tells.";
    BACKEND_GPU_CACHE_USAGE = Store Gauge Ratio "weir_backend_gpu_cache_usage_ratio" ["backend", "endpoint", "gpu"]
        "How full a language model's cache of keys and values is, as the server tells.";

    // The store itself.
    MODELS_KNOWN = Store Gauge Plain "weir_models_known" []
        "Models that have a slot.";
    MODELS_EXPORTED = Store Gauge Plain "weir_models_exported" []
        "Models exported under their own name.";
    MODELS_OVERFLOW = Store Counter Plain "weir_models_overflow_total" []
        "Successful requests counted as __overflow__ because no slot was free for their model.";
    WORKER_REQUESTS = Store Counter Plain "weir_worker_requests_total" ["worker"]
        "Requests settled by each worker thread.";

    // The models that are summed up as __other__, by GET /metrics/tail.
    TAIL_REQUESTS = Tail Counter Plain "weir_tail_requests_total" ["backend", "model"]
        "Requests that ended, of models that are part of __other__.";
    TAIL_FAILURES = Tail Counter Plain "weir_tail_failures_total" ["backend", "model"]
        "Requests that the serving side failed, of models that are part of __other__.";
    TAIL_COLD_STARTS = Tail Counter Plain "weir_tail_cold_starts_total" ["backend", "model"]
        "Cold starts of models that are part of __other__.";
    TAIL_VIOLATIONS = Tail Counter Plain "weir_tail_slo_violations_total" ["backend", "model"]
        "Requests that broke a service level objective, of models that are part of __other__.";
    TAIL_OMITTED = Tail Gauge Plain "weir_tail_omitted_models" []
        "Models that are part of __other__ and left out here, as they are too many.";

    // The gateway.
    BUILD_INFO = Gateway Gauge Plain "weir_build_info" ["version"]
        "Always 1; the labels say what runs.";
    READY = Gateway Gauge Plain "weir_ready" []
        "1 while the gateway takes traffic, 0 while it starts or drains.";
    HTTP_CONNECTIONS = Gateway Counter Plain "weir_http_connections_total" ["listener", "protocol"]
        "Connections accepted from callers.";
    HTTP_CONNECTIONS_ACTIVE = Gateway Gauge Plain "weir_http_connections_active" []
        "Connections of callers that are open.";
    HTTP_REFUSED = Gateway Counter Plain "weir_http_refused_total" ["reason"]
        "Requests and connections that weir turned away itself.";
    HTTP_TUNNELS = Gateway Counter Plain "weir_http_tunnels_total" []
        "Connections that switched to another protocol (WebSocket).";
    TLS_EXPIRY = Gateway Gauge Seconds "weir_tls_certificate_expiry_timestamp_seconds" ["listener", "certificate"]
        "When a certificate ends that a listener shows, or `admin` or `admin_metrics`, in seconds since 1970.";
    TLS_RELOADS = Gateway Counter Plain "weir_tls_certificate_reloads_total" ["listener", "result"]
        "Times that changed certificate files were read again.";
    UPSTREAM_CONNECTIONS = Gateway Counter Plain "weir_upstream_connections_total" ["backend"]
        "Connections opened to backends.";
    UPSTREAM_CONNECT_ERRORS = Gateway Counter Plain "weir_upstream_connect_errors_total" ["backend", "reason"]
        "Connections to backends that could not be opened.";
    UPSTREAM_RETRIES = Gateway Counter Plain "weir_upstream_retries_total" ["backend"]
        "Requests sent again on a fresh connection because an idle one had died.";
    UPSTREAM_IDLE_CONNECTIONS = Gateway Gauge Plain "weir_upstream_idle_connections" []
        "Connections to backends that wait to be used again.";
    UPSTREAM_OPEN_CONNECTIONS = Gateway Gauge Plain "weir_upstream_open_connections" []
        "Connections to backends that are open, in use or idle.";
    IDENTIFY = Gateway Counter Plain "weir_identify_total" ["source"]
        "Requests by where their model's name was found; none if nowhere.";
    IDENTIFY_FLAGS = Gateway Counter Plain "weir_identify_flags_total" ["flag"]
        "Oddities met while looking for the model's name.";
    NUMBERS_FLAGS = Gateway Counter Plain "weir_numbers_flags_total" ["flag"]
        "Oddities met while reading numbers from answers; such an answer is relayed all the same.";
    STATE_POLLS = Gateway Counter Plain "weir_state_polls_total" ["backend", "endpoint", "result"]
        "Rounds of asking a server which models it has loaded: ok, or why it failed.";
    STATE_POLL_AGE = Gateway Gauge Seconds "weir_state_poll_age_seconds" ["backend", "endpoint"]
        "Time since the last round that was answered; absent before the first.";
    SLO_INFO = Gateway Gauge Plain "weir_slo_info" ["slo", "target"]
        "1 for each promise that is configured; what it is about.";
    ALERTS_FIRING = Gateway Gauge Plain "weir_alerts_firing" ["alertname", "severity"]
        "Alerts about promises that are firing, of all models.";
    ALERTS_LEFT_OUT = Gateway Counter Plain "weir_alerts_left_out_total" []
        "Alerts that had no room among the most that are kept.";
    ALERTS_SENT = Gateway Counter Plain "weir_alerts_sent_total" ["receiver"]
        "Alerts that a receiver took, each sending counted.";
    ALERTS_SEND_ERRORS = Gateway Counter Plain "weir_alerts_send_errors_total" ["receiver", "reason"]
        "Messages with alerts that a receiver did not take; they are sent again.";
    EXPORTER_PUSHES = Gateway Counter Plain "weir_exporter_pushes_total" ["exporter", "result"]
        "Times that metrics were pushed, otlp or emf: ok, or why they were not taken; tried again while there is time.";
    EXPORTER_LAST_SUCCESS = Gateway Gauge Seconds "weir_exporter_last_success_timestamp_seconds" ["exporter"]
        "When metrics were last pushed successfully, or the exporter began, Unix time.";
    EXPORTER_REJECTED_POINTS = Gateway Counter Plain "weir_exporter_rejected_points_total" ["exporter"]
        "Data points that a receiver took the message of and did not keep.";
    ERROR_DURATION = Gateway Histogram Seconds "weir_error_duration_seconds" ["outcome"]
        "Duration of requests that did not succeed, of all models.";
    CREDENTIALS_FETCHES = Gateway Counter Plain "weir_credentials_fetches_total" ["result"]
        "Times that AWS credentials were fetched, ok or failed.";
    SCRAPES = Gateway Counter Plain "weir_scrapes_total" ["format"]
        "Scrapes asked for, by format; those at the same time share one body.";
    SCRAPE_DURATION = Gateway Histogram Seconds "weir_scrape_duration_seconds" []
        "Time to build and compress one body, off the request path.";
    ACCESS_LOG_LINES = Gateway Counter Plain "weir_access_log_lines_total" []
        "Lines of the access log that were written.";
    ACCESS_LOG_DROPPED = Gateway Counter Plain "weir_access_log_dropped_total" ["reason"]
        "Lines of the access log that were dropped: the queue was full, or writing failed.";
    ADMIN_DENIED = Gateway Counter Plain "weir_admin_denied_total" ["reason"]
        "Requests to the admin side that were turned away at its door.";
    PANICS = Gateway Counter Plain "weir_panics_total" []
        "Panics caught; each cost one request.";
    CONFIG_LAST_RELOAD_SUCCESSFUL = Gateway Gauge Plain "weir_config_last_reload_successful" []
        "1 if the last attempt to load the configuration succeeded.";
    CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP = Gateway Gauge Seconds "weir_config_last_reload_success_timestamp_seconds" []
        "When the configuration was last loaded successfully, Unix time.";
    CONFIG_INFO = Gateway Gauge Plain "weir_config_info" ["hash"]
        "1 for the configuration that is running, 0 for earlier ones; the hash is the beginning of the file's SHA-256.";
    WORKER_RESTARTS = Gateway Counter Plain "weir_worker_restarts_total" []
        "Worker threads that ended by themselves and were started again.";

    // The names of others.
    GENAI_REQUEST_DURATION = Profile Histogram Seconds "gen_ai_server_request_duration_seconds" ["backend", "gen_ai_request_model"]
        "Duration of successful requests, of models whose answers tell of tokens.";
    GENAI_TIME_TO_FIRST_TOKEN = Profile Histogram Seconds "gen_ai_server_time_to_first_token_seconds" ["backend", "gen_ai_request_model"]
        "Time to the first piece of output.";
    GENAI_PER_TOKEN = Profile Histogram Seconds "gen_ai_server_time_per_output_token_seconds" ["backend", "gen_ai_request_model"]
        "Time from one output token to the next, the mean of each request.";
    HTTP_REQUEST_DURATION = Profile Histogram Seconds "http_server_request_duration_seconds" ["backend", "model"]
        "Duration of successful requests.";
    HTTP_ACTIVE_REQUESTS = Profile Gauge Plain "http_server_active_requests" ["backend", "model"]
        "Requests that began and have not ended.";
    TS_REQUESTS = Profile Counter Plain "ts_inference_requests_total" ["backend", "model_name"]
        "Requests that ended.";
    TS_LATENCY = Profile Counter Plain "ts_inference_latency_microseconds" ["backend", "model_name"]
        "Time that successful requests took together.";
    TS_QUEUE_LATENCY = Profile Counter Plain "ts_queue_latency_microseconds" ["backend", "model_name"]
        "Time that requests waited inside weir.";
    NV_SUCCESS = Profile Counter Plain "nv_inference_request_success" ["backend", "model"]
        "Requests that succeeded.";
    NV_FAILURE = Profile Counter Plain "nv_inference_request_failure" ["backend", "model", "reason"]
        "Requests that did not, by why.";
    NV_DURATION = Profile Counter Plain "nv_inference_request_duration_us" ["backend", "model"]
        "Time that successful requests took together, microseconds.";
    NV_FIRST_RESPONSE = Profile Histogram Plain "nv_inference_first_response_histogram_ms" ["backend", "model"]
        "Time to the first byte of the answer, milliseconds.";
}

#[cfg(test)]
mod tests;
