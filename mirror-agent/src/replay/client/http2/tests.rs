//! The client against a server of hyper's.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Mutex as StdMutex;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mirror_core::exchange::Version;
use mirror_core::options::FromText;
use tokio::net::TcpListener;

use super::super::Connector;
use super::*;
use crate::replay::Target;
use mirror_core::http::HttpLimits;
use std::sync::Arc;

const LIMITS: HttpLimits = HttpLimits {
    max_head: 16 << 10,
    max_body: 1000,
};
const LONG: Duration = Duration::from_secs(60);

/// A target that notes requests, and answers with the body `answer`; each connection takes so many.
struct Shop {
    address: SocketAddr,
    received: Arc<StdMutex<Vec<String>>>,
}

impl Shop {
    async fn new(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shop = Self {
            address: listener.local_addr().unwrap(),
            received: Arc::default(),
        };
        let received = Arc::clone(&shop.received);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let received = Arc::clone(&received);
                let service = service_fn(move |request: hyper::Request<Incoming>| {
                    let received = Arc::clone(&received);
                    async move {
                        let text = noted(request).await;
                        received.lock().unwrap().push(text);
                        let body = Full::new(Bytes::from_static(answer.as_bytes()));
                        Ok::<_, Infallible>(hyper::Response::new(body))
                    }
                });
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
            }
        });
        shop
    }

    fn client(&self) -> Http2Client {
        let target = format!("http://{}", self.address);
        client(&target, &ReplayOptions::default())
    }
}

fn client(target: &str, options: &ReplayOptions) -> Http2Client {
    let target = Target::from_text(target).unwrap();
    let parts = ClientParts {
        connector: Connector::new(target, options, None).unwrap(),
        limits: LIMITS,
        sent_twice: Arc::default(),
    };
    Http2Client::new(parts, options)
}

async fn noted(request: hyper::Request<Incoming>) -> String {
    let (head, body) = request.into_parts();
    let fields = head.headers.iter();
    let fields: Vec<_> = fields
        .filter(|(name, _)| !name.as_str().starts_with("x-mirror-captured"))
        .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
        .collect();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().map_or(0, |trailers| trailers.len());
    let body = body.to_bytes();
    let body = String::from_utf8_lossy(&body);
    format!(
        "{} {} {} {body} {trailers}",
        head.method,
        head.uri,
        fields.join(" ")
    )
}

fn request(fields: &[(&str, &str)]) -> Request {
    let mut request = Request::new("PUT", "/a?b");
    request.headers = fields.iter().copied().collect();
    request
}

#[tokio::test]
async fn a_request_arrives_with_all_that_http2_has_of_it() {
    let shop = Shop::new("ok").await;
    let client = shop.client();
    let mut put = request(&[
        ("Host", "shop.example"),
        ("X-A", "1"),
        ("Connection", "keep-alive, X-B"),
        ("X-B", "2"),
        ("x-a", "3"),
        ("x-mirror-replay", "0"),
        ("TE", "trailers, deflate"),
        ("Transfer-Encoding", "chunked"),
    ]);
    put.body = Bytes::from_static(b"abc").into();
    put.trailers = [("Digest", "x")].into_iter().collect();
    for _ in 0..2 {
        let outcome = client.send(&put, &Marks::default(), LONG).await;
        let ReplayOutcome::Answered {
            response, attempts, ..
        } = outcome
        else {
            panic!("{outcome:?}")
        };
        assert_eq!((response.status, attempts), (200, 1));
        assert_eq!(
            (&response.body[..], response.version),
            (&b"ok"[..], Version::Http2)
        );
    }
    let expect = "PUT http://shop.example/a?b x-a=1 x-a=3 te=trailers x-mirror-replay=1 abc 1";
    assert_eq!(*shop.received.lock().unwrap(), [expect, expect]);
}

#[tokio::test]
async fn a_body_over_the_cap_has_its_digest() {
    const LARGE: &str = match std::str::from_utf8(&[b'x'; 5000]) {
        Ok(text) => text,
        Err(_) => panic!("it is text"),
    };
    let shop = Shop::new(LARGE).await;
    let sent = shop.client();
    let outcome = sent.send(&request(&[]), &Marks::default(), LONG).await;
    let ReplayOutcome::Answered { response, .. } = outcome else {
        panic!("{outcome:?}")
    };
    let all = mirror_core::exchange::Body::from(Bytes::from_static(LARGE.as_bytes()));
    assert_eq!(response.fault, Some(mirror_core::exchange::Fault::TooLarge));
    assert_eq!(response.body.digest(), Some(all.digester().finish()));
    assert_eq!(response.body.len(), LIMITS.max_body);
}

#[tokio::test]
async fn a_target_that_no_uri_can_hold_says_so() {
    let shop = Shop::new("ok").await;
    let mut odd = request(&[]);
    odd.target = mirror_core::exchange::RequestTarget::parse("GET", "/a?<b>#c");
    let outcome = shop.client().send(&odd, &Marks::default(), LONG).await;
    let ReplayOutcome::Failed { reason } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        reason.contains("HTTP/2 has no request with this target"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_target_of_another_protocol_and_one_that_is_silent_have_reasons() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}", listener.local_addr().unwrap());
    let limit = Duration::from_millis(100);
    let options = ReplayOptions {
        head_timeout: Some(limit),
        ..ReplayOptions::default()
    };
    let client = client(&target, &options);
    // Its kernel takes the connection, and nobody answers.
    let outcome = client
        .send(&request(&[]), &Marks::default(), options.timeout)
        .await;
    let ReplayOutcome::Timeout { reason } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(reason, "no answer began within 100ms (--head-timeout)");
}
