//! Records → exchanges: the messages are read by the parsers of live capture, each request on a connection of its own.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use mirror_core::dissect::{ConversationId, Conversations, DissectLimits, DissectStats, Dissector};
use mirror_core::exchange::{Exchange, Timing};
use mirror_core::packet::{FlowKey, Seq, Side};
use mirror_core::tcp::{Arrival, CloseReason, StreamEvent};
use mirror_core::time::Timestamp;

use super::super::{LeftOut, Step, Traffic};
use super::records::{Head, Record, RecordKind, Records};
use crate::capture::input;

/// How long a request waits for its answer, in the file's time, and after how many others at the latest.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const MAX_WAITING: usize = 200_000;

/// Addresses are in no record.
const CLIENT: ([u8; 4], u16) = ([127, 0, 0, 1], 0);
const SERVER: ([u8; 4], u16) = ([127, 0, 0, 1], 80);

pub(in crate::traffic) struct GoReplay {
    records: Records<input::Bytes>,
    /// Of which only the half is used that takes bytes.
    dissector: Dissector,
    max_held: usize,
    flow: FlowKey,
    client: Side,
    /// Requests that wait for their answers, by their id in the file; and their ids in the order of the file.
    waiting: HashMap<Box<[u8]>, Waiting>,
    order: VecDeque<(Timestamp, u64, Box<[u8]>)>,
    /// Of each connection that has not ended.
    times: HashMap<u64, Timing>,
    ready: VecDeque<Exchange>,
    early: EarlyResponses,
    reached: Option<Timestamp>,
    replayed_responses: u64,
    is_over: bool,
}

struct Waiting {
    connection: ConversationId,
    request_bytes: u32,
}

impl GoReplay {
    pub(in crate::traffic) fn new(bytes: input::Bytes, limits: DissectLimits) -> Self {
        let (flow, client) = FlowKey::new(SocketAddr::from(CLIENT), SocketAddr::from(SERVER));
        Self {
            records: Records::new(bytes),
            max_held: usize::try_from(limits.max_total.as_u64()).unwrap_or(usize::MAX),
            dissector: Dissector::new(limits),
            flow,
            client,
            waiting: HashMap::new(),
            order: VecDeque::new(),
            times: HashMap::new(),
            ready: VecDeque::new(),
            early: EarlyResponses::default(),
            reached: None,
            replayed_responses: 0,
            is_over: false,
        }
    }

    /// A record is read when no exchange is ready.
    pub(in crate::traffic) fn step(&mut self) -> anyhow::Result<Step> {
        if let Some(exchange) = self.ready.pop_front() {
            return Ok(Step::Traffic(Traffic::Captured(Box::new(exchange))));
        }
        if self.is_over {
            return Ok(Step::End);
        }
        match self.records.next() {
            Ok(Some(record)) => self.take(record),
            end => {
                self.is_over = true;
                self.give_up(|_| true);
                self.early.give_up(|_| true);
                end?;
            }
        }
        Ok(Step::More)
    }

    /// The time of the record that was read last.
    pub(in crate::traffic) fn reached(&self) -> Option<Timestamp> {
        self.reached
    }

    pub(in crate::traffic) fn stats(&self) -> DissectStats {
        self.dissector.stats()
    }

    pub(in crate::traffic) fn left_out(&self) -> LeftOut {
        LeftOut::from([
            ("replayed_responses", self.replayed_responses),
            ("orphan_responses", self.early.given_up),
        ])
    }

    fn take(&mut self, record: Record) {
        match record.head.kind {
            RecordKind::Request => self.request(record),
            RecordKind::Response if self.waiting.contains_key(&record.head.id) => {
                self.response(&record);
            }
            RecordKind::Response => self.early.push(record, self.max_held),
            // Its time is how long it took.
            RecordKind::Replayed => self.replayed_responses += 1,
        }
    }

    fn request(&mut self, Record { head, message }: Record) {
        self.reached = Some(head.at);
        let horizon = head.at;
        self.give_up(|sent| sent.after(LONGEST_WAIT) < horizon);
        self.early
            .give_up(|came| came.after(LONGEST_WAIT) < horizon);
        // Of two with one id, the first one gets no answer.
        self.end(&head.id);
        let (flow, client) = (self.flow, self.client);
        let connection = self.conversations().open(flow, 0, Some(client));
        let timing = Timing {
            request_first: head.at,
            request_last: last(&head),
            ..Timing::default()
        };
        self.times.insert(connection.number(), timing);
        let arrival = Arrival {
            at: head.at,
            ack: Some(Seq(0)),
            ..Arrival::default()
        };
        self.give(connection, client, &message, arrival);
        if !self.conversations().is_open(connection) {
            return self.drain(connection);
        }
        let waiting = Waiting {
            connection,
            request_bytes: u32::try_from(message.len()).unwrap_or(u32::MAX),
        };
        self.waiting.insert(head.id.clone(), waiting);
        let early = self.early.take(&head.id);
        let place = (head.at, connection.number(), head.id);
        self.order.push_back(place);
        if let Some(early) = early {
            self.response(&early);
        }
        if self.order.len() > MAX_WAITING {
            self.give_up_first();
        }
        while self.conversations().held_bytes() > self.max_held
            && self.conversations().evict_largest()
        {}
    }

    fn response(&mut self, Record { head, message }: &Record) {
        let Some(waiting) = self.waiting.get(&head.id) else {
            return;
        };
        let Waiting {
            connection,
            request_bytes,
        } = *waiting;
        if let Some(timing) = self.times.get_mut(&connection.number()) {
            timing.response_first = Some(head.at);
            timing.response_last = Some(last(head));
        }
        let arrival = Arrival {
            at: head.at,
            ack: Some(Seq(request_bytes)),
            ..Arrival::default()
        };
        let server = self.client.other();
        self.give(connection, server, message, arrival);
        let reason = CloseReason::Fin;
        self.conversations()
            .take(connection, server, StreamEvent::Close { reason }, arrival);
        self.end(&head.id);
    }

    /// All bytes that a side sent.
    fn give(&mut self, connection: ConversationId, side: Side, message: &Bytes, arrival: Arrival) {
        let conversations = self.dissector.conversations();
        // The other side is there too: GoReplay has seen a connection.
        conversations.heard(connection, side);
        conversations.heard(connection, side.other());
        if !message.is_empty() {
            let data = StreamEvent::Data(message.clone());
            conversations.take(connection, side, data, arrival);
        }
    }

    /// Ends a request, with or without an answer.
    fn end(&mut self, id: &[u8]) {
        if let Some(waiting) = self.waiting.remove(id) {
            self.conversations().close(waiting.connection);
            self.drain(waiting.connection);
        }
    }

    /// Takes what has become ready, the exchange of a connection that has ended among it.
    fn drain(&mut self, ended: ConversationId) {
        while let Some(mut exchange) = self.dissector.poll() {
            if let Some(timing) = self.times.get(&exchange.connection) {
                exchange.timing = *timing;
            }
            self.ready.push_back(exchange);
        }
        self.times.remove(&ended.number());
    }

    /// Ends requests without an answer, from the first one on, as long as their time is one that says so.
    fn give_up(&mut self, is_over: impl Fn(Timestamp) -> bool) {
        while self.order.front().is_some_and(|(at, ..)| is_over(*at)) {
            self.give_up_first();
        }
    }

    fn give_up_first(&mut self) {
        let Some((_, number, id)) = self.order.pop_front() else {
            return;
        };
        let is_it = |waiting: &Waiting| waiting.connection.number() == number;
        if self.waiting.get(&id).is_some_and(is_it) {
            self.end(&id);
        }
    }

    fn conversations(&mut self) -> &mut Conversations {
        self.dissector.conversations()
    }
}

/// Answers that stand before their requests: GoReplay writes a message when it is sure of its end, whichever that is first.
#[derive(Default)]
struct EarlyResponses {
    by_id: HashMap<Box<[u8]>, Record>,
    order: VecDeque<(Timestamp, Box<[u8]>)>,
    held: usize,
    /// Those whose request did not come.
    given_up: u64,
}

impl EarlyResponses {
    fn push(&mut self, record: Record, max_held: usize) {
        let Head { at, id, .. } = record.head.clone();
        self.held += record.message.len();
        self.order.push_back((at, id.clone()));
        if let Some(before) = self.by_id.insert(id, record) {
            self.held -= before.message.len();
            self.given_up += 1;
        }
        while (self.held > max_held || self.order.len() > MAX_WAITING) && self.give_up_first() {}
    }

    fn take(&mut self, id: &[u8]) -> Option<Record> {
        let record = self.by_id.remove(id)?;
        self.held -= record.message.len();
        Some(record)
    }

    fn give_up(&mut self, is_over: impl Fn(Timestamp) -> bool) {
        while self.order.front().is_some_and(|(at, _)| is_over(*at)) {
            self.give_up_first();
        }
    }

    fn give_up_first(&mut self) -> bool {
        let Some((_, id)) = self.order.pop_front() else {
            return false;
        };
        if self.take(&id).is_some() {
            self.given_up += 1;
        }
        true
    }
}

/// When the last byte of a message was seen.
fn last(head: &Head) -> Timestamp {
    head.at.after(Duration::from_nanos(head.took))
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;

    fn open(text: &str) -> GoReplay {
        let bytes = Cursor::new(text.as_bytes().to_vec());
        GoReplay::new(BufReader::new(Box::new(bytes)), DissectLimits::default())
    }

    fn read(records: &[(&str, &str)]) -> (Vec<Exchange>, LeftOut) {
        let mut file = String::new();
        for (head, message) in records {
            file += &format!("{head}\n{message}\n🐵🙈🙉\n");
        }
        let mut file = open(&file);
        let mut found = Vec::new();
        loop {
            match file.step().unwrap() {
                Step::Traffic(traffic) => found.push(traffic.exchange().clone()),
                Step::More => {}
                Step::End => return (found, file.left_out()),
            }
        }
    }

    fn text(exchanges: &[Exchange]) -> Vec<String> {
        let text = |exchange: &Exchange| {
            let answer = exchange.response.as_ref();
            let answer = answer.map(|r| (r.status, String::from_utf8_lossy(&r.body).into_owned()));
            let request = &exchange.request;
            assert!(!exchange.one_sided);
            format!(
                "{} {} {answer:?} {:?}",
                request.method, request.target, request.fault
            )
        };
        exchanges.iter().map(text).collect()
    }

    #[test]
    fn answers_belong_to_the_requests_of_their_id() {
        let (exchanges, left_out) = read(&[
            (
                "1 aaaaaaaa 1000 50",
                "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            ),
            ("1 bbbbbbbb 2000 0", "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"),
            (
                "2 bbbbbbbb 3000 7",
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            ),
            ("3 bbbbbbbb 900 2500", "HTTP/1.1 500 Oops\r\n\r\n"),
            // Its end is the end of the connection.
            ("2 aaaaaaaa 4000 7", "HTTP/1.1 200 OK\r\n\r\nall of it"),
            ("2 cccccccc 4000 7", "HTTP/1.1 200 OK\r\n\r\n"),
            ("1 dddddddd 5000 0", "GET /d HTTP/1.0\r\n\r\n"),
        ]);
        assert_eq!(
            text(&exchanges),
            [
                "GET /b Some((404, \"\")) None",
                "POST /a Some((200, \"all of it\")) None",
                "GET /d None None",
            ]
        );
        assert_eq!(&exchanges[1].request.body[..], b"hi");
        let timing = Timing {
            request_first: Timestamp(1000),
            request_last: Timestamp(1050),
            response_first: Some(Timestamp(4000)),
            response_last: Some(Timestamp(4007)),
        };
        assert_eq!(exchanges[1].timing, timing);
        let connections: Vec<_> = exchanges.iter().map(|e| e.connection).collect();
        assert_eq!(connections, [1, 0, 2]);
        assert_eq!(left_out["replayed_responses"], 1);
        assert_eq!(left_out["orphan_responses"], 1);
    }

    #[test]
    fn an_answer_may_stand_before_its_request() {
        let (exchanges, left_out) = read(&[
            (
                "2 aaaaaaaa 3000 0",
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            ),
            ("1 bbbbbbbb 2000 0", "GET /b HTTP/1.1\r\n\r\n"),
            ("1 aaaaaaaa 1000 0", "GET /a HTTP/1.1\r\n\r\n"),
        ]);
        let expect = ["GET /a Some((200, \"ok\")) None", "GET /b None None"];
        assert_eq!(text(&exchanges), expect);
        assert_eq!(left_out["orphan_responses"], 0);
    }

    #[test]
    fn a_request_does_not_wait_longer_than_a_minute() {
        let get = "GET /a HTTP/1.1\r\n\r\n";
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let (exchanges, left_out) = read(&[
            ("1 aaaaaaaa 1000000000 0", get),
            ("1 bbbbbbbb 61000000001 0", get),
            ("2 aaaaaaaa 61000000002 0", ok),
            ("2 bbbbbbbb 61000000003 0", ok),
        ]);
        let answered: Vec<_> = exchanges.iter().map(|e| e.response.is_some()).collect();
        assert_eq!(answered, [false, true]);
        assert_eq!(left_out["orphan_responses"], 1);
    }

    #[test]
    fn of_two_requests_with_one_id_the_answer_is_the_second_ones() {
        let (exchanges, _) = read(&[
            ("1 aaaaaaaa 1 0", "GET /a HTTP/1.1\r\n\r\n"),
            ("1 aaaaaaaa 2 0", "GET /b HTTP/1.1\r\n\r\n"),
            (
                "2 aaaaaaaa 3 0",
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            ),
        ]);
        assert_eq!(
            text(&exchanges),
            ["GET /a None None", "GET /b Some((200, \"\")) None"]
        );
    }

    #[test]
    fn what_is_not_http_is_counted() {
        let mut file = open("1 aaaaaaaa 1 0\nSSH-2.0-x\r\n\n🐵🙈🙉\n");
        while !matches!(file.step().unwrap(), Step::End) {}
        assert_eq!(file.stats().http.not_http, 1);
    }
}
