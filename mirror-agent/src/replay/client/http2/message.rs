//! A captured request as one of HTTP/2, and an answer of HTTP/2 as any other.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use hyper::http::{self, HeaderMap, HeaderName, HeaderValue, Uri, response};
use mirror_core::exchange::{Body, Digester, Fault, Headers, Request, Response, Trailers, Version};
use mirror_snapshot::{
    HEADER_CAPTURED_AT, HEADER_NAMESPACE, HEADER_REPLAY, HEADER_REQUEST_ID, HEADER_SEND,
};

use super::super::outgoing::{is_mark, options};
use crate::replay::{Marks, Target};

/// Fields of one connection (RFC 9113 §8.2.2), and those that HTTP/2 says otherwise.
const NOT_FORWARDED: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "te",
    "host",
    "expect",
];

/// Why HTTP/2 has no such request.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotHttp2 {
    #[error("HTTP/2 has no request with this target: {0}")]
    Target(String),
    #[error("HTTP/2 has no such request: {0}")]
    Request(#[from] http::Error),
}

/// The request for a target.
pub(super) fn outgoing(
    target: &Target,
    request: &Request,
    marks: &Marks<'_>,
) -> Result<hyper::Request<Upload>, NotHttp2> {
    let mut made = hyper::Request::builder()
        .method(request.method.as_bytes())
        .uri(uri(target, request)?)
        .body(Upload::new(request))?;
    let named: Vec<&[u8]> = request
        .headers
        .all("connection")
        .flat_map(options)
        .collect();
    for (name, value) in request.headers.iter() {
        let is = |other: &&str| name.eq_ignore_ascii_case(other);
        let is_left_out = NOT_FORWARDED.iter().any(is) || is_mark(name.as_bytes());
        let is_named = named
            .iter()
            .any(|n| n.eq_ignore_ascii_case(name.as_bytes()));
        if !is_named && !is_left_out {
            append(made.headers_mut(), name, value)?;
        }
    }
    let wants_trailers = request.headers.all("te").flat_map(options);
    if wants_trailers
        .into_iter()
        .any(|te| te.eq_ignore_ascii_case(b"trailers"))
    {
        append(made.headers_mut(), "te", b"trailers")?;
    }
    let at = marks.at.to_string();
    let marks = [
        (HEADER_REQUEST_ID, marks.id),
        (HEADER_NAMESPACE, marks.namespace),
        (HEADER_SEND, marks.send),
        (HEADER_CAPTURED_AT, Some(at.as_str())),
        (HEADER_REPLAY, Some("1")),
    ];
    for (name, value) in marks {
        if let Some(value) = value {
            append(made.headers_mut(), name, value.as_bytes())?;
        }
    }
    Ok(made)
}

fn uri(target: &Target, request: &Request) -> Result<Uri, NotHttp2> {
    let mut path = Vec::new();
    target.write_path(&request.target, &mut path);
    let not_a_uri = |why: http::Error| NotHttp2::Target(format!("{} ({why})", path.escape_ascii()));
    let captured = request
        .headers
        .first("host")
        .filter(|host| !host.is_empty());
    let own = target.host();
    let uri = Uri::builder()
        .scheme(if target.is_tls() { "https" } else { "http" })
        .authority(captured.unwrap_or(own.as_bytes()))
        .path_and_query(path.as_slice())
        .build()
        .map_err(not_a_uri)?;
    let written = uri
        .path_and_query()
        .map(|written| written.as_str().as_bytes());
    match written == Some(&path) {
        true => Ok(uri),
        // A fragment would be lost.
        false => Err(NotHttp2::Target(path.escape_ascii().to_string())),
    }
}

fn append(headers: &mut HeaderMap, name: &str, value: &[u8]) -> Result<(), http::Error> {
    let name = HeaderName::from_bytes(name.as_bytes())?;
    headers.append(name, HeaderValue::from_bytes(value)?);
    Ok(())
}

/// A body in the slices that brought it.
pub(super) struct Upload {
    slices: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Upload {
    fn new(request: &Request) -> Self {
        let slices = request.body.slices().filter(|slice| !slice.is_empty());
        let mut trailers = HeaderMap::new();
        for (name, value) in request.trailers.iter() {
            // What no field can be called was not one.
            let _ = append(&mut trailers, name, value);
        }
        Self {
            slices: slices.cloned().collect(),
            trailers: (!trailers.is_empty()).then_some(trailers),
        }
    }
}

/// It does not say how long it is: the request's own Content-Length does, or nothing.
impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = match self.slices.pop_front() {
            Some(slice) => Some(Frame::data(slice)),
            None => self.trailers.take().map(Frame::trailers),
        };
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.slices.is_empty() && self.trailers.is_none()
    }
}

/// An answer as it comes.
pub(super) struct Collected {
    head: response::Parts,
    body: Body,
    /// Of a body over the cap.
    digester: Option<Box<Digester>>,
    trailers: Trailers,
    max_body: usize,
}

impl Collected {
    pub(super) fn new(head: response::Parts, max_body: usize) -> Self {
        Self {
            head,
            body: Body::default(),
            digester: None,
            trailers: Trailers::default(),
            max_body,
        }
    }

    /// Body bytes that came.
    pub(super) fn len(&self) -> u64 {
        let kept = self.body.len() as u64;
        self.digester
            .as_ref()
            .map_or(kept, |digester| digester.taken())
    }

    pub(super) fn take(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            Ok(mut slice) => {
                let room = self.max_body - self.body.len();
                if slice.len() > room {
                    let new = || Box::new(self.body.digester());
                    self.digester.get_or_insert_with(new).take(&slice);
                    slice.truncate(room);
                }
                self.body.push(slice);
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    self.trailers = trailers.iter().collect();
                }
            }
        }
    }

    pub(super) fn response(mut self) -> Response {
        let mut fault = None;
        if let Some(digester) = self.digester {
            self.body.set_digest(digester.finish());
            fault = Some(Fault::TooLarge);
        }
        Response {
            status: self.head.status.as_u16(),
            version: Version::Http2,
            headers: self.head.headers.iter().collect::<Headers>(),
            body: self.body,
            trailers: self.trailers,
            fault,
        }
    }
}
