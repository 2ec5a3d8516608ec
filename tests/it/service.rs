//! The data path as a `tower::Service`, with no client socket.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use tokio::sync::{mpsc, watch};
use tower::Service;
use weir_config::{BackendFlag, Config};
use weir_gateway::body::Inbound;
use weir_gateway::front::{CoarseClock, Conn};
use weir_gateway::live::{Live, Shared};
use weir_gateway::proxy::Proxy;
use weir_gateway::residency::Residency;
use weir_gateway::worker::{Beat, Orders, Worker};
use weir_telemetry::{Outcome, Store};
use weir_tests::backend::Backend;

#[test]
fn a_request_is_served_and_counted_without_a_client_socket() {
    let backend = Backend::fine();
    let flag: BackendFlag = format!("triton=http://{}", backend.address).parse().unwrap();
    let config = Config::from_flags(&[flag]).unwrap();
    let store = Store::new(&config.telemetry, 1);
    let live = Live::compile(config, 1, &store, &Residency::default()).unwrap();
    let (_, drain) = watch::channel(false);
    let orders = Orders {
        id: 0,
        epoch: Instant::now(),
        shared: Shared::new(live),
        store: Arc::clone(&store),
        drain: drain.clone(),
        abort: drain,
        beat: Arc::new(Beat::default()),
        commands: mpsc::unbounded_channel().1,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let conn =
            Conn::new("127.0.0.1:1".parse().unwrap(), Duration::from_secs(1), Rc::new(CoarseClock::new()));
        let mut proxy = Proxy::new(Worker::new(&orders), conn);
        let body = Inbound::Whole(Some("{}".into()));
        let request = http::Request::post("/v2/models/alpha/infer")
            .header("host", "weir")
            .header("content-length", "2")
            .body(body)
            .unwrap();
        let answer = proxy.call(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "fine");
    });
    let snapshot = store.snapshot();
    assert_eq!(snapshot.model("triton", "alpha").unwrap().requests(Outcome::Ok), 1);
}
