//! What is measured of the process from outside: its memory, its open files, and its own counts.

use std::fs;
use std::net::SocketAddr;

use weir_tests::client;

/// Samples over a soak.
#[derive(Debug)]
pub(crate) struct Meter {
    process: u32,
    admin: SocketAddr,
    /// Resident memory under load, KiB.
    memory: Vec<i64>,
    memory_idle: i64,
    descriptors_idle: i64,
}

impl Meter {
    pub(crate) fn new(process: u32, admin: SocketAddr) -> Self {
        Self { process, admin, memory: Vec::new(), memory_idle: 0, descriptors_idle: 0 }
    }

    /// Before anything was asked.
    pub(crate) fn begin(&mut self) {
        let _ = self.scrape();
        self.memory_idle = self.status("VmRSS:");
        self.descriptors_idle = self.open();
    }

    pub(crate) fn sample(&mut self) {
        let _ = self.scrape();
        self.memory.push(self.status("VmRSS:"));
    }

    /// Between the end of the warm-up, the first fifth, and the last tenth: medians under load, KiB.
    pub(crate) fn grown(&self) -> i64 {
        let (first, last) = self.ends();
        last - first
    }

    fn ends(&self) -> (i64, i64) {
        let count = self.memory.len();
        let tenth = (count / 10).max(1);
        (median(&self.memory[count / 5..count / 5 + tenth]), median(&self.memory[count - tenth..]))
    }

    pub(crate) fn memory(&self) -> String {
        let mib = |kib: i64| format!("{}.{} MiB", kib / 1024, kib % 1024 * 10 / 1024);
        let (first, last) = self.ends();
        format!(
            "{} at the start, {} after the warm-up, {} at the end, {} at most, {} after everybody had left",
            mib(self.memory_idle),
            mib(first),
            mib(last),
            mib(self.status("VmHWM:")),
            mib(self.status("VmRSS:"))
        )
    }

    pub(crate) fn descriptors_grown(&self) -> i64 {
        self.open() - self.descriptors_idle
    }

    pub(crate) fn descriptors(&self) -> String {
        format!("{} at the start, {} at the end", self.descriptors_idle, self.open())
    }

    /// Requests of a backend that ended so; of any outcome if it is empty.
    pub(crate) fn requests(&self, backend: &str, outcome: &str) -> u64 {
        let (backend, outcome) = (format!("backend=\"{backend}\""), format!("outcome=\"{outcome}"));
        self.sum("weir_model_requests_total{", |labels| {
            labels.contains(&backend) && labels.contains(&outcome)
        })
    }

    /// Requests of every kind, as the workers count them.
    pub(crate) fn settled(&self) -> u64 {
        self.sum("weir_worker_requests_total{", |_| true)
    }

    pub(crate) fn connections(&self) -> u64 {
        self.sum("weir_http_connections_active", |_| true)
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.sum("weir_model_in_flight_requests{", |_| true)
    }

    pub(crate) fn refused(&self) -> String {
        let scrape = self.scrape();
        let lines = scrape.lines().filter_map(|line| line.strip_prefix("weir_http_refused_total{reason="));
        lines.map(|line| line.replace("} ", " ").replace('"', "")).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn series(&self) -> usize {
        self.scrape().lines().filter(|line| !line.starts_with('#')).count()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counters are whole numbers")]
    fn sum(&self, begins: &str, fits: impl Fn(&str) -> bool) -> u64 {
        let scrape = self.scrape();
        let lines = scrape.lines().filter_map(|line| line.strip_prefix(begins)?.rsplit_once(' '));
        let values = lines.filter(|(labels, _)| fits(labels)).map(|(_, value)| value.parse::<f64>().unwrap());
        values.sum::<f64>() as u64
    }

    fn scrape(&self) -> String {
        client::get(self.admin, "/metrics").body_text()
    }

    fn status(&self, name: &str) -> i64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    fn open(&self) -> i64 {
        i64::try_from(fs::read_dir(format!("/proc/{}/fd", self.process)).unwrap().count()).unwrap()
    }
}

fn median(samples: &[i64]) -> i64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}
