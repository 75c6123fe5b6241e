//! The admin side: `GET /metrics`, `/healthz` and `/readyz`, on an address that the user names and that strangers may reach.
//!
//! A connection carries one request, without a body; its head and its whole time are bounded.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{
    Router,
    body::{Body, HttpBody},
    extract::{Request, State},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http::{StatusCode, header::CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Mutex,
    task::{JoinError, spawn_blocking},
    time::{Instant, sleep, timeout},
};

use super::connections::Connections;

/// Connections at a time; a scrape and a probe take one each.
pub const MAX_CONNECTIONS: usize = 64;
/// From the beginning of a connection to the end of its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// A whole connection: long enough for a page over a slow line.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of a request's head.
const MAX_HEAD: usize = 16 << 10;
const MAX_HEADERS: usize = 64;
/// A text of `/metrics` that is younger is shown again: reading all counters for everybody who asks would be a way to load the host.
const METRICS_AGE: Duration = Duration::from_millis(100);
/// Before `accept` is tried again after it failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What is shown.
pub struct Pages {
    /// The text of `/metrics`.
    pub metrics: Box<dyn Fn() -> String + Send + Sync>,
    /// Its media type.
    pub metrics_type: &'static str,
    /// Whether the agent does its work; the reason if not.
    pub ready: Box<dyn Fn() -> Result<(), &'static str> + Send + Sync>,
}

struct Shown {
    pages: Arc<Pages>,
    /// The last text of `/metrics`, and when it was made.
    metrics: Mutex<Option<(Instant, Bytes)>>,
}

impl Shown {
    /// One at a time, and away from the runtime's threads, because counters are read from the kernel.
    async fn metrics(&self) -> Result<Bytes, JoinError> {
        let mut last = self.metrics.lock().await;
        if let Some((made, text)) = &*last
            && made.elapsed() < METRICS_AGE
        {
            return Ok(text.clone());
        }
        let pages = Arc::clone(&self.pages);
        let text = Bytes::from(spawn_blocking(move || (pages.metrics)()).await?);
        *last = Some((Instant::now(), text.clone()));
        Ok(text)
    }
}

/// Listens; an error is one that the user must know of before anything is started.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("listening on {address} for metrics: choose another with --metrics")
    })
}

/// Answers until dropped.
pub async fn serve(listener: TcpListener, pages: Pages, max_connections: usize) {
    let router = router(pages);
    let mut connections = Connections::new(max_connections);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                connections.serve(|_| converse(stream, router)).await;
            }
            // Out of memory or descriptors, say: the run matters more.
            Err(error) => {
                tracing::debug!(%error, "admin side");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        // What follows a request, as a body or another request, is never read.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Ok(Err(error)) = timeout(CONNECTION_TIMEOUT, connection).await {
        tracing::debug!(%error, "admin connection");
    }
}

fn router(pages: Pages) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .fallback(async || {
            let text = "there are /metrics, /healthz and /readyz\n";
            (StatusCode::NOT_FOUND, text)
        })
        .layer(from_fn(refuse_body))
        .with_state(Arc::new(Shown {
            pages: Arc::new(pages),
            metrics: Mutex::default(),
        }))
}

async fn refuse_body(request: Request<Body>, next: Next) -> Response {
    if request.body().is_end_stream() {
        next.run(request).await
    } else {
        (StatusCode::PAYLOAD_TOO_LARGE, "no body is read here\n").into_response()
    }
}

async fn metrics(State(shown): State<Arc<Shown>>) -> Response {
    match shown.metrics().await {
        Ok(text) => ([(CONTENT_TYPE, shown.pages.metrics_type)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn ready(State(shown): State<Arc<Shown>>) -> Response {
    let pages = Arc::clone(&shown.pages);
    match spawn_blocking(move || (pages.ready)()).await {
        Ok(Ok(())) => "ready\n".into_response(),
        Ok(Err(reason)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
