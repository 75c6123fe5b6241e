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
mod tests;
