//! Envelopes → blocks. Each block is handed to the sink in one piece, so that a sink can keep it whole or leave it out.

use std::io::{self, Write};

use xxhash_rust::xxh3::xxh3_64;

use super::end::EndMark;
use super::exchange;
use super::file_head::{FILE_HEAD_LENGTH, file_head};
use super::head::{BlockCoding, BlockHead, BlockKind};
use super::index::{BlockContents, IndexPart, IndexedBlock};
use super::metadata::{RecordingLedger, RecordingMetadata};
use super::payload::{Encoder, Seal};
use super::{ExtraPart, MAX_BLOCK, WriteFailure};
use crate::policy::Envelope;
use crate::time::Timestamp;

/// Blocks of exchanges after which an index of them is written.
const INDEX_AFTER: usize = 256;

/// How a recording is written.
pub struct WriterOptions {
    /// Of zstd.
    pub level: i32,
    /// Bytes of exchanges after which a block is closed.
    pub block_bytes: usize,
    /// What encrypts exchanges and index, if anything does.
    pub seal: Option<Box<dyn Seal>>,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            level: 1,
            block_bytes: 256 << 10,
            seal: None,
        }
    }
}

/// What became of the exchanges before one that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// They are in the open block, as this one is.
    Open,
    /// They are in the sink. This one is the first of the open block.
    BehindWritten,
}

/// Writes one recording.
///
/// An exchange is in the sink when its block is: call [`flush`](Self::flush) as often as that should be so. A block that the sink does
/// not take is lost as a whole, and the next one goes on in its place. [`end`](Self::end) writes the rest, and that the recording was
/// ended; a recording without it is read all the same.
pub struct RecordingWriter<W> {
    sink: W,
    encoder: Encoder,
    block_bytes: usize,
    /// The open block.
    plain: Vec<u8>,
    /// Of the last envelope: memory that is used again.
    wire: Vec<u8>,
    contents: BlockContents,
    /// Written so far.
    length: u64,
    blocks: u64,
    exchanges: u64,
    /// Since the last index.
    indexed: Vec<IndexedBlock>,
    last_index: u64,
}

impl<W: Write> RecordingWriter<W> {
    /// Writes the recording's beginning.
    pub fn new(sink: W, options: WriterOptions, metadata: &RecordingMetadata) -> io::Result<Self> {
        let mut writer = Self {
            sink,
            encoder: Encoder::new(options.level, options.seal)?,
            block_bytes: options.block_bytes.clamp(1, MAX_BLOCK / 2),
            plain: Vec::new(),
            wire: Vec::new(),
            contents: BlockContents::default(),
            length: FILE_HEAD_LENGTH as u64,
            blocks: 0,
            exchanges: 0,
            indexed: Vec::new(),
            last_index: 0,
        };
        let json = serde_json::to_vec(metadata)?;
        let at = metadata.started_at;
        let block = writer.block(BlockKind::Metadata, &json, 0, (at, at))?;
        let beginning = [&file_head()[..], &block].concat();
        writer.sink.write_all(&beginning)?;
        writer.took(block.len());
        Ok(writer)
    }

    /// Puts an exchange into the open block, which is written before if it is full. A failure concerns the exchanges before this one,
    /// unless it says otherwise.
    pub fn push(
        &mut self,
        envelope: &Envelope,
        parts: &[ExtraPart],
    ) -> Result<Pushed, WriteFailure> {
        let mut wire = std::mem::take(&mut self.wire);
        wire.clear();
        self.wire = envelope.append_wire(wire);
        let wire = &self.wire;
        let length = exchange::length(wire, parts);
        if length > MAX_BLOCK {
            let what = format!("an exchange of {length} bytes is larger than a block may be");
            return Err(WriteFailure {
                exchanges: 1,
                is_last: true,
                error: io::Error::new(io::ErrorKind::InvalidInput, what),
            });
        }
        // A large one has a block for itself, or nearly.
        let is_full = !self.plain.is_empty() && self.plain.len() + length > self.block_bytes;
        let flushed = match is_full {
            true => self.flush().map(|()| Pushed::BehindWritten),
            false => Ok(Pushed::Open),
        };
        exchange::append(&mut self.plain, &self.wire, parts);
        self.wire.shrink_to(self.block_bytes);
        self.contents.add(envelope);
        flushed
    }

    /// Writes the open block.
    pub fn flush(&mut self) -> Result<(), WriteFailure> {
        if self.plain.is_empty() {
            return Ok(());
        }
        let exchanges = self.contents.exchanges();
        let plain = std::mem::take(&mut self.plain);
        let bytes = plain.len() as u32;
        let times = self.contents.times();
        let indexed = self.contents.take(self.length, bytes);
        let written = self.append(BlockKind::Exchanges, &plain, exchanges, times);
        self.plain = plain;
        self.plain.clear();
        self.plain.shrink_to(2 * self.block_bytes);
        written.map_err(|error| WriteFailure {
            exchanges,
            is_last: false,
            error,
        })?;
        self.exchanges += u64::from(exchanges);
        self.indexed.push(indexed);
        match self.indexed.len() >= INDEX_AFTER {
            true => self.write_index().map_err(none_lost),
            false => Ok(()),
        }
    }

    /// Says what was counted so far.
    pub fn write_ledger(&mut self, ledger: &RecordingLedger) -> Result<(), WriteFailure> {
        let json = serde_json::to_vec(ledger).map_err(io::Error::from);
        let json = json.map_err(none_lost)?;
        let times = (ledger.at, ledger.at);
        let written = self.append(BlockKind::Ledger, &json, 0, times);
        written.map_err(none_lost)
    }

    /// Writes what is open, the rest of the index and the end, and gives the sink back.
    pub fn end(mut self) -> Result<W, WriteFailure> {
        self.flush()?;
        self.write_index().map_err(none_lost)?;
        let mark = EndMark {
            index: self.last_index,
            exchanges: self.exchanges,
        };
        let times = (Timestamp::default(), Timestamp::default());
        let written = self.append(BlockKind::End, &mark.encode(), 0, times);
        written.map_err(none_lost)?;
        Ok(self.sink)
    }

    /// Bytes in the sink so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Exchanges in the sink so far.
    pub fn exchanges(&self) -> u64 {
        self.exchanges
    }

    /// Exchanges in the open block.
    pub fn open_exchanges(&self) -> u32 {
        self.contents.exchanges()
    }

    pub fn sink(&mut self) -> &mut W {
        &mut self.sink
    }

    fn write_index(&mut self) -> io::Result<()> {
        if self.indexed.is_empty() {
            return Ok(());
        }
        let part = IndexPart {
            before: self.last_index,
            blocks: std::mem::take(&mut self.indexed),
        };
        let times = (Timestamp::default(), Timestamp::default());
        let at = self.length;
        let written = self.append(BlockKind::Index, &part.encode(), 0, times);
        match written {
            Ok(()) => self.last_index = at,
            // It is written with the next one.
            Err(_) => self.indexed = part.blocks,
        }
        written
    }

    fn append(
        &mut self,
        kind: BlockKind,
        plain: &[u8],
        exchanges: u32,
        times: (Timestamp, Timestamp),
    ) -> io::Result<()> {
        let block = self.block(kind, plain, exchanges, times)?;
        self.sink.write_all(&block)?;
        self.took(block.len());
        Ok(())
    }

    fn took(&mut self, bytes: usize) {
        self.length += bytes as u64;
        self.blocks += 1;
    }

    fn block(
        &mut self,
        kind: BlockKind,
        plain: &[u8],
        exchanges: u32,
        (from, to): (Timestamp, Timestamp),
    ) -> io::Result<Vec<u8>> {
        let (coding, payload) = match kind {
            // Of a fixed length, so that it is found from the file's end.
            BlockKind::End => (BlockCoding::Plain, plain.to_vec()),
            _ => {
                let is_public = matches!(kind, BlockKind::Metadata | BlockKind::Ledger);
                self.encoder.encode(plain, is_public)?
            }
        };
        let length = |bytes: usize| u32::try_from(bytes).map_err(|_| io::ErrorKind::FileTooLarge);
        let head = BlockHead {
            kind,
            coding,
            length: length(payload.len())?,
            plain: length(plain.len())?,
            exchanges,
            number: self.blocks,
            from,
            to,
            checksum: xxh3_64(&payload),
        };
        Ok([&head.encode()[..], &payload].concat())
    }
}

/// A failure that costs no exchange.
fn none_lost(error: io::Error) -> WriteFailure {
    WriteFailure {
        exchanges: 0,
        is_last: false,
        error,
    }
}
