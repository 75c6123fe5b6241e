//! What the dissector may hold, and for how long.

use super::{Conversations, Reassembly};
use crate::filter::PortSet;

/// What the dissector may hold, and for how long.
#[derive(Clone, Debug)]
pub struct DissectLimits {
    /// Server ports to look at; empty for any.
    pub ports: PortSet,
    /// Whether to look into VXLAN, Geneve, GRE, IP-in-IP and MPLS.
    pub tunnels: bool,
    /// Body bytes kept per message; the rest is dropped and the message faulted.
    pub max_body: usize,
    /// Bytes of start line and headers; servers allow 8 KiB to 1 MiB. Of a larger head the beginning is kept, and the
    /// message is faulted.
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
            max_head: 256 << 10,
            max_flows: 65_536,
            max_held: 1 << 20,
            max_total: 256 << 20,
            idle: 300_000_000_000,
            patience: 200_000_000,
            unacked_patience: 3_000_000_000,
        }
    }
}

/// Keeps the bytes of all connections under `max_total`: the connections that were not used for the longest time go first.
pub(super) fn relieve(
    max_total: usize,
    reassembly: &mut Reassembly,
    conversations: &mut Conversations,
) {
    while reassembly.held_bytes() + conversations.held_bytes() > max_total {
        if !reassembly.evict_for_bytes(conversations) && !conversations.evict_largest() {
            return;
        }
    }
}
