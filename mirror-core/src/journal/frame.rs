//! Frames: length, kind, number, time, checksum, payload.

use xxhash_rust::xxh3::Xxh3Default;

use crate::time::Timestamp;

/// Of length, kind, number, time and checksum.
const HEAD: usize = 4 + 1 + 8 + 8 + 8;
/// What the checksum covers of the head.
const COVERED: usize = HEAD - 8;

/// Numbers are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub kind: FrameKind,
    /// What it is found by, where there are several.
    pub number: u64,
    /// When it was written.
    pub at: Timestamp,
    pub payload: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// All records, in the place of those before.
    Whole,
    /// Records that have changed.
    Changes,
    /// The same, and the run has ended.
    End,
    /// Two answers in full.
    Answers,
}

impl FrameKind {
    const ALL: [(Self, u8); 4] = [
        (Self::Whole, 1),
        (Self::Changes, 2),
        (Self::End, 3),
        (Self::Answers, 4),
    ];

    fn of(code: u8) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|(_, known)| *known == code).map(|(kind, _)| kind)
    }

    fn code(self) -> u8 {
        let mut all = Self::ALL.into_iter();
        all.find(|(kind, _)| *kind == self)
            .map_or(0, |(_, code)| code)
    }
}

impl Frame<'_> {
    /// A payload is shorter than 4 GiB: what holds more is not written by anybody.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.payload.len());
        bytes.extend((self.payload.len() as u32).to_le_bytes());
        bytes.push(self.kind.code());
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.at.0.to_le_bytes());
        bytes.extend(checksum(&bytes, self.payload).to_le_bytes());
        bytes.extend(self.payload);
        bytes
    }
}

/// What a frame begins with, for those who look for one frame in a long file. Only [`Frames`] looks at the checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Of the payload.
    pub length: usize,
    pub number: u64,
    pub at: Timestamp,
}

impl FrameHead {
    /// Bytes of a head.
    pub const LENGTH: usize = HEAD;

    pub fn read(head: &[u8; HEAD]) -> Self {
        let number = |from: usize| {
            let bytes = head[from..from + 8].try_into();
            bytes.map(u64::from_le_bytes).unwrap_or_default()
        };
        let length = head
            .first_chunk()
            .map_or(0, |length| u32::from_le_bytes(*length));
        Self {
            length: length as usize,
            number: number(5),
            at: Timestamp(number(13)),
        }
    }
}

/// The frames of a file, until the first one that is not whole.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Frames<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// The end of the last frame.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let rest = &self.bytes[self.position..];
        let (head, rest) = rest.split_first_chunk::<HEAD>()?;
        let FrameHead { length, number, at } = FrameHead::read(head);
        let payload = rest.get(..length)?;
        if checksum(&head[..COVERED], payload).to_le_bytes() != head[COVERED..] {
            return None;
        }
        self.position += HEAD + length;
        Some(Frame {
            kind: FrameKind::of(head[4])?,
            number,
            at,
            payload,
        })
    }
}

fn checksum(head: &[u8], payload: &[u8]) -> u64 {
    let mut hash = Xxh3Default::new();
    hash.update(head);
    hash.update(payload);
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let mut bytes = Vec::new();
        let kinds = FrameKind::ALL.map(|(kind, _)| kind);
        let frames: Vec<Frame<'_>> = kinds
            .into_iter()
            .zip([&b""[..], b"a", b"\0\xff", b"long enough"])
            .enumerate()
            .map(|(number, (kind, payload))| Frame {
                kind,
                number: number as u64,
                at: Timestamp(u64::MAX - number as u64),
                payload,
            })
            .collect();
        for frame in &frames {
            bytes.extend(frame.encode());
        }
        assert_eq!(Frames::new(&bytes).collect::<Vec<_>>(), frames);
    }

    #[test]
    fn a_length_beyond_the_file_is_no_frame() {
        let mut bytes = Frame {
            kind: FrameKind::Whole,
            number: 0,
            at: Timestamp(0),
            payload: b"a",
        }
        .encode();
        bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Frames::new(&bytes).next(), None);
    }
}
