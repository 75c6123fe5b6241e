//! Messages of both sides of a connection → exchanges. [`super::pairing`] has the rules.

use std::net::SocketAddr;

use super::pairing::{Choice, Pairing, Pending};
use super::{Answered, Kind, Parsed, Parser};
use crate::exchange::{Exchange, Fault, Request, Response, Timing};
use crate::http::{ConnectionInfo, ConversationLimits, Message, Output, Protocol};
use crate::packet::{Seq, Side};
use crate::tcp::{Arrival, CloseReason, StreamEvent};
use crate::time::Timestamp;

/// Bytes of the first line of what is no head, that are shown.
const MAX_SHOWN: usize = 256;

/// The HTTP of one connection.
pub struct Conversation {
    info: ConnectionInfo,
    limits: ConversationLimits,
    client: Side,
    /// The client that a PROXY header names.
    named_client: Option<SocketAddr>,
    requests: Parser,
    responses: Parser,
    pairing: Pairing,
    requests_closed: bool,
}

impl Conversation {
    pub fn new(info: ConnectionInfo, client: Side, limits: ConversationLimits) -> Self {
        Self {
            info,
            limits,
            client,
            named_client: None,
            requests: Parser::new(Kind::Request, limits.http),
            responses: Parser::new(Kind::Response, limits.http),
            pairing: Pairing::default(),
            requests_closed: false,
        }
    }

    /// A proxy says who the client is.
    pub fn name_client(&mut self, client: Option<SocketAddr>) {
        self.named_client = client;
    }

    /// Something of this side was seen.
    pub fn heard(&mut self, side: Side) {
        self.info.heard[side.index()] = true;
    }

    /// Bytes of messages that are not finished, and of requests without response.
    #[inline]
    pub fn held_bytes(&self) -> usize {
        let parsers = self.requests.held_bytes() + self.responses.held_bytes();
        self.pairing.held_bytes() + parsers
    }

    /// A response waits for its request, or a request for its answer: [`Self::expire`] is to be called.
    #[inline]
    pub fn is_waiting(&self) -> bool {
        self.responses.head().is_some() || self.requests.waiting_since().is_some()
    }

    #[inline]
    pub fn take(&mut self, side: Side, event: StreamEvent, at: Arrival, out: &mut Output<'_>) {
        if side == self.client {
            self.requests.push(event, at);
        } else {
            self.responses.push(event, at);
        }
        self.pump(false, out);
        if self.responses.queued_bytes() > self.limits.max_held {
            self.pump(true, out);
        }
        if self.requests.queued_bytes() > self.limits.max_held {
            self.requests.stop_waiting();
            self.pump(false, out);
        }
        if self.requests.queued_bytes() > self.limits.max_held {
            self.end_requests(out);
        }
    }

    /// Gives up waiting for the request of a response that came `patience` ago, and for the answer to a request.
    pub fn expire(&mut self, now: Timestamp, out: &mut Output<'_>) {
        let patience = self.limits.patience;
        let is_late = |since: Timestamp| now.nanos_since(since) >= patience;
        if self.requests.waiting_since().is_some_and(is_late) {
            self.requests.stop_waiting();
            self.pump(false, out);
        }
        let waiting = self.responses.head().map(|(_, first)| first.at);
        if waiting.is_some_and(is_late) {
            self.pump(true, out);
        }
    }

    /// The connection is over: what is still open ends without response.
    pub fn finish(&mut self, out: &mut Output<'_>) {
        for parser in [&mut self.requests, &mut self.responses] {
            let reason = CloseReason::EndOfCapture;
            parser.push(StreamEvent::Close { reason }, Arrival::default());
        }
        self.pump(true, out);
        self.requests.stop_waiting();
        self.pump(true, out);
        while let Some(pending) = self.pairing.pop() {
            self.emit(pending, out);
        }
        let sides = [
            (self.client, &self.requests),
            (self.client.other(), &self.responses),
        ];
        if let Some((side, protocol)) = sides
            .into_iter()
            .find_map(|(side, parser)| Some((side, parser.unread()?)))
        {
            self.unread(side, protocol, out);
        }
    }

    /// No message was found in what a side sent.
    fn unread(&self, side: Side, protocol: Protocol, out: &mut Output<'_>) {
        out.counts.unread += 1;
        let example = self.info.unread(side, protocol);
        out.counts.unread_examples.add(example);
    }

    fn pump(&mut self, force: bool, out: &mut Output<'_>) {
        loop {
            while let Some(parsed) = self.requests.poll() {
                self.request_side(parsed, out);
            }
            loop {
                while let Some(parsed) = self.responses.poll() {
                    self.response_side(parsed, out);
                }
                if !self.answer(force, out) {
                    break;
                }
            }
            if !self.requests.take_released() {
                break;
            }
        }
        self.emit_whole(out);
    }

    #[inline(always)]
    fn request_side(&mut self, parsed: Parsed, out: &mut Output<'_>) {
        match parsed {
            Parsed::Head => {
                out.counts.requests += 1;
                self.request_head(out);
            }
            Parsed::Message { message, last, .. } => self.request(message, last),
            Parsed::Lost => self.pairing.lose_requests(),
            Parsed::BadHead {
                first,
                bytes,
                fault,
            } => {
                out.counts.bad_heads += 1;
                let request = malformed(&bytes, fault);
                if let Some(oldest) = self.pairing.malformed(first, request) {
                    self.emit(oldest, out);
                }
            }
            Parsed::Unread(protocol) => self.unread(self.client, protocol, out),
            Parsed::Closed => self.requests_closed = true,
        }
    }

    fn request(&mut self, message: Message, last: Timestamp) {
        // The parser of requests gives requests, each after its head.
        if let (Message::Request(request), Some(pending)) = (message, self.pairing.newest()) {
            pending.request = Some((request, last));
        }
    }

    fn request_head(&mut self, out: &mut Output<'_>) {
        let Some((Message::Request(request), first)) = self.requests.head() else {
            return;
        };
        let answered = Answered::by_method(&request.method);
        let oldest = self.pairing.request(first, answered);
        self.requests.proceed(answered);
        if answered == Answered::Connect {
            self.requests.hold();
        }
        if let Some(oldest) = oldest {
            self.emit(oldest, out);
        }
    }

    #[inline(always)]
    fn response_side(&mut self, parsed: Parsed, out: &mut Output<'_>) {
        match parsed {
            // `answer` takes it from here.
            Parsed::Head | Parsed::Closed => {}
            Parsed::Message {
                message: Message::Response(response),
                first,
                last,
                end,
            } => self.response(response, first.at, last, end, out),
            Parsed::Message { .. } => {}
            Parsed::Lost => self.pairing.lose_responses(),
            Parsed::BadHead { .. } => out.counts.bad_heads += 1,
            Parsed::Unread(protocol) => self.unread(self.client.other(), protocol, out),
        }
    }

    fn response(
        &mut self,
        response: Box<Response>,
        first: Timestamp,
        last: Timestamp,
        end: Seq,
        out: &mut Output<'_>,
    ) {
        let status = response.status;
        if matches!(status, 100 | 102..=199) {
            out.counts.interim_responses += 1;
            return;
        }
        out.counts.responses += 1;
        let answered = self.pairing.response(response, first, last, end);
        if answered.is_none() {
            out.counts.orphan_responses += 1;
        }
        let connect = answered == Some(Answered::Connect);
        if status == 101 || connect && matches!(status, 200..=299) {
            out.counts.tunnels += 1;
            self.end_requests(out);
            self.responses.ignore();
        } else if connect {
            self.requests.release();
        }
    }

    /// Finds the request of the response that waits after its head; false when none waits, or it goes on waiting.
    fn answer(&mut self, force: bool, out: &mut Output<'_>) -> bool {
        let Some((Message::Response(response), first)) = self.responses.head() else {
            return false;
        };
        let status = response.status;
        match self.pairing.choose(first.seq, status) {
            Choice::Request(place) => {
                for _ in 0..place {
                    if let Some(unanswered) = self.pairing.pop_unanswered() {
                        self.emit(unanswered, out);
                    }
                }
                let mut answered = Answered::Other;
                if let Some(pending) = self.pairing.answer_first() {
                    answered = pending.answered;
                    if std::mem::take(&mut pending.malformed) {
                        out.counts.requests += 1;
                        self.requests.resume();
                    }
                }
                if self.pairing.answers_unfinished() {
                    self.requests.answer_begins(status);
                }
                self.responses.proceed(answered);
            }
            Choice::Wait if !force && !self.requests_closed => return false,
            Choice::Wait | Choice::Orphan => self.responses.proceed(Answered::Unknown),
        }
        // The exchange before it must not be in front when the next response looks for its request.
        while let Some(parsed) = self.responses.poll() {
            self.response_side(parsed, out);
        }
        self.emit_whole(out);
        true
    }

    /// What the client sends from here on is not HTTP; a request that is half there ends.
    fn end_requests(&mut self, out: &mut Output<'_>) {
        self.requests.cut_off();
        while let Some(parsed) = self.requests.poll() {
            match parsed {
                Parsed::Message { message, last, .. } => self.request(message, last),
                Parsed::BadHead { .. } => out.counts.bad_heads += 1,
                _ => {}
            }
        }
        self.requests.ignore();
    }

    /// Exchanges of which nothing more can come.
    fn emit_whole(&mut self, out: &mut Output<'_>) {
        while let Some(pending) = self.pairing.pop_whole() {
            self.emit(pending, out);
        }
    }

    fn emit(&self, pending: Pending, out: &mut Output<'_>) {
        // A request without its end has none only while its stream is open. A malformed one was not answered.
        let Some((request, request_last)) = pending.request.filter(|_| !pending.malformed) else {
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
        let peer = self.info.addr(self.client);
        let server = self.client.other();
        out.ready.push_back(Exchange {
            connection: self.info.number,
            index: pending.index,
            client: self.named_client.unwrap_or(peer),
            peer,
            server: self.info.addr(server),
            origin: self.info.origin,
            timing,
            request,
            one_sided: response.is_none() && !self.info.heard[server.index()],
            response,
        });
    }
}

/// What can be told of bytes that should have been a request's head.
fn malformed(bytes: &[u8], fault: Fault) -> Box<Request> {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next();
    let line = line.unwrap_or_default();
    let line = &line[..line.len().min(MAX_SHOWN)];
    let mut words = line.splitn(2, |byte| *byte == b' ');
    let word = words.next().unwrap_or_default();
    let is_method = !word.is_empty() && word.iter().all(u8::is_ascii_graphic);
    let (method, target) = match words.next() {
        Some(rest) if is_method => (String::from_utf8_lossy(word), rest),
        _ => ("?".into(), line),
    };
    let version = target.windows(6).rposition(|part| part == b" HTTP/");
    let target = target[..version.unwrap_or(target.len())].to_vec();
    Box::new(Request {
        fault: Some(fault),
        ..Request::new(&method, target)
    })
}

#[cfg(test)]
mod tests;
