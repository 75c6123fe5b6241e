//! Where packets come from: a kernel program on live interfaces (`tc`) or a capture file (`pcap`).
//!
//! `tc` joins the parts of live capture: `attach` (programs to one place), `watch` (to the interfaces of a
//! namespace as they come and go), `filter` and `counters` (maps), `ring` (records to packets).

pub mod attach;
pub mod clsact;
mod counters;
pub mod filter;
mod input;
pub mod links;
pub mod namespace;
mod netlink;
pub mod pcap;
pub mod ring;
pub mod tc;
mod watch;

pub use counters::Counters;
pub use input::Progress;

use bytes::Bytes;

use crate::exchange::Timestamp;

/// What the first byte of a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
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
    pub link: Link,
    /// Bytes on the wire, which `bytes` may be fewer than.
    pub wire_len: u32,
    /// Bytes of TCP payload left out between the headers and the rest of `bytes`: a packet
    /// larger than a ring record arrives as several, each with its own skip.
    pub skip: u32,
    pub bytes: Bytes,
}
