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

    /// The next event of one side.
    pub fn take(&mut self, id: ConversationId, side: Side, event: StreamEvent, at: Arrival) {
        self.with(id, |conversation, out| {
            conversation.take(side, event, at, out);
        });
    }

    /// The connection is over: what is open of it ends.
    pub fn close(&mut self, id: ConversationId) {
        self.with(id, |conversation, out| conversation.finish(out));
    }

    /// Whether anything more of this conversation is read.
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
    pub fn held_bytes(&self) -> usize {
        self.held
    }

    /// Ends the conversation that holds most; false when none holds anything.
    pub fn evict_largest(&mut self) -> bool {
        let entries = self.entries.iter().enumerate();
        let held = entries.filter_map(|(slot, entry)| Some((slot, entry.as_ref()?)));
        let Some((slot, entry)) = held.max_by_key(|(_, entry)| entry.held) else {
            return false;
        };
        let id = ConversationId {
            slot: slot as u32,
            number: entry.number,
        };
        let is_more = entry.held > 0;
        self.close(id);
        is_more
    }

    pub fn counts(&self) -> &HttpCounts {
        &self.counts
    }

    fn entry(&mut self, id: ConversationId) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(id.slot as usize)?.as_mut()?;
        (entry.number == id.number).then_some(entry)
    }

    /// Lets a conversation do something, and sees to what becomes of it.
    fn with(&mut self, id: ConversationId, act: impl FnOnce(&mut Conversation, &mut Output<'_>)) {
        let Some(place) = self.entries.get_mut(id.slot as usize) else {
            return;
        };
        let Some(entry) = place.as_mut().filter(|entry| entry.number == id.number) else {
            return;
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
    }
}
