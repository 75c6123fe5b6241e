//! Reads a message's body to its end.

use bytes::Bytes;

use super::{Parsed, Parser, Stage, Step};
use crate::exchange::{Ambiguity, Fault};
use crate::http::h1::partial::{Expect, Partial};
use crate::http::h1::{Decoder, Kind, Sniff, sniff, sniff_known};
use crate::tcp::{Arrival, CloseReason, StreamEvent};

/// What follows a head that asked whether to send its body.
enum Next {
    Body,
    Message,
    /// The answer tells.
    Unknown,
}

impl Parser {
    /// One step in a body.
    pub(super) fn body(&mut self) -> Step {
        let Some(partial) = &mut self.partial else {
            self.stage = Stage::Start;
            return Step::Further;
        };
        if partial.decoder.is_done() {
            return self.finish();
        }
        let Some((event, arrival)) = self.queue.pop() else {
            return Step::Starved;
        };
        match event {
            StreamEvent::Data(bytes) => match next(partial, &bytes, arrival) {
                Next::Body => self.data(bytes, arrival),
                Next::Message => {
                    self.queue.unpop(StreamEvent::Data(bytes), arrival);
                    partial.message.fault_mut().get_or_insert(Fault::Truncated);
                    self.finish()
                }
                Next::Unknown => {
                    self.queue.unpop(StreamEvent::Data(bytes), arrival);
                    Step::Starved
                }
            },
            StreamEvent::Gap { len } => self.gap(len),
            StreamEvent::Close { reason } => {
                self.queue.unpop(StreamEvent::Close { reason }, arrival);
                if partial.decoder != Decoder::UntilClose || reason != CloseReason::Fin {
                    partial.truncate();
                }
                self.finish()
            }
        }
    }

    fn data(&mut self, mut bytes: Bytes, arrival: Arrival) -> Step {
        let Some(partial) = &mut self.partial else {
            return Step::Further;
        };
        if std::mem::take(&mut partial.doubt) && sniff(self.kind, &bytes) == Sniff::Yes {
            self.queue.unpop(StreamEvent::Data(bytes), arrival);
            return self.finish();
        }
        partial.expect = None;
        let length = bytes.len();
        while !partial.decoder.is_done() && !bytes.is_empty() {
            let Ok(slice) = partial.decoder.decode(&mut bytes) else {
                let fault = Fault::Ambiguous(Ambiguity::Chunk);
                partial.message.fault_mut().get_or_insert(fault);
                self.lose();
                return self.finish();
            };
            partial.push(slice, self.limits.max_body);
        }
        if let Some(ambiguity) = partial.decoder.ambiguity() {
            *partial.message.fault_mut() = Some(Fault::Ambiguous(ambiguity));
        }
        if arrival.urgent {
            *partial.message.fault_mut() = Some(Fault::Ambiguous(Ambiguity::UrgentData));
        }
        partial.last = partial.last.max(arrival.at);
        let seq = arrival.seq + (length - bytes.len()) as u32;
        partial.end = seq;
        self.queue.push_rest(bytes, Arrival { seq, ..arrival });
        Step::Further
    }

    fn gap(&mut self, len: u64) -> Step {
        let Some(partial) = &mut self.partial else {
            return Step::Further;
        };
        *partial.message.fault_mut() = Some(Fault::Gap);
        partial.expect = None;
        if !partial.decoder.skip(len) {
            self.lose();
            return self.finish();
        }
        partial.end = partial.end + len as u32;
        Step::Further
    }

    fn finish(&mut self) -> Step {
        self.stage = Stage::Start;
        let Some(partial) = self.partial.take() else {
            return Step::Further;
        };
        let (first, last, end) = (partial.first, partial.last, partial.end);
        let message = partial.into_message();
        if self.kind == Kind::Request && matches!(message.fault(), Some(Fault::Ambiguous(_))) {
            self.distrust();
        }
        Step::Told(Parsed::Message {
            message,
            first,
            last,
            end,
        })
    }
}

/// Whether the client leaves out a body that it asked whether to send: it has received something since, and goes on
/// with a start line.
#[inline]
fn next(partial: &Partial, bytes: &[u8], arrival: Arrival) -> Next {
    let Some(expect) = partial.expect else {
        return Next::Body;
    };
    let has_received = match (partial.first.ack, arrival.ack) {
        (Some(before), Some(now)) => before.is_before(now),
        _ => false,
    };
    // Its first line may go on in the next packet.
    let begins = match sniff_known(Kind::Request, bytes) {
        Sniff::Yes => true,
        Sniff::Maybe => bytes.contains(&b' '),
        Sniff::No => false,
    };
    if !has_received || !begins {
        return Next::Body;
    }
    match expect {
        Expect::Open => Next::Unknown,
        Expect::Continue => Next::Body,
        Expect::Final => Next::Message,
    }
}
