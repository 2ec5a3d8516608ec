//! HTTP/2 on both sides of the gateway: a client that sends one request at a time, and a backend that answers by a script.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response, request, response};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Handle, Runtime};

/// A whole message as it came: a request at a backend, an answer at a client.
#[derive(Debug)]
pub struct Message<Head> {
    /// What came first.
    pub head: Head,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// What came last.
    pub trailers: Option<HeaderMap>,
    /// Why it did not come to its end.
    pub broken: Option<h2::Error>,
}

impl<Head> Message<Head> {
    /// A trailer's value.
    pub fn trailer(&self, name: &str) -> Option<&str> {
        self.trailers.as_ref()?.get(name)?.to_str().ok()
    }
}

impl Message<response::Parts> {
    /// A field's value.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }
}

/// What a backend does with a request.
#[derive(Debug)]
pub enum Reply {
    /// Answers.
    Answer {
        /// Status and fields.
        head: Box<Response<()>>,
        /// The body; none: the head is the end, if there are no trailers.
        body: Option<Bytes>,
        /// What ends it.
        trailers: Option<HeaderMap>,
    },
    /// Resets the stream.
    Reset(Reason),
    /// Says goodbye and closes the connection.
    Close,
    /// Does nothing, for ever.
    Silence,
}

/// A scripted backend that speaks HTTP/2 alone.
#[derive(Debug)]
pub struct Backend {
    /// Where it listens.
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    _runtime: Runtime,
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

impl Backend {
    /// Answers every request, whole, with what `script` makes of it; the number is that of the connection, from 0.
    pub fn start(script: impl Fn(usize, Message<request::Parts>) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(h2::server::Builder::new(), script)
    }

    /// The same, with settings.
    pub fn with(
        settings: h2::server::Builder,
        script: impl Fn(usize, Message<request::Parts>) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let runtime = runtime();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (counter, script) = (Arc::clone(&connections), Arc::new(script));
        let handle = runtime.handle().clone();
        runtime.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let runtime = handle.clone();
                handle.spawn(connection(runtime, settings.clone(), stream, number, Arc::clone(&script)));
            }
        });
        Self { address, connections, _runtime: runtime }
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn connection<S>(
    runtime: Handle,
    settings: h2::server::Builder,
    stream: TcpStream,
    number: usize,
    script: Arc<S>,
) where
    S: Fn(usize, Message<request::Parts>) -> Reply + Send + Sync + 'static,
{
    let Ok(mut connection) = settings.handshake::<_, Bytes>(stream).await else { return };
    let (close, mut closes) = tokio::sync::mpsc::unbounded_channel();
    loop {
        let accepted = tokio::select! {
            accepted = connection.accept() => accepted,
            _ = closes.recv() => {
                connection.abrupt_shutdown(Reason::NO_ERROR);
                continue;
            }
        };
        let Some(Ok((request, mut respond))) = accepted else { return };
        let (script, close) = (Arc::clone(&script), close.clone());
        runtime.spawn(async move {
            let (head, stream) = request.into_parts();
            match script(number, receive(head, stream).await) {
                Reply::Answer { head, body, trailers } => {
                    let bare = body.is_none() && trailers.is_none();
                    let Ok(mut stream) = respond.send_response(*head, bare) else { return };
                    if let Some(body) = body {
                        let _ = stream.send_data(body, trailers.is_none());
                    }
                    if let Some(trailers) = trailers {
                        let _ = stream.send_trailers(trailers);
                    }
                }
                Reply::Reset(reason) => respond.send_reset(reason),
                Reply::Close => drop(close.send(())),
                Reply::Silence => std::future::pending().await,
            }
        });
    }
}

async fn receive<Head>(head: Head, mut stream: RecvStream) -> Message<Head> {
    let mut message = Message { head, body: Vec::new(), trailers: None, broken: None };
    while let Some(data) = stream.data().await {
        match data {
            Ok(data) => {
                let _ = stream.flow_control().release_capacity(data.len());
                message.body.extend(data);
            }
            Err(error) => {
                message.broken = Some(error);
                return message;
            }
        }
    }
    match stream.trailers().await {
        Ok(trailers) => message.trailers = trailers,
        Err(error) => message.broken = Some(error),
    }
    message
}

/// A client's connection to the gateway, by prior knowledge.
#[derive(Debug)]
pub struct Client {
    sender: h2::client::SendRequest<Bytes>,
    runtime: Runtime,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        let runtime = runtime();
        let sender = runtime.block_on(async {
            let stream = TcpStream::connect(address).await.unwrap();
            let (sender, connection) = h2::client::handshake(stream).await.unwrap();
            runtime.spawn(connection);
            sender
        });
        Self { sender, runtime }
    }

    /// Sends a request with its body and trailers, and reads its answer.
    ///
    /// # Errors
    /// There is no answer.
    pub fn ask(
        &self,
        request: Request<()>,
        body: impl Into<Bytes>,
        trailers: Option<HeaderMap>,
    ) -> Result<Message<response::Parts>, h2::Error> {
        let (sender, body) = (self.sender.clone(), body.into());
        self.runtime.block_on(async {
            let mut sender = sender.ready().await?;
            let (answer, mut stream) = sender.send_request(request, false)?;
            stream.send_data(body, trailers.is_none())?;
            if let Some(trailers) = trailers {
                stream.send_trailers(trailers)?;
            }
            let (head, stream) = answer.await?.into_parts();
            Ok(receive(head, stream).await)
        })
    }
}

/// A gRPC request to the gateway.
pub fn grpc(address: SocketAddr, method: &str) -> Request<()> {
    Request::post(format!("http://{address}{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

/// Fields from names and values.
pub fn fields<const N: usize>(fields: [(&'static str, &str); N]) -> HeaderMap {
    fields
        .into_iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
        .collect()
}

/// A gRPC answer: a message and its status.
pub fn grpc_answer(message: &'static [u8], status: &str) -> Reply {
    let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    Reply::Answer {
        head: Box::new(head),
        body: Some(Bytes::from_static(message)),
        trailers: Some(fields([("grpc-status", status)])),
    }
}
