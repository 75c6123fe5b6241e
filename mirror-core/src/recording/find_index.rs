//! The index of a recording: as it was written, or as it follows from the exchanges.

use std::io::{Read, Seek};

use super::head::{BlockHead, BlockKind};
use super::index::{BlockContents, IndexPart};
use super::reader::RecordingReader;
use super::{IndexedBlock, RecordingError, RecordingIndex};
use crate::policy::Envelope;

impl RecordingIndex {
    /// The index of a recording from its start. Where parts of it are missing or damaged, the blocks are read instead.
    pub fn read<R: Read + Seek>(reader: &mut RecordingReader<R>) -> Result<Self, RecordingError> {
        match Self::stored(reader)? {
            Some(index) => Ok(index),
            None => Self::rebuilt(reader),
        }
    }

    /// The index as it was written, if the recording was ended and all parts of it are whole.
    pub fn stored<R: Read + Seek>(
        reader: &mut RecordingReader<R>,
    ) -> Result<Option<Self>, RecordingError> {
        let Some(end) = reader.read_end()? else {
            return Ok(None);
        };
        let mut parts = Vec::new();
        let mut before = end.index;
        while before != 0 {
            let part = reader.block_at(before)?;
            let part = part.filter(|block| block.head.kind == BlockKind::Index);
            let Some(part) = part.and_then(|block| IndexPart::decode(&block.payload)) else {
                return Ok(None);
            };
            // A part points to one before it, so that this ends.
            if part.before >= before {
                return Ok(None);
            }
            before = part.before;
            parts.push(part.blocks);
        }
        let blocks: Vec<_> = parts.into_iter().rev().flatten().collect();
        let exchanges = blocks
            .iter()
            .map(|block| u64::from(block.exchanges))
            .sum::<u64>();
        Ok((exchanges == end.exchanges).then_some(Self { blocks }))
    }

    /// The index as it follows from the exchanges themselves.
    pub fn rebuilt<R: Read + Seek>(
        reader: &mut RecordingReader<R>,
    ) -> Result<Self, RecordingError> {
        reader.rewind()?;
        let mut blocks = Vec::new();
        while let Some(block) = reader.next_block() {
            match block {
                Ok(block) if block.head.kind == BlockKind::Exchanges => {
                    blocks.push(indexed(block.at, &block.head, block.exchanges()));
                }
                Ok(_) => {}
                Err(error) if error.is_final() => return Err(error),
                Err(error @ RecordingError::Encrypted { .. }) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(Self { blocks })
    }
}

fn indexed(at: u64, head: &BlockHead, exchanges: impl Iterator<Item = Envelope>) -> IndexedBlock {
    let mut contents = BlockContents::default();
    exchanges.for_each(|envelope| contents.add(&envelope));
    let mut block = contents.take(at, head.plain);
    // Those that cannot be read are counted, too.
    block.exchanges = head.exchanges;
    block
}
