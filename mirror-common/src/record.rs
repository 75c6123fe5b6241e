//! A record is a [`RecordHeader`], then `head` bytes of packet headers in an area of [`HEAD_AREA`]
//! bytes (only where `head` is not 0), then `len` bytes of the frame. A frame larger than
//! [`LARGEST_CLASS`] is split: its first record has `head == 0` and starts at the frame's first byte;
//! each further one repeats the headers and goes on at payload offset `skip`.

/// Sizes of ring records for frames of up to that many bytes. The kernel wants a constant size at each
/// reservation and a power of two lets the verifier follow the bound.
pub const CLASSES: [u32; 4] = [256, 2048, 16_384, LARGEST_CLASS];
pub const LARGEST_CLASS: u32 = 65_536;

/// Space for the repeated headers: Ethernet with two tags (22), IPv6 with extension headers and TCP
/// (60) as long as they really come.
pub const HEAD_AREA: usize = 256;

/// Records that one frame may be split into: BIG TCP is at most 512 KiB.
pub const MOST_RECORDS: u32 = 9;

/// The frame starts with an Ethernet header.
pub const LINK_ETHERNET: u16 = 0;
/// The frame starts with its IP header.
pub const LINK_IP: u16 = 1;

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// Nanoseconds of CLOCK_MONOTONIC.
    pub at: u64,
    pub ifindex: u32,
    /// Bytes of the whole frame on the wire.
    pub wire_len: u32,
    /// Bytes of TCP payload between the headers and this record's bytes.
    pub skip: u32,
    /// Bytes of the frame in this record, without `head`.
    pub len: u32,
    /// Bytes used of the header area; 0 when the record has none.
    pub head: u32,
    /// 0 ingress, 1 egress.
    pub direction: u16,
    /// [`LINK_ETHERNET`] or [`LINK_IP`].
    pub link: u16,
}

pub const HEADER_LEN: usize = size_of::<RecordHeader>();
const _: () = assert!(HEADER_LEN == 32);

impl RecordHeader {
    /// Reads a header from the start of a record; None when the record is too short for one.
    pub fn read(record: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_ne_bytes(record.get(at..at + 4)?.try_into().ok()?));
        let half = |at: usize| Some(u16::from_ne_bytes(record.get(at..at + 2)?.try_into().ok()?));
        Some(Self {
            at: u64::from_ne_bytes(record.get(..8)?.try_into().ok()?),
            ifindex: word(8)?,
            wire_len: word(12)?,
            skip: word(16)?,
            len: word(20)?,
            head: word(24)?,
            direction: half(28)?,
            link: half(30)?,
        })
    }
}
