//! One exchange in a block: parts with a tag and a length, of which one is the envelope.

use bytes::Bytes;

use crate::policy::{Envelope, WireError};
use crate::time::Timestamp;

/// The envelope, in its wire form.
const ENVELOPE: u8 = 1;
/// Tag and length of a part.
const PART_HEAD: usize = 1 + 4;

/// An exchange as it is in a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedExchange {
    pub envelope: Envelope,
    /// What else is recorded of it. Parts that nobody knows stay with it.
    pub parts: Vec<ExtraPart>,
}

/// Something that is recorded beside an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraPart {
    /// From 128 on: tags below are the format's own.
    pub tag: u8,
    pub bytes: Bytes,
}

impl From<Envelope> for RecordedExchange {
    fn from(envelope: Envelope) -> Self {
        Self {
            envelope,
            parts: Vec::new(),
        }
    }
}

impl RecordedExchange {
    /// When its request began.
    pub fn at(&self) -> Timestamp {
        self.envelope.exchange().captured_at()
    }

    pub fn part(&self, tag: u8) -> Option<&Bytes> {
        let part = self.parts.iter().find(|part| part.tag == tag);
        part.map(|part| &part.bytes)
    }
}

/// Appends an exchange to a block. Lengths fit, because a block is shorter than 4 GiB.
pub(super) fn append(block: &mut Vec<u8>, envelope: &[u8], parts: &[ExtraPart]) {
    let parts = parts.iter().map(|part| (part.tag, &part.bytes[..]));
    let all = [(ENVELOPE, envelope)].into_iter().chain(parts);
    let start = block.len();
    block.extend([0; 4]);
    for (tag, bytes) in all {
        block.push(tag);
        block.extend((bytes.len() as u32).to_le_bytes());
        block.extend(bytes);
    }
    let length = (block.len() - start - 4) as u32;
    block[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Bytes that an exchange takes in a block.
pub(super) fn length(envelope: &[u8], parts: &[ExtraPart]) -> usize {
    let parts = parts.iter().map(|part| PART_HEAD + part.bytes.len());
    4 + PART_HEAD + envelope.len() + parts.sum::<usize>()
}

/// The exchanges of a block, one after the other.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    rest: Bytes,
}

impl Exchanges {
    pub(super) fn new(block: Bytes) -> Self {
        Self { rest: block }
    }

    /// `None` at the end of the block; an error of its own where the block is not made of exchanges.
    pub(super) fn next(&mut self) -> Option<Result<Result<RecordedExchange, WireError>, Torn>> {
        if self.rest.is_empty() {
            return None;
        }
        let taken = take(&mut self.rest);
        if taken.is_none() {
            self.rest = Bytes::new();
        }
        Some(taken.ok_or(Torn).and_then(read))
    }
}

/// Lengths do not fit.
#[derive(Debug)]
pub(super) struct Torn;

fn read(mut bytes: Bytes) -> Result<Result<RecordedExchange, WireError>, Torn> {
    let mut envelope = None;
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let tag = bytes.split_to(1)[0];
        let part = take(&mut bytes).ok_or(Torn)?;
        match tag {
            ENVELOPE if envelope.is_none() => envelope = Some(part),
            tag => parts.push(ExtraPart { tag, bytes: part }),
        }
    }
    let envelope = Envelope::from_wire(&envelope.ok_or(Torn)?);
    Ok(envelope.map(|envelope| RecordedExchange { envelope, parts }))
}

/// A length, and so many bytes.
fn take(bytes: &mut Bytes) -> Option<Bytes> {
    let length = u32::from_le_bytes(*bytes.first_chunk::<4>()?) as usize;
    if length > bytes.len() - 4 {
        return None;
    }
    let _ = bytes.split_to(4);
    Some(bytes.split_to(length))
}
