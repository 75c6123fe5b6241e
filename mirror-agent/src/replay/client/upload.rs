//! A request on its way out.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::failure::End;
use super::outgoing::{Cursor, Outgoing};

/// Longest wait for a 100 before a body is sent all the same (RFC 9110 §10.1.1).
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);
/// Slices of one system call.
const SLICES: usize = 32;

enum Body {
    /// Until a 100, or this time.
    Held(Instant),
    Released,
}

pub(super) struct Upload<'o> {
    outgoing: &'o Outgoing<'o>,
    at: Cursor,
    sent: u64,
    body: Body,
    is_flushed: bool,
    error: Option<io::Error>,
}

impl<'o> Upload<'o> {
    pub(super) fn new(outgoing: &'o Outgoing<'o>, now: Instant) -> Self {
        let body = match outgoing.expects_continue {
            true => Body::Held(now + CONTINUE_TIMEOUT),
            false => Body::Released,
        };
        Self {
            outgoing,
            at: Cursor::default(),
            sent: 0,
            body,
            is_flushed: false,
            error: None,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.is_flushed && self.at == self.outgoing.end(false)
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) fn len(&self) -> u64 {
        self.outgoing.len()
    }

    /// Why no more can be sent. The answer may be there all the same.
    pub(super) fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    /// How the connection ended, when nothing more can be read: the kernel tells of a reset once, and that was a write.
    pub(super) fn end(&self) -> End {
        match self.error.as_ref().map(io::Error::kind) {
            Some(kind @ io::ErrorKind::ConnectionReset) => End::Broken(kind.into()),
            _ => End::Closed,
        }
    }

    pub(super) fn held_until(&self) -> Option<Instant> {
        match self.body {
            Body::Held(until) if self.error.is_none() => Some(until),
            _ => None,
        }
    }

    /// Lets the body go.
    pub(super) fn release(&mut self) {
        self.body = Body::Released;
    }

    /// The body may go, and nothing was tried since.
    pub(super) fn is_released(&self) -> bool {
        let head = self.outgoing.end(true);
        let is_held = matches!(self.body, Body::Held(_));
        let is_waiting = self.is_flushed && self.error.is_none() && self.at == head;
        is_waiting && !is_held && !self.is_done()
    }

    /// Writes as much as can be written now.
    pub(super) fn poll(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) {
        while self.error.is_none() {
            match self.poll_some(stream, context) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) | Poll::Pending => return,
                Poll::Ready(Err(error)) => self.error = Some(error),
            }
        }
    }

    /// Whether there is more to do.
    fn poll_some(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        let end = self.outgoing.end(matches!(self.body, Body::Held(_)));
        if self.at == end {
            if !self.is_flushed {
                ready!(Pin::new(stream).poll_flush(context))?;
                self.is_flushed = true;
            }
            return Poll::Ready(Ok(false));
        }
        self.is_flushed = false;
        let mut slices = [IoSlice::new(&[]); SLICES];
        let used = self.outgoing.slices(self.at, end, &mut slices);
        let written = ready!(Pin::new(stream).poll_write_vectored(context, &slices[..used]))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.at = self.outgoing.advanced(self.at, written);
        self.sent += written as u64;
        Poll::Ready(Ok(true))
    }
}
