//! A message between its head and its last byte.

use super::{Decoder, Head};
use crate::exchange::{Body, Fault, Request, Response};
use crate::http::Message;
use crate::packet::Seq;
use crate::tcp::Arrival;
use crate::time::Timestamp;

/// A message whose head is read.
pub(super) struct Partial {
    pub(super) head: Head,
    pub(super) body: Body,
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
    pub(super) fn into_message(self) -> Message {
        let Self { body, fault, .. } = self;
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
