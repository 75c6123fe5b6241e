//! [`StreamEvent`]s of one side → its messages.
//!
//! Calling order: [`Parser::push`] what the stream gave, then [`Parser::poll`] until it returns `None`. After
//! [`Parsed::Head`] it goes no further before [`Parser::proceed`]: where a response ends depends on its request.
//!
//! After a gap, or bytes that cannot be read, messages may be missing: [`Parsed::Lost`] says so, and the stream goes on at
//! the next packet that begins with a start line, however far that is. Start lines inside packets do not count, they may be
//! in some body. It is the same after an ambiguous request: what follows in its packet may be a part of it to one server,
//! and a request to another.

use bytes::{Buf, Bytes, BytesMut};

use super::partial::{Expect, Partial};
use super::queue::Queue;
use super::start_line::is_worth_another_look;
use super::{
    Answered, BodyLength, Decoder, Framing, Head, HeadError, Kind, Sniff, sniff, sniff_known,
};
use crate::exchange::{Ambiguity, Fault};
use crate::http::{Message, Protocol};
use crate::packet::Seq;
use crate::tcp::{Arrival, CloseReason, StreamEvent};
use crate::time::Timestamp;

/// Packets without a message after which a side is told to be unread before its end.
const MANY_PACKETS: u32 = 64;
/// Lines of a head over the limit that are kept: enough to know what it was.
const KEPT_LINES: usize = 64;

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

/// What follows a head that asked whether to send its body.
enum Next {
    Body,
    Message,
    /// The answer tells.
    Unknown,
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

    /// One step before or in a head.
    fn start(&mut self) -> Step {
        let Some((event, arrival)) = self.queue.pop() else {
            return Step::Starved;
        };
        match event {
            StreamEvent::Data(bytes) if self.begun.is_empty() => self.begin(bytes, arrival),
            // What was begun was the rest of something lost.
            StreamEvent::Data(bytes)
                if self.resync && sniff_known(self.kind, &bytes) == Sniff::Yes =>
            {
                self.begun.clear();
                self.begin(bytes, arrival)
            }
            StreamEvent::Data(bytes) => self.go_on(bytes, arrival),
            StreamEvent::Gap { .. } => {
                let begun = self.begun.split().freeze();
                let cut = self.cut_head(&begun, Fault::Gap, arrival);
                self.lose();
                cut.unwrap_or(Step::Further)
            }
            StreamEvent::Close { reason } if !self.begun.is_empty() => {
                self.queue.unpop(StreamEvent::Close { reason }, arrival);
                let begun = self.begun.split().freeze();
                let cut = self.cut_head(&begun, Fault::Truncated, arrival);
                cut.unwrap_or_else(|| self.bad_head(begun, self.first))
            }
            StreamEvent::Close { .. } => Step::Told(Parsed::Closed),
        }
    }

    /// The first bytes of what should be a message.
    fn begin(&mut self, mut bytes: Bytes, mut arrival: Arrival) -> Step {
        // Empty lines before a message are to be passed over (RFC 9112 §2.2).
        let is_end = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let empty = bytes.iter().take_while(is_end).count();
        bytes.advance(empty);
        arrival.seq = arrival.seq + empty as u32;
        if bytes.is_empty() {
            return Step::Further;
        }
        let looks = if self.resync { sniff_known } else { sniff };
        let looks = looks(self.kind, &bytes);
        if looks == Sniff::No {
            return self.bad_head(bytes, arrival);
        }
        self.first = arrival;
        self.begins_unsure = self.resync && looks == Sniff::Maybe;
        match Head::parse(self.kind, &bytes) {
            Ok(Some(head)) => {
                let used = head.length;
                self.pause(head, bytes, used, arrival)
            }
            Ok(None) if bytes.len() <= self.limits.max_head => {
                self.begun.extend_from_slice(&bytes);
                Step::Further
            }
            Err(HeadError::NotHttp) => self.bad_head(bytes, arrival),
            Ok(None) | Err(HeadError::TooManyFields) => self.large_head(bytes, arrival),
        }
    }

    /// More bytes of a head.
    fn go_on(&mut self, bytes: Bytes, arrival: Arrival) -> Step {
        let before = self.begun.len();
        self.begun.extend_from_slice(&bytes);
        self.first.urgent |= arrival.urgent;
        let fits = self.begun.len() <= self.limits.max_head;
        // Parsing anew for every packet would be quadratic: only when a head may end in this one.
        let fresh = &self.begun[before.saturating_sub(3)..];
        let may_end = memchr::memchr_iter(b'\n', fresh)
            .any(|at| matches!(fresh[at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]));
        let is_none =
            is_worth_another_look(before, &bytes) && sniff(self.kind, &self.begun) == Sniff::No;
        if fits && !may_end && !is_none {
            return Step::Further;
        }
        let begun = self.begun.split().freeze();
        if is_none {
            return self.bad_head(begun, self.first);
        }
        match Head::parse(self.kind, &begun) {
            Ok(Some(head)) => {
                // An end before these bytes would have been seen when they came.
                let used = head.length.saturating_sub(before);
                self.pause(head, bytes, used, arrival)
            }
            Ok(None) | Err(HeadError::TooManyFields) => self.large_head(begun, arrival),
            Err(HeadError::NotHttp) => self.bad_head(begun, self.first),
        }
    }

    /// A head is read; its last `used` bytes are the first of `bytes`.
    fn pause(&mut self, head: Head, mut bytes: Bytes, used: usize, at: Arrival) -> Step {
        let first = self.first;
        bytes.advance(used);
        let seq = at.seq + used as u32;
        self.queue.push_rest(bytes, Arrival { seq, ..at });
        let unsure = std::mem::take(&mut self.begins_unsure) && self.kind == Kind::Request;
        let ambiguity = match head.ambiguity {
            _ if first.urgent => Some(Ambiguity::UrgentData),
            None if unsure => Some(Ambiguity::UnseenStart),
            ambiguity => ambiguity,
        };
        self.proven = true;
        self.resync = false;
        self.stage = Stage::Paused;
        let mut message = head.message;
        *message.fault_mut() = ambiguity.map(Fault::Ambiguous);
        self.partial = Some(Partial {
            message,
            digester: None,
            decoder: Decoder::Length(0),
            first,
            last: at.at,
            end: seq,
            doubt: false,
            cut: false,
            expect: None,
        });
        Step::Told(Parsed::Head)
    }

    /// A head whose rest never comes, or is not wanted. When its start line came, there was a message: it must not go
    /// unseen.
    fn cut_head(&mut self, begun: &Bytes, fault: Fault, arrival: Arrival) -> Option<Step> {
        let ends = memchr::memchr_iter(b'\n', begun).take(KEPT_LINES);
        let lines = ends.last()? + 1;
        let closed: Bytes = [&begun[..lines], b"\r\n"].concat().into();
        let head = Head::parse(self.kind, &closed).ok().flatten()?;
        if head.length != closed.len() {
            return None;
        }
        let seq = self.first.seq + begun.len() as u32;
        let at = Arrival { seq, ..arrival };
        let step = self.pause(head, Bytes::new(), 0, at);
        if let Some(partial) = &mut self.partial {
            *partial.message.fault_mut() = Some(fault);
            partial.cut = true;
        }
        Some(step)
    }

    /// A head over the limits. Where it ends is not known, so the next message is looked for.
    fn large_head(&mut self, begun: Bytes, arrival: Arrival) -> Step {
        let cut = self.cut_head(&begun, Fault::HeadTooLarge, arrival);
        match cut {
            Some(step) => {
                self.lose();
                step
            }
            None => {
                self.lose();
                Step::Told(Parsed::BadHead {
                    first: self.first,
                    bytes: begun,
                    fault: Fault::HeadTooLarge,
                })
            }
        }
    }

    /// What was taken for a head is none. The packet it is in is dropped.
    fn bad_head(&mut self, bytes: Bytes, first: Arrival) -> Step {
        let is_told = !self.resync || may_be_request(self.kind, &bytes);
        // A malformed request is not unread: its answer tells.
        let may_be_answered = is_told && self.kind == Kind::Request;
        if !self.proven && !may_be_answered {
            self.passed += 1;
            let of = || Protocol::of(&bytes);
            let protocol = *self.passed_protocol.get_or_insert_with(of);
            if self.passed == MANY_PACKETS {
                return Step::Told(Parsed::Unread(protocol));
            }
        }
        // After a gap it was a guess.
        if !is_told {
            return Step::Further;
        }
        self.lose();
        let ambiguity = match first.urgent {
            true => Ambiguity::UrgentData,
            false => Ambiguity::StartLine,
        };
        Step::Told(Parsed::BadHead {
            first,
            bytes,
            fault: Fault::Ambiguous(ambiguity),
        })
    }

    /// One step in a body.
    fn body(&mut self) -> Step {
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

/// What a server may have answered, though it is no request of HTTP/1: a whole line that begins with a usual method, or
/// that ends as a request line does.
pub(in crate::http) fn may_be_request(kind: Kind, bytes: &[u8]) -> bool {
    let is_line = memchr::memchr(b'\n', bytes).is_some();
    kind == Kind::Request
        && is_line
        && (super::has_known_method(bytes) || sniff(kind, bytes) == Sniff::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Body;

    const LIMITS: HttpLimits = HttpLimits {
        max_head: 200,
        max_body: 10,
    };

    fn arrival(at: u64, seq: u32) -> Arrival {
        Arrival {
            at: Timestamp(at),
            seq: Seq(seq),
            ..Arrival::default()
        }
    }

    /// Events of one stream: `-3` a gap, `Fin` and `Reset` closes, anything else data. Messages as
    /// `<method or status>:<body>!<fault>`.
    fn run(kind: Kind, events: &[&[u8]]) -> String {
        let mut parser = Parser::new(kind, LIMITS);
        let mut out = Vec::new();
        let mut seq = 0;
        for (at, event) in events.iter().enumerate() {
            let (event, len) = match *event {
                b"Fin" => (
                    StreamEvent::Close {
                        reason: CloseReason::Fin,
                    },
                    0,
                ),
                b"Reset" => (
                    StreamEvent::Close {
                        reason: CloseReason::Reset,
                    },
                    0,
                ),
                [b'-', digits @ ..]
                    if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) =>
                {
                    let len: u64 = std::str::from_utf8(digits).unwrap().parse().unwrap();
                    (StreamEvent::Gap { len }, len as u32)
                }
                bytes => (
                    StreamEvent::Data(Bytes::copy_from_slice(bytes)),
                    bytes.len() as u32,
                ),
            };
            parser.push(event, arrival(at as u64, seq));
            seq += len;
            while let Some(parsed) = parser.poll() {
                match parsed {
                    Parsed::Head => parser.proceed(Answered::Other),
                    Parsed::Message { message, .. } => out.push(text(&message)),
                    Parsed::Lost => out.push("lost".to_owned()),
                    Parsed::BadHead { .. } => out.push("bad".to_owned()),
                    Parsed::Unread(protocol) => out.push(format!("unread {protocol:?}")),
                    Parsed::Closed => out.push("closed".to_owned()),
                }
            }
        }
        assert_eq!(parser.queued_bytes(), 0);
        out.join(" ")
    }

    fn text(message: &Message) -> String {
        let (name, body, fault) = match message {
            Message::Request(request) => (request.method.to_string(), &request.body, request.fault),
            Message::Response(response) => {
                (response.status.to_string(), &response.body, response.fault)
            }
        };
        let fault = match fault {
            Some(Fault::Ambiguous(why)) => format!("!{why:?}"),
            Some(fault) => format!("!{fault:?}"),
            None => String::new(),
        };
        format!("{name}:{}{fault}", String::from_utf8_lossy(body))
    }

    fn check(kind: Kind, events: &[&str], expect: &str) {
        let events: Vec<_> = events.iter().map(|event| event.as_bytes()).collect();
        assert_eq!(run(kind, &events), expect);
    }

    #[test]
    fn pipelined_messages_split_at_every_byte() {
        let text = "\r\nPOST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\nPUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nxy\r\n1;e\r\nz\r\n0\r\nT: u\r\n\r\n";
        let expect = "POST:abc GET: PUT:xyz";
        let bytes: Vec<_> = text.as_bytes().chunks(1).collect();
        assert_eq!(run(Kind::Request, &bytes), expect);
        for at in 1..text.len() {
            let (left, right) = text.as_bytes().split_at(at);
            assert_eq!(run(Kind::Request, &[left, right]), expect, "at {at}");
        }
    }

    /// Where each message of a stream begins and ends. Its last packet is followed by its end.
    fn places(kind: Kind, packets: &[&[u8]]) -> Vec<(u32, u32)> {
        let mut parser = Parser::new(kind, LIMITS);
        let mut seq = 100;
        for packet in packets {
            let data = StreamEvent::Data(Bytes::copy_from_slice(packet));
            parser.push(data, arrival(1, seq));
            seq += packet.len() as u32;
        }
        let reason = CloseReason::Fin;
        parser.push(StreamEvent::Close { reason }, arrival(1, seq));
        let mut places = Vec::new();
        while let Some(parsed) = parser.poll() {
            match parsed {
                Parsed::Head => parser.proceed(Answered::Other),
                Parsed::Message { first, end, .. } => places.push((first.seq.0, end.0)),
                _ => {}
            }
        }
        places
    }

    #[test]
    fn a_message_is_where_its_bytes_are_however_they_are_split() {
        let text = b"\r\n\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc\r\nHTTP/1.1 204 No\r\n\r\nHTTP/1.0 200 OK\r\n\r\nxy";
        let expect = [(103, 144), (146, 165), (165, 186)];
        let bytes: Vec<_> = text.chunks(1).collect();
        assert_eq!(places(Kind::Response, &bytes), expect);
        for at in 0..=text.len() {
            let (left, right) = text.split_at(at);
            assert_eq!(places(Kind::Response, &[left, right]), expect, "at {at}");
        }
    }

    #[test]
    fn a_cut_head_ends_after_its_last_byte() {
        let cut = b"GET / HTTP/1.1\r\nA: b";
        assert_eq!(places(Kind::Request, &[cut]), [(100, 120)]);
        let long = [b'a'; 190];
        assert_eq!(places(Kind::Request, &[cut, &long]), [(100, 310)]);
    }

    #[test]
    fn lost_bytes_of_a_body_move_its_end() {
        let mut parser = Parser::new(Kind::Request, LIMITS);
        let head = Bytes::from_static(b"PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\n");
        let length = head.len() as u32;
        parser.push(StreamEvent::Data(head), arrival(1, 100));
        assert!(matches!(parser.poll(), Some(Parsed::Head)));
        parser.proceed(Answered::Other);
        parser.push(StreamEvent::Gap { len: 5 }, arrival(2, 100 + length));
        let Some(Parsed::Message { end, .. }) = parser.poll() else {
            panic!("it is over")
        };
        assert_eq!(end, Seq(100 + length + 5));
    }

    /// Bytes of a body that came, and of those that it will have if that is known; none between messages.
    type Progress = Option<(u64, Option<u64>)>;

    #[test]
    fn how_far_a_body_is_can_be_asked_while_it_is_read() {
        let check = |field: &str, packets: &[(&str, Progress)]| {
            let mut parser = Parser::new(Kind::Response, LIMITS);
            assert_eq!(parser.body_progress(), None);
            let head = format!("HTTP/1.1 200 OK\r\n{field}\r\n");
            parser.push(StreamEvent::Data(head.into()), arrival(1, 0));
            assert!(matches!(parser.poll(), Some(Parsed::Head)));
            assert_eq!(parser.body_progress(), None);
            parser.proceed(Answered::Other);
            for (packet, progress) in packets {
                let data = Bytes::copy_from_slice(packet.as_bytes());
                parser.push(StreamEvent::Data(data), arrival(1, 0));
                while parser.poll().is_some() {}
                assert_eq!(parser.body_progress(), *progress, "{field} {packet}");
            }
        };
        let length = "Content-Length: 5\r\n";
        let read = |came| Some((came, Some(5)));
        check(length, &[("ab", read(2)), ("cd", read(4)), ("e", None)]);
        let chunked = "Transfer-Encoding: chunked\r\n";
        check(chunked, &[("3\r\nab", Some((2, None)))]);
        check("", &[("ab", Some((2, None)))]);
        // Bytes that are not kept came all the same.
        let long = "Content-Length: 20\r\n";
        check(long, &[("0123456789ab", Some((12, Some(20))))]);
    }

    #[test]
    fn the_close_ends_a_body_without_length() {
        check(
            Kind::Response,
            &["HTTP/1.0 200 OK\r\n\r\nab", "cd", "Fin"],
            "200:abcd closed",
        );
        check(
            Kind::Response,
            &["HTTP/1.0 200 OK\r\n\r\nab", "Reset"],
            "200:ab!Truncated closed",
        );
        check(
            Kind::Response,
            &["HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nab", "Fin"],
            "200:ab!Truncated closed",
        );
    }

    #[test]
    fn a_gap_inside_a_known_length_costs_one_message() {
        let head = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na";
        check(
            Kind::Request,
            &[head, "-3", "eGET / HTTP/1.1\r\n\r\n"],
            "POST:ae!Gap GET:",
        );
        check(
            Kind::Request,
            &[head, "-4", "GET / HTTP/1.1\r\n\r\n"],
            "POST:a!Gap GET:",
        );
    }

    #[test]
    fn a_head_whose_rest_never_came_was_a_message() {
        let cut = "GET /a HTTP/1.1\r\nHost: a\r\nCoo";
        check(Kind::Request, &[cut, "Fin"], "GET:!Truncated closed");
        check(
            Kind::Request,
            &[cut, "-9", "kie: b\r\n\r\n", "PUT / HTTP/1.1\r\n\r\n"],
            "GET:!Gap lost PUT:",
        );
        check(
            Kind::Response,
            &["HTTP/1.1 200 OK\r\n", "Fin"],
            "200:!Truncated closed",
        );
        // Not even its first line came.
        check(Kind::Request, &["GET /a HT", "Fin"], "bad lost closed");
    }

    #[test]
    fn another_gap_resumes_at_a_packet_with_a_start_line() {
        let head = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na";
        check(
            Kind::Request,
            &[
                head,
                "-6",
                "xGET / HTTP/1.1\r\n\r\n",
                "GET /no",
                "GET / HTTP/1.1\r\n",
                "\r\n",
            ],
            "POST:a!Gap lost bad lost GET:",
        );
        check(
            Kind::Request,
            &[
                head,
                "-6",
                "x\nGET / HTTP/1.1\r\n\r\n",
                "GET / HTTP/1.1\r\n",
                "\r\n",
            ],
            "POST:a!Gap lost GET:",
        );
        check(
            Kind::Request,
            &["GET / HT", "-6", "GET / HTTP/1.1\r\n\r\n"],
            "lost GET:",
        );
    }

    #[test]
    fn a_body_over_the_cap_keeps_its_prefix_and_the_framing() {
        check(
            Kind::Request,
            &["POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\n012345678901GET / HTTP/1.1\r\n\r\n"],
            "POST:0123456789!TooLarge GET:",
        );
        check(
            Kind::Request,
            &[
                "POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\n012345",
                "678901GET / HTTP/1.1\r\n\r\n",
            ],
            "POST:0123456789!TooLarge GET:",
        );
        check(
            Kind::Request,
            &["POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789"],
            "POST:0123456789",
        );
    }

    #[test]
    fn a_response_over_the_cap_has_the_digest_of_all_its_bytes() {
        let sent = Bytes::from_static(b"0123456789abcdef");
        let expect = Body::from(sent.clone()).digester().finish();
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n";
        let run = |pieces: &[&[u8]], reason: CloseReason| {
            let mut parser = Parser::new(Kind::Response, LIMITS);
            for piece in [&[head.as_bytes()], pieces].concat() {
                let data = StreamEvent::Data(Bytes::copy_from_slice(piece));
                parser.push(data, Arrival::default());
            }
            parser.push(StreamEvent::Close { reason }, Arrival::default());
            assert!(matches!(parser.poll(), Some(Parsed::Head)));
            parser.proceed(Answered::Other);
            let Some(Parsed::Message {
                message: Message::Response(response),
                ..
            }) = parser.poll()
            else {
                panic!("a response")
            };
            (response.fault, response.body.digest(), response.body.len())
        };
        for size in 1..=16 {
            let pieces: Vec<_> = sent.chunks(size).collect();
            let whole = (Some(Fault::TooLarge), Some(expect), 10);
            assert_eq!(run(&pieces, CloseReason::Fin), whole, "{size}");
        }
        // One that breaks off is not known.
        let cut = (Some(Fault::Truncated), None, 10);
        assert_eq!(run(&[&sent[..15]], CloseReason::Fin), cut);
    }

    #[test]
    fn ambiguous_messages_end_the_trust_in_the_stream() {
        check(
            Kind::Request,
            &[
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
                "GET / HTTP/1.1\r\n\r\n",
            ],
            "POST:!LengthAndCoding bad lost GET:",
        );
        // Both lengths end right before it: even so it may be the body of one to somebody.
        check(
            Kind::Request,
            &[
                "POST / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
            ],
            "POST:!ContentLength bad lost",
        );
        check(
            Kind::Request,
            &[
                "GET / HTTP/1.1\r\nHost : a\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
                "GET / HTTP/1.1\r\n\r\n",
            ],
            "GET:!FieldLine bad lost GET:",
        );
        check(
            Kind::Response,
            &[
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            ],
            "200:abc!Chunk 204:",
        );
        check(
            Kind::Request,
            &["POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET / HTTP/1.1\r\n\r\n"],
            "POST:!Chunk lost",
        );
    }

    #[test]
    fn what_is_no_head_is_told_and_a_later_one_found() {
        let get = "GET / HTTP/1.1\r\n\r\n";
        let socks = "\x05\x01\0";
        check(Kind::Request, &[socks, socks, get], "bad lost GET:");
        check(
            Kind::Request,
            &[&[socks; 63][..], &[get]].concat(),
            "bad lost GET:",
        );
        check(Kind::Request, &["EHLO a\r\n", "Fin"], "bad lost closed");
        check(Kind::Request, &["Fin"], "closed");
        check(Kind::Request, &["-0", "some body", get], "lost GET:");
    }

    #[test]
    fn a_side_without_a_message_is_told_once_and_searched_on() {
        let body = "xxx";
        let ok = "HTTP/1.1 204 No\r\n\r\n";
        let packets = [&["-9"][..], &[body; 63], &[ok]].concat();
        check(Kind::Response, &packets, "lost 204:");
        let packets = [&["-9"][..], &[body; 64], &[ok]].concat();
        check(Kind::Response, &packets, "lost unread Text 204:");
        let packets = [&["-9"][..], &[body; 500], &[ok]].concat();
        check(Kind::Response, &packets, "lost unread Text 204:");
        // Not one that had a message before.
        let packets = [&[ok, "-9"][..], &[body; 500], &[ok]].concat();
        check(Kind::Response, &packets, "204: lost 204:");
    }

    #[test]
    fn an_ambiguous_head_after_a_gap_is_a_request_all_the_same() {
        let ambiguous = "GET /a HTTP/1.1\r\nHost : a\r\n\r\n";
        check(
            Kind::Request,
            &["-0", ambiguous],
            "lost GET:!FieldLine lost",
        );
        check(
            Kind::Request,
            &[ambiguous, ambiguous, "GET / HTTP/1.1\r\n\r\n"],
            "GET:!FieldLine lost GET:!FieldLine lost GET:",
        );
    }

    #[test]
    fn after_a_gap_only_a_request_line_of_sorts_is_told_as_bad() {
        for line in ["GET / HTTP/9.9\r\n\r\n", "FETCH / HTTP/1.1\r\n\r\n"] {
            check(Kind::Request, &["-0", line], "lost bad lost");
        }
        for line in ["GET / HTTP/9.9", "some body\r\n", "\0\r\n"] {
            check(Kind::Request, &["-0", line], "lost");
        }
        check(Kind::Response, &["-0", "GET / HTTP/9.9\r\n"], "lost");
    }

    #[test]
    fn a_first_line_longer_than_its_packet_after_a_gap_is_unsure() {
        let rest = " HTTP/1.1\r\n\r\n";
        let get = "GET / HTTP/1.1\r\n\r\n";
        check(
            Kind::Request,
            &["-0", "GET /aaaa", "aaaa", rest, get],
            "lost GET:!UnseenStart lost GET:",
        );
        check(Kind::Request, &["GET /aaaa", "aaaa", rest], "GET:");
        check(
            Kind::Request,
            &["-0", "GET / HTTP/1.1\r\n", "\r\n"],
            "lost GET:",
        );
        check(
            Kind::Response,
            &["-0", "HTTP/1", ".1 204 No\r\n\r\n"],
            "lost 204:",
        );
    }

    #[test]
    fn a_head_over_the_limit_is_a_message_with_a_fault() {
        let long = format!("A: {}\r\n", "a".repeat(150));
        let get = "GET / HTTP/1.1\r\n\r\n";
        check(
            Kind::Request,
            &["GET /a HTTP/1.1\r\n", &long, &long, &long, "\r\n", get],
            "GET:!HeadTooLarge lost GET:",
        );
        let whole = format!("GET /a HTTP/1.1\r\n{long}{long}");
        check(Kind::Request, &[&whole, get], "GET:!HeadTooLarge lost GET:");
        let fits = format!("GET /a HTTP/1.1\r\n{long}\r\n");
        check(Kind::Request, &[&fits, get], "GET: GET:");
        let response = format!("HTTP/1.1 200 OK\r\n{long}{long}");
        check(Kind::Response, &[&response], "200:!HeadTooLarge lost");
        let fields = "A:\r\n".repeat(5000);
        let many = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        check(Kind::Request, &[&many, get], "GET:!HeadTooLarge lost GET:");
    }

    #[test]
    fn a_first_line_is_judged_as_soon_as_it_is_there() {
        check(Kind::Request, &["GET / HT", "TP/9.9\r\n"], "bad lost");
        check(Kind::Response, &["HTT", "P/2.0 200"], "bad lost");
        // What is not a method in one packet is none in two.
        let rest = "2 / HTTP/1.1\r\n\r\n";
        check(Kind::Request, &[&format!("M{rest}")], "bad lost");
        check(Kind::Request, &["M", rest], "bad lost");
    }

    #[test]
    fn an_endless_first_line_is_given_up() {
        let long = "a".repeat(150);
        check(
            Kind::Request,
            &["GET / HTTP/1.1\r\n\r\n", "GET /", &long, &long, &long],
            "GET: bad lost",
        );
    }

    /// Messages of packets of which those with a `!` before them brought urgent data.
    fn check_urgent(packets: &[&str], expect: &str) {
        let mut parser = Parser::new(Kind::Request, LIMITS);
        let mut out = Vec::new();
        for packet in packets {
            let text = packet.trim_start_matches('!');
            let data = StreamEvent::Data(Bytes::copy_from_slice(text.as_bytes()));
            let urgent = text.len() < packet.len();
            parser.push(
                data,
                Arrival {
                    urgent,
                    ..Arrival::default()
                },
            );
            while let Some(parsed) = parser.poll() {
                match parsed {
                    Parsed::Head => parser.proceed(Answered::Other),
                    Parsed::Message { message, .. } => out.push(self::text(&message)),
                    _ => {}
                }
            }
        }
        assert_eq!(out.join(" "), expect);
    }

    #[test]
    fn urgent_data_makes_its_message_ambiguous() {
        let head = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n";
        let (begin, end) = head.split_at(10);
        check_urgent(&[head, "ab"], "POST:ab");
        check_urgent(&[&format!("!{head}"), "ab"], "POST:ab!UrgentData");
        check_urgent(&[begin, &format!("!{end}"), "ab"], "POST:ab!UrgentData");
        check_urgent(&[head, "!ab"], "POST:ab!UrgentData");
        check_urgent(&[head, "!a", "b"], "POST:ab!UrgentData");
        check_urgent(&[head, "ab", head, "ab"], "POST:ab POST:ab");
    }

    #[test]
    fn trailers_belong_to_their_message() {
        let mut parser = Parser::new(Kind::Request, LIMITS);
        let text =
            "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: u\r\n\r\n";
        parser.push(StreamEvent::Data(text.into()), Arrival::default());
        assert!(matches!(parser.poll(), Some(Parsed::Head)));
        parser.proceed(Answered::Other);
        let Some(Parsed::Message {
            message: Message::Request(request),
            ..
        }) = parser.poll()
        else {
            panic!("a whole request")
        };
        assert_eq!(request.trailers.first("t"), Some(&b"u"[..]));
        assert_eq!(request.fault, None);
    }
}
