//! Clients that mean harm: `slowhttptest`'s three ways to be slow, and requests that two parties could read in two ways.

use std::process::{Child, Command, Stdio};

use super::{Site, port_of};
use crate::kit::{client_of, curl, eventually};

/// Slow connections of one attack.
const SLOW: &str = "150";
/// Well above the attack's few seconds.
const LIMITS: &str = "header_read_timeout: 2s, body_idle_timeout: 2s, idle_timeout: 2s";

/// An attack, ended with the test.
struct Attack(Child);

impl Attack {
    fn start(arguments: &[&str], url: &str) -> Self {
        let common = ["-c", SLOW, "-r", SLOW, "-l", "6", "-p", "2", "-u", url];
        let mut command = Command::new("slowhttptest");
        command
            .args(arguments)
            .args(common)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        Self(command.spawn().expect("slowhttptest is installed"))
    }

    fn is_over(&mut self) -> bool {
        self.0.try_wait().expect("our own child").is_some()
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        // Nothing more can be done for a child that is already gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Attacks and asks all the time: every question is answered; and afterwards nothing is left of it.
#[track_caller]
fn survives(site: &Site, arguments: &[&str], path: &str) {
    let url = site.url("clear", "/v2/models/any/infer");
    let active = || site.weir.scrape().count("weir_http_connections_active", &[]);
    let mut attack = Attack::start(arguments, &site.url("clear", path));
    let (mut asked, mut most) = (0, 0);
    while !attack.is_over() {
        let reply = curl(&[&url]);
        assert_eq!(reply.status, 200, "{arguments:?}: {reply:?}");
        most = most.max(active());
        asked += 1;
    }
    assert!(asked > 0 && most > 50, "{asked} questions, {most} connections: this was no attack");
    eventually("end of the slow ones", || active() == 0);
    assert_eq!(curl(&[&url]).status, 200);
}

#[test]
fn slow_heads_are_cut_and_everybody_else_is_served() {
    let site = Site::with(LIMITS);
    survives(&site, &["-H", "-i", "1"], "/");
    let cut = site.weir.scrape().count("weir_http_refused_total", &[("reason", "header_timeout")]);
    assert!(cut >= 150, "each was told 408, and counted: {cut}");
}

#[test]
fn slow_bodies_are_cut_and_everybody_else_is_served() {
    let site = Site::with(LIMITS);
    survives(&site, &["-B", "-i", "4", "-s", "8192"], "/read/slow");
}

#[test]
fn slow_readers_harm_nobody() {
    let site = Site::with(LIMITS);
    survives(&site, &["-X", "-w", "64", "-y", "128", "-n", "1", "-z", "16", "-k", "1"], "/files/big");
}

#[test]
fn what_nginx_reads_is_what_weir_meant() {
    let site = Site::start();
    let (address, log) = (site.weir.address_of("clear"), site.nginx.run.join("requests.log"));
    let said = client_of("wires", "smuggling.py", &[port_of(&address), log.to_str().unwrap()]);
    let [count] = said.as_slice() else { panic!("read otherwise than meant: {said:#?}") };
    assert!(count["cases"].as_u64().unwrap() > 100, "{count}");
}
