//! What a connection speaks, and which side the client is.
//!
//! A packet that begins with a start line decides for HTTP/1: who sends requests is the client, whatever the handshake
//! says, because whoever opened a connection through a proxy may be the one that is asked over it. Something else may come
//! first: a PROXY header, which is taken off and names the client, or what a SOCKS proxy is told. So a stream is looked at
//! for [`SEARCHED`] packets before it is given up. Packets after a gap do not count: they may be the rest of a message whose
//! beginning was lost, and the search goes on to the next start line, however far that is.

use super::h1::{self, Kind, Sniff, sniff, sniff_known};
use super::h2::{ENOUGH_FRAMES, FrameWalk};
use super::proxy::ProxyHeader;
use super::{ConnectionInfo, ConversationLimits, Protocol, UnreadExample};
use crate::packet::Side;
use crate::tcp::{Arrival, StreamEvent};

use std::net::SocketAddr;

use bytes::Buf;

/// Packets of one side that may come before the first start line.
const SEARCHED: u16 = 8;
/// Packets after a gap, and without a start line, after which the connection is told to be unread.
const MANY_PACKETS: u16 = 64;

type Event = (Side, StreamEvent, Arrival);

/// What is known after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sniffed {
    Undecided,
    /// HTTP/1, with this client.
    H1(Side),
    /// Something else, as this side's bytes tell.
    Foreign(Protocol, Side),
    /// Still undecided, after many packets.
    Unread(UnreadExample),
}

/// A connection whose protocol is not known yet.
pub struct Sniffing {
    pub(super) info: ConnectionInfo,
    /// The client's side, once it is known.
    pub(super) client: Option<Side>,
    limits: ConversationLimits,
    sides: [SideBegin; 2],
    /// What the protocol's own reader is to see from the beginning.
    held: Vec<Event>,
    held_bytes: usize,
    /// The client that a PROXY header names.
    proxied: Option<SocketAddr>,
}

/// What is known of one side.
#[derive(Default)]
struct SideBegin {
    /// Bytes are missing before those that come now.
    after_gap: bool,
    /// A PROXY header can only come first.
    is_past_proxy: bool,
    /// The beginning of a PROXY header or of a first line, over several packets.
    line: Vec<u8>,
    /// Packets that begin no message.
    searched: u16,
    /// What the first of them looks like.
    protocol: Option<Protocol>,
    walk: FrameWalk,
}

impl Sniffing {
    pub(super) fn new(
        info: ConnectionInfo,
        client: Option<Side>,
        limits: ConversationLimits,
    ) -> Self {
        Self {
            info,
            client,
            limits,
            sides: [SideBegin::default(), SideBegin::default()],
            held: Vec::new(),
            held_bytes: 0,
            proxied: None,
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        let lines: usize = self.sides.iter().map(|side| side.line.len()).sum();
        self.held_bytes + lines
    }

    pub(super) fn take(&mut self, side: Side, event: StreamEvent, at: Arrival) -> Sniffed {
        match &event {
            StreamEvent::Data(bytes) if !self.sides[side.index()].is_past_proxy => {
                let begin = &mut self.sides[side.index()];
                let header = match begin.line.is_empty() {
                    true => ProxyHeader::read(bytes),
                    false => ProxyHeader::read(&[&begin.line[..], bytes].concat()),
                };
                if header != ProxyHeader::Begun {
                    return self.after_proxy(side, header, event, at);
                }
                begin.line.extend_from_slice(bytes);
                self.hold(side, event, at);
                return Sniffed::Undecided;
            }
            StreamEvent::Data(_) => return self.data(side, event, at),
            StreamEvent::Gap { len } => {
                let begin = &mut self.sides[side.index()];
                begin.after_gap = true;
                begin.walk.gap(*len);
                begin.line.clear();
            }
            StreamEvent::Close { .. } => {}
        }
        self.hold(side, event, at);
        Sniffed::Undecided
    }

    /// A PROXY header, if it is one, is all there.
    fn after_proxy(
        &mut self,
        side: Side,
        header: ProxyHeader,
        mut event: StreamEvent,
        mut at: Arrival,
    ) -> Sniffed {
        let begin = &mut self.sides[side.index()];
        begin.is_past_proxy = true;
        if let ProxyHeader::Whole(length, client) = header {
            // What it began with is held, and is nobody's message.
            let before = std::mem::take(&mut begin.line).len();
            self.proxied = client;
            self.client = Some(side);
            self.drop_data(side);
            if let StreamEvent::Data(bytes) = &mut event {
                bytes.advance(length - before);
                at.seq = at.seq + (length - before) as u32;
                if bytes.is_empty() {
                    return Sniffed::Undecided;
                }
            }
        }
        self.data(side, event, at)
    }

    fn data(&mut self, side: Side, event: StreamEvent, at: Arrival) -> Sniffed {
        let StreamEvent::Data(bytes) = &event else {
            return Sniffed::Undecided;
        };
        let begin = &mut self.sides[side.index()];
        begin.walk.data(bytes);
        let before = begin.line.len();
        let fits = before + bytes.len() <= self.limits.http.max_head;
        // Looking anew at every packet of a long line would be quadratic.
        if before > 0 && fits && !h1::is_worth_another_look(before, bytes) {
            begin.line.extend_from_slice(bytes);
            self.hold(side, event, at);
            return Sniffed::Undecided;
        }
        let joined;
        let text = match before {
            0 => &bytes[..],
            _ => {
                joined = [&begin.line[..], bytes].concat();
                &joined
            }
        };
        let frames: u32 = self.sides.iter().map(|side| side.walk.frames()).sum();
        let (looks, kind) = self.looks(side, text);
        let begin = &mut self.sides[side.index()];
        let protocol = match begin.after_gap || begin.searched > 0 {
            true => Protocol::anywhere(text),
            false => Protocol::known(text),
        };
        match (looks, protocol) {
            (Sniff::Yes, _) => {
                self.hold(side, event, at);
                let is_client = kind == Kind::Request;
                return Sniffed::H1(if is_client { side } else { side.other() });
            }
            (_, Some(protocol)) => return Sniffed::Foreign(protocol, side),
            _ if frames >= ENOUGH_FRAMES => return Sniffed::Foreign(Protocol::Http2, side),
            // A request, with a first line over the limit.
            (Sniff::Maybe, None) if !fits && sniff_known(kind, text) == Sniff::Maybe => {
                self.hold(side, event, at);
                let is_client = kind == Kind::Request;
                return Sniffed::H1(if is_client { side } else { side.other() });
            }
            (Sniff::Maybe, None) if fits => {
                begin.line = text.to_vec();
                self.hold(side, event, at);
                return Sniffed::Undecided;
            }
            _ => {}
        }
        let protocol = *begin.protocol.get_or_insert_with(|| Protocol::of(text));
        begin.line.clear();
        begin.searched = begin.searched.saturating_add(1);
        self.searched(side, protocol, event, at)
    }

    /// A packet that begins no message.
    fn searched(
        &mut self,
        side: Side,
        protocol: Protocol,
        event: StreamEvent,
        at: Arrival,
    ) -> Sniffed {
        let begin = &self.sides[side.index()];
        if begin.after_gap {
            let is_many = begin.searched == MANY_PACKETS;
            self.drop_data(side);
            // A malformed request, if it is answered.
            if let StreamEvent::Data(bytes) = &event
                && h1::may_be_request(Kind::Request, bytes)
            {
                self.hold(side, event, at);
            }
            return match is_many {
                true => Sniffed::Unread(self.info.unread(side, protocol)),
                false => Sniffed::Undecided,
            };
        }
        if begin.searched >= SEARCHED {
            return Sniffed::Foreign(protocol, side);
        }
        self.hold(side, event, at);
        Sniffed::Undecided
    }

    /// Whether a message begins with `text`, and which of the two. A side that is not known to be the client's must use
    /// a usual method.
    fn looks(&self, side: Side, text: &[u8]) -> (Sniff, Kind) {
        let is_end = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let empty = text.iter().take_while(is_end).count();
        let text = &text[empty..];
        let is_client = self.client.is_none_or(|client| client == side);
        let after_gap = self.sides[side.index()].after_gap;
        let request = match is_client && !after_gap {
            true => sniff(Kind::Request, text),
            false => sniff_known(Kind::Request, text),
        };
        let response = sniff(Kind::Response, text);
        match (request, response) {
            (Sniff::Yes, _) => (Sniff::Yes, Kind::Request),
            (_, Sniff::Yes) => (Sniff::Yes, Kind::Response),
            (Sniff::Maybe, _) if is_client => (Sniff::Maybe, Kind::Request),
            (_, Sniff::Maybe) => (Sniff::Maybe, Kind::Response),
            _ => (Sniff::No, Kind::Request),
        }
    }

    fn hold(&mut self, side: Side, event: StreamEvent, at: Arrival) {
        if let StreamEvent::Data(bytes) = &event {
            self.held_bytes += bytes.len();
        }
        self.held.push((side, event, at));
    }

    /// Forgets what is held of a side's bytes.
    fn drop_data(&mut self, side: Side) {
        let is_dropped = |event: &Event| event.0 == side && matches!(event.1, StreamEvent::Data(_));
        self.held.retain(|event| !is_dropped(event));
        let lens = self.held.iter().map(|(_, event, _)| match event {
            StreamEvent::Data(bytes) => bytes.len(),
            _ => 0,
        });
        self.held_bytes = lens.sum();
    }

    /// The reader of HTTP/1, and the events that it is to take first.
    pub(super) fn become_h1(&mut self, client: Side) -> (h1::Conversation, Vec<Event>) {
        let mut h1 = h1::Conversation::new(self.info, client, self.limits);
        // A header from the other side names nobody here.
        if self.client == Some(client) {
            h1.name_client(self.proxied);
        }
        (h1, std::mem::take(&mut self.held))
    }

    /// The connection ends undecided.
    pub(super) fn finish(&self) -> Sniffed {
        let sides = [Side::Low, Side::High];
        let begun = sides.into_iter().find(|side| {
            let line = &self.sides[side.index()].line;
            sniff_known(Kind::Request, line) == Sniff::Maybe && line.contains(&b' ')
        });
        // Packets that begin with frames, and too few of them to be told before.
        let frames: u32 = self.sides.iter().map(|side| side.walk.frames()).sum();
        let searched = |side: &Side| {
            let begin = &self.sides[side.index()];
            begin.protocol.map(|protocol| (begin, protocol, *side))
        };
        match (begun, sides.iter().find_map(searched)) {
            (Some(client), _) => Sniffed::H1(client),
            (_, Some((_, _, side))) if frames + 1 >= ENOUGH_FRAMES => {
                Sniffed::Foreign(Protocol::Http2, side)
            }
            (_, Some((begin, protocol, side))) => match begin.after_gap {
                true if begin.searched >= MANY_PACKETS => Sniffed::Undecided,
                true => Sniffed::Unread(self.info.unread(side, protocol)),
                false => Sniffed::Foreign(protocol, side),
            },
            _ => Sniffed::Undecided,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{GET, OK, Script, check, check_midway};
    use super::*;
    use crate::exchange::Fault;

    const SOCKS: &str = "c \u{5}\u{1}\0";

    #[test]
    fn http_may_begin_after_what_a_proxy_is_told() {
        let told = [
            SOCKS,
            "s \u{5}\0",
            "c \u{5}\u{1}\0\u{1}\n",
            "s \u{5}\0\0\u{1}",
            GET,
            OK,
        ];
        check(&told, "GET /a 200");
        check(&[&[SOCKS; 7][..], &[GET, OK]].concat(), "GET /a 200");
        let counts = check(&[&[SOCKS; 8][..], &[GET, OK]].concat(), "");
        assert_eq!((counts.not_http, counts.unread), (1, 0));
        let protocols: Vec<_> = counts.protocols.iter().collect();
        assert_eq!(protocols, [(Protocol::Binary, 1)]);
        let example = counts.unread_examples.iter().next().unwrap();
        assert_eq!(example.from.to_string(), "10.0.0.2:40000");
    }

    #[test]
    fn the_first_start_line_tells_who_the_client_is() {
        for side in ["c", "s"] {
            let other = if side == "c" { "s" } else { "c" };
            let turned = |step: &str, side: &str| format!("{side}{}", &step[1..]);
            let (get, ok) = (turned(GET, side), turned(OK, other));
            for handshake in [true, false] {
                let mut script = Script::new(handshake);
                script.step(&get);
                script.step(&ok);
                let exchanges = script.exchanges();
                assert_eq!(exchanges.len(), 1, "{side} {handshake}");
                let port = if side == "c" { 40000 } else { 80 };
                assert_eq!(exchanges[0].client.port(), port);
                assert_eq!(exchanges[0].response.as_ref().unwrap().status, 200);
            }
        }
        // The answer comes first, to a request that was lost.
        let counts = check_midway(&[OK, GET, OK], "GET /a 200");
        assert_eq!(counts.orphan_responses, 1);
        // The side that did not open the connection needs a usual method to become the client.
        check(&["s FETCH /a HTTP/1.1\r\n\r\n"], "");
        check(&["c FETCH /a HTTP/1.1\r\n\r\n", OK], "FETCH /a 200");
    }

    #[test]
    fn empty_lines_before_the_first_request_are_passed_over() {
        check(&["c \r\nGET /a HTTP/1.1\r\n\r\n", OK], "GET /a 200");
        check(&["c \r\n", GET, OK], "GET /a 200");
    }

    #[test]
    fn packets_after_a_gap_do_not_count() {
        for packets in [1, 8, 63, 64, 500] {
            let steps = [&vec!["c some body"; packets][..], &[GET, OK]].concat();
            let counts = check_midway(&steps, "GET /a 200");
            assert_eq!(counts.unread, u64::from(packets >= 64), "{packets}");
            assert_eq!(counts.not_http, 0);
        }
        let mut script = Script::new(false);
        (0..100).for_each(|_| script.step("c some body"));
        assert_eq!(script.conversation().held_bytes(), 0);
    }

    #[test]
    fn what_stays_unread_is_named_once() {
        for packets in [1, 63, 64, 100] {
            let counts = check_midway(&vec!["s some body"; packets], "");
            assert_eq!((counts.unread, counts.not_http), (1, 0), "{packets}");
            let example = counts.unread_examples.iter().next().unwrap();
            assert_eq!(example.first_bytes, Protocol::Text);
            assert_eq!(example.from.to_string(), "10.0.0.1:80");
            assert_eq!(counts.unread_examples.iter().count(), 1);
        }
        let counts = check(&["c.", "s."], "");
        assert_eq!((counts.unread, counts.not_http), (0, 0));
    }

    #[test]
    fn a_first_line_may_be_longer_than_its_packet() {
        let long = "q".repeat(1448);
        let begin = format!("c GET /long?{long}");
        let steps = [
            &begin,
            &format!("c {long}"),
            "c qq HTTP/1.1\r\n\r\n",
            OK,
            GET,
            OK,
        ];
        let target = format!("/long?{long}{long}qq");
        check(&steps, &format!("GET {target} 200; GET /a 200"));
        let unsure = format!("GET {target}!UnseenStart 200; GET /a 200");
        check_midway(&steps, &unsure);
        // Its answer is captured before its end.
        check_midway(&[GET, OK], "GET /a 200");
        check(&["c GET /begun"], "");
    }

    #[test]
    fn a_first_line_that_does_not_end_is_given_up() {
        let long = format!("c {}", "q".repeat(1448));
        let mut script = Script::new(true);
        script.step("c FETCH /");
        (0..20).for_each(|_| script.step(&long));
        assert_eq!(script.counts.not_http, 1);
        assert_eq!(script.conversation().held_bytes(), 0);
        // With a usual method it is a request, if it is answered.
        for answer in ["s HTTP/1.1 414 Long\r\nContent-Length: 0\r\n\r\n", "c."] {
            let mut script = Script::new(true);
            script.step("c GET /");
            (0..20).for_each(|_| script.step(&long));
            assert_eq!(script.conversation().held_bytes(), 0);
            script.step(answer);
            let is_answered = answer.starts_with('s');
            if is_answered {
                script.step(GET);
                script.step(OK);
            }
            let exchanges = script.exchanges();
            assert_eq!(exchanges.len(), usize::from(is_answered) * 2);
            if is_answered {
                assert_eq!(exchanges[0].request.fault, Some(Fault::HeadTooLarge));
                assert_eq!(exchanges[1].request.target, "/a");
            }
        }
    }

    #[test]
    fn a_proxy_header_is_taken_off_and_names_the_client() {
        let line = "PROXY TCP4 192.0.2.1 192.0.2.2 1111 80\r\n";
        let binary =
            "\r\n\r\n\0\r\nQUIT\n!\u{11}\0\u{c}\u{c0}\0\u{2}\u{1}\u{c0}\0\u{2}\u{2}\u{4}\u{57}\0P";
        for header in [line, binary] {
            for handshake in [true, false] {
                for at in 0..=header.chars().count() {
                    let before: String = header.chars().take(at).collect();
                    let after: String = header.chars().skip(at).collect();
                    let mut script = Script::new(handshake);
                    if at > 0 {
                        script.step(&format!("c {before}"));
                    }
                    script.step(&format!("c {after}{}", &GET[2..]));
                    script.step(OK);
                    script.step(GET);
                    script.step(OK);
                    let exchanges = script.exchanges();
                    assert_eq!(exchanges.len(), 2, "{header:?} at {at}");
                    for exchange in &exchanges {
                        assert_eq!(exchange.client.to_string(), "192.0.2.1:1111");
                        assert_eq!(exchange.peer.to_string(), "10.0.0.2:40000");
                        assert!(exchange.response.is_some() && exchange.request.fault.is_none());
                    }
                    assert_eq!(script.counts.bad_heads, 0);
                }
            }
        }
        let alone = format!("c {line}");
        check(&[&alone, GET, OK], "GET /a 200");
        check(&["c PROXY UNKNOWN\r\n", GET, OK], "GET /a 200");
        // What the server sends cannot name the client.
        let mut script = Script::new(true);
        script.step(&format!("s {line}"));
        script.step(GET);
        assert_eq!(script.exchanges()[0].client.to_string(), "10.0.0.2:40000");
    }

    #[test]
    fn tls_after_a_proxy_header_is_tls() {
        let counts = check(&["c PROXY UNKNOWN\r\n\u{16}\u{3}\u{1}\u{2}\0", GET], "");
        assert_eq!((counts.tls, counts.not_http), (1, 0));
        let ports: Vec<_> = counts.tls_ports.iter().collect();
        assert_eq!(ports, [(80, 1)]);
    }

    #[test]
    fn other_protocols_are_counted_by_name() {
        let counts = check(&["c SSH-2.0-x\r\n", GET], "");
        assert_eq!(
            counts.protocols.iter().collect::<Vec<_>>(),
            [(Protocol::Ssh, 1)]
        );
        assert_eq!(counts.not_http, 1);
        let counts = check(&["c PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", GET], "");
        assert_eq!((counts.http2, counts.not_http), (1, 0));
        let counts = check(&["c EHLO a\r\n", "s 250 ok\r\n"], "");
        assert_eq!(
            counts.protocols.iter().collect::<Vec<_>>(),
            [(Protocol::Text, 1)]
        );
    }

    #[test]
    fn http2_is_recognised_midway() {
        let ack = "\0\0\0\u{4}\u{1}\0\0\0\0";
        let data = "\0\0\u{2}\0\u{1}\0\0\0\u{1}ab";
        let headers = "\0\0\u{1}\u{1}\u{4}\0\0\0\u{1}\u{82}";
        let ping = "\0\0\u{8}\u{6}\0\0\0\0\0abcdefgh";
        let window = "\0\0\u{4}\u{8}\0\0\0\0\0\0\0\u{1}\0";
        for first in [ack, data, headers, ping, window] {
            let packet = format!("c {first}{headers}{data}");
            let counts = check_midway(&[&packet], "");
            assert_eq!((counts.http2, counts.unread), (1, 0), "{first:?}");
            assert_eq!(counts.http2_ports.iter().collect::<Vec<_>>(), [(80, 1)]);
            // Over packets, and over both sides.
            let steps = [format!("c {first}"), format!("s {headers}{data}")];
            let counts = check_midway(&[&steps[0], &steps[1]], "");
            assert_eq!(counts.http2, 1, "{first:?}");
            // Two frames are enough when no more come, one is not.
            let two = format!("c {first}{data}");
            assert_eq!(check_midway(&[&two], "").http2, 1);
            let counts = check_midway(&[&steps[0]], "");
            assert_eq!((counts.http2, counts.unread), (0, 1));
        }
        // In the middle of a frame.
        let counts = check_midway(
            &["c the rest of data", &format!("c {ack}{headers}{data}")],
            "",
        );
        assert_eq!(counts.http2, 1);
    }

    #[test]
    fn a_body_of_frames_is_no_http2_where_the_other_side_speaks_http() {
        let ack = "s \0\0\0\u{4}\u{1}\0\0\0\0";
        let counts = check(
            &[GET, "s-100", ack, ack, ack, GET, OK],
            "GET /a -; GET /a 200",
        );
        assert_eq!(counts.http2, 0);
    }
}
