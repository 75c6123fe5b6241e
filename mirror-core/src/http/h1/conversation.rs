//! Messages of both sides of a connection → exchanges.
//!
//! As long as nothing is missing, responses answer requests in their order (RFC 9112 §9.3). A response that was captured
//! before its request waits for it.
//!
//! Where something is missing, a wrong pair would be worse than none. Each request carries the acknowledgement number of
//! its first packet: so far had the client received the other stream when it sent the request. This gives two rules:
//! - always: a response that began before that place answers an earlier request, one that was not seen (an orphan);
//! - behind a gap in either stream: a client that does not pipeline has received everything before it asks again, so a
//!   response belongs to the request whose acknowledgement number is exactly the response's first byte. Requests before
//!   that one end without a response; a response without such a request is an orphan. From the pair on, order counts again.
//!
//! On a connection that was seen to pipeline the second rule decides nothing: behind a gap its requests end without response.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::exchange::{Exchange, Request, Response, Timing};
use crate::http::{
    Answered, Foreign, Head, HttpLimits, Kind, Message, Parsed, Parser, Sniff, sniff, sniff_known,
};
use crate::packet::{FlowKey, Seq, Side};
use crate::tcp::{Arrival, CloseReason, StreamEvent};
use crate::time::Timestamp;

/// Requests of one connection that await their response; pipelines of clients in use are shorter by far.
const MAX_PENDING: usize = 256;

/// What a conversation may hold, and how long (ns) a response waits for its request.
#[derive(Clone, Copy, Debug)]
pub struct PairLimits {
    pub http: HttpLimits,
    pub max_held: usize,
    pub patience: u64,
}

/// What a conversation counted since it was last asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct PairCounts {
    pub requests: u64,
    pub responses: u64,
    pub interim_responses: u64,
    pub orphan_responses: u64,
    pub bad_heads: u64,
    /// What the connection turned out to be, and its server's port.
    pub foreign: Option<(Foreign, u16)>,
    pub tunnels: u64,
}

/// Where a connection is, for its exchanges.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub connection: u64,
    pub flow: FlowKey,
    pub origin: u32,
}

/// The HTTP of one connection.
pub struct Conversation {
    place: Place,
    limits: PairLimits,
    /// The client's side, once it is known.
    client: Option<Side>,
    requests: Parser,
    responses: Parser,
    /// Boxed, because most connections have none or one.
    pending: VecDeque<Box<Pending>>,
    next_index: u32,
    /// The request stream lost something before the next request.
    requests_lost: bool,
    /// The response stream lost something before the next response.
    responses_lost: bool,
    pipelined: bool,
    /// The exchange that the response being read belongs to; none for an orphan.
    answering: Option<u32>,
    requests_closed: bool,
    ignored: bool,
}

/// A request and what is known of its exchange.
struct Pending {
    index: u32,
    first: Arrival,
    answered: Answered,
    after_gap: bool,
    request: Option<(Request, Timestamp)>,
    response: Option<(Response, Timestamp, Timestamp)>,
}

impl Pending {
    /// The client had a part of the response that begins at `start` when it sent this.
    fn was_sent_after(&self, start: Seq) -> bool {
        self.first.ack.is_some_and(|ack| start.is_before(ack))
    }
}

/// What a response is the response to.
enum Choice {
    /// A place in `pending`.
    Request(usize),
    Orphan,
    /// Its request may be still to come.
    Wait,
}

impl Conversation {
    /// `client` when the handshake or the port tells.
    pub fn new(place: Place, client: Option<Side>, limits: PairLimits) -> Self {
        Self {
            place,
            limits,
            client,
            requests: Parser::new(Kind::Request, limits.http),
            responses: Parser::new(Kind::Response, limits.http),
            pending: VecDeque::new(),
            next_index: 0,
            requests_lost: false,
            responses_lost: false,
            pipelined: false,
            answering: None,
            requests_closed: false,
            ignored: false,
        }
    }

    /// Nothing of this connection matters any more.
    pub fn is_ignored(&self) -> bool {
        self.ignored
    }

    /// Bytes of messages that are not finished, and of requests without response.
    pub fn held_bytes(&self) -> usize {
        let waiting = self.pending.iter().filter_map(|p| p.request.as_ref());
        let pending: usize = waiting.map(|(request, _)| request.body.len()).sum();
        pending + self.requests.held_bytes() + self.responses.held_bytes()
    }

    /// A response waits for its request: [`Self::expire`] is to be called.
    pub fn is_waiting(&self) -> bool {
        self.responses.head().is_some()
    }

    pub fn event(
        &mut self,
        side: Side,
        event: StreamEvent,
        arrival: Arrival,
        counts: &mut PairCounts,
        ready: &mut VecDeque<Exchange>,
    ) {
        if self.ignored {
            return;
        }
        let Some(client) = self.client.or_else(|| self.identify(side, &event)) else {
            if let StreamEvent::Data(bytes) = &event
                && let foreign @ (Foreign::Tls | Foreign::Http2) = Foreign::of(bytes)
            {
                self.foreign(foreign, counts);
            }
            return;
        };
        let client = self.turned(client, side, &event).unwrap_or(client);
        if side == client {
            self.requests.push(event, arrival);
        } else {
            self.responses.push(event, arrival);
        }
        self.pump(false, counts, ready);
        if self.responses.queued_bytes() > self.limits.max_held {
            self.pump(true, counts, ready);
        }
    }

    /// Which side the client is, by the first start line. What comes before it is dropped, so that both sides may have
    /// lost something.
    fn identify(&mut self, side: Side, event: &StreamEvent) -> Option<Side> {
        self.client = client_by_first_bytes(side, event);
        if self.client.is_some() {
            for parser in [&mut self.requests, &mut self.responses] {
                parser.push(StreamEvent::Gap { len: 0 }, Arrival::default());
            }
        }
        self.client
    }

    /// Whoever opened a connection through a proxy may be the one that is asked over it: before any message, a start line
    /// from the wrong side decides.
    fn turned(&mut self, client: Side, side: Side, event: &StreamEvent) -> Option<Side> {
        let StreamEvent::Data(bytes) = event else {
            return None;
        };
        if self.requests.is_proven() || self.responses.is_proven() {
            return None;
        }
        let sent = if side == client {
            Kind::Response
        } else {
            Kind::Request
        };
        if sniff_known(sent, bytes) != Sniff::Yes {
            return None;
        }
        let http = self.limits.http;
        self.requests = Parser::new(Kind::Request, http);
        self.responses = Parser::new(Kind::Response, http);
        for parser in [&mut self.requests, &mut self.responses] {
            parser.push(StreamEvent::Gap { len: 0 }, Arrival::default());
        }
        self.client = Some(client.other());
        self.client
    }

    /// Gives up waiting for the request of a response that came `patience` ago.
    pub fn expire(
        &mut self,
        now: Timestamp,
        counts: &mut PairCounts,
        ready: &mut VecDeque<Exchange>,
    ) {
        let waiting = self.responses.head();
        if waiting.is_some_and(|(_, first)| now.nanos_since(first.at) >= self.limits.patience) {
            self.pump(true, counts, ready);
        }
    }

    /// The connection is over: what is still open ends without response.
    pub fn finish(&mut self, counts: &mut PairCounts, ready: &mut VecDeque<Exchange>) {
        self.pump(true, counts, ready);
        while let Some(pending) = self.pending.pop_front() {
            self.emit(pending, ready);
        }
    }

    fn pump(&mut self, force: bool, counts: &mut PairCounts, ready: &mut VecDeque<Exchange>) {
        while let Some(parsed) = self.requests.poll() {
            self.request_side(parsed, counts, ready);
        }
        loop {
            while let Some(parsed) = self.responses.poll() {
                self.response_side(parsed, counts);
            }
            if !self.answer(force, counts, ready) {
                break;
            }
        }
        self.emit_whole(ready);
    }

    fn request_side(
        &mut self,
        parsed: Parsed,
        counts: &mut PairCounts,
        ready: &mut VecDeque<Exchange>,
    ) {
        match parsed {
            Parsed::Head => {
                counts.requests += 1;
                self.request_head(ready);
            }
            Parsed::Message { message, last, .. } => self.request(message, last),
            Parsed::Lost => self.requests_lost = true,
            Parsed::BadHead => counts.bad_heads += 1,
            Parsed::Foreign(foreign) => self.foreign(foreign, counts),
            Parsed::Closed => self.requests_closed = true,
        }
    }

    fn request(&mut self, message: Message, last: Timestamp) {
        // The parser of requests gives requests, each behind its head.
        if let (Message::Request(request), Some(pending)) = (message, self.pending.back_mut()) {
            pending.request = Some((request, last));
        }
    }

    fn request_head(&mut self, ready: &mut VecDeque<Exchange>) {
        let Some((Head::Request { method, .. }, first)) = self.requests.head() else {
            return;
        };
        let answered = Answered::by_method(method);
        if let Some(before) = self.pending.back() {
            self.pipelined |= before.response.is_none() && before.first.ack == first.ack;
        }
        self.pending.push_back(Box::new(Pending {
            index: self.next_index,
            first,
            answered,
            after_gap: std::mem::take(&mut self.requests_lost),
            request: None,
            response: None,
        }));
        self.next_index += 1;
        self.requests.proceed(answered);
        if self.pending.len() > MAX_PENDING
            && let Some(oldest) = self.pending.pop_front()
        {
            self.responses_lost = true;
            self.emit(oldest, ready);
        }
    }

    fn response_side(&mut self, parsed: Parsed, counts: &mut PairCounts) {
        match parsed {
            // `answer` takes it from here.
            Parsed::Head | Parsed::Closed => {}
            Parsed::Message {
                message: Message::Response(response),
                first,
                last,
                end,
            } => self.response(response, first.at, last, end, counts),
            Parsed::Message { .. } => {}
            Parsed::Lost => {
                self.responses_lost = true;
                // The final response behind an interim one may be what was lost.
                self.answering = None;
            }
            Parsed::BadHead => counts.bad_heads += 1,
            Parsed::Foreign(foreign) => self.foreign(foreign, counts),
        }
    }

    fn response(
        &mut self,
        response: Response,
        first: Timestamp,
        last: Timestamp,
        end: Seq,
        counts: &mut PairCounts,
    ) {
        let status = response.status;
        if matches!(status, 100 | 102..=199) {
            counts.interim_responses += 1;
            return;
        }
        counts.responses += 1;
        let index = self.answering.take();
        let mut connect = false;
        match self.pending.front_mut() {
            Some(pending) if Some(pending.index) == index => {
                connect = pending.answered == Answered::Connect && matches!(status, 200..=299);
                pending.response = Some((response, first, last));
                let next = self.pending.get(1).and_then(|next| next.first.ack);
                self.pipelined |= next.is_some_and(|ack| ack.is_before(end));
            }
            _ => {
                counts.orphan_responses += 1;
                // Without the request its end may have been misread.
                self.responses_lost = true;
            }
        }
        if status == 101 || connect {
            counts.tunnels += 1;
            self.end_requests(counts);
            self.responses.ignore();
        }
    }

    /// Finds the request of the response that waits behind its head; false when none waits, or it goes on waiting.
    fn answer(
        &mut self,
        force: bool,
        counts: &mut PairCounts,
        ready: &mut VecDeque<Exchange>,
    ) -> bool {
        let Some((_, first)) = self.responses.head() else {
            return false;
        };
        // A final response behind an interim one answers the same request.
        let chosen = match self.answering {
            Some(index)
                if self
                    .pending
                    .front()
                    .is_some_and(|pending| pending.index == index) =>
            {
                Choice::Request(0)
            }
            _ => self.choose(first.seq),
        };
        match chosen {
            Choice::Request(place) => {
                for _ in 0..place {
                    if let Some(unanswered) = self.pending.pop_front() {
                        self.emit(unanswered, ready);
                    }
                }
                self.responses_lost = false;
                let front = self.pending.front_mut();
                let answered = front.map_or(Answered::Other, |pending| {
                    pending.after_gap = false;
                    self.answering = Some(pending.index);
                    pending.answered
                });
                self.responses.proceed(answered);
            }
            Choice::Wait if !force && !self.requests_closed => return false,
            Choice::Wait | Choice::Orphan => {
                self.answering = None;
                self.responses.proceed(Answered::Unknown);
            }
        }
        // The exchange before it must not be in front when the next response looks for its request.
        while let Some(parsed) = self.responses.poll() {
            self.response_side(parsed, counts);
        }
        self.emit_whole(ready);
        true
    }

    /// For a response that begins at `start`; the rules are at the top of this file.
    fn choose(&self, start: Seq) -> Choice {
        // The first may be answered before it is whole.
        let answered = self
            .pending
            .iter()
            .take_while(|pending| pending.response.is_some())
            .count();
        let Some(first) = self.pending.get(answered) else {
            return Choice::Wait;
        };
        if first.was_sent_after(start) {
            return Choice::Orphan;
        }
        if !self.responses_lost && !first.after_gap {
            return Choice::Request(answered);
        }
        if self.pipelined {
            return Choice::Orphan;
        }
        let exact =
            |pending: &Pending| pending.response.is_none() && pending.first.ack == Some(start);
        match self.pending.iter().position(|pending| exact(pending)) {
            Some(place) => Choice::Request(place),
            None if self
                .pending
                .iter()
                .any(|pending| pending.was_sent_after(start)) =>
            {
                Choice::Orphan
            }
            None => Choice::Wait,
        }
    }

    /// One side does not speak HTTP/1. When the other does, this one is a loss and no other protocol.
    fn foreign(&mut self, foreign: Foreign, counts: &mut PairCounts) {
        if self.next_index == 0 && !self.ignored {
            counts.foreign = Some((foreign, self.server_port()));
            self.ignored = true;
            self.requests.ignore();
            self.responses.ignore();
        }
    }

    /// Clients take high ports.
    fn server_port(&self) -> u16 {
        let port = |side| self.place.flow.port(side);
        match self.client {
            Some(client) => port(client.other()),
            None => port(Side::Low).min(port(Side::High)),
        }
    }

    /// What the client sends from here on is no HTTP; a request that is half there ends.
    fn end_requests(&mut self, counts: &mut PairCounts) {
        let reason = CloseReason::EndOfCapture;
        self.requests
            .push(StreamEvent::Close { reason }, Arrival::default());
        while let Some(parsed) = self.requests.poll() {
            if let Parsed::Message { message, last, .. } = parsed {
                self.request(message, last);
            } else if let Parsed::BadHead = parsed {
                counts.bad_heads += 1;
            }
        }
        self.requests.ignore();
    }

    /// Exchanges of which nothing more can come.
    fn emit_whole(&mut self, ready: &mut VecDeque<Exchange>) {
        while self
            .pending
            .front()
            .is_some_and(|pending| pending.request.is_some() && pending.response.is_some())
        {
            if let Some(pending) = self.pending.pop_front() {
                self.emit(pending, ready);
            }
        }
    }

    fn emit(&self, pending: Box<Pending>, ready: &mut VecDeque<Exchange>) {
        // A request without its end has none only while its stream is open.
        let (Some((request, request_last)), Some(client)) = (pending.request, self.client) else {
            return;
        };
        let mut timing = Timing {
            request_first: pending.first.at,
            request_last,
            ..Timing::default()
        };
        let response = pending.response.map(|(response, first, last)| {
            timing.response_first = Some(first);
            timing.response_last = Some(last);
            response
        });
        ready.push_back(Exchange {
            connection: self.place.connection,
            index: pending.index,
            client: self.addr(client),
            server: self.addr(client.other()),
            origin: self.place.origin,
            timing,
            request,
            response,
        });
    }

    fn addr(&self, side: Side) -> SocketAddr {
        self.place.flow.addr(side)
    }
}

fn client_by_first_bytes(side: Side, event: &StreamEvent) -> Option<Side> {
    let StreamEvent::Data(bytes) = event else {
        return None;
    };
    if sniff(Kind::Response, bytes) == Sniff::Yes {
        Some(side.other())
    } else if sniff(Kind::Request, bytes) == Sniff::Yes {
        Some(side)
    } else {
        None
    }
}
