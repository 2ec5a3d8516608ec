//! A gateway of the test's own, in the test's process, on ports of the kernel's choice; drained when dropped.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use weir_config::{BackendFlag, Config};
use weir_gateway::app::Gateway as App;
use weir_gateway::life::{Ask, Ended};

use crate::client;

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    app: Option<App>,
    /// Where requests go.
    pub address: SocketAddr,
    /// Where metrics are.
    pub admin: SocketAddr,
}

impl Gateway {
    /// In front of one backend, with defaults.
    pub fn before(dialect: &str, backend: SocketAddr) -> Self {
        Self::with(dialect, backend, |_| {})
    }

    /// The same, after `change` has been at the configuration.
    pub fn with(dialect: &str, backend: SocketAddr, change: impl FnOnce(&mut Config)) -> Self {
        let flag: BackendFlag = format!("{dialect}=http://{backend}").parse().unwrap();
        let mut config = Config::from_flags(&[flag]).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        config.listeners.first_mut().unwrap().address = any.into();
        config.admin.address = any;
        config.workers = Some(2);
        change(&mut config);
        let app = App::start(config).unwrap();
        Self { address: app.address(), admin: app.admin, app: Some(app) }
    }

    /// The value of a series whose line begins with `series`; 0 if there is none.
    pub fn value(&self, series: &str) -> f64 {
        let scrape = client::get(self.admin, "/metrics").body_text();
        let line =
            scrape.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
        line.and_then(|line| line.rsplit_once(' ')?.1.parse().ok()).unwrap_or(0.0)
    }

    /// Requests of a model that ended so.
    pub fn requests(&self, backend: &str, model: &str, outcome: &str) -> f64 {
        self.value(&format!(
            "weir_model_requests_total{{backend=\"{backend}\",model=\"{model}\",outcome=\"{outcome}\"}}"
        ))
    }

    /// Waits until the series has the value.
    pub fn wait_for(&self, series: &str, value: f64) {
        wait(&format!("{series} = {value}"), || (self.value(series) - value).abs() < f64::EPSILON);
    }

    /// Begins the drain.
    pub fn drain(&self) {
        self.app.as_ref().unwrap().drain();
    }

    /// Asks something of the control plane; one that has ended does not hear it.
    pub fn ask(&self, ask: Ask) {
        let _ = self.app.as_ref().unwrap().asks.send(ask);
    }

    /// Waits for the end and tells how it came.
    pub fn wait_ended(mut self) -> Ended {
        self.app.take().unwrap().wait_ended()
    }

    /// Waits for the drain's end; returns how many workers were cut.
    pub fn wait_drained(mut self) -> usize {
        self.app.take().unwrap().wait()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(app) = self.app.take() {
            app.drain();
        }
    }
}

/// Waits for a state, half a minute at most.
pub fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
