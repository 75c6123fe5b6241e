//! What the program puts into a ring. Records of every kind begin with the same two bytes: the version of the layout,
//! and the kind. A reader skips what it does not know, and counts it.
//!
//! A record of a frame is a [`RecordHeader`], then `head` bytes of packet headers in an area of [`HEAD_AREA`]
//! bytes (only where `head` is not 0), then `len` bytes of the frame. A frame larger than
//! [`LARGEST_CLASS`] is split: its first record has `head == 0` and starts at the frame's first byte;
//! each further one repeats the headers and goes on at payload offset `skip`.

/// Changes when the layout of a kind does.
pub const RECORD_VERSION: u8 = 1;

/// Sizes of ring records for frames of up to that many bytes. The kernel wants a constant size at each
/// reservation and a power of two lets the verifier follow the bound. The small ones are close together: what a
/// record leaves unused is room that the ring loses and memory that the next record finds cold.
pub const CLASSES: [u32; 6] = [256, 512, 1024, 2048, 16_384, LARGEST_CLASS];
pub const LARGEST_CLASS: u32 = 65_536;

/// Space for the repeated headers: Ethernet with two tags (22), IPv6 with extension headers and TCP
/// (60) as long as they really come.
pub const HEAD_AREA: usize = 256;

/// Records that one frame may be split into: BIG TCP is at most 512 KiB.
pub const MAX_RECORDS: u32 = 9;

/// The frame starts with an Ethernet header.
pub const LINK_ETHERNET: u8 = 0;
/// The frame starts with its IP header.
pub const LINK_IP: u8 = 1;

/// What a record holds. No kind is 0: memory that was never written is no record.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A frame, or a part of one.
    Frame = 1,
}

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownRecord {
    /// It is shorter than its version and kind, or than the header of its kind.
    TooShort,
    Version(u8),
    Kind(u8),
}

impl RecordKind {
    /// Reads the bytes that records of every kind begin with.
    pub fn read(record: &[u8]) -> Result<Self, UnknownRecord> {
        let [version, kind, ..] = *record else {
            return Err(UnknownRecord::TooShort);
        };
        if version != RECORD_VERSION {
            return Err(UnknownRecord::Version(version));
        }
        match kind {
            1 => Ok(Self::Frame),
            other => Err(UnknownRecord::Kind(other)),
        }
    }
}

/// The header of a [`RecordKind::Frame`].
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// [`RECORD_VERSION`] of the program that wrote it.
    pub version: u8,
    /// A [`RecordKind`].
    pub kind: u8,
    /// 0 ingress, 1 egress.
    pub direction: u8,
    /// [`LINK_ETHERNET`] or [`LINK_IP`].
    pub link: u8,
    pub ifindex: u32,
    /// Nanoseconds of CLOCK_MONOTONIC.
    pub at: u64,
    /// Bytes of the whole frame on the wire.
    pub wire_len: u32,
    /// Bytes of TCP payload between the headers and this record's bytes.
    pub skip: u32,
    /// Bytes of the frame in this record, without `head`.
    pub len: u32,
    /// Bytes used of the header area; 0 when the record has none.
    pub head: u32,
}

pub const HEADER_LEN: usize = size_of::<RecordHeader>();
const _: () = assert!(HEADER_LEN == 32);
// Where records of every kind have them.
const _: () = assert!(core::mem::offset_of!(RecordHeader, version) == 0);
const _: () = assert!(core::mem::offset_of!(RecordHeader, kind) == 1);

impl RecordHeader {
    /// Reads the header of a frame's record.
    pub fn read(record: &[u8]) -> Result<Self, UnknownRecord> {
        let RecordKind::Frame = RecordKind::read(record)?;
        let Some(bytes) = record.first_chunk::<HEADER_LEN>() else {
            return Err(UnknownRecord::TooShort);
        };
        let word = |at: usize| {
            u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let [_, _, _, _, _, _, _, _, a, b, c, d, e, f, g, h, ..] = *bytes;
        Ok(Self {
            version: bytes[0],
            kind: bytes[1],
            direction: bytes[2],
            link: bytes[3],
            ifindex: word(4),
            at: u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            wire_len: word(16),
            skip: word(20),
            len: word(24),
            head: word(28),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = at as u8;
        }
        bytes[0] = RECORD_VERSION;
        bytes[1] = RecordKind::Frame as u8;
        bytes
    }

    #[test]
    fn a_header_is_read_as_it_lies_in_memory() {
        let bytes = header();
        // SAFETY: as many bytes, and any bits make a header.
        let expected: RecordHeader = unsafe { core::mem::transmute(bytes) };
        assert_eq!(RecordHeader::read(&bytes), Ok(expected));
        assert_eq!((expected.direction, expected.link), (2, 3));
    }

    #[test]
    fn what_is_not_known_is_not_read() {
        let check = |change: fn(&mut [u8; HEADER_LEN]), expected| {
            let mut bytes = header();
            change(&mut bytes);
            assert_eq!(RecordHeader::read(&bytes), Err(expected));
        };
        check(|bytes| bytes[0] = 2, UnknownRecord::Version(2));
        check(|bytes| bytes[0] = 0, UnknownRecord::Version(0));
        check(|bytes| bytes[1] = 0, UnknownRecord::Kind(0));
        check(|bytes| bytes[1] = 2, UnknownRecord::Kind(2));
        for len in 0..HEADER_LEN {
            let cut = &header()[..len];
            assert_eq!(
                RecordHeader::read(cut),
                Err(UnknownRecord::TooShort),
                "{len}"
            );
        }
    }
}
