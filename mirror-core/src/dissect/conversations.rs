//! Bytes of the sides of connections → exchanges. This is the door for bytes that do not come from packets: whoever has
//! the plaintext of a connection opens a conversation and gives it what each side sent.
//!
//! Calling order: [`Conversations::open`], then [`Conversations::heard`] when something of a side was seen,
//! [`Conversations::take`] for what it sent and [`Conversations::close`]; [`Conversations::tick`] as time passes. After each
//! of them [`Conversations::poll`] until it returns `None`.

use std::collections::VecDeque;

use crate::exchange::Exchange;
use crate::http::{ConnectionInfo, Conversation, ConversationLimits, HttpCounts, Output};
use crate::packet::{FlowKey, Side};
use crate::tcp::{Arrival, StreamEvent};
use crate::time::Timestamp;

/// One conversation; it is never another one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversationId {
    slot: u32,
    number: u64,
}

impl ConversationId {
    /// The connection's number, in order of appearance.
    pub fn number(self) -> u64 {
        self.number
    }
}

/// The conversations that are open.
pub struct Conversations {
    limits: ConversationLimits,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    /// Those that wait for time to pass, by when to look at them again.
    waiting: VecDeque<(Timestamp, ConversationId)>,
    now: Timestamp,
    counts: HttpCounts,
    ready: VecDeque<Exchange>,
    /// Bytes held by all of them.
    held: usize,
    /// Number of the next connection, and the step to the one after.
    next: (u64, u64),
}

struct Entry {
    number: u64,
    conversation: Conversation,
    /// It is in `waiting`.
    waits: bool,
    /// Its part of `held`.
    held: usize,
}

impl Conversations {
    pub fn new(limits: ConversationLimits) -> Self {
        Self {
            limits,
            entries: Vec::new(),
            free: Vec::new(),
            waiting: VecDeque::new(),
            now: Timestamp::default(),
            counts: HttpCounts::default(),
            ready: VecDeque::new(),
            held: 0,
            next: (0, 1),
        }
    }

    /// Numbers connections `first`, `first + step` and so on.
    pub fn number_from(&mut self, first: u64, step: u64) {
        self.next = (first, step);
    }

    /// Begins the conversation of a connection; `client` when it is known.
    pub fn open(&mut self, flow: FlowKey, origin: u32, client: Option<Side>) -> ConversationId {
        let (number, step) = self.next;
        self.next.0 = number + step;
        let info = ConnectionInfo {
            number,
            flow,
            origin,
            heard: [false; 2],
        };
        let entry = Entry {
            number,
            conversation: Conversation::new(info, client, self.limits),
            waits: false,
            held: 0,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot as usize] = Some(entry);
                slot
            }
            None => {
                self.entries.push(Some(entry));
                (self.entries.len() - 1) as u32
            }
        };
        ConversationId { slot, number }
    }

    /// Something of this side was seen, with or without bytes: it is there.
    pub fn heard(&mut self, id: ConversationId, side: Side) {
        if let Some(entry) = self.entry(id) {
            entry.conversation.heard(side);
        }
    }

    /// The next event of one side; false when nothing more of this conversation is read.
    #[inline]
    pub fn take(
        &mut self,
        id: ConversationId,
        side: Side,
        event: StreamEvent,
        at: Arrival,
    ) -> bool {
        self.with(id, |conversation, out| {
            conversation.take(side, event, at, out);
        })
    }

    /// The connection is over: what is open of it ends.
    pub fn close(&mut self, id: ConversationId) {
        self.with(id, |conversation, out| conversation.finish(out));
    }

    /// Whether anything more of this conversation is read.
    #[inline]
    pub fn is_open(&self, id: ConversationId) -> bool {
        let entry = self.entries.get(id.slot as usize);
        entry.is_some_and(|entry| {
            entry
                .as_ref()
                .is_some_and(|entry| entry.number == id.number)
        })
    }

    /// Lets time pass. `now` is on the packets' clock.
    pub fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        if !self.waiting.is_empty() {
            self.expire();
        }
    }

    fn expire(&mut self) {
        // What goes on waiting is appended; each is looked at once even if the clock stands at its end.
        for _ in 0..self.waiting.len() {
            let Some((_, id)) = self.waiting.pop_front_if(|(due, _)| *due <= self.now) else {
                break;
            };
            let now = self.now;
            if let Some(entry) = self.entry(id) {
                entry.waits = false;
            }
            self.with(id, |conversation, out| conversation.expire(now, out));
        }
    }

    /// The next finished exchange.
    pub fn poll(&mut self) -> Option<Exchange> {
        self.ready.pop_front()
    }

    /// Bytes of messages that are not finished, and of requests without response.
    #[inline]
    pub fn held_bytes(&self) -> usize {
        self.held
    }

    /// Ends the conversation that holds most; false when none holds anything.
    pub fn evict_largest(&mut self) -> bool {
        let entries = self.entries.iter().enumerate();
        let held = entries.filter_map(|(slot, entry)| Some((slot, entry.as_ref()?)));
        let holding = held.filter(|(_, entry)| entry.held > 0);
        let Some((slot, entry)) = holding.max_by_key(|(_, entry)| entry.held) else {
            return false;
        };
        let id = ConversationId {
            slot: slot as u32,
            number: entry.number,
        };
        self.close(id);
        true
    }

    pub fn counts(&self) -> &HttpCounts {
        &self.counts
    }

    fn entry(&mut self, id: ConversationId) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(id.slot as usize)?.as_mut()?;
        (entry.number == id.number).then_some(entry)
    }

    /// Lets a conversation do something, and sees to what becomes of it: whether it goes on.
    #[inline]
    fn with(
        &mut self,
        id: ConversationId,
        act: impl FnOnce(&mut Conversation, &mut Output<'_>),
    ) -> bool {
        let Some(place) = self.entries.get_mut(id.slot as usize) else {
            return false;
        };
        let Some(entry) = place.as_mut().filter(|entry| entry.number == id.number) else {
            return false;
        };
        let mut out = Output {
            counts: &mut self.counts,
            ready: &mut self.ready,
        };
        act(&mut entry.conversation, &mut out);
        let is_over = entry.conversation.is_over();
        let held = if is_over {
            0
        } else {
            entry.conversation.held_bytes()
        };
        self.held = self.held - entry.held + held;
        entry.held = held;
        if is_over {
            *place = None;
            self.free.push(id.slot);
        } else if !entry.waits && entry.conversation.is_waiting() {
            entry.waits = true;
            let due = self.now.0.saturating_add(self.limits.patience);
            self.waiting.push_back((Timestamp(due), id));
        }
        !is_over
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::http::HttpLimits;
    use crate::packet::Seq;
    use crate::tcp::CloseReason;

    const PATIENCE: u64 = 100;

    fn conversations() -> Conversations {
        Conversations::new(ConversationLimits {
            http: HttpLimits {
                max_head: 1000,
                max_body: 1000,
            },
            max_held: 1000,
            patience: PATIENCE,
        })
    }

    fn open(conversations: &mut Conversations, port: u16) -> ConversationId {
        let client = ([10, 0, 0, 2], port).into();
        let (flow, side) = FlowKey::new(client, ([10, 0, 0, 1], 443).into());
        conversations.open(flow, 2, Some(side))
    }

    fn send(
        conversations: &mut Conversations,
        id: ConversationId,
        side: Side,
        at: u64,
        text: &str,
    ) {
        let arrival = Arrival {
            at: Timestamp(at),
            seq: Seq(0),
            ..Arrival::default()
        };
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        conversations.take(id, side, StreamEvent::Data(bytes), arrival);
    }

    const POST: &str = "POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc";
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn plaintext_from_elsewhere_becomes_exchanges() {
        let mut conversations = conversations();
        conversations.number_from(3, 4);
        let id = open(&mut conversations, 40000);
        assert_eq!(id.number(), 3);
        assert_eq!(open(&mut conversations, 40001).number(), 7);
        conversations.heard(id, Side::Low);
        send(&mut conversations, id, Side::High, 1, POST);
        assert_eq!(conversations.held_bytes(), 3);
        assert!(conversations.poll().is_none());
        send(&mut conversations, id, Side::High, 2, "defghi");
        assert_eq!(conversations.held_bytes(), 9);
        send(&mut conversations, id, Side::Low, 3, OK);
        assert_eq!(conversations.held_bytes(), 0);
        let exchange = conversations.poll().unwrap();
        assert_eq!((exchange.connection, exchange.origin), (3, 2));
        assert_eq!(exchange.client.to_string(), "10.0.0.2:40000");
        assert_eq!(&exchange.request.body[..], b"abcdefghi");
        assert_eq!(conversations.counts().requests, 1);
        assert!(conversations.is_open(id));
    }

    #[test]
    fn a_closed_conversation_ends_and_its_place_is_used_again() {
        let mut conversations = conversations();
        let id = open(&mut conversations, 1);
        send(&mut conversations, id, Side::High, 1, POST);
        conversations.close(id);
        assert_eq!(conversations.held_bytes(), 0);
        assert!(!conversations.is_open(id));
        let exchange = conversations.poll().unwrap();
        assert!(exchange.response.is_none() && exchange.one_sided);
        let other = open(&mut conversations, 2);
        assert_eq!((other.slot, other.number()), (id.slot, 1));
        assert!(!conversations.is_open(id) && conversations.is_open(other));
        // What comes late for the first is nothing to the second.
        send(&mut conversations, id, Side::High, 2, POST);
        conversations.heard(id, Side::Low);
        conversations.close(id);
        assert_eq!(conversations.held_bytes(), 0);
        send(&mut conversations, other, Side::High, 2, POST);
        conversations.close(other);
        assert!(conversations.poll().unwrap().one_sided);
    }

    #[test]
    fn what_is_not_read_is_closed() {
        let mut conversations = conversations();
        let id = open(&mut conversations, 1);
        send(&mut conversations, id, Side::High, 1, "SSH-2.0-x\r\n");
        assert!(!conversations.is_open(id));
        assert_eq!(conversations.counts().not_http, 1);
    }

    #[test]
    fn a_response_waits_for_its_request_until_patience_is_over() {
        let mut conversations = conversations();
        let id = open(&mut conversations, 1);
        conversations.tick(Timestamp(5));
        send(&mut conversations, id, Side::Low, 5, OK);
        let orphans = |conversations: &Conversations| conversations.counts().orphan_responses;
        conversations.tick(Timestamp(4 + PATIENCE));
        assert_eq!(orphans(&conversations), 0);
        // Time does not go back.
        conversations.tick(Timestamp(1));
        conversations.tick(Timestamp(5 + PATIENCE));
        assert_eq!(orphans(&conversations), 1);
        // It is looked at again for the next one.
        send(&mut conversations, id, Side::Low, 5 + PATIENCE, OK);
        conversations.tick(Timestamp(5 + 2 * PATIENCE));
        assert_eq!(orphans(&conversations), 2);
    }

    #[test]
    fn what_waited_too_short_is_looked_at_again() {
        let mut conversations = conversations();
        let id = open(&mut conversations, 1);
        send(&mut conversations, id, Side::Low, 0, OK);
        send(
            &mut conversations,
            id,
            Side::High,
            1,
            "PUT / HTTP/1.1\r\n\r\n",
        );
        send(&mut conversations, id, Side::Low, 60, OK);
        conversations.tick(Timestamp(PATIENCE));
        assert_eq!(conversations.counts().orphan_responses, 0);
        conversations.tick(Timestamp(2 * PATIENCE));
        assert_eq!(conversations.counts().orphan_responses, 1);
    }

    #[test]
    fn what_begins_to_wait_later_is_looked_at_when_its_own_time_is_over() {
        let mut conversations = conversations();
        let id = open(&mut conversations, 1);
        send(
            &mut conversations,
            id,
            Side::High,
            0,
            "GET / HTTP/1.1\r\n\r\n",
        );
        send(&mut conversations, id, Side::Low, 0, OK);
        conversations.tick(Timestamp(60));
        for _ in 0..3 {
            send(&mut conversations, id, Side::Low, 60, OK);
        }
        assert_eq!(conversations.waiting.len(), 1);
        conversations.tick(Timestamp(PATIENCE));
        assert_eq!(conversations.counts().orphan_responses, 0);
        conversations.tick(Timestamp(60 + PATIENCE));
        assert_eq!(conversations.counts().orphan_responses, 3);
        assert!(conversations.waiting.is_empty());
    }

    #[test]
    fn the_one_that_holds_most_makes_room() {
        let mut conversations = conversations();
        let ids = [1, 2, 3].map(|port| open(&mut conversations, port));
        for (id, more) in ids.into_iter().zip(["", "def", "d"]) {
            send(
                &mut conversations,
                id,
                Side::High,
                1,
                &format!("{POST}{more}"),
            );
        }
        assert_eq!(conversations.held_bytes(), 3 + 6 + 4);
        for left in [7, 3, 0] {
            assert!(conversations.evict_largest());
            assert_eq!(conversations.held_bytes(), left);
        }
        let idle = open(&mut conversations, 4);
        assert!(!conversations.evict_largest());
        assert!(conversations.is_open(idle));
        let reason = CloseReason::Fin;
        conversations.take(
            ids[0],
            Side::High,
            StreamEvent::Close { reason },
            Arrival::default(),
        );
        assert_eq!(conversations.counts().requests, 3);
    }
}
