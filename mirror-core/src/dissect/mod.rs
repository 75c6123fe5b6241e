//! Packets in, exchanges out: the pure half of the pipeline behind one door.
//!
//! Calling order: [`Dissector::packet`] for every packet, [`Dissector::tick`] when no packets come, [`Dissector::finish`]
//! once at the end; after each of them [`Dissector::poll`] until it returns `None`.

use std::collections::VecDeque;

use serde::Serialize;

use crate::exchange::Exchange;
use crate::filter::PortSet;
use crate::http::h1::{Conversation, PairCounts, PairLimits, Place};
use crate::http::{Foreign, HttpLimits, PortCounts};
use crate::packet::Packet;
use crate::packet::{Flags, PacketError, PacketReader, Segment, Side};
use crate::tcp::{CloseReason, Connection, Events, FlowTable, Slot, TcpLimits};
use crate::time::Timestamp;

/// What the dissector may hold, and for how long.
#[derive(Clone, Debug)]
pub struct DissectLimits {
    /// Server ports to look at; empty for any.
    pub ports: PortSet,
    /// Whether to look into VXLAN, Geneve, GRE, IP-in-IP and MPLS.
    pub tunnels: bool,
    /// Body bytes kept per message; the rest is dropped and the message faulted.
    pub max_body: usize,
    /// Bytes of start line and headers.
    pub max_head: usize,
    /// Connections followed at once; the least recently used goes first.
    pub max_flows: usize,
    /// Out-of-order bytes held per connection.
    pub max_held: usize,
    /// Bytes held for all connections together: out of order, and of messages that are not finished.
    pub max_total: usize,
    /// Nanoseconds without a packet after which a connection is taken for closed.
    pub idle: u64,
    /// Nanoseconds that packets of one connection may be captured out of their order.
    pub patience: u64,
    /// Nanoseconds to wait for bytes that the receiver was not seen to acknowledge.
    pub unacked_patience: u64,
}

impl Default for DissectLimits {
    fn default() -> Self {
        Self {
            ports: PortSet::default(),
            tunnels: false,
            max_body: 1 << 20,
            max_head: 64 << 10,
            max_flows: 65_536,
            max_held: 1 << 20,
            max_total: 256 << 20,
            idle: 300_000_000_000,
            patience: 200_000_000,
            unacked_patience: 3_000_000_000,
        }
    }
}

/// What was seen and what was lost on the way, each with its reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DissectStats {
    pub packets: u64,
    pub segments: u64,
    pub not_tcp: u64,
    /// Pieces of IP packets.
    pub fragments: u64,
    /// IP packets put together from pieces.
    pub joined_packets: u64,
    /// IP packets of which a piece never came.
    pub incomplete_packets: u64,
    /// IP packets whose pieces contradict each other.
    pub refused_packets: u64,
    pub malformed: u64,
    pub other_port: u64,
    pub retransmitted_bytes: u64,
    /// Bytes of those that were other bytes than the first copy, which counts.
    pub conflicting_bytes: u64,
    pub gaps: u64,
    pub gap_bytes: u64,
    /// Gaps among them that were given up because their connection held too much.
    pub shed_gaps: u64,
    pub flows: u64,
    /// Flows given up because there were too many, the least recently used first.
    pub evicted_flows: u64,
    /// The same because together they held too many bytes.
    pub evicted_for_bytes: u64,
    pub idle_flows: u64,
    /// Connections that speak TLS.
    pub tls: u64,
    pub tls_ports: PortCounts,
    /// Connections that speak HTTP/2 from their beginning.
    pub http2: u64,
    pub http2_ports: PortCounts,
    /// Connections that speak neither these nor HTTP/1.
    pub not_http: u64,
    /// Connections that became something else by 101 or CONNECT.
    pub tunnels: u64,
    /// Heads that looked like a message and could not be parsed.
    pub bad_heads: u64,
    /// Request heads parsed.
    pub requests: u64,
    /// Final response heads parsed, orphans included.
    pub responses: u64,
    /// 1xx responses other than 101.
    pub interim_responses: u64,
    /// Final responses whose request was not seen.
    pub orphan_responses: u64,
}

impl DissectStats {
    /// What a user can do about connections that cannot be read.
    pub fn advice(&self) -> Vec<String> {
        let tls = self
            .tls_ports
            .iter()
            .map(|(port, _)| format!("port {port} speaks TLS: capture behind its termination"));
        let http2 = self
            .http2_ports
            .iter()
            .map(|(port, _)| format!("port {port} speaks HTTP/2, which cannot be read yet"));
        tls.chain(http2).chain(self.one_direction()).collect()
    }
}

impl DissectStats {
    /// A network plug-in that redirects packets past an interface shows there as one direction only.
    fn one_direction(&self) -> Option<String> {
        const ENOUGH: u64 = 100;
        let (seen, missing, of) = if self.responses < self.requests {
            ("requests", "responses", (self.requests, self.responses))
        } else {
            ("responses", "requests", (self.responses, self.requests))
        };
        (of.0 >= ENOUGH && of.1 < of.0 / 10).then(|| {
            format!(
                "{seen} are seen without their {missing}: they pass another interface, or are redirected past this one; capture with --hook cgroup"
            )
        })
    }
}

pub struct Dissector {
    limits: DissectLimits,
    packets: PacketReader,
    tcp: TcpLimits,
    pair: PairLimits,
    flows: FlowTable<Flow>,
    /// Flows that wait for time to pass, by when to look at them again.
    waiting: VecDeque<(Timestamp, Slot, u64)>,
    /// The latest time seen; it never goes back.
    now: Timestamp,
    stats: DissectStats,
    ready: VecDeque<Exchange>,
    events: Events,
    /// Bytes held by all flows.
    held: usize,
    /// Number of the first connection, and the step to the next.
    numbers: (u64, u64),
}

struct Flow {
    /// Tells a flow from the next one in its slot.
    number: u64,
    connection: Connection,
    /// None once the connection is closed, or is not HTTP.
    conversation: Option<Box<Conversation>>,
    /// It is in `waiting`.
    waits: bool,
    /// Its part of the dissector's `held`.
    held: usize,
}

impl Dissector {
    pub fn new(limits: DissectLimits) -> Self {
        let tcp = TcpLimits {
            max_held: limits.max_held,
            patience: limits.patience,
            unacked_patience: limits.unacked_patience,
        };
        let http = HttpLimits {
            max_head: limits.max_head,
            max_body: limits.max_body,
        };
        let pair = PairLimits {
            http,
            max_held: limits.max_held,
            patience: limits.patience,
        };
        Self {
            packets: PacketReader::new(limits.tunnels),
            limits,
            tcp,
            pair,
            flows: FlowTable::default(),
            waiting: VecDeque::new(),
            now: Timestamp::default(),
            stats: DissectStats::default(),
            ready: VecDeque::new(),
            events: Events::default(),
            held: 0,
            numbers: (0, 1),
        }
    }

    /// Numbers connections apart from those of the other `readers`, of which this is number `reader` from 0.
    #[must_use]
    pub fn one_of(mut self, reader: u64, readers: u64) -> Self {
        self.numbers = (reader, readers);
        self
    }

    pub fn packet(&mut self, packet: &Packet) {
        self.stats.packets += 1;
        self.tick(packet.at);
        match self.packets.read(packet) {
            Ok(segment) => self.segment(&segment),
            Err(PacketError::NotTcp) => self.stats.not_tcp += 1,
            Err(PacketError::Fragment) => self.stats.fragments += 1,
            Err(PacketError::Malformed) => self.stats.malformed += 1,
        }
        self.count_fragments();
    }

    fn count_fragments(&mut self) {
        let counts = self.packets.fragments();
        self.stats.joined_packets = counts.joined;
        self.stats.incomplete_packets = counts.given_up;
        self.stats.refused_packets = counts.refused;
    }

    /// Lets time pass. `now` is on the packets' clock; packets seen before it should have been given before.
    pub fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        // What goes on waiting is appended; each is looked at once even if the clock stands at its end.
        for _ in 0..self.waiting.len() {
            let Some((_, slot, number)) = self.waiting.pop_front_if(|(due, ..)| *due <= self.now)
            else {
                break;
            };
            self.expire(slot, number);
        }
        while let Some(slot) = self.flows.idle(self.now, self.limits.idle) {
            self.stats.idle_flows += 1;
            self.remove(slot, CloseReason::Idle);
        }
    }

    /// The capture is over: everything still open ends here.
    pub fn finish(&mut self) {
        let mut slots = self.flows.slots();
        // The table is in no order, the exchanges must be.
        slots.sort_by_key(|slot| self.flows.value(*slot).map(|flow| flow.number));
        for slot in slots {
            self.remove(slot, CloseReason::EndOfCapture);
        }
        self.waiting.clear();
        self.packets.finish();
        self.count_fragments();
    }

    /// The next finished exchange.
    pub fn poll(&mut self) -> Option<Exchange> {
        self.ready.pop_front()
    }

    /// Server ports from now on; connections that are followed go on.
    pub fn set_ports(&mut self, ports: PortSet) {
        self.limits.ports = ports;
    }

    pub fn stats(&self) -> &DissectStats {
        &self.stats
    }

    fn segment(&mut self, segment: &Segment) {
        self.stats.segments += 1;
        if self.limits.ports.is_empty() {
            return self.flow(segment, None);
        }
        let ports = &self.limits.ports;
        let is_server = |side| ports.contains(segment.flow.port(side));
        match (is_server(Side::Low), is_server(Side::High)) {
            (true, true) => self.flow(segment, None),
            (true, false) => self.flow(segment, Some(Side::High)),
            (false, true) => self.flow(segment, Some(Side::Low)),
            (false, false) => self.stats.other_port += 1,
        }
    }

    /// `client` when the ports tell.
    fn flow(&mut self, segment: &Segment, client: Option<Side>) {
        let now = self.now;
        let mut found = self.flows.find(&segment.flow);
        if let Some(slot) = found
            && let Some(flow) = self.flows.value(slot)
            && flow.connection.is_reused_by(segment, now)
        {
            self.remove(slot, CloseReason::Reused);
            found = None;
        }
        let slot = match found {
            Some(slot) => {
                self.flows.touch(slot, now);
                slot
            }
            // What says nothing of HTTP need not be remembered: the rest of a connection that was closed long ago.
            None if segment.payload.is_empty() && !segment.flags.syn => return,
            None => self.begin(segment, client),
        };
        let Some(flow) = self.flows.value(slot) else {
            return;
        };
        if flow.conversation.is_some() || flow.connection.is_closed() {
            flow.connection
                .accept(segment, now, &self.tcp, &mut self.events);
            self.settle(slot);
            self.relieve();
        }
    }

    /// Keeps the bytes of all flows under their cap.
    fn relieve(&mut self) {
        while self.held > self.limits.max_total
            && let Some((slot, closed)) = self.flows.oldest()
        {
            self.stats.evicted_for_bytes += u64::from(!closed);
            self.remove(slot, CloseReason::Evicted);
        }
    }

    fn begin(&mut self, segment: &Segment, client: Option<Side>) -> Slot {
        while self.flows.len() >= self.limits.max_flows
            && let Some((slot, closed)) = self.flows.oldest()
        {
            self.stats.evicted_flows += u64::from(!closed);
            self.remove(slot, CloseReason::Evicted);
        }
        let (first, step) = self.numbers;
        let number = first + self.stats.flows * step;
        self.stats.flows += 1;
        let opener = match segment.flags {
            Flags { syn: true, ack, .. } if ack => Some(segment.side.other()),
            Flags { syn: true, .. } => Some(segment.side),
            _ => None,
        };
        let place = Place {
            connection: number,
            flow: segment.flow,
            origin: segment.origin,
        };
        let conversation = Conversation::new(place, client.or(opener), self.pair);
        let flow = Flow {
            number,
            connection: Connection::default(),
            conversation: Some(Box::new(conversation)),
            waits: false,
            held: 0,
        };
        self.flows.insert(segment.flow, flow, self.now)
    }

    /// Hands a flow's events to its conversation, and sees to what becomes of the flow.
    fn settle(&mut self, slot: Slot) {
        let Some(flow) = self.flows.value(slot) else {
            return;
        };
        let mut counts = PairCounts::default();
        if let Some(conversation) = &mut flow.conversation {
            for (side, event, arrival) in self.events.list.drain(..) {
                conversation.event(side, event, arrival, &mut counts, &mut self.ready);
            }
            let closed = flow.connection.is_closed();
            if closed {
                conversation.finish(&mut counts, &mut self.ready);
            }
            let waits = !closed && (flow.connection.is_waiting() || conversation.is_waiting());
            if waits && !flow.waits {
                flow.waits = true;
                let due = Timestamp(self.now.0.saturating_add(self.limits.patience));
                self.waiting.push_back((due, slot, flow.number));
            }
            let mut held = flow.connection.held_bytes() + conversation.held_bytes();
            if closed || conversation.is_ignored() {
                flow.conversation = None;
                held = 0;
            }
            self.held = self.held - flow.held + held;
            flow.held = held;
            if closed {
                self.flows.retire(slot);
            }
        }
        self.events.list.clear();
        self.count(counts);
    }

    fn expire(&mut self, slot: Slot, number: u64) {
        let Some(flow) = self.flows.value(slot).filter(|flow| flow.number == number) else {
            return;
        };
        flow.waits = false;
        flow.connection
            .expire(self.now, &self.tcp, &mut self.events);
        // What was behind a hole comes first: it may be the request that a response waits for.
        let mut counts = PairCounts::default();
        if let Some(conversation) = &mut flow.conversation {
            for (side, event, arrival) in self.events.list.drain(..) {
                conversation.event(side, event, arrival, &mut counts, &mut self.ready);
            }
            conversation.expire(self.now, &mut counts, &mut self.ready);
        }
        self.count(counts);
        self.settle(slot);
    }

    fn remove(&mut self, slot: Slot, reason: CloseReason) {
        if let Some(flow) = self.flows.value(slot)
            && flow.conversation.is_some()
        {
            flow.connection.close(reason, self.now, &mut self.events);
            self.settle(slot);
        }
        if let Some(flow) = self.flows.remove(slot) {
            self.held -= flow.held;
        }
    }

    fn count(&mut self, pair: PairCounts) {
        let events = &mut self.events;
        let stats = &mut self.stats;
        stats.retransmitted_bytes += std::mem::take(&mut events.repeated_bytes);
        stats.conflicting_bytes += std::mem::take(&mut events.conflicting_bytes);
        stats.shed_gaps += std::mem::take(&mut events.shed);
        stats.gaps += std::mem::take(&mut events.gaps);
        stats.gap_bytes += std::mem::take(&mut events.gap_bytes);
        stats.requests += pair.requests;
        stats.responses += pair.responses;
        stats.interim_responses += pair.interim_responses;
        stats.orphan_responses += pair.orphan_responses;
        stats.bad_heads += pair.bad_heads;
        stats.tunnels += pair.tunnels;
        match pair.foreign {
            Some((Foreign::Tls, port)) => {
                stats.tls += 1;
                stats.tls_ports.add(port);
            }
            Some((Foreign::Http2, port)) => {
                stats.http2 += 1;
                stats.http2_ports.add(port);
            }
            Some((Foreign::Other, _)) => stats.not_http += 1,
            None => {}
        }
    }
}
