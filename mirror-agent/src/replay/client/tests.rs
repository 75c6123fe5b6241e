//! The client against targets that are scripts: each connection is served by the next part of the script.

mod bad_targets;
mod good_targets;
mod reuse;
mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use mirror_core::exchange::Response;
use mirror_core::options::FromText;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::replay::Target;

const LIMITS: HttpLimits = HttpLimits {
    max_head: 16 << 10,
    max_body: 64 << 10,
};
/// Longer than any test may take.
const LONG: Duration = Duration::from_secs(60);

/// A target, and the requests that came to it, each as `<number of its connection>: <text>`.
struct Script {
    address: SocketAddr,
    received: Arc<Mutex<Vec<String>>>,
}

/// A connection as its script sees it.
struct Peer {
    stream: TcpStream,
    number: usize,
    received: Arc<Mutex<Vec<String>>>,
    buffer: Vec<u8>,
}

impl Script {
    /// Calls `serve` for each connection.
    async fn new<F>(serve: impl Fn(Peer) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let script = Self {
            address: listener.local_addr().unwrap(),
            received: Arc::default(),
        };
        let received = Arc::clone(&script.received);
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(serve(Peer {
                    stream,
                    number,
                    received: Arc::clone(&received),
                    buffer: Vec::new(),
                }));
            }
        });
        script
    }

    /// Answers every request with these bytes, and closes the connection then if told so.
    async fn answering(answer: impl Into<Vec<u8>>, closes: bool) -> Self {
        let answer = answer.into();
        Self::new(move |mut peer| {
            let answer = answer.clone();
            async move {
                while peer.head().await.is_some() {
                    peer.send(&answer).await;
                    if closes {
                        return;
                    }
                }
            }
        })
        .await
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    fn client(&self, change: impl FnOnce(&mut ReplayOptions)) -> Client {
        let target = Target::from_text(&format!("http://{}", self.address)).unwrap();
        let mut options = ReplayOptions {
            timeout: LONG,
            ..ReplayOptions::default()
        };
        change(&mut options);
        Client::new(parts(target, &options).unwrap(), &options)
    }

    /// What one GET comes to.
    async fn get(&self, change: impl FnOnce(&mut ReplayOptions)) -> ReplayOutcome {
        self.send(&request("GET", ""), change).await
    }

    async fn send(
        &self,
        request: &Request,
        change: impl FnOnce(&mut ReplayOptions),
    ) -> ReplayOutcome {
        let client = self.client(change);
        let whole = client.patience.whole;
        client.send(request, &Marks::default(), whole).await
    }
}

impl Peer {
    /// The next head, which is noted by its first line; `None` at the end of the connection.
    async fn head(&mut self) -> Option<String> {
        let end = loop {
            if let Some(at) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            self.read().await?;
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let line = head.lines().next().unwrap_or_default();
        let noted = format!("{}: {line}", self.number);
        self.received.lock().unwrap().push(noted);
        Some(head)
    }

    async fn body(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            self.read().await?;
        }
        Some(self.buffer.drain(..length).collect())
    }

    async fn read(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.buffer).await.ok()?;
        (read > 0).then_some(())
    }

    /// Whether everything could be sent.
    async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Keeps the connection open and silent.
    async fn stall(self) {
        let _self = self;
        std::future::pending().await
    }

    /// Ends the connection with a reset.
    fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

fn parts(target: Target, options: &ReplayOptions) -> anyhow::Result<ClientParts> {
    Ok(ClientParts {
        connector: Connector::new(target, options, None)?,
        limits: LIMITS,
        sent_twice: Arc::default(),
    })
}

fn request(method: &str, body: &'static str) -> Request {
    let mut request = Request::new(method, "/a");
    request.headers.append("Host", b"shop");
    request.set_body(Bytes::from_static(body.as_bytes()));
    request
}

/// What a request comes to that has all the time of the world.
async fn sent(client: &Client, request: Request) -> ReplayOutcome {
    client.send(&request, &Marks::default(), LONG).await
}

/// The answer, and how often the request was sent.
#[track_caller]
fn answered(outcome: ReplayOutcome) -> (Response, u8) {
    match outcome {
        ReplayOutcome::Answered {
            response, attempts, ..
        } => (*response, attempts),
        other => panic!("{other:?}"),
    }
}

/// As in `failed: <reason>`.
fn text(outcome: ReplayOutcome) -> String {
    match outcome {
        ReplayOutcome::Answered { response, .. } => {
            let body = String::from_utf8_lossy(&response.body).into_owned();
            format!("{} {body}", response.status)
        }
        ReplayOutcome::Timeout { reason } => format!("timeout: {reason}"),
        ReplayOutcome::ConnectFailed { reason } => format!("connect failed: {reason}"),
        ReplayOutcome::Failed { reason } => format!("failed: {reason}"),
    }
}
