//! The admin side, for people, monitoring and rollouts: the live page and its events, the verdict, metrics, probes, and two orders.
//!
//! A connection carries one request. Its head, its body and its whole time are bounded, and so is the number of connections:
//! strangers may reach the address. [`access`] says who is answered.

mod access;
mod deadline;
mod events;
mod fresh;
mod gate;
mod tls;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{
    Router,
    body::{Body, HttpBody},
    extract::{DefaultBodyLimit, Extension, Path, Request, State},
    middleware::{Next, from_fn, from_fn_with_state, map_response},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::socket::{setsockopt, sockopt};
use serde::Serialize;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Mutex, Semaphore},
    task::{JoinError, spawn_blocking},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use super::ControlOptions;
use super::answers::{PauseAnswer, VerdictAnswer};
use super::connections::Connections;
use crate::report::{self, LiveMode, MetricsFormat, ReportData, StoredAnswers};
use access::Access;
pub use access::read_token;
use deadline::Deadline;
use fresh::Fresh;

/// Connections at a time; a scrape and a probe take one each.
pub const MAX_CONNECTIONS: usize = 64;
/// From the beginning of a connection to the end of its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// A whole connection: long enough for a page over a slow line.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of a request's head.
const MAX_HEAD: usize = 16 << 10;
const MAX_HEADERS: usize = 64;
/// Bytes that the kernel holds for a client that does not take them; without a bound it may be megabytes for each.
const MAX_UNSENT: usize = 256 << 10;
/// A text of `/metrics` that is younger is shown again: reading all counters for everybody who asks would be a way to load the host.
const METRICS_AGE: Duration = Duration::from_millis(100);
/// The same for the verdict, the page and its events: many routes take long to decide.
const REPORT_AGE: Duration = Duration::from_millis(500);
/// Before `accept` is tried again after it failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What is shown, and what may be ordered.
pub struct Pages {
    pub metrics: Box<dyn Fn(MetricsFormat) -> String + Send + Sync>,
    /// The run so far.
    pub report: Box<dyn Fn() -> ReportData + Send + Sync>,
    /// Both answers of an example in full, by their number.
    pub answers: Box<dyn Fn(u64) -> anyhow::Result<Option<StoredAnswers>> + Send + Sync>,
    /// Whether the agent does its work; the reason if not.
    pub ready: Box<dyn Fn() -> Result<(), &'static str> + Send + Sync>,
    pub pause: Box<dyn Fn(bool) -> PauseAnswer + Send + Sync>,
}

/// The listening socket, and the rules for those who come.
pub struct Admin {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    access: Access,
}

impl Admin {
    /// Listens; an error is one that the user must know of before anything is started.
    pub async fn bind(address: SocketAddr, options: &ControlOptions) -> anyhow::Result<Self> {
        let files = options
            .admin_tls_cert
            .as_ref()
            .zip(options.admin_tls_key.as_ref());
        let tls = files
            .map(|(cert, key)| tls::acceptor(cert, key))
            .transpose()?;
        let access = Access::new(options)?;
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("listening on {address} for the admin side: choose another with --admin")
        })?;
        Ok(Self {
            listener,
            tls,
            access,
        })
    }

    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until dropped.
    pub async fn serve(self, pages: Pages, max_connections: usize) {
        let router = router(pages, self.access);
        let mut connections = Connections::new(max_connections);
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    // Where it cannot be set, the kernel's own bound holds.
                    let _ = setsockopt(&stream, sockopt::SndBuf, &MAX_UNSENT);
                    let (tls, router) = (self.tls.clone(), router.clone());
                    connections.serve(|_| converse(stream, tls, router)).await;
                }
                // Out of memory or descriptors, say: the run matters more.
                Err(error) => {
                    tracing::debug!(%error, "admin side");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn converse(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router) {
    let Some(tls) = tls else {
        return answer(stream, router).await;
    };
    match timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => answer(stream, router).await,
        Ok(Err(error)) => tracing::debug!(%error, "TLS of the admin side"),
        Err(_) => {}
    }
}

/// Answers one request, in bounded time.
async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, router: Router) {
    let deadline = Arc::new(Deadline::after(CONNECTION_TIMEOUT));
    let own = Arc::clone(&deadline);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Arc::clone(&own));
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        // What follows a request, as a body or another request, is never read.
        .keep_alive(false)
        // A client may close its side once it has asked. One that is gone is noticed when it is written to.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "admin connection");
        },
        () = deadline.passed() => {}
    }
}

/// All that the routes share.
struct Shown {
    pages: Arc<Pages>,
    metrics: Fresh<Bytes>,
    open_metrics: Fresh<Bytes>,
    report: Fresh<ReportData>,
    /// The same as JSON.
    report_json: Fresh<Option<Bytes>>,
    page: Fresh<Bytes>,
    /// As `/events` sends it.
    states: Arc<Fresh<Bytes>>,
    readers: Arc<Semaphore>,
    /// Stored answers are looked for one at a time, however many ask and do not wait.
    looking: Arc<Mutex<()>>,
}

impl Shown {
    fn new(pages: Pages, mode: LiveMode) -> Self {
        let pages = Arc::new(pages);
        let metrics = |format| {
            let pages = Arc::clone(&pages);
            Fresh::new(METRICS_AGE, move || (pages.metrics)(format).into())
        };
        let report = {
            let pages = Arc::clone(&pages);
            move || (pages.report)()
        };
        let [for_json, for_page, for_states] = [report.clone(), report.clone(), report.clone()];
        Self {
            metrics: metrics(MetricsFormat::Prometheus),
            open_metrics: metrics(MetricsFormat::OpenMetrics),
            report: Fresh::new(REPORT_AGE, report),
            report_json: Fresh::new(REPORT_AGE, move || json_text(&for_json())),
            page: Fresh::new(REPORT_AGE, move || {
                report::live_page(&for_page(), &[], mode).into()
            }),
            states: Arc::new(Fresh::new(events::EVENT_INTERVAL, move || {
                events::event(&report::page_data(&for_states(), &[]))
            })),
            readers: Arc::new(Semaphore::new(events::MAX_READERS)),
            looking: Arc::default(),
            pages,
        }
    }
}

fn router(pages: Pages, access: Access) -> Router {
    let mode = match access.takes_orders() {
        true => LiveMode::Control,
        false => LiveMode::Watch,
    };
    let shown = Arc::new(Shown::new(pages, mode));
    // Webhooks send a body along.
    let hooks = Router::new()
        .route("/verdict", post(promotion))
        .route("/verdict/rollback", post(rollback))
        .layer(DefaultBodyLimit::max(gate::MAX_HOOK_BODY));
    Router::new()
        .route("/", get(page))
        .route("/events", get(events))
        .route("/report.json", get(report_json))
        .route("/answers/{number}", get(answers))
        .route("/verdict", get(verdict))
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/pause", post(pause))
        .route("/resume", post(resume))
        .fallback(async || (StatusCode::NOT_FOUND, NOT_FOUND))
        .layer(from_fn(refuse_body))
        .merge(hooks)
        .layer(from_fn_with_state(Arc::new(access), guard))
        .layer(map_response(seal))
        .with_state(shown)
}

const NOT_FOUND: &str = "there are /, /events, /report.json, /verdict, /metrics, /healthz and /readyz, and POST /pause and /resume\n";

async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match access.check(&parts) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Nothing from here is kept by a browser, framed by a page of another site, or read as something else than it is.
async fn seal(mut response: Response) -> Response {
    const FIELDS: [(HeaderName, &str); 6] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in FIELDS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn refuse_body(request: Request<Body>, next: Next) -> Response {
    if request.body().is_end_stream() {
        next.run(request).await
    } else {
        (StatusCode::PAYLOAD_TOO_LARGE, "no body is read here\n").into_response()
    }
}

async fn page(State(shown): State<Arc<Shown>>) -> Response {
    respond(shown.page.get().await, |page| {
        Html(page.clone()).into_response()
    })
}

async fn events(
    State(shown): State<Arc<Shown>>,
    Extension(deadline): Extension<Arc<Deadline>>,
) -> Response {
    let Ok(place) = Arc::clone(&shown.readers).try_acquire_owned() else {
        let text = format!("{} readers are served already\n", events::MAX_READERS);
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    let body = events::body(Arc::clone(&shown.states), deadline, place);
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

async fn report_json(State(shown): State<Arc<Shown>>) -> Response {
    respond(shown.report_json.get().await, |text| {
        json_response(text.clone())
    })
}

async fn answers(State(shown): State<Arc<Shown>>, Path(number): Path<u64>) -> Response {
    let one = Arc::clone(&shown.looking).lock_owned().await;
    let pages = Arc::clone(&shown.pages);
    // The lock goes along: a client that goes away does not end the search.
    let search = move || {
        let _one = one;
        (pages.answers)(number)
    };
    match spawn_blocking(search).await {
        Ok(Ok(Some(answers))) => json(&answers),
        Ok(Ok(None)) => (StatusCode::NOT_FOUND, "they are not stored\n").into_response(),
        Ok(Err(error)) => {
            tracing::debug!("{error:#}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn verdict(State(shown): State<Arc<Shown>>) -> Response {
    respond(shown.report.get().await, |report| {
        json(&VerdictAnswer::of(&report.results))
    })
}

/// The body is read, so that its sender is heard out, and not looked at.
async fn promotion(State(shown): State<Arc<Shown>>, _: Bytes) -> Response {
    respond(shown.report.get().await, |report| {
        gate::promotion(&report.results.verdict)
    })
}

async fn rollback(State(shown): State<Arc<Shown>>, _: Bytes) -> Response {
    respond(shown.report.get().await, |report| {
        gate::rollback(&report.results.verdict)
    })
}

async fn metrics(State(shown): State<Arc<Shown>>, headers: HeaderMap) -> Response {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let format = MetricsFormat::wanted(accepted.filter_map(|value| value.to_str().ok()));
    let text = match format {
        MetricsFormat::Prometheus => &shown.metrics,
        MetricsFormat::OpenMetrics => &shown.open_metrics,
    };
    respond(text.get().await, |text| {
        ([(header::CONTENT_TYPE, format.media_type())], text.clone()).into_response()
    })
}

async fn ready(State(shown): State<Arc<Shown>>) -> Response {
    // Interfaces may just be attached to.
    let pages = Arc::clone(&shown.pages);
    match spawn_blocking(move || (pages.ready)()).await {
        Ok(Ok(())) => "ready\n".into_response(),
        Ok(Err(reason)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn pause(State(shown): State<Arc<Shown>>) -> Response {
    json(&(shown.pages.pause)(true))
}

async fn resume(State(shown): State<Arc<Shown>>) -> Response {
    json(&(shown.pages.pause)(false))
}

fn respond<T>(made: Result<Arc<T>, JoinError>, answer: impl FnOnce(&T) -> Response) -> Response {
    match made {
        Ok(made) => answer(&made),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn json<T: Serialize>(value: &T) -> Response {
    json_response(json_text(value))
}

/// `None` for a value that has no form in JSON.
fn json_text<T: Serialize>(value: &T) -> Option<Bytes> {
    let mut text = serde_json::to_vec(value).ok()?;
    text.push(b'\n');
    Some(text.into())
}

fn json_response(text: Option<Bytes>) -> Response {
    match text {
        Some(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
