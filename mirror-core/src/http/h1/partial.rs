//! A message between its head and its last byte.

use super::{Decoder, Head, Parsed};
use crate::exchange::{Body, Fault, Headers, Request, Response};
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
}

impl Partial {
    pub(super) fn finish(self) -> Parsed {
        let Self { body, fault, .. } = self;
        let message = match self.head {
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
                trailers: Headers::default(),
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
                trailers: Headers::default(),
                fault,
            }),
        };
        Parsed::Message {
            message,
            first: self.first,
            last: self.last,
            end: self.end,
        }
    }
}
