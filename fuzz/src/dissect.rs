//! Packets of some connections, in any order, with little room.

use mirror_core::dissect::{DissectLimits, Dissector};
use mirror_core::options::ByteSize;
use mirror_core::packet::LinkType;

use crate::frames::{Shape, packet};
use crate::input::Input;

/// Every request head that was counted becomes one exchange.
pub fn dissect(bytes: &[u8]) {
    let mut dissector = Dissector::new(DissectLimits {
        max_flows: 2,
        max_held: ByteSize(500),
        max_total: ByteSize(900),
        max_body: ByteSize(64),
        ..DissectLimits::default()
    });
    let mut input = Input::new(bytes);
    let mut at = 0;
    while !input.is_empty() {
        let shape = Shape::read(&mut input);
        // Up to 16 s, so that patience and idleness end.
        at += u64::from(input.byte()) << 26;
        let frame = shape.frame(input.piece());
        dissector.packet(&packet(LinkType::Ethernet, at, &frame));
    }
    dissector.finish();
    let emitted = std::iter::from_fn(|| dissector.poll()).count() as u64;
    assert_eq!(emitted, dissector.stats().http.requests);
}
