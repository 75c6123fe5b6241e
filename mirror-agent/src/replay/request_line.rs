//! Request lines that no URI type can hold, as that of `GET /a?<b>`, `GET /a#b` or `OPTIONS *`. A server accepted them, so they are
//! replayed as they were sent: [`WithLine`] puts the line in the place of the one that hyper writes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};

use super::Target;
use mirror_core::exchange::Request;

/// What hyper is given as a request's URI, and the line that is sent in its place, if it would write another one.
pub(super) fn uri_and_line(
    target: &Target,
    request: &Request,
) -> Result<(Uri, Option<Bytes>), http::Error> {
    let wanted = target.path_of(&request.target);
    let root = format!("http://{}", target.authority());
    let uri = Uri::try_from([root.as_bytes(), &wanted].concat());
    let is_same = |uri: &Uri| {
        let written = uri.path_and_query();
        written.is_some_and(|written| written.as_str().as_bytes() == wanted)
    };
    if let Some(uri) = uri.ok().filter(is_same) {
        return Ok((uri, None));
    }
    let line = [request.method.as_bytes(), b" ", &wanted, b" HTTP/1.1\r\n"].concat();
    Ok((Uri::try_from(root)?, Some(line.into())))
}

/// A connection for one request, whose line is replaced.
pub(super) struct WithLine<T> {
    inner: T,
    state: State,
}

enum State {
    /// Throws away what is written until the end of hyper's line; holds the line to send instead.
    Replacing(Bytes),
    /// Sends the rest of the line before anything else.
    Sending(Bytes),
    Through,
}

impl<T> WithLine<T> {
    pub(super) fn new(inner: T, line: Bytes) -> Self {
        Self {
            inner,
            state: State::Replacing(line),
        }
    }
}

impl<T: Write + Unpin> WithLine<T> {
    fn poll_line(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let State::Sending(rest) = &mut self.state {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            rest.advance(written);
            if rest.is_empty() {
                self.state = State::Through;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Write + Unpin> Write for WithLine<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let State::Replacing(line) = &mut self.state {
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                return Poll::Ready(Ok(bytes.len()));
            };
            self.state = State::Sending(std::mem::take(line));
            return Poll::Ready(Ok(end + 1));
        }
        ready!(self.poll_line(context))?;
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_line(context))?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_line(context))?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<T: Read + Unpin> Read for WithLine<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// However the request is cut into writes, and however few bytes the other end takes at a time.
    #[tokio::test]
    async fn the_first_line_is_replaced_and_nothing_else() {
        let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\n";
        for size in 1..=request.len() {
            for room in [1, 7, 1000] {
                let (near, mut far) = duplex(room);
                let line = Bytes::from_static(b"GET /a#<b> HTTP/1.1\r\n");
                let mut sending = TokioIo::new(WithLine::new(TokioIo::new(near), line));
                let send = async move {
                    for part in request.chunks(size) {
                        sending.write_all(part).await.unwrap();
                    }
                    sending.shutdown().await.unwrap();
                };
                let mut sent = Vec::new();
                let (_, read) = tokio::join!(send, far.read_to_end(&mut sent));
                read.unwrap();
                let expect = b"GET /a#<b> HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\n";
                assert_eq!(sent, expect, "{size} {room}");
            }
        }
    }

    #[tokio::test]
    async fn a_line_is_sent_even_if_nothing_follows() {
        let (near, mut far) = duplex(1000);
        let mut sending = TokioIo::new(WithLine::new(TokioIo::new(near), "NEW\r\n".into()));
        sending.write_all(b"OLD\r\n").await.unwrap();
        sending.shutdown().await.unwrap();
        let mut sent = Vec::new();
        far.read_to_end(&mut sent).await.unwrap();
        assert_eq!(sent, b"NEW\r\n");
    }
}
