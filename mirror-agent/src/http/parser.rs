//! [`StreamEvent`]s of one side → its messages.
//!
//! Calling order: [`Parser::push`] what the stream gave, then [`Parser::poll`] until it returns `None`. After
//! [`Parsed::Head`] it goes no further before [`Parser::proceed`]: where a response ends depends on its request.
//!
//! After a gap, or bytes that cannot be read, messages may be missing: [`Parsed::Lost`] says so, and the stream goes on at
//! the next packet that begins with a start line. Start lines inside packets do not count, they may be in some body.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use super::{Answered, Decoder, Framing, Head, Kind, Message, Sniff, sniff, sniff_known};
use crate::exchange::{Fault, Request, Response, Timestamp};
use crate::tcp::{Arrival, CloseReason, Seq, StreamEvent};

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
        /// Behind its last byte.
        end: Seq,
    },
    /// Messages may be missing here.
    Lost,
    /// A head began and could not be read; `Lost` follows.
    BadHead,
    /// The stream began with something else than HTTP/1.
    Foreign,
    Closed,
}

pub struct Parser {
    kind: Kind,
    limits: HttpLimits,
    input: VecDeque<(StreamEvent, Arrival)>,
    queued: usize,
    state: State,
    /// A head was read: this is HTTP.
    proven: bool,
    /// Bytes before the next message may be missing; it must begin a packet.
    resync: bool,
    /// To be reported before anything else.
    lost: bool,
}

enum State {
    /// Before or in a head, of which `begun` holds the bytes of earlier packets.
    Start {
        begun: BytesMut,
        first: Arrival,
    },
    /// The head is read, `proceed` is awaited.
    Paused(Partial),
    Body(Partial, Decoder),
    /// Not HTTP, or no longer.
    Ignored,
}

struct Partial {
    head: Head,
    body: Body,
    fault: Option<Fault>,
    first: Arrival,
    last: Timestamp,
    end: Seq,
    /// It may answer HEAD: then it has no body, whatever its head says.
    doubt: bool,
}

impl Parser {
    pub fn new(kind: Kind, limits: HttpLimits) -> Self {
        Self {
            kind,
            limits,
            input: VecDeque::new(),
            queued: 0,
            state: State::start(),
            proven: false,
            resync: false,
            lost: false,
        }
    }

    pub fn push(&mut self, event: StreamEvent, arrival: Arrival) {
        if matches!(self.state, State::Ignored) {
            return;
        }
        if let StreamEvent::Data(bytes) = &event {
            self.queued += bytes.len();
        }
        self.input.push_back((event, arrival));
    }

    /// Bytes pushed and not yet looked at.
    pub fn queued_bytes(&self) -> usize {
        self.queued
    }

    /// The head that awaits `proceed`, and when it began.
    pub fn head(&self) -> Option<(&Head, Arrival)> {
        match &self.state {
            State::Paused(partial) => Some((&partial.head, partial.first)),
            _ => None,
        }
    }

    /// Goes on behind the head. `answered` matters to responses only.
    pub fn proceed(&mut self, answered: Answered) {
        let State::Paused(mut partial) = self.take() else {
            return;
        };
        partial.doubt = answered == Answered::Unknown;
        let decoder = match Framing::of(&partial.head, answered) {
            Ok(framing) => Decoder::new(framing),
            Err(_) => {
                partial.fault = Some(Fault::Ambiguous);
                self.lose();
                Decoder::Length(0)
            }
        };
        self.state = State::Body(partial, decoder);
    }

    /// From here on the stream is no HTTP: everything is dropped.
    pub fn ignore(&mut self) {
        self.state = State::Ignored;
        self.input = VecDeque::new();
        self.queued = 0;
    }

    pub fn poll(&mut self) -> Option<Parsed> {
        loop {
            match self.take() {
                State::Start { begun, first } => {
                    if std::mem::take(&mut self.lost) {
                        self.state = State::Start { begun, first };
                        return Some(Parsed::Lost);
                    }
                    if let Some(parsed) = self.start(begun, first)? {
                        return Some(parsed);
                    }
                }
                State::Body(partial, decoder) => {
                    if let Some(parsed) = self.body(partial, decoder)? {
                        return Some(parsed);
                    }
                }
                state @ (State::Paused(_) | State::Ignored) => {
                    self.state = state;
                    return None;
                }
            }
        }
    }

    /// Leaves the state that a finished message leaves.
    fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::start())
    }

    fn pop(&mut self) -> Option<(StreamEvent, Arrival)> {
        let (event, arrival) = self.input.pop_front()?;
        if let StreamEvent::Data(bytes) = &event {
            self.queued -= bytes.len();
        }
        Some((event, arrival))
    }

    fn push_front(&mut self, bytes: Bytes, arrival: Arrival) {
        if !bytes.is_empty() {
            self.queued += bytes.len();
            self.input.push_front((StreamEvent::Data(bytes), arrival));
        }
    }

    fn lose(&mut self) {
        self.lost = true;
        self.resync = true;
    }

    /// One step before or in a head. `None` when input is needed, `Some(None)` when there is nothing to tell.
    fn start(&mut self, begun: BytesMut, first: Arrival) -> Option<Option<Parsed>> {
        let Some((event, arrival)) = self.pop() else {
            self.state = State::Start { begun, first };
            return None;
        };
        match event {
            StreamEvent::Data(bytes) if begun.is_empty() => Some(self.begin(bytes, arrival)),
            // What was begun was the rest of something lost.
            StreamEvent::Data(bytes)
                if self.resync && sniff_known(self.kind, &bytes) == Sniff::Yes =>
            {
                Some(self.begin(bytes, arrival))
            }
            StreamEvent::Data(bytes) => Some(self.go_on(begun, first, bytes, arrival)),
            StreamEvent::Gap { .. } => {
                self.lose();
                Some(None)
            }
            StreamEvent::Close { .. } if begun.is_empty() => Some(Some(Parsed::Closed)),
            StreamEvent::Close { reason } => {
                self.input
                    .push_front((StreamEvent::Close { reason }, arrival));
                Some(self.bad_head())
            }
        }
    }

    /// The first bytes of what should be a message.
    fn begin(&mut self, mut bytes: Bytes, mut arrival: Arrival) -> Option<Parsed> {
        // Empty lines before a message are to be passed over (RFC 9112 §2.2).
        let empty = bytes
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        bytes.advance(empty);
        arrival.seq = arrival.seq + empty as u32;
        if bytes.is_empty() {
            return None;
        }
        let looks = if self.resync { sniff_known } else { sniff };
        match looks(self.kind, &bytes) {
            Sniff::No => self.bad_head(),
            Sniff::Yes | Sniff::Maybe => match Head::parse(self.kind, &bytes) {
                Ok(Some((head, length))) => Some(self.pause(head, arrival, bytes, length, arrival)),
                Ok(None) if bytes.len() <= self.limits.max_head => {
                    self.state = State::Start {
                        begun: BytesMut::from(&bytes[..]),
                        first: arrival,
                    };
                    None
                }
                Ok(None) | Err(_) => self.bad_head(),
            },
        }
    }

    /// More bytes of a head.
    fn go_on(
        &mut self,
        mut begun: BytesMut,
        first: Arrival,
        bytes: Bytes,
        arrival: Arrival,
    ) -> Option<Parsed> {
        let before = begun.len();
        begun.extend_from_slice(&bytes);
        // Parsing anew for every packet would be quadratic: only when a head may end in this one.
        let may_end = begun[before.saturating_sub(3)..]
            .windows(2)
            .any(|pair| pair == b"\n\n" || pair == b"\n\r");
        if !may_end && sniff(self.kind, &begun) != Sniff::No && begun.len() <= self.limits.max_head
        {
            self.state = State::Start { begun, first };
            return None;
        }
        let begun = begun.freeze();
        match Head::parse(self.kind, &begun) {
            Ok(Some((head, length))) if length > before => {
                Some(self.pause(head, first, bytes, length - before, arrival))
            }
            Ok(None) if begun.len() <= self.limits.max_head => {
                self.state = State::Start {
                    begun: BytesMut::from(begun),
                    first,
                };
                None
            }
            _ => self.bad_head(),
        }
    }

    /// A head is read; its last `used` bytes are the first of `bytes`.
    fn pause(
        &mut self,
        head: Head,
        first: Arrival,
        mut bytes: Bytes,
        used: usize,
        arrival: Arrival,
    ) -> Parsed {
        bytes.advance(used);
        let end = arrival.seq + used as u32;
        self.push_front(
            bytes,
            Arrival {
                seq: end,
                ..arrival
            },
        );
        self.proven = true;
        self.resync = false;
        self.state = State::Paused(Partial {
            head,
            body: Body::new(self.limits.max_body),
            fault: None,
            first,
            last: arrival.at,
            end,
            doubt: false,
        });
        Parsed::Head
    }

    /// What was taken for a head is none. The packet it is in is dropped.
    fn bad_head(&mut self) -> Option<Parsed> {
        // Behind a gap it was a guess.
        if self.resync {
            return None;
        }
        if !self.proven {
            self.ignore();
            return Some(Parsed::Foreign);
        }
        self.lose();
        Some(Parsed::BadHead)
    }

    /// One step in a body, with the same results as `start`.
    fn body(&mut self, mut partial: Partial, mut decoder: Decoder) -> Option<Option<Parsed>> {
        if decoder.is_done() {
            return Some(Some(partial.finish()));
        }
        let Some((event, arrival)) = self.pop() else {
            self.state = State::Body(partial, decoder);
            return None;
        };
        match event {
            StreamEvent::Data(bytes) if partial.doubt && sniff(self.kind, &bytes) == Sniff::Yes => {
                self.push_front(bytes, arrival);
                return Some(Some(partial.finish()));
            }
            StreamEvent::Data(bytes) => {
                partial.doubt = false;
                if !self.data(&mut partial, &mut decoder, bytes, arrival) {
                    partial.fault.get_or_insert(Fault::Ambiguous);
                    self.lose();
                    return Some(Some(partial.finish()));
                }
            }
            StreamEvent::Gap { len } => {
                partial.fault = Some(Fault::Gap);
                if !decoder.skip(len) {
                    self.lose();
                    return Some(Some(partial.finish()));
                }
                partial.end = partial.end + len as u32;
            }
            StreamEvent::Close { reason } => {
                self.input
                    .push_front((StreamEvent::Close { reason }, arrival));
                if decoder != Decoder::UntilClose || reason != CloseReason::Fin {
                    partial.fault.get_or_insert(Fault::Truncated);
                }
                return Some(Some(partial.finish()));
            }
        }
        self.state = State::Body(partial, decoder);
        Some(None)
    }

    /// Body bytes; false when they cannot be read.
    fn data(
        &mut self,
        partial: &mut Partial,
        decoder: &mut Decoder,
        mut bytes: Bytes,
        arrival: Arrival,
    ) -> bool {
        let length = bytes.len();
        while !decoder.is_done() && !bytes.is_empty() {
            match decoder.decode(&mut bytes) {
                Ok(slice) => {
                    if !partial.body.push(slice) {
                        partial.fault.get_or_insert(Fault::TooLarge);
                    }
                }
                Err(_) => return false,
            }
        }
        partial.last = partial.last.max(arrival.at);
        partial.end = arrival.seq + (length - bytes.len()) as u32;
        self.push_front(
            bytes,
            Arrival {
                seq: partial.end,
                ..arrival
            },
        );
        true
    }
}

impl State {
    fn start() -> Self {
        Self::Start {
            begun: BytesMut::new(),
            first: Arrival::default(),
        }
    }
}

impl Partial {
    fn finish(self) -> Parsed {
        let body = self.body.finish();
        let fault = self.fault;
        let message = match self.head {
            Head::Request {
                method,
                target,
                minor,
                headers,
            } => Message::Request(Request {
                method,
                target,
                minor,
                headers,
                body,
                fault,
            }),
            Head::Response {
                status,
                minor,
                headers,
            } => Message::Response(Response {
                status,
                minor,
                headers,
                body,
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

/// A body up to its cap. One slice is kept as it is, only more are joined.
struct Body {
    only: Bytes,
    joined: BytesMut,
    room: usize,
}

impl Body {
    fn new(cap: usize) -> Self {
        Self {
            only: Bytes::new(),
            joined: BytesMut::new(),
            room: cap,
        }
    }

    /// False when not all of it fitted.
    fn push(&mut self, slice: Bytes) -> bool {
        let kept = slice.slice(..slice.len().min(self.room));
        self.room -= kept.len();
        let fitted = kept.len() == slice.len();
        if self.only.is_empty() {
            self.only = kept;
        } else if !kept.is_empty() {
            if self.joined.is_empty() {
                self.joined.extend_from_slice(&self.only);
            }
            self.joined.extend_from_slice(&kept);
        }
        fitted
    }

    fn finish(self) -> Bytes {
        if self.joined.is_empty() {
            self.only
        } else {
            self.joined.freeze()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HttpLimits = HttpLimits {
        max_head: 200,
        max_body: 10,
    };

    fn arrival(at: u64, seq: u32) -> Arrival {
        Arrival {
            at: Timestamp(at),
            seq: Seq(seq),
            ack: None,
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
                    Parsed::BadHead => out.push("bad".to_owned()),
                    Parsed::Foreign => out.push("foreign".to_owned()),
                    Parsed::Closed => out.push("closed".to_owned()),
                }
            }
        }
        assert_eq!(parser.queued_bytes(), 0);
        out.join(" ")
    }

    fn text(message: &Message) -> String {
        let (name, body, fault) = match message {
            Message::Request(request) => (request.method.clone(), &request.body, request.fault),
            Message::Response(response) => {
                (response.status.to_string(), &response.body, response.fault)
            }
        };
        let fault = fault.map(|fault| format!("!{fault:?}")).unwrap_or_default();
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
            "POST:a!Gap lost GET:",
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
    }

    #[test]
    fn ambiguous_messages_end_the_trust_in_the_stream() {
        check(
            Kind::Request,
            &[
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
                "GET / HTTP/1.1\r\n\r\n",
            ],
            "POST:!Ambiguous lost GET:",
        );
        check(
            Kind::Request,
            &["POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET / HTTP/1.1\r\n\r\n"],
            "POST:!Ambiguous lost",
        );
    }

    #[test]
    fn what_is_not_http_is_dropped() {
        check(
            Kind::Request,
            &["\x16\x03\x01", "GET / HTTP/1.1\r\n\r\n"],
            "foreign",
        );
        check(
            Kind::Request,
            &["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
            "foreign",
        );
        assert_eq!(
            run(
                Kind::Request,
                &[b"-0", b"some body", b"GET / HTTP/1.1\r\n\r\n"]
            ),
            "lost GET:"
        );
    }

    #[test]
    fn an_endless_head_is_given_up() {
        let long = "a".repeat(150);
        check(
            Kind::Request,
            &["GET / HTTP/1.1\r\n\r\n", "GET /", &long, &long, &long],
            "GET: bad lost",
        );
    }
}
