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
mod tests {
    use super::super::super::script::{GET, OK, Script, check, check_midway};
    use super::*;

    const GET_B: &str = "c GET /b HTTP/1.1\r\n\r\n";
    const POST: &str = "c POST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 26\r\n\r\n";
    /// As long as the body that was announced.
    const HIDDEN: &str = "c GET /hidden HTTP/1.1\r\n\r\n\r\n";
    const REFUSED: &str = "s HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno";
    const CONTINUE: &str = "s HTTP/1.1 100 Continue\r\n\r\n";
    const EARLY: &str = "s HTTP/1.1 103 Early\r\n\r\n";
    const BAD: &str = "s HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn a_body_that_the_answer_made_needless_is_not_read_from_the_next_request() {
        check(
            &[POST, REFUSED, GET, OK],
            "POST /p!Truncated 417; GET /a 200",
        );
        check(&[POST, OK, GET, OK], "POST /p!Truncated 200; GET /a 200");
    }

    #[test]
    fn a_body_that_was_asked_for_is_a_body_whatever_it_begins_with() {
        check(
            &[POST, CONTINUE, HIDDEN, OK, GET, OK],
            "POST /p 200; GET /a 200",
        );
        check(&[POST, HIDDEN, OK, GET, OK], "POST /p 200; GET /a 200");
        let body = "c 0123456789012345678901234!";
        check(&[POST, REFUSED, body, GET, OK], "POST /p 417; GET /a 200");
        check(&[POST, EARLY, CONTINUE, HIDDEN, OK], "POST /p 200");
        // What says neither yes nor no leaves it open.
        check(&[POST, EARLY, HIDDEN, CONTINUE, OK], "POST /p 200");
        let plain = "c POST /p HTTP/1.1\r\nContent-Length: 26\r\n\r\n";
        check(&[plain, REFUSED, HIDDEN], "POST /p 417");
    }

    /// The client's packet is captured before the server's, though it was sent after.
    fn early(steps: &[&str], request: &str) -> Script {
        let mut script = Script::new(true);
        steps.iter().for_each(|step| script.step(step));
        script.early(request, 40);
        script
    }

    #[test]
    fn what_follows_waits_for_the_answer_that_tells_what_it_is() {
        let mut script = early(&[POST], GET);
        assert_eq!(script.ready(), "");
        assert!(script.conversation().is_waiting());
        script.step(REFUSED);
        assert_eq!(script.ready(), "POST /p!Truncated 417");
        script.step(OK);
        assert_eq!(script.finish(), "GET /a 200");
        let mut script = early(&[POST], HIDDEN);
        script.step(CONTINUE);
        script.step(OK);
        assert_eq!(script.finish(), "POST /p 200");
        let mut script = early(&[POST], HIDDEN);
        // A step takes a nanosecond itself.
        script.step("+98");
        assert!(script.conversation().is_waiting());
        script.step("+0");
        assert!(!script.conversation().is_waiting());
        assert_eq!(script.finish(), "POST /p -");
    }

    #[test]
    fn a_malformed_head_is_a_request_when_it_is_answered() {
        let old = "c GET /x HTTP/9.9\r\n\r\n";
        check(&[old, BAD], "GET /x!StartLine 400");
        check(
            &["c \x01\x02 /x\r\n\r\n", BAD],
            "? \x01\x02 /x!StartLine 400",
        );
        check(
            &[GET, OK, "c get it\r\n\r\n", BAD],
            "GET /a 200; get it!StartLine 400",
        );
        check(
            &[GET, "c~get it\r\n\r\n", OK, BAD],
            "GET /a 200; get it!StartLine 400",
        );
        check_midway(&[old, BAD], "GET /x!StartLine 400");
        let counts = check(&[GET, OK, "c get it\r\n\r\n"], "GET /a 200");
        assert_eq!(counts.bad_heads, 1);
        // Nobody answers the end of a body.
        check_midway(&["c some body\r\n", OK, GET, OK], "GET /a 200");
    }

    #[test]
    fn several_malformed_heads_are_requests_when_each_is_answered() {
        let steps = ["c get it\r\n\r\n", BAD, "c get more\r\n\r\n", BAD, GET, OK];
        let expect = "get it!StartLine 400; get more!StartLine 400; GET /a 200";
        check(&steps, expect);
    }

    #[test]
    fn what_follows_an_ambiguous_head_in_its_packet_is_a_request_when_it_is_answered() {
        let both = "c GET /o HTTP/1.1\r\nHost : a\r\n\r\nGET /b HTTP/1.1\r\n\r\n";
        let second = "GET /o!FieldLine 200; GET /b!AfterAmbiguous 200; GET /a 200";
        check(&[both, OK, OK, GET, OK], second);
        check(&[both, OK, GET, OK], "GET /o!FieldLine 200; GET /a 200");
        let body = "c GET /o HTTP/1.1\r\nHost : a\r\n\r\nsome body\r\n";
        check(&[body, OK, OK, GET, OK], "GET /o!FieldLine 200; GET /a 200");
    }

    #[test]
    fn the_request_after_a_needless_body_may_be_longer_than_its_packet() {
        let steps = [POST, REFUSED, "c GET /lo", "c ng HTTP/1.1\r\n\r\n", OK];
        check(&steps, "POST /p!Truncated 417; GET /long 200");
        check(&[POST, REFUSED, "c GET", OK], "POST /p!Truncated 417");
    }

    #[test]
    fn a_real_request_after_a_malformed_head_is_the_one_that_is_answered() {
        let noise = "c ping\r\n\r\n";
        let again = "c~GET /a HTTP/1.1\r\n\r\n";
        check(&[GET_B, OK, noise, again, OK], "GET /b 200; GET /a 200");
        check(
            &[GET_B, OK, noise, again, BAD],
            "GET /b 200; ? ping!StartLine 400; GET /a -",
        );
    }

    #[test]
    fn an_ambiguous_head_is_counted_wherever_it_stands() {
        let odd = "c GET /o HTTP/1.1\r\nHost : a\r\n\r\n";
        check_midway(&[odd, OK], "GET /o!FieldLine 200");
        check(
            &[odd, OK, odd, OK, GET, OK],
            "GET /o!FieldLine 200; GET /o!FieldLine 200; GET /a 200",
        );
    }

    #[test]
    fn the_side_that_lost_its_first_head_is_searched_to_the_end() {
        for packets in [1, 8, 20, 200] {
            let mut steps = vec![GET, "s-1448"];
            steps.extend(vec!["s xxxxxxxxxxxxxxxx"; packets]);
            steps.extend([GET_B, OK, GET_B, OK]);
            let counts = check(&steps, "GET /a -; GET /b 200; GET /b 200");
            assert_eq!(counts.unread, u64::from(packets >= 64), "{packets}");
        }
    }

    #[test]
    fn a_side_in_which_nothing_was_found_is_named() {
        let counts = check(&[GET, "s-9", "s \x01\x02", "s \x03"], "GET /a -");
        assert_eq!((counts.unread, counts.not_http), (1, 0));
        let example = counts.unread_examples.iter().next().unwrap();
        assert_eq!(example.first_bytes, Protocol::Binary);
        assert_eq!(example.from.to_string(), "10.0.0.1:80");
        let counts = check(&[GET, "s-9"], "GET /a -");
        assert_eq!(counts.unread, 0);
        // Without a gap too, if it is the server's.
        assert_eq!(check(&[GET, "s not http"], "GET /a -").unread, 1);
        assert_eq!(check(&["c-9", "c some body", "s-9"], "").unread, 1);
        // A malformed request was found, though nobody answered it.
        assert_eq!(check(&[GET_B, OK, "c not http"], "GET /b 200").unread, 0);
    }

    #[test]
    fn a_switched_connection_is_a_tunnel_to_its_end() {
        let upgrade = "c GET /ws HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
        let switched = "s HTTP/1.1 101 Switching Protocols\r\n\r\n";
        let counts = check(&[upgrade, switched, GET, OK, GET, OK], "GET /ws 101");
        assert_eq!((counts.tunnels, counts.bad_heads, counts.unread), (1, 0, 0));
        let connect = "c CONNECT a:1 HTTP/1.1\r\n\r\n";
        let counts = check(
            &[connect, "s HTTP/1.1 200 OK\r\n\r\n", GET, OK],
            "CONNECT a:1 200",
        );
        assert_eq!(counts.tunnels, 1);
        // Sent before the answer, and dropped with it.
        let counts = check(
            &[
                connect,
                "c~GET /t HTTP/1.1\r\n\r\n",
                "s HTTP/1.1 200 OK\r\n\r\n",
            ],
            "CONNECT a:1 200",
        );
        assert_eq!(counts.requests, 1);
        let denied = "s HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n";
        let counts = check(&[connect, denied, GET, OK], "CONNECT a:1 407; GET /a 200");
        assert_eq!(counts.tunnels, 0);
        check(&[connect, "c~GET /t HTTP/1.1\r\n\r\n"], "CONNECT a:1 -");
        let mut script = Script::new(true);
        for step in [connect, "c~GET /t HTTP/1.1\r\n\r\n", denied] {
            script.step(step);
        }
        assert_eq!(script.counts.requests, 2);
    }

    #[test]
    fn a_request_that_was_cut_by_the_switch_is_truncated() {
        let begun = "c POST /p HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc";
        check(
            &[begun, "s HTTP/1.1 101 Switching\r\n\r\n", GET],
            "POST /p!Truncated 101",
        );
    }

    #[test]
    fn a_response_to_an_unseen_request_may_have_no_body() {
        // It may have been HEAD.
        let head = "s HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n";
        check_midway(&[head, GET, OK], "GET /a 200");
        let body = "s 0123456789012345678901234567890123456789";
        check_midway(&[head, body, GET, OK], "GET /a 200");
        // This one has: what looks like a response is its body.
        check(&[GET, head, OK, GET_B, OK], "GET /a 200; GET /b 200");
    }

    #[test]
    fn a_response_waits_for_a_request_that_is_captured_late() {
        let mut script = Script::new(true);
        script.step("c-0");
        script.step("s HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        assert!(script.conversation().is_waiting());
        script.step("+50");
        assert!(script.conversation().is_waiting());
        script.step("+50");
        assert!(!script.conversation().is_waiting());
        assert_eq!(script.counts.orphan_responses, 1);
    }

    #[test]
    fn a_response_is_not_waited_for_when_too_much_comes_or_the_client_is_done() {
        let mut script = Script::new(true);
        script.step(OK);
        script.step(&format!("s {}", "x".repeat(2001)));
        assert_eq!(script.counts.orphan_responses, 1);
        let mut script = Script::new(true);
        script.step("c.");
        script.step(OK);
        assert_eq!(script.counts.orphan_responses, 1);
        assert!(!script.conversation().is_waiting());
    }

    #[test]
    fn bytes_that_are_no_head_are_counted_on_both_sides() {
        let bad = |steps: &[&str], expect: &str| check(steps, expect).bad_heads;
        assert_eq!(bad(&[GET, "s not http", "s at all"], "GET /a -"), 1);
        assert_eq!(bad(&[GET, OK, "c not http", "c at all"], "GET /a 200"), 1);
        // A head that is begun when the connection switches.
        let steps = [GET, "c~PUT", "s HTTP/1.1 101 Switching\r\n\r\n", GET];
        assert_eq!(bad(&steps, "GET /a 101"), 1);
    }

    #[test]
    fn what_waits_has_a_limit() {
        let orphans = |length: usize| {
            let mut script = Script::new(true);
            script.step(GET);
            script.step(OK);
            script.step("s HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n");
            script.step(&format!("s {}", "x".repeat(length)));
            script.counts.requests
                + script.counts.orphan_responses
                + u64::from(!script.conversation().is_waiting())
        };
        assert_eq!((orphans(2000), orphans(2001)), (1, 2));
        // What waits for the answer to `Expect` is taken for the body.
        let body = |length: usize| {
            let ask = "c POST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9999\r\n\r\n";
            let text = format!("{}{}", HIDDEN, "x".repeat(length - HIDDEN.len() + 2));
            early(&[ask], &text).conversation().is_waiting()
        };
        assert_eq!((body(2000), body(2001)), (true, false));
        // What waits for the answer to CONNECT is dropped.
        let held = |length: usize| {
            let connect = "c CONNECT a:1 HTTP/1.1\r\n\r\n";
            let text = format!("c~{}", "x".repeat(length));
            let mut script = Script::new(true);
            script.step(connect);
            script.step(&text);
            script.conversation().held_bytes()
        };
        assert_eq!((held(2000), held(2001)), (2000, 0));
    }

    #[test]
    fn interim_responses_are_counted_apart() {
        let early = "s HTTP/1.1 103 Early Hints\r\n\r\n";
        let counts = check(&[GET, early, OK, GET_B, OK], "GET /a 200; GET /b 200");
        assert_eq!((counts.responses, counts.interim_responses), (2, 1));
        // The final one after it was lost.
        let counts = check(&[GET, early, "s-40", GET_B, OK], "GET /a -; GET /b 200");
        assert_eq!(counts.orphan_responses, 0);
    }

    #[test]
    fn one_side_alone_is_told() {
        let mut script = Script::new(true);
        script.step(GET);
        assert!(script.exchanges()[0].one_sided);
        let mut script = Script::new(true);
        script.step("c GET /a HTTP/1.1\r\n");
        script.step("c \r\n");
        script.step("s-0");
        let exchange = &script.exchanges()[0];
        assert!(!exchange.one_sided);
        assert_eq!(exchange.timing.request_first, Timestamp(1));
        assert_eq!(exchange.timing.request_last, Timestamp(2));
        assert_eq!(exchange.timing.response_first, None);
        let mut script = Script::new(true);
        script.step(GET);
        script.step(OK);
        let exchange = &script.exchanges()[0];
        assert!(!exchange.one_sided);
        assert_eq!(
            (exchange.connection, exchange.origin, exchange.index),
            (7, 3, 0)
        );
        assert_eq!(exchange.timing.request_first, Timestamp(1));
        assert_eq!(exchange.timing.response_last, Some(Timestamp(2)));
    }

    #[test]
    fn held_bytes_are_those_of_unfinished_messages() {
        let mut script = Script::new(true);
        script.step("c POST /p HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc");
        assert_eq!(script.conversation().held_bytes(), 3);
        script.step("c defghi");
        assert_eq!(script.conversation().held_bytes(), 9);
        script.step("s HTTP/1.1 200 OK\r\nContent-Le");
        assert_eq!(script.conversation().held_bytes(), 9 + 27);
        script.step("s ngth: 0\r\n\r\n");
        assert_eq!(script.conversation().held_bytes(), 0);
    }
}
