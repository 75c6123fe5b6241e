//! What a block begins with. All numbers are little-endian.

use xxhash_rust::xxh3::xxh3_64;

use crate::time::Timestamp;

/// Of the format.
pub(super) const VERSION: u16 = 1;

/// The first bytes of a block.
pub(super) const MARKER: [u8; 4] = *b"MRB\x1e";

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// What is recorded, and how. The first block of a file.
    Metadata,
    Exchanges,
    /// What is in the blocks of exchanges since the index before it.
    Index,
    /// What was counted so far. The last one counts.
    Ledger,
    /// The recording was ended and not cut off. The last block of a file.
    End,
    /// Of a later release: it is skipped.
    Unknown(u8),
}

impl BlockKind {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Metadata => 1,
            Self::Exchanges => 2,
            Self::Index => 3,
            Self::Ledger => 4,
            Self::End => 5,
            Self::Unknown(code) => code,
        }
    }

    const fn of(code: u8) -> Self {
        match code {
            1 => Self::Metadata,
            2 => Self::Exchanges,
            3 => Self::Index,
            4 => Self::Ledger,
            5 => Self::End,
            other => Self::Unknown(other),
        }
    }
}

/// What was done to a block's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockCoding {
    Plain,
    /// A zstd frame.
    Zstd,
    /// A zstd frame, encrypted.
    Sealed,
    /// Of a later release.
    Unknown(u8),
}

impl BlockCoding {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Zstd => 1,
            Self::Sealed => 2,
            Self::Unknown(code) => code,
        }
    }

    const fn of(code: u8) -> Self {
        match code {
            0 => Self::Plain,
            1 => Self::Zstd,
            2 => Self::Sealed,
            other => Self::Unknown(other),
        }
    }
}

/// What a block says of itself before its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHead {
    pub kind: BlockKind,
    pub coding: BlockCoding,
    /// Bytes of the payload as it is stored.
    pub length: u32,
    /// Bytes of the payload once its coding is undone.
    pub plain: u32,
    /// Exchanges in it.
    pub exchanges: u32,
    /// Of all blocks of the file, from 0.
    pub number: u64,
    /// Of exchanges: when the first request began that is in it, and the last. Of all others: when it was written, as far as that is known.
    pub from: Timestamp,
    pub to: Timestamp,
    /// XXH3-64 of the payload as it is stored.
    pub checksum: u64,
}

impl BlockHead {
    pub const LENGTH: usize = 64;
    /// What its own checksum covers.
    const COVERED: usize = 56;

    pub(super) fn encode(&self) -> [u8; Self::LENGTH] {
        let mut head = [0; Self::LENGTH];
        head[..4].copy_from_slice(&MARKER);
        head[4] = self.kind.code();
        head[5] = self.coding.code();
        head[8..12].copy_from_slice(&self.length.to_le_bytes());
        head[12..16].copy_from_slice(&self.plain.to_le_bytes());
        head[16..20].copy_from_slice(&self.exchanges.to_le_bytes());
        head[24..32].copy_from_slice(&self.number.to_le_bytes());
        head[32..40].copy_from_slice(&self.from.0.to_le_bytes());
        head[40..48].copy_from_slice(&self.to.0.to_le_bytes());
        head[48..56].copy_from_slice(&self.checksum.to_le_bytes());
        let own = xxh3_64(&head[..Self::COVERED]);
        head[56..].copy_from_slice(&own.to_le_bytes());
        head
    }

    /// `None` where the bytes are not a block's beginning.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (head, _) = bytes.split_first_chunk::<{ Self::LENGTH }>()?;
        if head[..4] != MARKER
            || xxh3_64(&head[..Self::COVERED]).to_le_bytes() != head[Self::COVERED..]
        {
            return None;
        }
        let short = |at: usize| head[at..at + 4].try_into().map_or(0, u32::from_le_bytes);
        let long = |at: usize| head[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
        Some(Self {
            kind: BlockKind::of(head[4]),
            coding: BlockCoding::of(head[5]),
            length: short(8),
            plain: short(12),
            exchanges: short(16),
            number: long(24),
            from: Timestamp(long(32)),
            to: Timestamp(long(40)),
            checksum: long(48),
        })
    }

    /// Bytes of the whole block.
    pub fn block_length(&self) -> u64 {
        Self::LENGTH as u64 + u64::from(self.length)
    }
}
