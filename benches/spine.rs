//! What the data path adds to a request: the same small POST sent straight to a backend and through `Proxy`, in one thread, with no
//! client socket in front of the proxy. Both reach the backend over one loopback connection; the difference is weir's: identify,
//! forward, pool, classify, relay and telemetry. Microseconds are the fastest of many short runs; allocations are exact.
//!
//! `cargo bench -p weir-benches --bench spine`

#![expect(clippy::print_stdout, reason = "a bench reports on stdout")]
#![expect(clippy::unwrap_used, reason = "a bench without its backend measures nothing")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tower::Service;
use weir_config::{BackendFlag, Config};
use weir_gateway::body::Inbound;
use weir_gateway::front::{CoarseClock, Conn};
use weir_gateway::live::{Live, Shared};
use weir_gateway::proxy::Proxy;
use weir_gateway::residency::Residency;
use weir_gateway::worker::{Beat, Orders, Worker};
use weir_telemetry::Store;

const TIMES: u32 = 200;
const RUNS: u32 = 60;
const BODY: &[u8] = &[b'x'; 200];

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = LocalSet::new();
    let address = local.block_on(&runtime, backend());
    let mut direct = local.block_on(&runtime, connect(address));
    let mut proxy = local.block_on(&runtime, async { proxy(address) });
    println!("{:<34} {:>10} {:>12}", "small POST over one connection", "µs", "allocations");
    let straight = figure(&local, &runtime, "straight to the backend", async || straight(&mut direct).await);
    let through = figure(&local, &runtime, "through weir's data path", async || through(&mut proxy).await);
    println!("{:<34} {:>10.2} {:>12.1}", "added", through.0 - straight.0, through.1 - straight.1);
}

/// Microseconds and allocations of one request, the backend's included.
fn figure(local: &LocalSet, runtime: &Runtime, what: &str, mut one: impl AsyncFnMut()) -> (f64, f64) {
    let mut fastest = f64::INFINITY;
    let mut run = || {
        local.block_on(runtime, async {
            for _ in 0..TIMES {
                one().await;
            }
        });
    };
    for _ in 0..RUNS {
        let begun = Instant::now();
        run();
        fastest = fastest.min(begun.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES));
    }
    let counted = allocation_counter::measure(run);
    let allocations = counted.count_total as f64 / f64::from(TIMES);
    println!("{what:<34} {fastest:>10.2} {allocations:>12.1}");
    (fastest, allocations)
}

async fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let service = service_fn(|request: Request<Incoming>| async move {
                request.into_body().collect().await.unwrap();
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(BODY))))
            });
            let serving =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::task::spawn_local(serving);
        }
    });
    address
}

async fn connect(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::task::spawn_local(driver);
    sender
}

fn proxy(address: SocketAddr) -> Proxy {
    let flag: BackendFlag = format!("triton=http://{address}").parse().unwrap();
    let config = Config::from_flags(&[flag]).unwrap();
    let store = Store::new(&config.telemetry, 1);
    let live = Live::compile(config, 1, &store, &Residency::default()).unwrap();
    let (_, never) = watch::channel(false);
    let orders = Orders {
        id: 0,
        epoch: Instant::now(),
        shared: Shared::new(live),
        store: Arc::clone(&store),
        drain: never.clone(),
        abort: never,
        beat: Arc::new(Beat::default()),
        commands: mpsc::unbounded_channel().1,
    };
    let peer = "127.0.0.1:1".parse().unwrap();
    Proxy::new(Worker::new(&orders), Conn::new(peer, Duration::from_secs(60), Rc::new(CoarseClock::new())))
}

fn request<B>(body: B) -> Request<B> {
    Request::post("/v2/models/fraud-detector/infer")
        .header("host", "weir")
        .header("content-type", "application/json")
        .header("content-length", BODY.len())
        .body(body)
        .unwrap()
}

async fn straight(sender: &mut SendRequest<Full<Bytes>>) {
    sender.ready().await.unwrap();
    let answer = sender.send_request(request(Full::new(Bytes::from_static(BODY)))).await.unwrap();
    answer.into_body().collect().await.unwrap();
}

async fn through(proxy: &mut Proxy) {
    let body = Inbound::Whole(Some(Bytes::from_static(BODY)));
    let answer = proxy.call(request(body)).await.unwrap();
    answer.into_body().collect().await.unwrap();
}
