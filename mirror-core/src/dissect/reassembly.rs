//! Segments → bytes, gaps and ends of each side of a connection, which go to the connection's conversation.

use std::collections::VecDeque;

use super::limits::{bytes, nanoseconds};
use super::{ConversationId, Conversations, DissectLimits, StreamCounts};
use crate::packet::{Flags, Segment, Side};
use crate::tcp::{CloseReason, Events, FlowTable, Slot, TcpConnection, TcpLimits};
use crate::time::Timestamp;

/// The connections that are followed.
pub struct Reassembly {
    tcp: TcpLimits,
    max_flows: usize,
    idle: u64,
    flows: FlowTable<Flow>,
    /// Flows that wait for time to pass, by when to look at them again.
    pub(super) waiting: VecDeque<(Timestamp, Slot, u64)>,
    /// The latest time seen; it never goes back.
    now: Timestamp,
    counts: StreamCounts,
    events: Events,
    /// Bytes held by all flows.
    held: usize,
}

struct Flow {
    connection: TcpConnection,
    conversation: ConversationId,
    /// The sides of which the conversation knows that they are there.
    heard: [bool; 2],
    /// The conversation is open.
    is_read: bool,
    /// It is in `waiting`.
    waits: bool,
    /// Its part of the reassembly's `held`.
    held: usize,
}

impl Flow {
    /// Tells the conversation which sides are there.
    #[cold]
    fn hear(&mut self, to: &mut Conversations) {
        for side in [Side::Low, Side::High] {
            if !self.heard[side.index()] && self.connection.has_heard(side) {
                self.heard[side.index()] = true;
                to.heard(self.conversation, side);
            }
        }
    }
}

impl Reassembly {
    pub fn new(limits: &DissectLimits) -> Self {
        Self {
            tcp: TcpLimits {
                max_held: bytes(limits.max_held),
                patience: nanoseconds(limits.patience),
                unacked_patience: nanoseconds(limits.unacked_patience),
            },
            max_flows: limits.max_flows,
            idle: nanoseconds(limits.idle),
            flows: FlowTable::default(),
            waiting: VecDeque::new(),
            now: Timestamp::default(),
            counts: StreamCounts::default(),
            events: Events::default(),
            held: 0,
        }
    }

    /// The next segment; `client` when the ports tell.
    #[inline]
    pub fn segment(&mut self, segment: Segment, client: Option<Side>, to: &mut Conversations) {
        let now = self.now;
        let mut found = self.flows.find(&segment.flow);
        if let Some(slot) = found
            && let Some(flow) = self.flows.value(slot)
            && flow.connection.is_reused_by(&segment, now)
        {
            self.remove(slot, CloseReason::Reused, to);
            found = None;
        }
        let slot = match found {
            Some(slot) => {
                self.flows.touch(slot, now);
                slot
            }
            // What says nothing of HTTP need not be remembered: the rest of a connection that was closed long ago.
            None if segment.payload.is_empty() && !segment.flags.syn => return,
            None => self.begin(&segment, client, to),
        };
        let Some(flow) = self.flows.value(slot) else {
            return;
        };
        if flow.is_read || flow.connection.is_closed() {
            flow.connection
                .accept(segment, now, &self.tcp, &mut self.events);
            self.settle(slot, to);
        }
    }

    /// Lets time pass.
    #[inline]
    pub fn tick(&mut self, now: Timestamp, to: &mut Conversations) {
        self.now = self.now.max(now);
        // What goes on waiting is appended; each is looked at once even if the clock stands at its end.
        for _ in 0..self.waiting.len() {
            let Some((_, slot, number)) = self.waiting.pop_front_if(|(due, ..)| *due <= self.now)
            else {
                break;
            };
            self.expire(slot, number, to);
        }
        while let Some(slot) = self.flows.idle(self.now, self.idle) {
            self.counts.idle_flows += 1;
            self.remove(slot, CloseReason::Idle, to);
        }
    }

    /// The capture is over: everything still open ends here.
    pub fn finish(&mut self, to: &mut Conversations) {
        let mut slots = self.flows.slots();
        // The table is in no order, the exchanges must be.
        let number = |flow: &mut Flow| flow.conversation.number();
        slots.sort_by_key(|slot| self.flows.value(*slot).map(number));
        for slot in slots {
            self.remove(slot, CloseReason::EndOfCapture, to);
        }
        self.waiting.clear();
    }

    /// Bytes that wait behind holes.
    #[inline]
    pub fn held_bytes(&self) -> usize {
        self.held
    }

    pub fn counts(&self) -> &StreamCounts {
        &self.counts
    }

    /// Gives up the connection that was not used for the longest time; false when there is none.
    pub(super) fn evict_for_bytes(&mut self, to: &mut Conversations) -> bool {
        let Some((slot, closed)) = self.flows.oldest() else {
            return false;
        };
        self.counts.evicted_for_bytes += u64::from(!closed);
        self.remove(slot, CloseReason::Evicted, to);
        true
    }

    fn begin(&mut self, segment: &Segment, client: Option<Side>, to: &mut Conversations) -> Slot {
        while self.flows.len() >= self.max_flows
            && let Some((slot, closed)) = self.flows.oldest()
        {
            self.counts.evicted_flows += u64::from(!closed);
            self.remove(slot, CloseReason::Evicted, to);
        }
        self.counts.flows += 1;
        let opener = match segment.flags {
            Flags { syn: true, ack, .. } if ack => Some(segment.side.other()),
            Flags { syn: true, .. } => Some(segment.side),
            _ => None,
        };
        let flow = Flow {
            connection: TcpConnection::default(),
            conversation: to.open(segment.flow, segment.origin, client.or(opener)),
            heard: [false; 2],
            is_read: true,
            waits: false,
            held: 0,
        };
        self.flows.insert(segment.flow, flow, self.now)
    }

    /// Hands a flow's events to its conversation, and sees to what becomes of the flow.
    #[inline]
    fn settle(&mut self, slot: Slot, to: &mut Conversations) {
        let Some(flow) = self.flows.value(slot) else {
            return;
        };
        if flow.is_read {
            let id = flow.conversation;
            if flow.heard != [true; 2] {
                flow.hear(to);
            }
            for (side, event, arrival) in self.events.list.drain(..) {
                flow.is_read = to.take(id, side, event, arrival);
            }
            let closed = flow.connection.is_closed();
            if closed {
                to.close(id);
                flow.is_read = false;
            }
            if !closed && !flow.waits && flow.connection.is_waiting() {
                flow.waits = true;
                let due = self.now.0.saturating_add(self.tcp.patience);
                self.waiting.push_back((Timestamp(due), slot, id.number()));
            }
            let held = match flow.is_read {
                true => flow.connection.held_bytes(),
                false => 0,
            };
            self.held = self.held - flow.held + held;
            flow.held = held;
            if closed {
                self.flows.retire(slot);
            }
        }
        self.events.list.clear();
        self.count();
    }

    fn expire(&mut self, slot: Slot, number: u64, to: &mut Conversations) {
        let is_it = |flow: &&mut Flow| flow.conversation.number() == number;
        if let Some(flow) = self.flows.value(slot).filter(is_it) {
            flow.waits = false;
            flow.connection
                .expire(self.now, &self.tcp, &mut self.events);
            self.settle(slot, to);
        }
    }

    fn remove(&mut self, slot: Slot, reason: CloseReason, to: &mut Conversations) {
        if let Some(flow) = self.flows.value(slot)
            && flow.is_read
        {
            flow.connection.close(reason, self.now, &mut self.events);
            self.settle(slot, to);
        }
        // It holds nothing any more: what is not read does not count.
        self.flows.remove(slot);
    }

    #[inline]
    fn count(&mut self) {
        let (events, counts) = (&mut self.events, &mut self.counts);
        counts.retransmitted_bytes += std::mem::take(&mut events.repeated_bytes);
        counts.conflicting_bytes += std::mem::take(&mut events.conflicting_bytes);
        counts.shed_gaps += std::mem::take(&mut events.shed);
        counts.gaps += std::mem::take(&mut events.gaps);
        counts.gap_bytes += std::mem::take(&mut events.gap_bytes);
    }
}
