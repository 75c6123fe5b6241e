//! One connection: segments of both sides in, [`StreamEvent`]s of both sides out.
//!
//! When a hole is given up. What the other side acknowledged and was not captured is lost, whether or not later bytes are
//! there. But captures mix the order of packets a little, within one direction and between the two: the acknowledgement
//! counts once [`REORDERED`] more segments of the connection came behind it, or after `patience` when none come. Without an
//! acknowledgement, a hole is lost when the bytes behind it have waited
//! - `patience` and the other side was never seen at all (one direction captured), or
//! - `unacked_patience`: pure acknowledgements may not be captured, and a sender gives up slowly;
//!
//! and at once when the connection's `max_held` is reached, or when it is closed. A FIN past a hole waits like later
//! bytes; a RST waits `patience` for what may still come.

use super::{Arrival, CloseReason, Piece, Reassembler, StreamEvent};
use crate::packet::{Segment, Seq, Side};
use crate::time::Timestamp;

/// A SYN may be captured after this many bytes of its own stream; from further away it begins another connection.
const LATE_SYN: i32 = 1 << 16;

/// Segments that may be captured after the acknowledgement of what they bring.
const REORDERED: u8 = 16;

/// With the same initial sequence number again, a SYN this long (ns) after the close begins another connection.
const LINGER: u64 = 1_000_000_000;

/// What a connection may hold, and how long (ns on the packets' clock).
#[derive(Clone, Copy, Debug)]
pub struct TcpLimits {
    pub max_held: usize,
    pub patience: u64,
    pub unacked_patience: u64,
}

/// Events of a connection in the order in which they came to be.
#[derive(Debug, Default)]
pub struct Events {
    pub list: Vec<(Side, StreamEvent, Arrival)>,
    pub repeated_bytes: u64,
    pub conflicting_bytes: u64,
    /// Holes given up because the connection held too much.
    pub shed: u64,
    pub gaps: u64,
    pub gap_bytes: u64,
}

#[derive(Debug, Default)]
pub struct TcpConnection {
    halves: [Half; 2],
    /// Who sent a SYN without ACK, or got one with.
    opener: Option<Side>,
    reset_at: Option<Timestamp>,
    closed_at: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Half {
    bytes: Reassembler,
    seen: bool,
    /// It sent something other than a reset.
    spoke: bool,
    /// A segment without bytes announced urgent data.
    urgent: bool,
    isn: Option<Seq>,
    /// Where the stream ends, and when that was seen.
    fin: Option<(Seq, Timestamp)>,
    /// How far the other side acknowledged.
    acked: Option<Seq>,
    missed: Option<Missed>,
    closed: bool,
}

/// The next bytes were acknowledged and not captured.
#[derive(Clone, Copy, Debug)]
struct Missed {
    next: Seq,
    since: Timestamp,
    /// Segments of the connection since then.
    segments: u8,
}

impl TcpConnection {
    /// The side that opened the connection, when its handshake was seen.
    pub fn opener(&self) -> Option<Side> {
        self.opener
    }

    pub fn is_closed(&self) -> bool {
        self.closed_at.is_some()
    }

    /// The side sent something other than a reset, which the kernel or something in between may send for it.
    #[inline]
    pub fn has_heard(&self, side: Side) -> bool {
        self.halves[side.index()].spoke
    }

    /// Bytes waiting behind holes.
    pub fn held_bytes(&self) -> usize {
        self.halves.iter().map(|half| half.bytes.held_bytes()).sum()
    }

    /// Whether something waits for time to pass: [`Self::expire`] is to be called.
    pub fn is_waiting(&self) -> bool {
        self.closed_at.is_none()
            && (self.reset_at.is_some()
                || self.halves.iter().any(|half| {
                    let waits = half.bytes.hole().is_some() || half.fin.is_some();
                    !half.closed && (waits || half.missed.is_some())
                }))
    }

    /// Whether `segment` begins another connection between the same addresses.
    pub fn is_reused_by(&self, segment: &Segment, now: Timestamp) -> bool {
        if !segment.flags.syn {
            return false;
        }
        let half = &self.halves[segment.side.index()];
        match (half.isn, half.bytes.next_seq()) {
            (Some(isn), _) if isn == segment.seq => self
                .closed_at
                .is_some_and(|at| now.nanos_since(at) > LINGER),
            (Some(_), _) => true,
            (None, Some(next)) => !(0..=LATE_SYN).contains(&next.since(segment.seq + 1)),
            (None, None) => self.is_closed(),
        }
    }

    /// Takes a segment that does not begin another connection.
    pub fn accept(
        &mut self,
        segment: Segment,
        now: Timestamp,
        limits: &TcpLimits,
        events: &mut Events,
    ) {
        if self.is_closed() {
            events.repeated_bytes += segment.payload.len() as u64;
            return;
        }
        let side = segment.side;
        let mut seq = segment.seq;
        if segment.flags.syn {
            self.open(&segment);
            seq = seq + 1;
        }
        let end = seq + segment.payload.len() as u32;
        // An acknowledgement of 0 is what hand-made packets carry.
        let ack = (segment.flags.ack && segment.ack.0 != 0).then_some(segment.ack);
        // A reset is often made by something in between.
        if let Some(ack) = ack.filter(|_| !segment.flags.rst) {
            let other = &mut self.halves[side.other().index()];
            if other.acked.is_none_or(|acked| acked.is_before(ack)) {
                other.acked = Some(ack);
                other.bytes.acknowledge(ack);
            }
        }
        let half = &mut self.halves[side.index()];
        half.seen = true;
        half.spoke |= !segment.flags.rst;
        half.urgent |= segment.flags.urg;
        if !segment.payload.is_empty() {
            let arrival = Arrival {
                at: segment.at,
                seq,
                ack,
                urgent: std::mem::take(&mut half.urgent),
            };
            if half.bytes.next_seq().is_none() {
                events
                    .list
                    .push((side, StreamEvent::Gap { len: 0 }, arrival));
            }
            let bytes = segment.payload;
            half.take(Piece { arrival, bytes }, side, events);
        }
        if segment.flags.fin && half.fin.is_none() {
            half.bytes.start(end);
            half.fin = Some((end, now));
        }
        if segment.flags.rst {
            self.reset_at.get_or_insert(now);
        }
        for side in [Side::Low, Side::High] {
            self.halves[side.index()].count_missed(now, side, events);
        }
        self.shed(limits, events);
        self.close_ended(now, events);
    }

    fn open(&mut self, segment: &Segment) {
        let half = &mut self.halves[segment.side.index()];
        half.isn = Some(segment.seq);
        half.bytes.start(segment.seq + 1);
        let opener = if segment.flags.ack {
            segment.side.other()
        } else {
            segment.side
        };
        self.opener.get_or_insert(opener);
    }

    /// Gives up what waited long enough.
    pub fn expire(&mut self, now: Timestamp, limits: &TcpLimits, events: &mut Events) {
        if self.is_closed() {
            return;
        }
        if self
            .reset_at
            .is_some_and(|at| now.nanos_since(at) >= limits.patience)
        {
            return self.close(CloseReason::Reset, now, events);
        }
        for side in [Side::Low, Side::High] {
            let one_sided = !self.halves[side.other().index()].seen;
            let half = &mut self.halves[side.index()];
            while !half.closed && half.is_hopeless(one_sided, now, limits) {
                half.give_up(side, events);
            }
        }
        self.close_ended(now, events);
    }

    /// Ends both sides: what waits behind holes comes first, then the end of both.
    pub fn close(&mut self, reason: CloseReason, now: Timestamp, events: &mut Events) {
        if self.closed_at.is_some() {
            return;
        }
        for side in [Side::Low, Side::High] {
            let half = &mut self.halves[side.index()];
            while !half.closed && (half.bytes.hole().is_some() || half.is_short_of_fin()) {
                half.give_up(side, events);
            }
        }
        for side in [Side::Low, Side::High] {
            let half = &mut self.halves[side.index()];
            let reason = if half.fin.is_some() {
                CloseReason::Fin
            } else {
                reason
            };
            half.end(side, reason, now, events);
        }
        self.closed_at = Some(now);
    }

    /// Keeps the held bytes under the cap.
    fn shed(&mut self, limits: &TcpLimits, events: &mut Events) {
        while self.held_bytes() > limits.max_held {
            let low = self.halves[0].bytes.held_bytes() >= self.halves[1].bytes.held_bytes();
            let side = if low { Side::Low } else { Side::High };
            self.halves[side.index()].give_up(side, events);
            events.shed += 1;
        }
    }

    fn close_ended(&mut self, now: Timestamp, events: &mut Events) {
        for side in [Side::Low, Side::High] {
            let half = &mut self.halves[side.index()];
            if half.fin.is_some() && half.bytes.hole().is_none() && !half.is_short_of_fin() {
                half.end(side, CloseReason::Fin, now, events);
            }
        }
        if self.halves.iter().all(|half| half.closed) {
            self.closed_at.get_or_insert(now);
        }
    }
}

impl Half {
    fn take(&mut self, piece: Piece, side: Side, events: &mut Events) {
        if !self.closed && self.bytes.pass(&piece) {
            let event = StreamEvent::Data(piece.bytes);
            events.list.push((side, event, piece.arrival));
            return;
        }
        let insert = self.bytes.insert(piece);
        events.repeated_bytes += insert.repeated;
        events.conflicting_bytes += insert.conflicting;
        self.drain(side, events);
    }

    fn drain(&mut self, side: Side, events: &mut Events) {
        while let Some(piece) = self.bytes.pop() {
            if self.closed {
                events.repeated_bytes += piece.bytes.len() as u64;
            } else {
                events
                    .list
                    .push((side, StreamEvent::Data(piece.bytes), piece.arrival));
            }
        }
    }

    /// A segment more came: is what was acknowledged and is not there lost by now?
    fn count_missed(&mut self, now: Timestamp, side: Side, events: &mut Events) {
        let Some(next) = self.bytes.next_seq().filter(|_| self.has_missed()) else {
            self.missed = None;
            return;
        };
        match &mut self.missed {
            Some(missed) if missed.next == next => missed.segments += 1,
            missed => {
                let segments = 0;
                *missed = Some(Missed {
                    next,
                    since: now,
                    segments,
                });
            }
        }
        if self
            .missed
            .is_some_and(|missed| missed.segments >= REORDERED)
        {
            while self.has_missed() {
                self.give_up(side, events);
            }
            self.missed = None;
        }
    }

    /// The next bytes were acknowledged and not captured.
    fn has_missed(&self) -> bool {
        match (self.bytes.next_seq(), self.acked_bytes()) {
            (Some(next), Some(acked)) => !self.closed && next.is_before(acked),
            _ => false,
        }
    }

    /// How far bytes were acknowledged: a FIN takes a sequence number too, and is none.
    fn acked_bytes(&self) -> Option<Seq> {
        match (self.acked, self.fin) {
            (Some(acked), Some((fin, _))) if fin.is_before(acked) => Some(fin),
            (acked, _) => acked,
        }
    }

    fn is_short_of_fin(&self) -> bool {
        match (self.fin, self.bytes.next_seq()) {
            (Some((fin, _)), Some(next)) => next.is_before(fin),
            _ => false,
        }
    }

    fn is_hopeless(&self, one_sided: bool, now: Timestamp, limits: &TcpLimits) -> bool {
        let Some(next) = self.bytes.next_seq() else {
            return false;
        };
        let is_old = |missed: Missed| now.nanos_since(missed.since) >= limits.patience;
        if self.has_missed() && self.missed.is_some_and(is_old) {
            return true;
        }
        let since = match (self.bytes.waiting_since(), self.fin) {
            (Some(since), _) => since,
            (None, Some((fin, since))) if next.is_before(fin) => since,
            _ => return false,
        };
        let wait = if one_sided {
            limits.patience
        } else {
            limits.unacked_patience
        };
        now.nanos_since(since) >= wait
    }

    /// Reports the first hole, or the one before the FIN, as lost, and goes on behind it.
    fn give_up(&mut self, side: Side, events: &mut Events) {
        let seq = self.bytes.next_seq().unwrap_or_default();
        let mut len = self.bytes.skip_hole();
        if len == 0
            && let Some((fin, _)) = self.fin
        {
            len = self.bytes.skip_to(fin);
        }
        if len == 0
            && let Some(acked) = self.acked_bytes()
        {
            len = self.bytes.skip_to(acked);
        }
        if len > 0 && !self.closed {
            events.gaps += 1;
            events.gap_bytes += len;
            let arrival = Arrival {
                seq,
                ..Arrival::default()
            };
            events.list.push((side, StreamEvent::Gap { len }, arrival));
        }
        self.drain(side, events);
    }

    fn end(&mut self, side: Side, reason: CloseReason, at: Timestamp, events: &mut Events) {
        if !self.closed {
            self.closed = true;
            let arrival = Arrival {
                at,
                seq: self.bytes.next_seq().unwrap_or_default(),
                ..Arrival::default()
            };
            events
                .list
                .push((side, StreamEvent::Close { reason }, arrival));
        }
    }
}

#[cfg(test)]
mod tests;
