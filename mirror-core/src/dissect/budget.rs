//! Keeps what all connections hold together under its limit.

use super::{Conversations, Reassembly};

/// Keeps the bytes of all connections under `max_total`: the connections that were not used for the longest time go first.
#[inline]
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
