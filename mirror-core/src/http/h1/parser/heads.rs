//! Finds where a message begins, and reads its head.

use bytes::{Buf, Bytes};

use super::{MANY_PACKETS, Parsed, Parser, Stage, Step};
use crate::exchange::{Ambiguity, Fault};
use crate::http::Protocol;
use crate::http::h1::partial::Partial;
use crate::http::h1::start_line::is_worth_another_look;
use crate::http::h1::{
    Decoder, Head, HeadError, Kind, Sniff, has_known_method, sniff, sniff_known,
};
use crate::tcp::{Arrival, StreamEvent};

/// Lines of a head over the limit that are kept: enough to know what it was.
const KEPT_LINES: usize = 64;

impl Parser {
    /// One step before or in a head.
    pub(super) fn start(&mut self) -> Step {
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
}

/// What a server may have answered, though it is no request of HTTP/1: a whole line that begins with a usual method, or
/// that ends as a request line does.
pub(in crate::http) fn may_be_request(kind: Kind, bytes: &[u8]) -> bool {
    let is_line = memchr::memchr(b'\n', bytes).is_some();
    kind == Kind::Request
        && is_line
        && (has_known_method(bytes) || sniff(kind, bytes) == Sniff::Yes)
}
