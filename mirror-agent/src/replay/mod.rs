//! Sends an exchange's request to the mirror and reads the answer.

mod connector;
mod options;
mod request_line;
mod target;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{HeaderMap, body::Incoming, client::conn::http1, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use mirror_snapshot::{HEADER_CAPTURED_AT, HEADER_NAMESPACE, HEADER_REPLAY, HEADER_REQUEST_ID};
use tokio::task::JoinSet;
use tower_service::Service;

use mirror_core::exchange::{Fault, Headers, Request, Response, Trailers, Version};
use mirror_core::options::ByteSize;

use connector::Connector;
pub use connector::OwnSockets;
pub use options::ReplayOptions;
use request_line::{WithLine, uri_and_line};
pub use target::Target;

/// Fields of one connection, not of the request (RFC 9110 §7.6.1), and those made anew.
const NOT_FORWARDED: [&str; 12] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "content-length",
    HEADER_REQUEST_ID,
    HEADER_CAPTURED_AT,
    HEADER_NAMESPACE,
];

/// What a replayed request says beside what was captured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marks<'a> {
    pub id: Option<&'a str>,
    /// Where its snapshot was copied to.
    pub namespace: Option<&'a str>,
    /// When production says that it received the request, milliseconds since the epoch; else when it was captured.
    pub at: u64,
}

#[derive(Debug)]
pub enum ReplayOutcome {
    Answered {
        response: Response,
        /// When its first byte was written.
        sent_at: Instant,
        /// From `sent_at` to the last byte of the answer.
        latency: Duration,
        /// 2 when a connection that the target had closed meanwhile was replaced.
        attempts: u8,
    },
    Timeout {
        reason: String,
    },
    ConnectFailed {
        reason: String,
    },
    Failed {
        reason: String,
    },
}

/// A request that is ready to be sent.
struct Outgoing {
    request: hyper::Request<Full<Bytes>>,
    /// Its request line, where the client would write another one.
    line: Option<Bytes>,
}

pub struct Replayer {
    client: Client<Connector, Full<Bytes>>,
    /// For requests that the client cannot send.
    connector: Connector,
    target: Target,
    max_body: usize,
}

impl Replayer {
    /// Bodies of answers are kept up to `max_body`, the same limit as production's; `own_sockets` is told of each
    /// connection.
    pub fn new(
        target: Target,
        options: &ReplayOptions,
        max_body: ByteSize,
        own_sockets: Option<Arc<dyn OwnSockets>>,
    ) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(options.timeout));
        let connector = Connector::new(connector, own_sockets);
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(options.concurrency.get())
            .set_host(false)
            .build(connector.clone());
        Self {
            client,
            connector,
            target,
            max_body: usize::try_from(max_body.as_u64()).unwrap_or(usize::MAX),
        }
    }

    /// Sends the request, and reads the whole answer within `allowance`.
    pub async fn send(
        &self,
        request: &Request,
        marks: &Marks<'_>,
        allowance: Duration,
    ) -> ReplayOutcome {
        let outgoing = match self.request(request, marks) {
            Ok(outgoing) => outgoing,
            Err(error) => {
                return ReplayOutcome::Failed {
                    reason: format!("the request cannot be sent again: {error}"),
                };
            }
        };
        let sent_at = Instant::now();
        match tokio::time::timeout(allowance, self.answer(outgoing)).await {
            Err(_) => ReplayOutcome::Timeout {
                reason: format!("no whole answer within {allowance:?}"),
            },
            Ok(Err(outcome)) => outcome,
            Ok(Ok(response)) => ReplayOutcome::Answered {
                response,
                sent_at,
                latency: sent_at.elapsed(),
                attempts: 1,
            },
        }
    }

    async fn answer(
        &self,
        Outgoing { request, line }: Outgoing,
    ) -> Result<Response, ReplayOutcome> {
        // Aborted on drop: a connection of its own lives as long as its answer is read.
        let mut connection = JoinSet::new();
        let response = match line {
            Some(line) => self.send_line(request, line, &mut connection).await?,
            None => self.client.request(request).await.map_err(|error| {
                let text = chain(&error);
                if error.is_connect() {
                    ReplayOutcome::ConnectFailed { reason: text }
                } else {
                    ReplayOutcome::Failed { reason: text }
                }
            })?,
        };
        let (head, body) = response.into_parts();
        let (body, fault) = match Limited::new(body, self.max_body).collect().await {
            Ok(body) => (body.to_bytes(), None),
            Err(error) if error.is::<LengthLimitError>() => (Bytes::new(), Some(Fault::TooLarge)),
            Err(error) => {
                return Err(ReplayOutcome::Failed {
                    reason: format!("reading the body: {error}"),
                });
            }
        };
        Ok(Response {
            status: head.status.as_u16(),
            version: version(head.version),
            headers: headers(&head.headers),
            body: body.into(),
            trailers: Trailers::default(),
            fault,
        })
    }

    /// Sends a request with this line on a connection of its own, which `connection` drives.
    async fn send_line(
        &self,
        request: hyper::Request<Full<Bytes>>,
        line: Bytes,
        connection: &mut JoinSet<hyper::Result<()>>,
    ) -> Result<hyper::Response<Incoming>, ReplayOutcome> {
        let failed = |error: hyper::Error| ReplayOutcome::Failed {
            reason: chain(&error),
        };
        let connecting = self.connector.clone().call(request.uri().clone());
        let stream = connecting
            .await
            .map_err(|error| ReplayOutcome::ConnectFailed {
                reason: chain(&error),
            })?;
        let with_line = WithLine::new(stream, line);
        let (mut sender, driver) = http1::handshake(with_line).await.map_err(failed)?;
        connection.spawn(driver);
        sender.send_request(request).await.map_err(failed)
    }

    fn request(&self, captured: &Request, marks: &Marks<'_>) -> Result<Outgoing, http::Error> {
        let (uri, line) = uri_and_line(&self.target, captured)?;
        let mut request = hyper::Request::builder()
            .method(captured.method.as_str())
            .uri(uri);
        let named = named_by_connection(captured);
        for (name, value) in captured.headers.iter() {
            let lower = name.to_ascii_lowercase();
            if !NOT_FORWARDED.contains(&lower.as_str()) && !named.contains(&lower) {
                request = request.header(name, value);
            }
        }
        if let Some(id) = marks.id {
            request = request.header(HEADER_REQUEST_ID, id);
        }
        if let Some(namespace) = marks.namespace {
            request = request.header(HEADER_NAMESPACE, namespace);
        }
        request
            .header(HEADER_CAPTURED_AT, marks.at)
            .header(HEADER_REPLAY, "1")
            .body(Full::new(captured.body.bytes().clone()))
            .map(|mut request| {
                if captured.headers.first("host").is_none() {
                    let host = self.target.authority();
                    if let Ok(value) = host.parse() {
                        request.headers_mut().insert(header::HOST, value);
                    }
                }
                Outgoing { request, line }
            })
    }
}

fn named_by_connection(request: &Request) -> Vec<String> {
    request
        .headers
        .all("connection")
        .flat_map(|value| {
            let text = String::from_utf8_lossy(value).to_ascii_lowercase();
            text.split(',')
                .map(|n| n.trim().to_owned())
                .collect::<Vec<_>>()
        })
        .filter(|name| name != "host")
        .collect()
}

fn version(version: hyper::Version) -> Version {
    match version {
        hyper::Version::HTTP_10 | hyper::Version::HTTP_09 => Version::Http10,
        hyper::Version::HTTP_2 | hyper::Version::HTTP_3 => Version::Http2,
        _ => Version::Http11,
    }
}

fn headers(map: &HeaderMap) -> Headers {
    map.iter().collect()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
