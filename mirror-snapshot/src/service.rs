//! A tower layer that gives every request its snapshot, and the axum extractor that hands it to a handler.
//!
//! ```ignore
//! let app = Router::new().route("/orders", post(order)).layer(SnapshotLayer::new(snapshots));
//! async fn order(source: SnapshotSource, …) { let stock: Stock = source.load("stock", product, async || db.stock(product).await).await?; … }
//! ```

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Extensions, HeaderName, HeaderValue, Request, Response, request::Parts};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    Fields, HEADER_EFFECTS, HEADER_SNAPSHOT, Profile, RequestTarget, SnapshotSource, Snapshots,
};

/// A body is read for a rule up to here; of a larger one the rule reads nothing.
const MAX_BODY: usize = 1 << 20;

type PeerOf = Arc<dyn Fn(&Extensions) -> Option<SocketAddr> + Send + Sync>;

/// Puts a [`SnapshotSource`] into the extensions of every request.
#[derive(Clone)]
pub struct SnapshotLayer {
    snapshots: Snapshots,
    peer: PeerOf,
}

impl SnapshotLayer {
    pub fn new(snapshots: Snapshots) -> Self {
        Self {
            snapshots,
            peer: Arc::new(|_| None),
        }
    }

    /// Where the address of the other end stands, which makes a snapshot's stamp sharper and gives rules
    /// their `{client}`; in axum `|e| e.get::<ConnectInfo<SocketAddr>>().map(|c| c.0)`.
    pub fn peer(
        self,
        peer: impl Fn(&Extensions) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        Self {
            peer: Arc::new(peer),
            ..self
        }
    }
}

impl<S> Layer<S> for SnapshotLayer {
    type Service = SnapshotService<S>;

    fn layer(&self, inner: S) -> SnapshotService<S> {
        SnapshotService {
            inner,
            layer: self.clone(),
        }
    }
}

#[derive(Clone)]
pub struct SnapshotService<S> {
    inner: S,
    layer: SnapshotLayer,
}

impl<S, B, R> Service<Request<B>> for SnapshotService<S>
where
    S: Service<Request<Reread<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let layer = self.layer.clone();
        // The one that is ready is taken, and a clone is left.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let target = RequestTarget::parse(parts.method.as_str(), parts.uri.to_string());
            let body = if layer.snapshots.reads_body(parts.method.as_str(), &target) {
                Reread::read(body).await
            } else {
                Reread::untouched(body)
            };
            let peer = (layer.peer)(&parts.extensions);
            let request = HttpRequest {
                parts: &parts,
                target: &target,
                body: body.whole().filter(|_| !is_coded(&parts)),
                peer,
            };
            let source = layer.snapshots.begin(&request, peer);
            parts.extensions.insert(source.clone());
            let mut response = inner.call(Request::from_parts(parts, body)).await?;
            tell(&source, &mut response);
            Ok(response)
        })
    }
}

fn is_coded(parts: &Parts) -> bool {
    let coding = parts.headers.get(http::header::CONTENT_ENCODING);
    coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Production tells an id that nobody else could know; the mirror tells how it came by its data, and
/// whether it files the request's effects.
fn tell<R>(source: &SnapshotSource, response: &mut Response<R>) {
    if source.profile() == Profile::Mirror {
        let state = HeaderValue::from_static(source.state().name());
        let headers = response.headers_mut();
        headers.insert(HEADER_SNAPSHOT, state);
        if source.files_effects() {
            headers.insert(HEADER_EFFECTS, HeaderValue::from_static("1"));
        }
    } else if let Some((name, id)) = source.told()
        && let (Ok(name), Ok(id)) = (
            HeaderName::try_from(name),
            HeaderValue::try_from(id.as_str()),
        )
    {
        response.headers_mut().insert(name, id);
    }
}

struct HttpRequest<'a> {
    parts: &'a Parts,
    target: &'a RequestTarget,
    body: Option<&'a [u8]>,
    peer: Option<SocketAddr>,
}

impl Fields for HttpRequest<'_> {
    fn method(&self) -> &str {
        self.parts.method.as_str()
    }
    fn target(&self) -> Option<&RequestTarget> {
        Some(self.target)
    }
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        let mut lines = self.parts.headers.get_all(name).iter();
        lines.nth(nth).map(HeaderValue::as_bytes)
    }
    fn body(&self) -> Option<&[u8]> {
        self.body
    }
    fn client(&self) -> Option<IpAddr> {
        self.peer.map(|peer| peer.ip())
    }
}

/// A request's body, given on as it came although its beginning may have been read already.
pub struct Reread<B: Body> {
    read: VecDeque<Frame<Bytes>>,
    /// The data of a body that was read whole.
    whole: Option<Bytes>,
    error: Option<B::Error>,
    rest: Option<B>,
}

impl<B: Body<Data = Bytes> + Unpin> Reread<B> {
    fn untouched(body: B) -> Self {
        Self {
            read: VecDeque::new(),
            whole: None,
            error: None,
            rest: Some(body),
        }
    }

    /// Reads all of a body, or its first mebibyte.
    async fn read(body: B) -> Self {
        let mut this = Self::untouched(body);
        let mut data = Vec::new();
        while let Some(body) = &mut this.rest {
            match body.frame().await {
                None => this.rest = None,
                Some(Err(error)) => {
                    this.error = Some(error);
                    this.rest = None;
                    return this;
                }
                Some(Ok(frame)) => {
                    data.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
                    this.read.push_back(frame);
                    if data.len() > MAX_BODY {
                        return this;
                    }
                }
            }
        }
        this.whole = Some(data.into());
        this
    }

    fn whole(&self) -> Option<&[u8]> {
        self.whole.as_deref()
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Reread<B>
where
    B::Error: Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = Pin::into_inner(self);
        if let Some(frame) = this.read.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        if let Some(error) = this.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let Some(rest) = &mut this.rest else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(rest).poll_frame(context));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty()
            && self.error.is_none()
            && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self
            .rest
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        let read: u64 = self
            .read
            .iter()
            .filter_map(Frame::data_ref)
            .map(|data| data.len() as u64)
            .sum();
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + read);
        }
        hint.set_lower(hint.lower() + read);
        hint
    }
}

#[cfg(feature = "axum")]
mod extract {
    use axum_core::{
        extract::FromRequestParts,
        response::{IntoResponse, Response},
    };
    use http::{StatusCode, request::Parts};

    use crate::{LoadError, SnapshotSource, WriteError};

    impl<S: Sync> FromRequestParts<S> for SnapshotSource {
        type Rejection = (StatusCode, &'static str);

        async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
            parts.extensions.get::<Self>().cloned().ok_or((
                StatusCode::INTERNAL_SERVER_ERROR,
                "the router has no SnapshotLayer: add `.layer(SnapshotLayer::new(snapshots))`",
            ))
        }
    }

    /// 500 where the read itself failed, 503 where no snapshot answered it.
    impl<E: std::fmt::Display> IntoResponse for LoadError<E> {
        fn into_response(self) -> Response {
            let status = match self {
                Self::Database(_) | Self::Recorded(_) => StatusCode::INTERNAL_SERVER_ERROR,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, self.to_string()).into_response()
        }
    }

    impl<E: std::fmt::Display> IntoResponse for WriteError<E> {
        fn into_response(self) -> Response {
            let status = match self {
                Self::Database(_) => StatusCode::INTERNAL_SERVER_ERROR,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, self.to_string()).into_response()
        }
    }
}
