//! Load by h2load: nothing fails, also while nginx reloads beneath it.

use std::thread;

use super::{Site, run};
use crate::kit::{curl, eventually};

const PATH: &str = "/v2/models/any/infer";

/// How many were asked, and how many were answered with a success.
#[track_caller]
fn counts(said: &str) -> (u64, u64) {
    let number = |behind: &str| -> u64 {
        let (before, _) = said.split_once(behind).unwrap_or_else(|| panic!("no '{behind}' in {said}"));
        before.rsplit([' ', '\n']).next().unwrap().parse().unwrap()
    };
    (number(" total,"), number(" 2xx,"))
}

#[test]
fn no_request_of_thousands_fails_over_any_protocol() {
    let site = Site::start();
    let body = site.weir.folder().join("body");
    std::fs::write(&body, "{\"inputs\":[]}").unwrap();
    let secure = format!("https://{}{PATH}", site.weir.address_of("secure"));
    let clear = site.url("clear", PATH);
    let mut asked = 0;
    for (url, more) in [(&clear, &[][..]), (&clear, &["--h1"]), (&secure, &[]), (&secure, &["--h1"])] {
        let load = ["-n", "1000", "-c", "8", "-m", "10", "-d", body.to_str().unwrap()];
        let (fine, said) = run("h2load", &[&load, more, &[url.as_str()]].concat());
        assert!(fine && counts(&said) == (1000, 1000), "{url} {more:?}: {said}");
        asked += 1000;
    }
    assert_eq!(site.weir.settled(asked).outcomes("any"), [("ok", asked)], "sent and counted");
}

#[test]
fn nginx_reloads_beneath_and_no_request_fails() {
    let site = Site::start();
    let master: u32 =
        std::fs::read_to_string(site.nginx.run.join("nginx.pid")).unwrap().trim().parse().unwrap();
    let body = site.weir.folder().join("body");
    std::fs::write(&body, "{\"inputs\":[]}").unwrap();
    let (url, data) = (site.url("clear", PATH), body.to_str().unwrap());
    let asked: u64 = thread::scope(|scope| {
        let load = |arguments: &'static [&'static str]| {
            let (url, data) = (&url, data);
            scope.spawn(move || {
                run("h2load", &[arguments, &["-n", "3000", "-c", "4", url, "-d", data]].concat())
            })
        };
        let loads = [load(&["--h1"]), load(&["-m", "4"])];
        let workers = || {
            let children = format!("/proc/{master}/task/{master}/children");
            std::fs::read_to_string(children).unwrap_or_default()
        };
        let mut reloads = 0;
        let is_over = || loads.iter().all(|load| load.is_finished());
        while !is_over() {
            let (before, served) = (workers(), site.weir.scrape().requests());
            assert!(run("kill", &["-HUP", &master.to_string()]).0);
            eventually("new workers", || workers() != before);
            reloads += 1;
            eventually("more requests", || is_over() || site.weir.scrape().requests() >= served + 500);
        }
        assert!(reloads >= 3, "the load was over after {reloads} reloads");
        let said = loads.map(|load| load.join().unwrap().1);
        said.iter()
            .map(|said| {
                assert_eq!(counts(said), (3000, 3000), "{said}");
                3000_u64
            })
            .sum()
    });
    assert_eq!(site.weir.settled(asked).outcomes("any"), [("ok", asked)]);
}

#[test]
fn nginx_that_was_away_is_served_again_as_soon_as_it_is_back() {
    let site = Site::start();
    let url = site.url("clear", PATH);
    let ask = || curl(&["--data", "{}", &url]);
    assert_eq!(ask().status, 200);
    let port = site.nginx.ports[0];
    drop(site.nginx);
    let away = ask();
    assert!(away.status == 502 && away.body.contains("connect_failed"), "{away:?}");
    let mut again = crate::kit::Server::start("nginx", &[port], &[]);
    again.wait_ready(&format!("http://127.0.0.1:{port}{PATH}"));
    assert_eq!(ask().status, 200);
    assert_eq!(site.weir.settled(3).outcomes("any"), [("ok", 2), ("unreachable", 1)]);
}
