//! What a remote transport carries: an envelope in its wire form, with the process that captured it and a number.
//!
//! A process numbers what it ships to a partition, from 0 on and without a gap. So a replayer sees what comes twice, and
//! what never comes. A parcel that is larger than the engine's messages travels as several frames, one after the other:
//!
//! ```text
//! version u8 │ parts u16 │ part u16 │ sequence u64 │ origin [u8; 16] │ checksum of the payload u64 │ of all before it u64 │ payload
//! ```
//!
//! Numbers are little-endian. The head stays as it is in all versions, so that what a later release wrote is still counted.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use bytes::{Bytes, BytesMut};
use foldhash::fast::RandomState;
use mirror_core::policy::WireError;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

const VERSION: u8 = 1;
const HEAD: usize = 1 + 2 + 2 + 8 + 16 + 8 + 8;
/// What the last checksum covers.
const COVERED: usize = HEAD - 8;
/// Longest parcel that is put together.
const MAX_BYTES: usize = 1 << 30;
/// Parcels of so many processes are put together at once.
const MAX_OPEN: usize = 256;

/// A process of a fleet, for as long as it runs. No two processes have the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ProcessId([u8; 16]);

impl ProcessId {
    pub fn random() -> anyhow::Result<Self> {
        let mut bytes = [0; 16];
        let random = ring::rand::SystemRandom::new();
        ring::rand::SecureRandom::fill(&random, &mut bytes)
            .map_err(|_| anyhow::anyhow!("the system has no random numbers"))?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl FromStr for ProcessId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = u128::from_str_radix(text, 16).ok();
        let number = number.filter(|_| text.len() == 32);
        number
            .map(|number| Self(number.to_be_bytes()))
            .ok_or("a process is 32 hexadecimal digits")
    }
}

impl From<ProcessId> for String {
    fn from(id: ProcessId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for ProcessId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Which parcel of a partition it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParcelId {
    pub origin: ProcessId,
    pub sequence: u64,
}

impl ParcelId {
    /// The frames that carry `payload`, each with at most `most` bytes.
    pub fn frames(self, payload: &[u8], most: usize) -> Vec<Bytes> {
        let room = most.saturating_sub(HEAD).max(1);
        // More than 65535 parts would be a parcel that nobody puts together.
        let room = room.max(payload.len().div_ceil(usize::from(u16::MAX)));
        let parts = payload.len().div_ceil(room).max(1);
        let payloads = (0..parts).map(|part| {
            let from = part * room;
            &payload[from..(from + room).min(payload.len())]
        });
        let frame = |(part, payload)| self.frame(part as u16, parts as u16, payload);
        payloads.enumerate().map(frame).collect()
    }

    fn frame(self, part: u16, parts: u16, payload: &[u8]) -> Bytes {
        let mut frame = Vec::with_capacity(HEAD + payload.len());
        frame.push(VERSION);
        frame.extend(parts.to_le_bytes());
        frame.extend(part.to_le_bytes());
        frame.extend(self.sequence.to_le_bytes());
        frame.extend(self.origin.0);
        frame.extend(xxh3_64(payload).to_le_bytes());
        frame.extend(xxh3_64(&frame).to_le_bytes());
        frame.extend(payload);
        frame.into()
    }
}

/// Why a parcel that arrived cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadParcel {
    #[error(
        "the parcel is in version {0}, and this agent reads version {VERSION}: use one release on all hosts"
    )]
    UnknownVersion(u8),
    #[error("the parcel is damaged: its checksum is another one")]
    Damaged,
    #[error(transparent)]
    Envelope(#[from] WireError),
}

/// What a frame comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assembled {
    /// A parcel is whole: an envelope in wire form, if it is right.
    Parcel(ParcelId, Result<Bytes, BadParcel>),
    /// More frames of it are to come.
    Part(ParcelId),
    /// Not even whose parcel it is can be read. The gap that it leaves is seen with the next one.
    Unreadable,
}

/// Puts the frames of one partition together.
#[derive(Debug, Default)]
pub struct Assembler {
    open: HashMap<ProcessId, Open, RandomState>,
}

#[derive(Debug)]
struct Open {
    sequence: u64,
    parts: u16,
    next: u16,
    payload: BytesMut,
}

impl Assembler {
    /// Takes the next frame of the partition. A parcel of which a part is missing never becomes whole.
    pub fn take(&mut self, frame: &Bytes) -> Assembled {
        let Some(head) = Head::read(frame) else {
            return Assembled::Unreadable;
        };
        let id = head.id;
        let bad = |bad| Assembled::Parcel(id, Err(bad));
        if head.version != VERSION {
            self.open.remove(&id.origin);
            // One outcome for all its parts.
            return match head.part + 1 == head.parts {
                true => bad(BadParcel::UnknownVersion(head.version)),
                false => Assembled::Part(id),
            };
        }
        let payload = frame.slice(HEAD..);
        if xxh3_64(&payload) != head.checksum {
            self.open.remove(&id.origin);
            return bad(BadParcel::Damaged);
        }
        if head.parts == 1 {
            self.open.remove(&id.origin);
            return Assembled::Parcel(id, Ok(payload));
        }
        self.join(&head, &payload)
    }

    fn join(&mut self, head: &Head, payload: &Bytes) -> Assembled {
        let ParcelId { origin, sequence } = head.id;
        if head.part == 0 && (self.open.len() < MAX_OPEN || self.open.contains_key(&origin)) {
            let open = Open {
                sequence,
                parts: head.parts,
                next: 0,
                payload: BytesMut::new(),
            };
            self.open.insert(origin, open);
        }
        let Some(open) = self.open.get_mut(&origin) else {
            return Assembled::Part(head.id);
        };
        let is_next = (open.sequence, open.parts, open.next) == (sequence, head.parts, head.part);
        if !is_next || open.payload.len() + payload.len() > MAX_BYTES {
            self.open.remove(&origin);
            return Assembled::Part(head.id);
        }
        open.payload.extend_from_slice(payload);
        open.next += 1;
        if open.next < open.parts {
            return Assembled::Part(head.id);
        }
        let whole = self.open.remove(&origin).map(|open| open.payload.freeze());
        Assembled::Parcel(head.id, Ok(whole.unwrap_or_default()))
    }
}

struct Head {
    version: u8,
    parts: u16,
    part: u16,
    id: ParcelId,
    checksum: u64,
}

impl Head {
    fn read(frame: &[u8]) -> Option<Self> {
        let head = frame.first_chunk::<HEAD>()?;
        let number = |from: usize| head[from..from + 8].try_into().map(u64::from_le_bytes).ok();
        let short = |from: usize| u16::from_le_bytes([head[from], head[from + 1]]);
        if number(COVERED)? != xxh3_64(&head[..COVERED]) {
            return None;
        }
        let (parts, part) = (short(1), short(3));
        (part < parts).then_some(Self {
            version: head[0],
            parts,
            part,
            id: ParcelId {
                sequence: number(5)?,
                origin: ProcessId(head[13..29].try_into().ok()?),
            },
            checksum: number(29)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(origin: u8, sequence: u64) -> ParcelId {
        let origin = ProcessId([origin; 16]);
        ParcelId { origin, sequence }
    }

    fn whole(assembled: Assembled) -> Option<(ParcelId, Bytes)> {
        match assembled {
            Assembled::Parcel(id, payload) => Some((id, payload.unwrap())),
            _ => None,
        }
    }

    #[test]
    fn a_parcel_is_read_as_it_was_written_however_it_is_cut() {
        let payload: Vec<u8> = (0..1000_u32).map(|n| n as u8).collect();
        for most in [HEAD + 1, HEAD + 7, HEAD + 999, HEAD + 1000, 4096] {
            let mut assembler = Assembler::default();
            let frames = id(1, 7).frames(&payload, most);
            let mut read: Vec<_> = frames.iter().map(|frame| assembler.take(frame)).collect();
            assert!(frames.iter().all(|frame| frame.len() <= most));
            assert_eq!(
                whole(read.pop().unwrap()),
                Some((id(1, 7), payload.clone().into()))
            );
            assert!(
                read.iter().all(|part| *part == Assembled::Part(id(1, 7))),
                "{most}"
            );
        }
        let empty = id(1, 8).frames(&[], 100);
        assert_eq!(
            whole(Assembler::default().take(&empty[0])),
            Some((id(1, 8), Bytes::new()))
        );
    }

    #[test]
    fn parcels_of_several_processes_may_be_mixed() {
        let (ours, theirs) = (
            id(1, 0).frames(&[1; 100], HEAD + 40),
            id(2, 0).frames(&[2; 100], HEAD + 40),
        );
        let mut assembler = Assembler::default();
        let mixed = ours.iter().zip(&theirs).flat_map(|(a, b)| [a, b]);
        let read: Vec<_> = mixed
            .filter_map(|frame| whole(assembler.take(frame)))
            .collect();
        let expect = [
            (id(1, 0), vec![1; 100].into()),
            (id(2, 0), vec![2; 100].into()),
        ];
        assert_eq!(read, expect);
    }

    #[test]
    fn a_parcel_that_lacks_a_part_never_becomes_whole_and_the_next_one_does() {
        let frames = id(1, 0).frames(&[7; 100], HEAD + 40);
        for missing in 0..frames.len() {
            let mut assembler = Assembler::default();
            for (part, frame) in frames.iter().enumerate() {
                if part != missing {
                    assert_eq!(
                        assembler.take(frame),
                        Assembled::Part(id(1, 0)),
                        "{missing}"
                    );
                }
            }
            let next: Vec<_> = id(1, 1).frames(&[8; 100], HEAD + 40);
            let read: Vec<_> = next
                .iter()
                .filter_map(|frame| whole(assembler.take(frame)))
                .collect();
            assert_eq!(read, [(id(1, 1), vec![8; 100].into())], "{missing}");
        }
    }

    #[test]
    fn no_changed_byte_is_taken_for_a_parcel() {
        let frame = id(1, 0).frames(b"payload", 4096).remove(0);
        for place in 0..frame.len() {
            let mut damaged = frame.to_vec();
            damaged[place] ^= 0x20;
            let read = Assembler::default().take(&damaged.into());
            let expect = match place < HEAD {
                true => Assembled::Unreadable,
                false => Assembled::Parcel(id(1, 0), Err(BadParcel::Damaged)),
            };
            assert_eq!(read, expect, "byte {place}");
        }
        for cut in 0..frame.len() {
            let read = Assembler::default().take(&frame.slice(..cut));
            assert!(whole_or_none(read), "cut at {cut}");
        }
    }

    fn whole_or_none(read: Assembled) -> bool {
        matches!(
            read,
            Assembled::Unreadable | Assembled::Parcel(_, Err(BadParcel::Damaged))
        )
    }

    #[test]
    fn another_version_is_counted_as_itself() {
        let mut later = id(1, 3).frames(b"payload", 4096).remove(0).to_vec();
        later[0] = 9;
        let checksum = xxh3_64(&later[..COVERED]).to_le_bytes();
        later[COVERED..HEAD].copy_from_slice(&checksum);
        let read = Assembler::default().take(&later.into());
        assert_eq!(
            read,
            Assembled::Parcel(id(1, 3), Err(BadParcel::UnknownVersion(9)))
        );
    }

    #[test]
    fn a_process_is_named_by_a_text() {
        let process = ProcessId::random().unwrap();
        assert_eq!(process.to_string().parse(), Ok(process));
        assert_ne!(process, ProcessId::random().unwrap());
        assert!("1".parse::<ProcessId>().is_err());
    }
}
