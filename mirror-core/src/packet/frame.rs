//! One captured packet, before anything of it is read.

use bytes::Bytes;

use crate::time::Timestamp;

/// What the first byte of a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkType {
    Ethernet,
    /// An IPv4 or IPv6 header; the version nibble tells.
    RawIp,
    /// BSD loopback: a 4-byte address family in either byte order.
    Null,
    /// Linux cooked capture, version 1.
    Sll,
    /// Linux cooked capture, version 2.
    Sll2,
}

/// One captured packet, headers first.
#[derive(Clone, Debug)]
pub struct Packet {
    pub at: Timestamp,
    /// Interface index it was seen on; 0 for a file.
    pub origin: u32,
    pub link: LinkType,
    /// Bytes on the wire, which `bytes` may be fewer than.
    pub wire_len: u32,
    /// Bytes of TCP payload left out between the headers and the rest of `bytes`: a packet
    /// larger than a ring record arrives as several, each with its own skip.
    pub skip: u32,
    pub bytes: Bytes,
}
