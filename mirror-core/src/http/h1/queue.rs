//! Events of one side that the parser has not looked at yet.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::tcp::{Arrival, StreamEvent};
use crate::time::Timestamp;

#[derive(Default)]
pub(super) struct Queue {
    /// The next event, and those behind it. Most of the time there is at most one.
    next: Option<(StreamEvent, Arrival)>,
    later: VecDeque<(StreamEvent, Arrival)>,
    /// `next` is the rest of a packet.
    mid_packet: bool,
    bytes: usize,
}

impl Queue {
    #[inline(always)]
    pub(super) fn push(&mut self, event: StreamEvent, arrival: Arrival) {
        if let StreamEvent::Data(bytes) = &event {
            self.bytes += bytes.len();
        }
        if self.next.is_none() {
            self.next = Some((event, arrival));
            self.mid_packet = false;
        } else {
            self.later.push_back((event, arrival));
        }
    }

    /// Bytes of data in it.
    #[inline(always)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<(StreamEvent, Arrival)> {
        let (event, arrival) = self.next.take()?;
        self.next = self.later.pop_front();
        self.mid_packet = false;
        if let StreamEvent::Data(bytes) = &event {
            self.bytes -= bytes.len();
        }
        Some((event, arrival))
    }

    /// When the next event came.
    pub(super) fn waiting_since(&self) -> Option<Timestamp> {
        self.next.as_ref().map(|(_, arrival)| arrival.at)
    }

    /// Puts an event back in front.
    #[inline(always)]
    pub(super) fn unpop(&mut self, event: StreamEvent, arrival: Arrival) {
        if let StreamEvent::Data(bytes) = &event {
            if bytes.is_empty() {
                return;
            }
            self.bytes += bytes.len();
        }
        if let Some(next) = self.next.replace((event, arrival)) {
            self.later.push_front(next);
        }
    }

    /// Puts back what of a packet was not used.
    #[inline(always)]
    pub(super) fn push_rest(&mut self, bytes: Bytes, arrival: Arrival) {
        if !bytes.is_empty() {
            self.unpop(StreamEvent::Data(bytes), arrival);
            self.mid_packet = true;
        }
    }

    /// Takes what is left of a packet that was used in part.
    pub(super) fn drop_packet(&mut self) -> Option<(Bytes, Arrival)> {
        if !self.mid_packet {
            return None;
        }
        match self.pop()? {
            (StreamEvent::Data(bytes), arrival) => Some((bytes, arrival)),
            _ => None,
        }
    }
}
