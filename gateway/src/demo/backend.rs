//! The simulated multi-model server: SageMaker's container contract (load, invoke, unload) with a memory that not all models fit
//! into. An invocation of a model that is loading waits for it, as MMS does.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::fleet::{Fleet, Model};

/// One request in so many fails in its handler.
const FAILS_ONE_IN: u32 = 200;

/// What is in memory: true once a model is ready.
#[derive(Debug)]
pub(super) struct Server {
    fleet: Arc<Fleet>,
    loaded: RefCell<HashMap<usize, watch::Sender<bool>>>,
    random: RefCell<StdRng>,
}

/// Starts it on a port of the kernel's choice; it ends when `stop` says so or its sender is gone.
pub(super) fn start(fleet: Arc<Fleet>, mut stop: watch::Receiver<bool>) -> io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("demo-server".to_owned()).spawn(move || {
        LocalSet::new().block_on(&runtime, async move {
            let server = Rc::new(Server::new(fleet));
            tokio::select! {
                ended = accept(server, listener) => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "the simulated server ended");
                    }
                }
                _ = stop.wait_for(|stop| *stop) => {}
            }
        });
    })?;
    Ok(address)
}

async fn accept(server: Rc<Server>, listener: std::net::TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let server = Rc::clone(&server);
        tokio::task::spawn_local(async move {
            let service = service_fn(|request| answer(Rc::clone(&server), request));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(server: Rc<Server>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let named = path
        .strip_prefix("/models/")
        .map(|rest| rest.strip_suffix("/invoke").map_or((rest, false), |name| (name, true)));
    let (status, text) = match (&head.method, path.as_str(), named) {
        (&Method::GET, "/ping", _) => (StatusCode::OK, "{\"status\":\"Healthy\"}"),
        (&Method::POST, "/models", _) => server.load(&body).await,
        (&Method::POST, _, Some((name, true))) => server.invoke(name).await,
        (&Method::DELETE, _, Some((name, false))) => server.unload(name),
        _ => (StatusCode::NOT_FOUND, "{\"code\":404}"),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    Ok(response)
}

type Said = (StatusCode, &'static str);

impl Server {
    pub(super) fn new(fleet: Arc<Fleet>) -> Self {
        Self { fleet, loaded: RefCell::default(), random: RefCell::new(StdRng::seed_from_u64(0)) }
    }

    fn find(&self, name: &str) -> Option<(usize, &Model)> {
        self.fleet.models.iter().enumerate().find(|(_, model)| model.name == name)
    }

    fn used_mib(&self) -> u64 {
        let size = |number: &usize| self.fleet.models.get(*number).map_or(0, |model| model.size_mib);
        self.loaded.borrow().keys().map(size).sum()
    }

    pub(super) async fn load(&self, body: &[u8]) -> Said {
        let asked: Option<serde_json::Value> = serde_json::from_slice(body).ok();
        let name = asked.as_ref().and_then(|asked| asked.get("model_name")?.as_str());
        let Some((number, model)) = name.and_then(|name| self.find(name)) else {
            return (StatusCode::NOT_FOUND, "{\"code\":404,\"type\":\"ModelNotFoundException\"}");
        };
        if self.loaded.borrow().contains_key(&number) {
            return (StatusCode::CONFLICT, "{\"code\":409,\"type\":\"ConflictStatusException\"}");
        }
        if self.used_mib() + model.size_mib > self.fleet.memory_mib {
            return (StatusCode::INSUFFICIENT_STORAGE, "{\"code\":507,\"type\":\"InsufficientStorage\"}");
        }
        self.loaded.borrow_mut().insert(number, watch::Sender::new(false));
        tokio::time::sleep(model.load).await;
        if let Some(ready) = self.loaded.borrow().get(&number) {
            ready.send_replace(true);
        }
        (StatusCode::OK, "{\"status\":\"Workers scaled\"}")
    }

    pub(super) async fn invoke(&self, name: &str) -> Said {
        let found = self.find(name);
        let ready = found.and_then(|(number, _)| Some(self.loaded.borrow().get(&number)?.subscribe()));
        let (Some((_, model)), Some(mut ready)) = (found, ready) else {
            return (StatusCode::NOT_FOUND, "{\"code\":404,\"type\":\"ModelNotFoundException\"}");
        };
        if ready.wait_for(|ready| *ready).await.is_err() {
            return (StatusCode::NOT_FOUND, "{\"code\":404,\"type\":\"ModelNotFoundException\"}");
        }
        let (factor, fails) = {
            let mut random = self.random.borrow_mut();
            // A product of two uniform numbers: most answers near the median, a few several times as long.
            let factor = random.random_range(0.5..1.5) / random.random_range(0.3..1.0);
            (factor, random.random_ratio(1, FAILS_ONE_IN))
        };
        tokio::time::sleep(model.invoke.mul_f64(factor).min(Duration::from_secs(1))).await;
        if fails {
            return (
                StatusCode::INTERNAL_SERVER_ERROR,
                "{\"code\":500,\"type\":\"InternalServerException\"}",
            );
        }
        (StatusCode::OK, "{\"prediction\":0.5}")
    }

    pub(super) fn unload(&self, name: &str) -> Said {
        match self.find(name).and_then(|(number, _)| self.loaded.borrow_mut().remove(&number)) {
            Some(_) => (StatusCode::OK, "{\"status\":\"unregistered\"}"),
            None => (StatusCode::NOT_FOUND, "{\"code\":404,\"type\":\"ModelNotFoundException\"}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(future)
    }

    #[test]
    fn a_model_is_loaded_once_answers_and_is_gone_after_its_unload() {
        let server = Server::new(Arc::new(Fleet::new(3, 1)));
        let load = b"{\"model_name\":\"model-000\",\"url\":\"/m\"}";
        run(async {
            assert_eq!(server.invoke("model-000").await.0, 404);
            assert_eq!(server.load(load).await.0, 200);
            assert_eq!(server.load(load).await.0, 409);
            assert_ne!(server.invoke("model-000").await.0, 404);
            assert_eq!(server.unload("model-000").0, 200);
            assert_eq!(server.unload("model-000").0, 404);
            assert_eq!(server.invoke("model-000").await.0, 404);
        });
    }

    #[test]
    fn a_model_that_does_not_fit_is_507() {
        let mut fleet = Fleet::new(2, 1);
        fleet.memory_mib = fleet.models[0].size_mib;
        let server = Server::new(Arc::new(fleet));
        run(async {
            assert_eq!(server.load(b"{\"model_name\":\"model-000\"}").await.0, 200);
            assert_eq!(server.load(b"{\"model_name\":\"model-001\"}").await.0, 507);
            assert_eq!(server.load(b"garbage").await.0, 404);
        });
    }
}
