//! Ethernet frames with a TCP segment, made of choices.

use mirror_core::packet::{LinkType, Packet};
use mirror_core::time::Timestamp;

use crate::input::Input;

pub(crate) const LINKS: [LinkType; 5] = [
    LinkType::Ethernet,
    LinkType::RawIp,
    LinkType::Null,
    LinkType::Sll,
    LinkType::Sll2,
];

/// ACK, PSH, SYN, SYN and ACK, FIN, RST, URG.
const FLAGS: [u8; 7] = [0x10, 0x18, 0x02, 0x12, 0x11, 0x14, 0x38];

/// What a segment is besides its payload. Three connections to one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) from_server: bool,
    pub(crate) connection: u8,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
}

impl Shape {
    pub(crate) fn read(input: &mut Input<'_>) -> Self {
        Self {
            from_server: input.below(2) == 1,
            connection: input.below(3) as u8,
            seq: u32::from(input.word()),
            ack: u32::from(input.word()),
            flags: input.pick(&FLAGS),
        }
    }

    pub(crate) fn frame(self, payload: &[u8]) -> Vec<u8> {
        let ends = [[10, 0, 0, 1], [10, 0, 0, 2]];
        let ports = [4000 + u16::from(self.connection), 80];
        let [from, to] = if self.from_server { [1, 0] } else { [0, 1] };
        let total = (40 + payload.len()) as u16;
        let mut bytes = vec![0; 12];
        bytes.extend([8, 0, 0x45, 0]);
        bytes.extend(total.to_be_bytes());
        bytes.extend([0, 0, 0, 0, 64, 6, 0, 0]);
        bytes.extend([ends[from], ends[to]].concat());
        bytes.extend([ports[from].to_be_bytes(), ports[to].to_be_bytes()].concat());
        bytes.extend([self.seq.to_be_bytes(), self.ack.to_be_bytes()].concat());
        bytes.extend([0x50, self.flags, 1, 0, 0, 0, 0, 0]);
        bytes.extend(payload);
        bytes
    }
}

pub(crate) fn packet(link: LinkType, at: u64, bytes: &[u8]) -> Packet {
    Packet {
        at: Timestamp(at),
        origin: 0,
        link,
        wire_len: bytes.len() as u32,
        skip: 0,
        bytes: bytes.to_vec().into(),
    }
}
