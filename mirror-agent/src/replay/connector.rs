//! Connects as hyper does, and tells of each socket, so that capture can leave it out.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyper::{
    Uri,
    rt::{Read, ReadBufCursor, Write},
};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use tokio::net::TcpStream;
use tower_service::Service;

/// Who must know of the replays' own sockets, by their local address.
pub trait OwnSockets: Send + Sync {
    fn opened(&self, local: SocketAddr);
    fn closed(&self, local: SocketAddr);
}

#[derive(Clone)]
pub(super) struct Connector {
    inner: HttpConnector,
    own: Option<Arc<dyn OwnSockets>>,
}

impl Connector {
    pub(super) fn new(inner: HttpConnector, own: Option<Arc<dyn OwnSockets>>) -> Self {
        Self { inner, own }
    }
}

type Connecting<E> = Pin<Box<dyn Future<Output = Result<Told, E>> + Send>>;

impl Service<Uri> for Connector {
    type Response = Told;
    type Error = <HttpConnector as Service<Uri>>::Error;
    type Future = Connecting<Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, own) = (self.inner.call(uri), self.own.clone());
        Box::pin(async move { Ok(Told::new(connecting.await?, own)) })
    }
}

/// A connection whose end is told too.
pub(super) struct Told {
    stream: TokioIo<TcpStream>,
    own: Option<(Arc<dyn OwnSockets>, SocketAddr)>,
}

impl Told {
    fn new(stream: TokioIo<TcpStream>, own: Option<Arc<dyn OwnSockets>>) -> Self {
        let own = own.zip(stream.inner().local_addr().ok());
        if let Some((own, local)) = &own {
            own.opened(*local);
        }
        Self { stream, own }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if let Some((own, local)) = &self.own {
            own.closed(*local);
        }
    }
}

impl Connection for Told {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl Read for Told {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Told {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }
}
