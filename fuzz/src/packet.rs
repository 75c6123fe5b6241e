//! Frames of any link type, in pieces, in tunnels.

use mirror_core::packet::{self, PacketReader};

use crate::frames::{self, LINKS};
use crate::input::Input;

/// No frame panics, and a payload is a part of its frame. What is reassembled of fragments is no larger than an IP packet.
pub fn packet(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut reader = PacketReader::new(input.below(2) == 1);
    while !input.is_empty() {
        let link = input.pick(&LINKS);
        let packet = frames::packet(link, 0, input.piece());
        if let Ok(segment) = packet::parse(&packet) {
            assert!(segment.payload.len() <= packet.bytes.len());
        }
        if let Ok(segment) = reader.read(&packet) {
            assert!(segment.payload.len() <= 65_535);
        }
    }
    reader.finish();
}
