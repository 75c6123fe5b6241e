//! `GET /metrics` for Prometheus, on an address that the user names.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, time::timeout};

/// A scrape takes milliseconds; a connection may stay open for several of them.
const LONGEST: Duration = Duration::from_secs(120);

/// Listens; an error is one that the user must know of before anything is started.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("listening on {address} for metrics: choose another with --metrics")
    })
}

/// Answers until dropped, with the text that `metrics` gives.
pub async fn serve(listener: TcpListener, metrics: impl Fn() -> String + Send + Sync + 'static) {
    let metrics = Arc::new(metrics);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, say: the run matters more.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let metrics = Arc::clone(&metrics);
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let response = answer(&request, &*metrics);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
            let _ = timeout(LONGEST, connection).await;
        });
    }
}

fn answer(request: &Request<Incoming>, metrics: &dyn Fn() -> String) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        let mut response = Response::new(Full::from("metrics are at /metrics\n"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let mut response = Response::new(Full::from(metrics()));
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
