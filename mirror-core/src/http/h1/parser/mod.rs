//! [`StreamEvent`]s of one side → its messages.
//!
//! Calling order: [`Parser::push`] what the stream gave, then [`Parser::poll`] until it returns `None`. After
//! [`Parsed::Head`] it goes no further before [`Parser::proceed`]: where a response ends depends on its request.
//!
//! After a gap, or bytes that cannot be read, messages may be missing: [`Parsed::Lost`] says so, and the stream goes on at
//! the next packet that begins with a start line, however far that is. Start lines inside packets do not count, they may be
//! in some body. It is the same after an ambiguous request: what follows in its packet may be a part of it to one server,
//! and a request to another.

mod bodies;
mod heads;

use bytes::{Bytes, BytesMut};

use super::partial::{Expect, Partial};
use super::queue::Queue;
use super::{Answered, BodyLength, Decoder, Framing, Kind, Sniff, sniff_known};
use crate::exchange::{Ambiguity, Fault};
use crate::http::{Message, Protocol};
use crate::packet::Seq;
use crate::tcp::{Arrival, CloseReason, StreamEvent};
use crate::time::Timestamp;

pub(in crate::http) use heads::may_be_request;

/// Packets without a message after which a side is told to be unread before its end.
const MANY_PACKETS: u32 = 64;
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Bytes of start line and headers.
    pub max_head: usize,
    /// Body bytes kept.
    pub max_body: usize,
}

#[derive(Debug)]
pub enum Parsed {
    /// [`Parser::head`] is there.
    Head,
    Message {
        message: Message,
        first: Arrival,
        last: Timestamp,
        /// After its last byte.
        end: Seq,
    },
    /// Messages may be missing here.
    Lost,
    /// A head should begin here and does not, or cannot be trusted; `Lost` follows.
    BadHead {
        first: Arrival,
        bytes: Bytes,
        fault: Fault,
    },
    /// No message was found in many packets, which begin with bytes like these.
    Unread(Protocol),
    Closed,
}

pub struct Parser {
    kind: Kind,
    limits: HttpLimits,
    queue: Queue,
    stage: Stage,
    /// Bytes of a head from earlier packets, and when the first of them came.
    begun: BytesMut,
    first: Arrival,
    /// The head that is begun starts where bytes are missing, and its first line was not whole in its first packet.
    begins_unsure: bool,
    partial: Option<Partial>,
    /// A head was read.
    proven: bool,
    /// Packets before the first head, and what they begin with.
    passed: u32,
    passed_protocol: Option<Protocol>,
    /// Bytes before the next message may be missing; it must begin a packet.
    resync: bool,
    /// A head in the packet of an ambiguous request. To be reported before anything else.
    doubtful: Option<(Bytes, Arrival)>,
    /// To be reported next.
    lost: bool,
    /// Whether what follows is HTTP depends on an answer.
    held: bool,
    /// Something that was waited for came.
    released: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Before or in a head.
    Start,
    /// The head is read, `proceed` is awaited.
    Paused,
    Body,
    /// Not HTTP any more.
    Ignored,
}

/// What a step came to.
enum Step {
    Told(Parsed),
    Further,
    /// Input is needed, or an answer.
    Starved,
}

impl Parser {
    pub fn new(kind: Kind, limits: HttpLimits) -> Self {
        Self {
            kind,
            limits,
            queue: Queue::default(),
            stage: Stage::Start,
            begun: BytesMut::new(),
            first: Arrival::default(),
            begins_unsure: false,
            partial: None,
            proven: false,
            passed: 0,
            passed_protocol: None,
            resync: false,
            doubtful: None,
            lost: false,
            held: false,
            released: false,
        }
    }

    #[inline]
    pub fn push(&mut self, event: StreamEvent, arrival: Arrival) {
        if self.stage != Stage::Ignored {
            self.queue.push(event, arrival);
        }
    }

    /// What the side's packets begin with, when no message was found in them, or not yet told in any.
    pub fn unread(&self) -> Option<Protocol> {
        let told = self.passed >= MANY_PACKETS;
        self.passed_protocol.filter(|_| !self.proven && !told)
    }

    /// Bytes pushed and not yet looked at.
    pub fn queued_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// Bytes held: queued, of a head, of a body.
    pub fn held_bytes(&self) -> usize {
        let partial = self.partial.as_ref();
        let body = partial.map_or(0, |partial| partial.message.body().len());
        self.queue.bytes() + self.begun.len() + body
    }

    /// Of the body that is being read: bytes that came, and how many there will be where the head says so.
    pub fn body_progress(&self) -> Option<(u64, Option<u64>)> {
        let partial = self.partial.as_ref()?;
        let came = partial.body_len();
        let all = match &partial.decoder {
            Decoder::Length(left) => Some(came + left),
            Decoder::UntilClose | Decoder::Chunked(_) => None,
        };
        (self.stage == Stage::Body).then_some((came, all))
    }

    /// The head that awaits `proceed`, and when it began.
    pub fn head(&self) -> Option<(&Message, Arrival)> {
        let partial = self.partial.as_ref()?;
        (self.stage == Stage::Paused).then_some((&partial.message, partial.first))
    }

    /// Goes on after the head. `answered` matters to responses only.
    #[inline]
    pub fn proceed(&mut self, answered: Answered) {
        let (Stage::Paused, Some(partial)) = (self.stage, &mut self.partial) else {
            return;
        };
        self.stage = Stage::Body;
        if partial.cut {
            return;
        }
        partial.doubt = answered == Answered::Unknown;
        let Framing { length, ambiguity } = Framing::of(&partial.message, answered);
        partial.decoder = Decoder::new(length.unwrap_or(BodyLength::Known(0)));
        if let Some(ambiguity) = ambiguity {
            *partial.message.fault_mut() = Some(Fault::Ambiguous(ambiguity));
        }
        if !partial.decoder.is_done() {
            partial.expect = Expect::of(&partial.message);
        }
        if length.is_none() {
            self.distrust();
        }
    }

    /// The response to the request whose body is awaited begins.
    pub(super) fn answer_begins(&mut self, status: u16) {
        if let Some(partial) = &mut self.partial
            && partial.expect.is_some()
        {
            match status {
                100 => partial.expect = Some(Expect::Continue),
                101..=199 => return,
                _ => partial.expect = Some(Expect::Final),
            }
            self.released = true;
        }
    }

    /// Nothing after the request that was read last is looked at before [`Self::release`].
    pub(super) fn hold(&mut self) {
        self.held = true;
    }

    pub(super) fn release(&mut self) {
        self.held = false;
        self.released = true;
    }

    /// Something that was waited for came since this was asked last: there may be more to poll.
    pub(super) fn take_released(&mut self) -> bool {
        std::mem::take(&mut self.released)
    }

    /// Since when bytes wait for the answer to a request that asked whether to send its body.
    pub(super) fn waiting_since(&self) -> Option<Timestamp> {
        let partial = self.partial.as_ref()?;
        let waiting = self.queue.waiting_since();
        waiting.filter(|_| partial.expect == Some(Expect::Open))
    }

    /// No answer will tell: what waits is taken for the body.
    pub(super) fn stop_waiting(&mut self) {
        if let Some(partial) = &mut self.partial
            && partial.expect.take().is_some()
        {
            self.released = true;
        }
    }

    /// From here on the stream is not HTTP: everything is dropped.
    pub fn ignore(&mut self) {
        self.stage = Stage::Ignored;
        self.queue = Queue::default();
        self.begun = BytesMut::new();
        self.partial = None;
    }

    /// What is begun ends here, and what waits after it is dropped.
    pub(super) fn cut_off(&mut self) {
        let reason = CloseReason::EndOfCapture;
        self.held = false;
        self.queue = Queue::default();
        self.queue
            .push(StreamEvent::Close { reason }, Arrival::default());
    }

    pub fn poll(&mut self) -> Option<Parsed> {
        loop {
            let step = match self.stage {
                Stage::Start if self.lost => self.tell_lost(),
                Stage::Start if self.held => Step::Starved,
                Stage::Start => self.start(),
                Stage::Body => self.body(),
                Stage::Paused | Stage::Ignored => Step::Starved,
            };
            match step {
                Step::Told(parsed) => return Some(parsed),
                Step::Further => {}
                Step::Starved => return None,
            }
        }
    }

    /// What could not be read was answered: what comes next is not a part of it.
    pub(super) fn resume(&mut self) {
        self.resync = false;
    }

    /// The rest of this packet may be a part of the message before it, or a message.
    fn distrust(&mut self) {
        self.lose();
        let is_head = |bytes: &Bytes| sniff_known(Kind::Request, bytes) == Sniff::Yes;
        if let Some((bytes, arrival)) = self.queue.drop_packet()
            && is_head(&bytes)
        {
            self.doubtful = Some((bytes, arrival));
        }
    }

    #[cold]
    fn tell_lost(&mut self) -> Step {
        let Some((bytes, first)) = self.doubtful.take() else {
            self.lost = false;
            return Step::Told(Parsed::Lost);
        };
        let fault = Fault::Ambiguous(Ambiguity::AfterAmbiguous);
        Step::Told(Parsed::BadHead {
            first,
            bytes,
            fault,
        })
    }

    fn lose(&mut self) {
        self.lost = true;
        self.resync = true;
    }
}

#[cfg(test)]
mod tests;
