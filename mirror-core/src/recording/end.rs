//! The last block of a recording that was ended. It has a fixed length, so that it is found from the file's end.

use super::head::BlockHead;

/// The payload of a recording's last block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndMark {
    /// Where the last block of the index begins; 0 without one.
    pub(super) index: u64,
    /// Of the whole recording.
    pub(super) exchanges: u64,
}

impl EndMark {
    /// Bytes of its block.
    pub(super) const BLOCK_LENGTH: u64 = BlockHead::LENGTH as u64 + 16;

    pub(super) fn encode(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.index.to_le_bytes());
        bytes[8..].copy_from_slice(&self.exchanges.to_le_bytes());
        bytes
    }

    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        let (index, exchanges) = payload.split_first_chunk::<8>()?;
        Some(Self {
            index: u64::from_le_bytes(*index),
            exchanges: u64::from_le_bytes(exchanges.try_into().ok()?),
        })
    }
}
