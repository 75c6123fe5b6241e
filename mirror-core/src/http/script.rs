//! Connections for tests, told in steps.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{ConnectionInfo, Conversation, ConversationLimits, HttpCounts, HttpLimits, Output};
use crate::exchange::{Exchange, Fault};
use crate::packet::{FlowKey, Seq, Side};
use crate::tcp::{Arrival, CloseReason, StreamEvent};
use crate::time::Timestamp;

pub(crate) const LIMITS: ConversationLimits = ConversationLimits {
    http: HttpLimits {
        max_head: 4096,
        max_body: 1000,
    },
    max_held: 2000,
    patience: 100,
};

pub(crate) const GET: &str = "c GET /a HTTP/1.1\r\n\r\n";
pub(crate) const OK: &str = "s HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// One connection from 10.0.0.2:40000 to 10.0.0.1:80. The client is the high side.
pub(crate) struct Script {
    conversation: Conversation,
    /// Where each side's next byte stands: server, client.
    seqs: [Seq; 2],
    /// What each side has received of the other one.
    acks: [Seq; 2],
    now: u64,
    pub(crate) counts: HttpCounts,
    ready: VecDeque<Exchange>,
}

impl Script {
    /// With `handshake`, both beginnings and the client are known.
    pub(crate) fn new(handshake: bool) -> Self {
        let server = "10.0.0.1:80".parse().unwrap();
        let client = "10.0.0.2:40000".parse().unwrap();
        let info = ConnectionInfo {
            number: 7,
            flow: FlowKey::new(server, client).0,
            origin: 3,
            heard: [false; 2],
        };
        let client = handshake.then_some(Side::High);
        let mut script = Self {
            conversation: Conversation::new(info, client, LIMITS),
            seqs: [Seq(5000), Seq(1000)],
            acks: [Seq(1000), Seq(5000)],
            now: 0,
            counts: HttpCounts::default(),
            ready: VecDeque::new(),
        };
        if !handshake {
            script.step("c-0");
            script.step("s-0");
        }
        script
    }

    /// A step: `c` or `s` for who sends, then
    /// - a space and bytes; an acknowledgement of all that was sent comes with them
    /// - `~` and bytes, sent before anything new of the other side was received
    /// - `!` and bytes, urgent
    /// - `-` and a number of bytes that were lost; 0 where the beginning is not known
    /// - `.` the end, `#` a reset;
    ///
    /// or `+` and a number of nanoseconds that pass.
    pub(crate) fn step(&mut self, step: &str) {
        self.now += 1;
        let (who, rest) = step.split_at(1);
        let (side, place) = match who {
            "c" => (Side::High, 1),
            "s" => (Side::Low, 0),
            _ => {
                self.now += rest.parse::<u64>().unwrap();
                let now = Timestamp(self.now);
                return self.with(|conversation, out| conversation.expire(now, out));
            }
        };
        let (how, rest) = rest.split_at(1);
        if !matches!(how, "~" | "-") {
            self.acks[place] = self.seqs[1 - place];
        }
        let arrival = Arrival {
            at: Timestamp(self.now),
            seq: self.seqs[place],
            ack: Some(self.acks[place]),
            urgent: how == "!",
        };
        let (event, len) = match how {
            "-" => {
                let len = rest.parse().unwrap();
                (StreamEvent::Gap { len }, len as u32)
            }
            "." | "#" => {
                let reason = match how {
                    "." => CloseReason::Fin,
                    _ => CloseReason::Reset,
                };
                (StreamEvent::Close { reason }, 0)
            }
            _ => {
                // A char is a byte.
                let bytes: Vec<u8> = rest.chars().map(|c| c as u8).collect();
                let len = bytes.len() as u32;
                (StreamEvent::Data(Bytes::from(bytes)), len)
            }
        };
        self.seqs[place] = self.seqs[place] + len;
        self.with(|conversation, out| {
            conversation.heard(side);
            conversation.take(side, event, arrival, out);
        });
    }

    /// The client sends, after it received `received` bytes that are captured later.
    pub(crate) fn early(&mut self, step: &str, received: u32) {
        let seq = self.seqs[0];
        self.seqs[0] = seq + received;
        self.step(step);
        self.seqs[0] = seq;
    }

    fn with(&mut self, act: impl FnOnce(&mut Conversation, &mut Output<'_>)) {
        let mut out = Output {
            counts: &mut self.counts,
            ready: &mut self.ready,
        };
        act(&mut self.conversation, &mut out);
    }

    pub(crate) fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// The exchanges that are ready now.
    pub(crate) fn ready(&mut self) -> String {
        let texts: Vec<_> = self
            .ready
            .drain(..)
            .map(|exchange| text(&exchange))
            .collect();
        texts.join("; ")
    }

    pub(crate) fn exchanges(&mut self) -> Vec<Exchange> {
        self.with(|conversation, out| conversation.finish(out));
        self.ready.drain(..).collect()
    }

    /// All exchanges, after the end of the connection.
    pub(crate) fn finish(&mut self) -> String {
        self.with(|conversation, out| conversation.finish(out));
        self.ready()
    }
}

/// As in `GET /a!Gap 200`, or `GET /a -` without response.
fn text(exchange: &Exchange) -> String {
    let request = &exchange.request;
    let fault = |fault: Option<Fault>| match fault {
        Some(Fault::Ambiguous(why)) => format!("!{why:?}"),
        Some(fault) => format!("!{fault:?}"),
        None => String::new(),
    };
    let response = match &exchange.response {
        Some(response) => format!("{}{}", response.status, fault(response.fault)),
        None => "-".to_owned(),
    };
    format!(
        "{} {}{} {response}",
        request.method,
        request.target,
        fault(request.fault)
    )
}

/// The exchanges of a connection with a handshake, and that none is invented or lost.
pub(crate) fn check(steps: &[&str], expect: &str) -> HttpCounts {
    run(Script::new(true), steps, expect)
}

/// The same, joined midway.
pub(crate) fn check_midway(steps: &[&str], expect: &str) -> HttpCounts {
    run(Script::new(false), steps, expect)
}

fn run(mut script: Script, steps: &[&str], expect: &str) -> HttpCounts {
    steps.iter().for_each(|step| script.step(step));
    script.with(|conversation, out| conversation.finish(out));
    let exchanges = script.ready.len() as u64;
    assert_eq!(script.ready(), expect, "{steps:?}");
    assert_eq!(exchanges, script.counts.requests, "{steps:?}");
    script.counts
}
