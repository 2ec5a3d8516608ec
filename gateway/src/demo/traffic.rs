//! The traffic: an open loop of invocations through weir, and the platform's part, which loads what is asked for and unloads what was
//! least recently used to make room.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::LocalSet;

use super::fleet::Fleet;

/// How often requests are let go: `rate / BEATS_A_SECOND` at a time.
const BEATS_A_SECOND: u32 = 50;
/// Requests on their way at most; what is due beyond is left out.
const IN_FLIGHT_MAX: usize = 512;

/// Who asks: its connections to weir, and what it believes to be loaded.
struct Caller {
    fleet: Arc<Fleet>,
    weir: SocketAddr,
    idle: RefCell<Vec<SendRequest<Full<Bytes>>>>,
    /// When each loaded model was last asked for, in requests.
    loaded: RefCell<HashMap<usize, u64>>,
    /// Requests on their way, and loads, by model: what is busy is not unloaded.
    busy: RefCell<HashMap<usize, u32>>,
    asked: Cell<u64>,
    /// One load is being made room for at a time.
    platform: Mutex<()>,
}

/// Starts it; it ends when `stop` says so.
pub(super) fn start(
    fleet: Arc<Fleet>,
    weir: SocketAddr,
    (rate, seed): (u32, u64),
    mut stop: watch::Receiver<bool>,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("demo-traffic".to_owned()).spawn(move || {
        LocalSet::new().block_on(&runtime, async move {
            let caller = Rc::new(Caller {
                fleet,
                weir,
                idle: RefCell::default(),
                loaded: RefCell::default(),
                busy: RefCell::default(),
                asked: Cell::new(0),
                platform: Mutex::new(()),
            });
            tokio::select! {
                () = drive(caller, rate, seed) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        });
    })
}

async fn drive(caller: Rc<Caller>, rate: u32, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut beat = tokio::time::interval(Duration::from_secs(1) / BEATS_A_SECOND);
    let room = Rc::new(Semaphore::new(IN_FLIGHT_MAX));
    let mut owed = 0;
    loop {
        beat.tick().await;
        owed += rate;
        while owed >= BEATS_A_SECOND {
            owed -= BEATS_A_SECOND;
            let number = caller.fleet.choose(&mut random);
            let Ok(permit) = Rc::clone(&room).try_acquire_owned_local() else { continue };
            let caller = Rc::clone(&caller);
            tokio::task::spawn_local(async move {
                caller.ask_for(number).await;
                drop(permit);
            });
        }
    }
}

/// A permit of a semaphore that is shared on one thread.
struct Permit(Rc<Semaphore>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

trait Local {
    fn try_acquire_owned_local(self) -> Result<Permit, tokio::sync::TryAcquireError>;
}

impl Local for Rc<Semaphore> {
    fn try_acquire_owned_local(self) -> Result<Permit, tokio::sync::TryAcquireError> {
        self.try_acquire()?.forget();
        Ok(Permit(self))
    }
}

/// A model is busy for as long as one of these lives.
struct Busy {
    caller: Rc<Caller>,
    number: usize,
}

impl Busy {
    fn new(caller: &Rc<Caller>, number: usize) -> Self {
        *caller.busy.borrow_mut().entry(number).or_default() += 1;
        Self { caller: Rc::clone(caller), number }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut busy = self.caller.busy.borrow_mut();
        if let Some(count) = busy.get_mut(&self.number) {
            *count -= 1;
            if *count == 0 {
                busy.remove(&self.number);
            }
        }
    }
}

impl Caller {
    async fn ask_for(self: &Rc<Self>, number: usize) {
        let Some(model) = self.fleet.models.get(number) else { return };
        let _busy = self.hold(number).await;
        let path = format!("/models/{}/invoke", model.name);
        self.call(Method::POST, &path, "{\"x\":[1,2,3]}".to_owned()).await;
    }

    /// Returns once the model is loaded or its load is on its way; it is not unloaded while what is returned lives.
    async fn hold(self: &Rc<Self>, number: usize) -> Busy {
        if self.touch(number) {
            return Busy::new(self, number);
        }
        // The platform makes room for one model at a time, so what waits here takes no memory yet.
        let _turn = self.platform.lock().await;
        if self.touch(number) {
            return Busy::new(self, number);
        }
        self.make_room(number).await;
        let busy = Busy::new(self, number);
        let caller = Rc::clone(self);
        let load = tokio::task::spawn_local(async move {
            let _busy = Busy::new(&caller, number);
            let name = caller.fleet.models.get(number).map(|model| model.name.as_str()).unwrap_or_default();
            let body = format!("{{\"model_name\":\"{name}\",\"url\":\"/models/{name}\"}}");
            let loaded = caller.call(Method::POST, "/models", body).await;
            if !matches!(loaded, Some(StatusCode::OK | StatusCode::CONFLICT)) {
                caller.loaded.borrow_mut().remove(&number);
            }
        });
        // The load is on its way before the first invocation, which waits for it at the server.
        tokio::time::sleep(Duration::from_millis(5)).await;
        if !load.is_finished() {
            self.loaded.borrow_mut().insert(number, self.asked.get());
        }
        busy
    }

    /// Whether the model is loaded; it is the most recently used one then.
    fn touch(&self, number: usize) -> bool {
        self.asked.set(self.asked.get() + 1);
        let mut loaded = self.loaded.borrow_mut();
        let asked = loaded.get_mut(&number);
        let known = asked.is_some();
        if let Some(asked) = asked {
            *asked = self.asked.get();
        }
        known
    }

    /// Unloads what was least recently used until the model fits.
    async fn make_room(&self, number: usize) {
        let size = |number: &usize| self.fleet.models.get(*number).map_or(0, |model| model.size_mib);
        loop {
            let victim = {
                let loaded = self.loaded.borrow();
                if loaded.keys().map(size).sum::<u64>() + size(&number) <= self.fleet.memory_mib {
                    return;
                }
                let busy = self.busy.borrow();
                let quiet = loaded.iter().filter(|(other, _)| !busy.contains_key(other));
                quiet.min_by_key(|(_, asked)| **asked).map(|(other, _)| *other)
            };
            // Everything is busy: the next to end makes room.
            let Some(victim) = victim else {
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            };
            self.loaded.borrow_mut().remove(&victim);
            if let Some(model) = self.fleet.models.get(victim) {
                self.call(Method::DELETE, &format!("/models/{}", model.name), String::new()).await;
            }
        }
    }

    /// One call through weir, on a connection of its own or an idle one.
    async fn call(&self, method: Method, path: &str, body: String) -> Option<StatusCode> {
        let mut sender = self.connection().await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.weir.to_string())
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .ok()?;
        let answer = sender.send_request(request).await.ok()?;
        let status = answer.status();
        answer.into_body().collect().await.ok()?;
        self.idle.borrow_mut().push(sender);
        Some(status)
    }

    async fn connection(&self) -> Option<SendRequest<Full<Bytes>>> {
        loop {
            let Some(mut sender) = self.idle.borrow_mut().pop() else { break };
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
        let stream = TcpStream::connect(self.weir).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::task::spawn_local(async move {
            let _ = driver.await;
        });
        Some(sender)
    }
}
