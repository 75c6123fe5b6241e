//! [`StreamEvent`]s of one side → its messages.
//!
//! Calling order: [`Parser::push`] what the stream gave, then [`Parser::poll`] until it returns `None`. After
//! [`Parsed::Head`] it goes no further before [`Parser::proceed`]: where a response ends depends on its request.
//!
//! After a gap, or bytes that cannot be read, messages may be missing: [`Parsed::Lost`] says so, and the stream goes on at
//! the next packet that begins with a start line. Start lines inside packets do not count, they may be in some body. It is
//! the same behind an ambiguous request: what follows in its packet may be a part of it to one server, and a request to another.
//!
//! A stream that begins with something else is looked at for [`SEARCHED`] packets: HTTP may follow what a proxy is told first.

use bytes::{Buf, Bytes, BytesMut};

use super::partial::Partial;
use super::queue::Queue;
use super::{Answered, Decoder, Found, Framed, Framing, Head, Kind, Sniff, sniff, sniff_known};
use crate::exchange::{Body, Fault};
use crate::http::{Foreign, Message};
use crate::packet::Seq;
use crate::tcp::{Arrival, CloseReason, StreamEvent};
use crate::time::Timestamp;

/// Packets of one side that may come before the first start line.
const SEARCHED: u8 = 8;

#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Bytes of start line and headers.
    pub max_head: usize,
    /// Body bytes kept.
    pub max_body: usize,
}

#[allow(
    clippy::large_enum_variant,
    reason = "it lives for one match, and a box is an allocation per message"
)]
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
    /// The stream is something else than HTTP/1.
    Foreign(Foreign),
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
    /// Boxed, because most sides of most connections are between messages.
    partial: Option<Box<Partial>>,
    /// A head was read: this is HTTP.
    proven: bool,
    /// Packets that were looked at before that.
    searched: u8,
    /// Bytes before the next message may be missing; it must begin a packet.
    resync: bool,
    /// To be reported before anything else.
    lost: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Before or in a head.
    Start,
    /// The head is read, `proceed` is awaited.
    Paused,
    Body,
    /// Not HTTP, or no longer.
    Ignored,
}

/// What a step came to.
#[allow(
    clippy::large_enum_variant,
    reason = "it lives for one match, and a box is an allocation per message"
)]
enum Step {
    Told(Parsed),
    Further,
    /// Input is needed.
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
            partial: None,
            proven: false,
            searched: 0,
            resync: false,
            lost: false,
        }
    }

    pub fn push(&mut self, event: StreamEvent, arrival: Arrival) {
        if self.stage != Stage::Ignored {
            self.queue.push(event, arrival);
        }
    }

    /// A message was seen.
    pub fn is_proven(&self) -> bool {
        self.proven
    }

    /// Bytes pushed and not yet looked at.
    pub fn queued_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// Bytes held: queued, of a head, of a body.
    pub fn held_bytes(&self) -> usize {
        let body = self
            .partial
            .as_ref()
            .map_or(0, |partial| partial.body.len());
        self.queue.bytes() + self.begun.len() + body
    }

    /// The head that awaits `proceed`, and when it began.
    pub fn head(&self) -> Option<(&Head, Arrival)> {
        let partial = self.partial.as_ref()?;
        (self.stage == Stage::Paused).then_some((&partial.head, partial.first))
    }

    /// Goes on behind the head. `answered` matters to responses only.
    pub fn proceed(&mut self, answered: Answered) {
        let (Stage::Paused, Some(partial)) = (self.stage, &mut self.partial) else {
            return;
        };
        self.stage = Stage::Body;
        if partial.cut {
            return;
        }
        partial.doubt = answered == Answered::Unknown;
        let Framed { framing, ambiguous } = Framing::of(&partial.head, answered);
        partial.decoder = Decoder::new(framing.unwrap_or(Framing::Length(0)));
        if ambiguous {
            partial.fault = Some(Fault::Ambiguous);
        }
        if framing.is_none() {
            self.lose();
            self.queue.drop_packet();
        }
    }

    /// From here on the stream is no HTTP: everything is dropped.
    pub fn ignore(&mut self) {
        self.stage = Stage::Ignored;
        self.queue = Queue::default();
        self.begun = BytesMut::new();
        self.partial = None;
    }

    pub fn poll(&mut self) -> Option<Parsed> {
        loop {
            let step = match self.stage {
                Stage::Start if std::mem::take(&mut self.lost) => Step::Told(Parsed::Lost),
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
                cut.unwrap_or_else(|| self.bad_head(&begun))
            }
            // Too short to be searched to the end.
            StreamEvent::Close { reason } if self.searched > 0 && !self.proven => {
                self.queue.unpop(StreamEvent::Close { reason }, arrival);
                self.proven = true;
                Step::Told(Parsed::Foreign(Foreign::Other))
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
        if looks(self.kind, &bytes) == Sniff::No {
            return self.bad_head(&bytes);
        }
        match Head::parse(self.kind, &bytes) {
            Ok(Some(found)) if self.is_credible(&found) => {
                let used = found.length;
                self.pause(found, arrival, bytes, used, arrival)
            }
            Ok(None) if bytes.len() <= self.limits.max_head => {
                self.begun.extend_from_slice(&bytes);
                self.first = arrival;
                Step::Further
            }
            _ => self.bad_head(&bytes),
        }
    }

    /// More bytes of a head.
    fn go_on(&mut self, bytes: Bytes, arrival: Arrival) -> Step {
        let before = self.begun.len();
        self.begun.extend_from_slice(&bytes);
        let fits = self.begun.len() <= self.limits.max_head;
        // Parsing anew for every packet would be quadratic: only when a head may end in this one.
        let may_end = self.begun[before.saturating_sub(3)..]
            .windows(2)
            .any(|pair| pair == b"\n\n" || pair == b"\n\r");
        if !may_end && fits && sniff(self.kind, &self.begun) != Sniff::No {
            return Step::Further;
        }
        let begun = self.begun.split().freeze();
        match Head::parse(self.kind, &begun) {
            Ok(Some(found)) if found.length > before && self.is_credible(&found) => {
                let used = found.length - before;
                self.pause(found, self.first, bytes, used, arrival)
            }
            Ok(None) if fits => {
                self.begun = BytesMut::from(begun);
                Step::Further
            }
            _ => self.bad_head(&begun),
        }
    }

    /// In the middle of nowhere, what is not even well formed is no head.
    fn is_credible(&self, found: &Found) -> bool {
        !(self.resync && found.ambiguous)
    }

    /// A head is read; its last `used` bytes are the first of `bytes`.
    fn pause(
        &mut self,
        found: Found,
        first: Arrival,
        mut bytes: Bytes,
        used: usize,
        arrival: Arrival,
    ) -> Step {
        bytes.advance(used);
        let seq = arrival.seq + used as u32;
        self.queue.push_rest(bytes, Arrival { seq, ..arrival });
        self.proven = true;
        self.resync = false;
        self.stage = Stage::Paused;
        self.partial = Some(Box::new(Partial {
            head: found.head,
            body: Body::default(),
            decoder: Decoder::Length(0),
            fault: found.ambiguous.then_some(Fault::Ambiguous),
            first,
            last: arrival.at,
            end: seq,
            doubt: false,
            cut: false,
        }));
        Step::Told(Parsed::Head)
    }

    /// A head whose rest never comes. When its start line did, there was a message: it must not go unseen.
    fn cut_head(&mut self, begun: &Bytes, fault: Fault, arrival: Arrival) -> Option<Step> {
        let lines = memchr::memrchr(b'\n', begun)? + 1;
        let closed: Bytes = [&begun[..lines], b"\r\n"].concat().into();
        let found = Head::parse(self.kind, &closed).ok().flatten()?;
        if !self.is_credible(&found) || found.length != closed.len() {
            return None;
        }
        let end = self.first.seq + begun.len() as u32;
        let at = Arrival {
            seq: end,
            ..arrival
        };
        let step = self.pause(found, self.first, Bytes::new(), 0, at);
        if let Some(partial) = &mut self.partial {
            partial.fault = Some(fault);
            partial.cut = true;
        }
        Some(step)
    }

    /// What was taken for a head is none. The packet it is in is dropped.
    fn bad_head(&mut self, bytes: &[u8]) -> Step {
        if !self.proven {
            return self.search(bytes);
        }
        // Behind a gap it was a guess.
        if self.resync {
            return Step::Further;
        }
        self.lose();
        Step::Told(Parsed::BadHead)
    }

    /// No message was seen yet, and this packet begins none.
    fn search(&mut self, bytes: &[u8]) -> Step {
        self.searched = self.searched.saturating_add(1);
        let foreign = Foreign::of(bytes);
        if foreign == Foreign::Other && self.searched < SEARCHED {
            if !self.resync {
                self.lose();
            }
            return Step::Further;
        }
        self.ignore();
        Step::Told(Parsed::Foreign(foreign))
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
            StreamEvent::Data(bytes) => self.data(bytes, arrival),
            StreamEvent::Gap { len } => self.gap(len),
            StreamEvent::Close { reason } => {
                self.queue.unpop(StreamEvent::Close { reason }, arrival);
                if let Some(partial) = &mut self.partial
                    && (partial.decoder != Decoder::UntilClose || reason != CloseReason::Fin)
                {
                    partial.fault.get_or_insert(Fault::Truncated);
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
        let length = bytes.len();
        while !partial.decoder.is_done() && !bytes.is_empty() {
            let Ok(mut slice) = partial.decoder.decode(&mut bytes) else {
                partial.fault.get_or_insert(Fault::Ambiguous);
                self.lose();
                return self.finish();
            };
            let room = self.limits.max_body - partial.body.len();
            if slice.len() > room {
                slice.truncate(room);
                partial.fault.get_or_insert(Fault::TooLarge);
            }
            partial.body.push(slice);
        }
        if partial.decoder.is_ambiguous() {
            partial.fault = Some(Fault::Ambiguous);
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
        partial.fault = Some(Fault::Gap);
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
        if self.kind == Kind::Request && partial.fault == Some(Fault::Ambiguous) {
            self.lose();
            self.queue.drop_packet();
        }
        Step::Told(partial.finish())
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
                    Parsed::Foreign(name) => out.push(format!("{name:?}")),
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
        check(Kind::Request, &["GET /a HT", "Fin"], "lost Other closed");
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
        // Both lengths end right before it: even so it may be the body of one to somebody.
        check(
            Kind::Request,
            &[
                "POST / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
            ],
            "POST:!Ambiguous lost",
        );
        check(
            Kind::Request,
            &[
                "GET / HTTP/1.1\r\nHost : a\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
                "GET / HTTP/1.1\r\n\r\n",
            ],
            "GET:!Ambiguous lost GET:",
        );
        check(
            Kind::Response,
            &[
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            ],
            "200:abc!Ambiguous 204:",
        );
        check(
            Kind::Request,
            &["POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET / HTTP/1.1\r\n\r\n"],
            "POST:!Ambiguous lost",
        );
    }

    #[test]
    fn what_is_not_http_has_a_name() {
        let tls = "\x16\x03\x01\x02\x00";
        check(Kind::Request, &[tls, "GET / HTTP/1.1\r\n\r\n"], "Tls");
        check(
            Kind::Request,
            &["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
            "Http2",
        );
        check(Kind::Request, &["EHLO a\r\n", "Fin"], "lost Other closed");
        check(Kind::Request, &["Fin"], "closed");
    }

    #[test]
    fn http_may_begin_a_few_packets_later() {
        let get = "GET / HTTP/1.1\r\n\r\n";
        let socks = "\x05\x01\x00";
        check(
            Kind::Request,
            &[socks, "\x05\x01\x00\x01\x0a", get],
            "lost GET:",
        );
        check(
            Kind::Request,
            &[&[socks; 7][..], &[get]].concat(),
            "lost GET:",
        );
        check(
            Kind::Request,
            &[&[socks; 8][..], &[get]].concat(),
            "lost Other",
        );
        check(Kind::Request, &["-0", "some body", get], "lost GET:");
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
