//! A message between its head and its last byte.

use bytes::Bytes;

use super::{Decoder, Head};
use crate::exchange::{Body, Digester, Fault, Request, Response};
use crate::http::Message;
use crate::packet::Seq;
use crate::tcp::Arrival;
use crate::time::Timestamp;

/// A message whose head is read.
pub(super) struct Partial {
    pub(super) head: Head,
    pub(super) body: Body,
    /// Of a response's body that is over the cap.
    pub(super) digester: Option<Box<Digester>>,
    pub(super) decoder: Decoder,
    pub(super) fault: Option<Fault>,
    pub(super) first: Arrival,
    pub(super) last: Timestamp,
    pub(super) end: Seq,
    /// It may answer HEAD: then it has no body, whatever its head says.
    pub(super) doubt: bool,
    /// The head is not whole: nothing is known of a body.
    pub(super) cut: bool,
    /// Until the first byte of a body that the client asked whether to send.
    pub(super) expect: Option<Expect>,
}

/// What became of `Expect: 100-continue` (RFC 9110 §10.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// No answer was seen yet.
    Open,
    Continue,
    /// A final answer came instead: the client may leave the body out.
    Final,
}

impl Expect {
    pub(super) fn of(head: &Head) -> Option<Self> {
        let Head::Request { headers, .. } = head else {
            return None;
        };
        let mut values = headers.all("expect");
        values
            .any(|value| value.eq_ignore_ascii_case(b"100-continue"))
            .then_some(Self::Open)
    }
}

impl Partial {
    /// Takes the next run of body bytes, and keeps what fits.
    #[inline]
    pub(super) fn push(&mut self, mut slice: Bytes, max_body: usize) {
        let room = max_body - self.body.len();
        if slice.len() > room {
            self.overflow(&slice);
            slice.truncate(room);
        }
        self.body.push(slice);
    }

    /// A request over the cap is never sent again, so that nothing more is asked of it.
    #[cold]
    fn overflow(&mut self, slice: &[u8]) {
        self.fault.get_or_insert(Fault::TooLarge);
        if matches!(self.head, Head::Response { .. }) {
            let body = &self.body;
            let new = || Box::new(body.digester());
            self.digester.get_or_insert_with(new).take(slice);
        }
    }

    /// It ends before its declared end.
    pub(super) fn truncate(&mut self) {
        if matches!(self.fault, None | Some(Fault::TooLarge)) {
            self.fault = Some(Fault::Truncated);
        }
    }

    /// Body bytes that came.
    pub(super) fn body_len(&self) -> u64 {
        let len = self.body.len() as u64;
        self.digester
            .as_ref()
            .map_or(len, |digester| digester.taken())
    }

    pub(super) fn into_message(self) -> Message {
        let Self {
            mut body, fault, ..
        } = self;
        if let (Some(digester), Some(Fault::TooLarge)) = (&self.digester, fault) {
            body.set_digest(digester.finish());
        }
        let trailers = self.decoder.trailers().into();
        match self.head {
            Head::Request {
                method,
                target,
                version,
                headers,
            } => Message::Request(Request {
                method,
                target,
                version,
                headers,
                body,
                trailers,
                fault,
            }),
            Head::Response {
                status,
                version,
                headers,
            } => Message::Response(Response {
                status,
                version,
                headers,
                body,
                trailers,
                fault,
            }),
        }
    }
}
