//! A message between its head and its last byte.

use bytes::Bytes;

use super::Decoder;
use crate::exchange::{Digester, Fault};
use crate::http::Message;
use crate::packet::Seq;
use crate::tcp::Arrival;
use crate::time::Timestamp;

/// A message whose head is read.
pub(super) struct Partial {
    /// With as much of the body as was read, up to the cap.
    pub(super) message: Message,
    /// Of a response's body that is over the cap.
    pub(super) digester: Option<Box<Digester>>,
    pub(super) decoder: Decoder,
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
    pub(super) fn of(message: &Message) -> Option<Self> {
        let Message::Request(request) = message else {
            return None;
        };
        let mut values = request.headers.all("Expect");
        values
            .any(|value| value.eq_ignore_ascii_case(b"100-continue"))
            .then_some(Self::Open)
    }
}

impl Partial {
    /// Takes the next run of body bytes, and keeps what fits.
    #[inline]
    pub(super) fn push(&mut self, mut slice: Bytes, max_body: usize) {
        let room = max_body - self.message.body().len();
        if slice.len() > room {
            self.overflow(&slice);
            slice.truncate(room);
        }
        self.message.body_mut().push(slice);
    }

    /// A request over the cap is never sent again, so that nothing more is asked of it.
    #[cold]
    fn overflow(&mut self, slice: &[u8]) {
        self.message.fault_mut().get_or_insert(Fault::TooLarge);
        if let Message::Response(response) = &self.message {
            let new = || Box::new(response.body.digester());
            self.digester.get_or_insert_with(new).take(slice);
        }
    }

    /// It ends before its declared end.
    pub(super) fn truncate(&mut self) {
        let fault = self.message.fault_mut();
        if matches!(fault, None | Some(Fault::TooLarge)) {
            *fault = Some(Fault::Truncated);
        }
    }

    /// Body bytes that came.
    pub(super) fn body_len(&self) -> u64 {
        let len = self.message.body().len() as u64;
        self.digester
            .as_ref()
            .map_or(len, |digester| digester.taken())
    }

    /// Nothing more of it comes.
    pub(super) fn into_message(self) -> Message {
        let mut message = self.message;
        if let (Some(digester), Some(Fault::TooLarge)) = (&self.digester, message.fault()) {
            message.body_mut().set_digest(digester.finish());
        }
        message.set_trailers(self.decoder.trailers());
        message
    }
}
