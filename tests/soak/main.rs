//! A running weir under good and hostile traffic at once, for as long as it is told: `bash tests/run --soak [SECONDS]`.
//!
//! It fails when a good request fails or is not counted, when something of the hostile ones is counted that was never sent, when the
//! process's memory grows by more than [`GROWTH_KIB_MAX`] between the end of the warm-up and the end, or when, after everybody has
//! left, more than [`DESCRIPTORS_MAX`] files are open that were not at the start.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "a soak reports on stdout")]
#![expect(clippy::indexing_slicing, reason = "a test that finds no such entry has failed")]

mod backends;
mod good;
mod hostile;
mod meter;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use weir_tests::binary::{self, Binary};
use weir_tests::gateway::wait;

use meter::Meter;

/// What the resident memory may grow by after the warm-up.
const GROWTH_KIB_MAX: i64 = 16 * 1024;
/// Files that may be open at the end beside those of the start.
const DESCRIPTORS_MAX: i64 = 8;
const SECONDS: u64 = 300;

/// What everybody who sends has at hand.
#[derive(Debug, Clone)]
struct Ground {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    /// Requests that weir must have counted, to the good backend and to the bad one, and those that it may have.
    good: AtomicU64,
    bad: AtomicU64,
    maybe: AtomicU64,
    failures: Mutex<Vec<String>>,
}

impl Ground {
    fn goes_on(&self) -> bool {
        !self.shared.stop.load(Ordering::Relaxed)
    }

    /// Counts something for the report.
    fn count(&self, what: &'static str) {
        *self.shared.counts.lock().unwrap().entry(what).or_default() += 1;
    }

    fn failed(&self, what: String) {
        self.shared.failures.lock().unwrap().push(what);
    }

    /// The thread of a client that takes its time; the wait ends nothing that is under test.
    fn pause(&self, ms: u64) {
        let until = Instant::now() + Duration::from_millis(ms);
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|_| self.goes_on()) {
            std::thread::park_timeout(left.min(Duration::from_millis(100)));
        }
    }

    /// Repeats `once` in a thread of its own until the end.
    fn repeat(&self, mut once: impl FnMut(&Self) + Send + 'static) -> JoinHandle<()> {
        let ground = self.clone();
        std::thread::spawn(move || {
            while ground.goes_on() {
                once(&ground);
            }
        })
    }
}

#[test]
fn nothing_is_lost_and_nothing_grows() {
    let seconds = std::env::var("WEIR_SOAK_SECONDS").map_or(SECONDS, |text| text.parse().unwrap());
    let (good, bad) = (backends::good(), backends::bad());
    let config = backends::config(good.address, bad.address);
    let weir = Binary::with_file(binary::folder(), &config);
    let ground = Ground { address: weir.address, shared: Arc::default() };
    let mut meter = Meter::new(weir.id(), weir.admin);
    meter.begin();

    let mut threads = good::start(&ground);
    threads.extend(hostile::start(&ground));
    threads.push(reloads(&ground, &weir, config));
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        meter.sample();
        ground.pause(500);
    }
    ground.shared.stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    wait("everybody to be gone", || meter.connections() == 0 && meter.in_flight() == 0);
    wait("files to be closed", || meter.descriptors_grown() <= DESCRIPTORS_MAX);
    report(&ground, &mut meter, seconds);
}

/// A reload every second: the file is written anew, each time with another listener and another promise.
fn reloads(ground: &Ground, weir: &Binary, config: String) -> JoinHandle<()> {
    let (file, admin) = (weir.folder.join("weir.yaml"), weir.admin);
    let mut turn = 0_u32;
    ground.repeat(move |ground| {
        turn += 1;
        let text = if turn % 5 == 4 { "nonsense: [".to_owned() } else { backends::turned(&config, turn) };
        std::fs::write(&file, text).unwrap();
        let mut client = weir_tests::client::Client::connect(admin);
        client.send(format!("POST /-/reload HTTP/1.1\r\nhost: {admin}\r\ncontent-length: 0\r\n\r\n"));
        match client.answer().status {
            200 => ground.count("reloads"),
            _ if turn % 5 == 4 => ground.count("reloads refused"),
            status => ground.failed(format!("a reload answered {status}")),
        }
        ground.pause(1000);
    })
}

fn report(ground: &Ground, meter: &mut Meter, seconds: u64) {
    let shared = &ground.shared;
    let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let (good, bad, maybe) = (number(&shared.good), number(&shared.bad), number(&shared.maybe));
    let (good_ok, good_all) = (meter.requests("good", "ok"), meter.requests("good", ""));
    // A made-up name that leaves the export takes its series with it: the workers' own count has it still.
    let bad_all = meter.settled() - good_all;
    println!("soak of {seconds} s");
    for (what, count) in shared.counts.lock().unwrap().iter() {
        println!("  {count:>9}  {what}");
    }
    println!("  refused by weir: {}", meter.refused());
    println!("  good requests: {good} sent, {good_ok} counted ok, {good_all} counted");
    println!("  bad requests: {bad} sent and {maybe} reset at once, {bad_all} counted");
    println!("  resident memory: {}", meter.memory());
    println!("  open files: {}; series: {}", meter.descriptors(), meter.series());
    let failures = shared.failures.lock().unwrap();
    assert!(
        failures.is_empty(),
        "{} failures, of them {:?}",
        failures.len(),
        &failures[..failures.len().min(5)]
    );
    assert!(good > 0 && bad > 0, "nothing was sent");
    assert_eq!((good_ok, good_all), (good, good), "good requests sent, counted ok, counted");
    assert!(
        (bad..=bad + maybe).contains(&bad_all),
        "bad requests: {bad} to {} sent, {bad_all} counted",
        bad + maybe
    );
    assert!(meter.grown() <= GROWTH_KIB_MAX, "memory grew by {} KiB", meter.grown());
    assert!(meter.series() < 8_000, "{} series", meter.series());
}
