//! Blocks → exchanges, in the order in which they were written, with one block in memory.

use std::io::{Read, Seek};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::end::EndMark;
use super::exchange::Exchanges;
use super::file_head::{FILE_HEAD_LENGTH, check_file_head};
use super::head::{BlockHead, BlockKind, MARKER};
use super::metadata::{RecordingLedger, RecordingMetadata};
use super::payload::{Decoder, Unseal};
use super::window::Window;
use super::{MAX_BLOCK, RecordedExchange, RecordingError};
use crate::policy::Envelope;

/// How a recording ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// It was ended by its writer.
    Ended,
    /// After a whole block: its writer was killed, or still writes.
    Open,
    /// Within a block, which is cut off: so many bytes from there on.
    Torn { at: u64, bytes: u64 },
}

/// What was read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCounts {
    pub blocks: u64,
    pub exchanges: u64,
    /// Places that were not right.
    pub damaged: u64,
    /// Exchanges that are known to be lost there.
    pub lost_exchanges: u64,
    /// Blocks of later releases.
    pub skipped_blocks: u64,
}

/// A whole block.
#[derive(Clone, Debug)]
pub struct Block {
    /// Where it begins in the file.
    pub at: u64,
    pub head: BlockHead,
    /// Without its coding.
    pub payload: Bytes,
}

impl Block {
    /// The envelopes of a block of exchanges that can be read.
    pub(super) fn exchanges(&self) -> impl Iterator<Item = Envelope> + use<> {
        let mut exchanges = Exchanges::new(self.payload.clone());
        std::iter::from_fn(move || exchanges.next())
            .filter_map(|read| read.ok()?.ok())
            .map(|exchange| exchange.envelope)
    }
}

/// Reads a recording from any source of bytes.
///
/// Call [`next`](Self::next) until it gives nothing. After an error it goes on behind the damage, unless the error is final. What the
/// recording says of itself is known once it was read: metadata after the first call, the ledger at the end.
pub struct RecordingReader<R> {
    window: Window<R>,
    decoder: Decoder,
    /// The block whose exchanges are read.
    block: Option<(u64, BlockHead)>,
    exchanges: Exchanges,
    /// Of the block, read so far.
    number: u32,
    has_begun: bool,
    metadata: Option<RecordingMetadata>,
    ledger: Option<RecordingLedger>,
    tail: Option<Tail>,
    is_ended: bool,
    counts: ReadCounts,
}

impl<R: Read> RecordingReader<R> {
    /// Without a key, encrypted blocks are errors.
    pub fn new(source: R, unseal: Option<Box<dyn Unseal>>) -> Result<Self, RecordingError> {
        Self::with_limit(source, unseal, MAX_BLOCK)
    }

    /// A block with more than `most` bytes is an error, and is not read.
    pub fn with_limit(
        source: R,
        unseal: Option<Box<dyn Unseal>>,
        most: usize,
    ) -> Result<Self, RecordingError> {
        let decoder = Decoder::new(unseal, most);
        Ok(Self {
            window: Window::new(source),
            decoder: decoder.map_err(|error| RecordingError::Read { at: 0, error })?,
            block: None,
            exchanges: Exchanges::default(),
            number: 0,
            has_begun: false,
            metadata: None,
            ledger: None,
            tail: None,
            is_ended: false,
            counts: ReadCounts::default(),
        })
    }

    /// What the recording says of itself; nothing if its first block is damaged.
    pub fn metadata(&mut self) -> Result<Option<&RecordingMetadata>, RecordingError> {
        if self.metadata.is_none() && !self.has_begun {
            self.begin()?;
            // The first block has it. If that one is damaged, the next call of `next` is told.
            if let Some((_, head)) = self.peek_head()?
                && head.kind == BlockKind::Metadata
            {
                let _ = self.next_block();
            }
        }
        Ok(self.metadata.as_ref())
    }

    /// The last ledger that was read.
    pub fn ledger(&self) -> Option<&RecordingLedger> {
        self.ledger.as_ref()
    }

    /// How the recording ends, once it was read to its end.
    pub fn tail(&self) -> Option<Tail> {
        self.tail
    }

    pub fn counts(&self) -> ReadCounts {
        self.counts
    }

    /// Where the next block begins.
    pub fn position(&self) -> u64 {
        self.window.at()
    }

    /// The next exchange, or what is wrong before it.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator would have to give its errors after the end, too"
    )]
    pub fn next(&mut self) -> Option<Result<RecordedExchange, RecordingError>> {
        loop {
            if let Some(read) = self.next_in_block() {
                return Some(read);
            }
            match self.next_block()? {
                Err(error) => return Some(Err(error)),
                Ok(block) if block.head.kind == BlockKind::Exchanges => {
                    self.exchanges = Exchanges::new(block.payload);
                    self.block = Some((block.at, block.head));
                    self.number = 0;
                }
                Ok(_) => {}
            }
        }
    }

    fn next_in_block(&mut self) -> Option<Result<RecordedExchange, RecordingError>> {
        let (at, head) = self.block?;
        let Some(read) = self.exchanges.next() else {
            self.block = None;
            return None;
        };
        let number = self.number;
        self.number += 1;
        let read = match read {
            Ok(Ok(exchange)) => Ok(exchange),
            Ok(Err(error)) => Err(RecordingError::Exchange { at, number, error }),
            Err(_) => Err(RecordingError::Damaged {
                at,
                what: "the block is not made of exchanges",
                exchanges: head.exchanges.saturating_sub(number),
            }),
        };
        match &read {
            Ok(_) => self.counts.exchanges += 1,
            Err(error) => self.count(error),
        }
        Some(read)
    }

    /// The next block of any kind, decoded.
    pub fn next_block(&mut self) -> Option<Result<Block, RecordingError>> {
        if self.tail.is_some() {
            return None;
        }
        let read = match self.begin() {
            Ok(()) => self.read_block()?,
            Err(error) => Err(error),
        };
        match &read {
            Ok(block) => self.learn(block),
            Err(error) => self.count(error),
        }
        Some(read)
    }

    fn count(&mut self, error: &RecordingError) {
        self.counts.damaged += 1;
        self.counts.lost_exchanges += u64::from(error.lost_exchanges());
        if error.is_final() {
            self.tail = Some(Tail::Open);
        }
    }

    /// What a block says of the whole recording.
    fn learn(&mut self, block: &Block) {
        self.counts.blocks += 1;
        self.is_ended = block.head.kind == BlockKind::End;
        match block.head.kind {
            BlockKind::Metadata => self.metadata = serde_json::from_slice(&block.payload).ok(),
            BlockKind::Ledger => self.ledger = serde_json::from_slice(&block.payload).ok(),
            BlockKind::Unknown(_) => self.counts.skipped_blocks += 1,
            BlockKind::Exchanges | BlockKind::Index | BlockKind::End => {}
        }
    }

    fn begin(&mut self) -> Result<(), RecordingError> {
        if self.has_begun {
            return Ok(());
        }
        let head = self.window.peek(FILE_HEAD_LENGTH);
        let head = head.map_err(|error| RecordingError::Read { at: 0, error })?;
        check_file_head(&head[..head.len().min(FILE_HEAD_LENGTH)])?;
        self.window.skip(FILE_HEAD_LENGTH);
        self.has_begun = true;
        Ok(())
    }

    fn peek(&mut self, wanted: usize) -> Result<&[u8], RecordingError> {
        let at = self.window.at();
        let bytes = self.window.peek(wanted);
        bytes.map_err(|error| RecordingError::Read { at, error })
    }

    fn peek_head(&mut self) -> Result<Option<(u64, BlockHead)>, RecordingError> {
        let at = self.window.at();
        let bytes = self.peek(BlockHead::LENGTH)?;
        Ok(BlockHead::read(bytes).map(|head| (at, head)))
    }

    fn read_block(&mut self) -> Option<Result<Block, RecordingError>> {
        let at = self.window.at();
        match self.peek(BlockHead::LENGTH) {
            Err(error) => Some(Err(error)),
            Ok([]) => {
                self.tail = Some(match self.is_ended {
                    true => Tail::Ended,
                    false => Tail::Open,
                });
                None
            }
            Ok(bytes) => match BlockHead::read(bytes) {
                Some(head) => self.read_payload(at, head),
                None => self.resume(at, "it is not the beginning of a block", 0),
            },
        }
    }

    fn read_payload(&mut self, at: u64, head: BlockHead) -> Option<Result<Block, RecordingError>> {
        let most = self.decoder.most();
        let largest = u64::from(head.plain.max(head.length));
        if largest > most as u64 {
            if let Err(error) = self.skip_far(head.block_length()) {
                return Some(Err(error));
            }
            return Some(Err(RecordingError::TooLarge {
                at,
                bytes: largest,
                most: most as u64,
            }));
        }
        let length = BlockHead::LENGTH + head.length as usize;
        let bytes = match self.peek(length) {
            Ok(bytes) => bytes,
            Err(error) => return Some(Err(error)),
        };
        let Some(stored) = bytes.get(BlockHead::LENGTH..length) else {
            return self.resume(at, "the block is not whole", head.exchanges);
        };
        if xxh3_64(stored) != head.checksum {
            return self.pass_damage(at, &head);
        }
        let decoded =
            self.decoder
                .decode(&head, &self.window.held()[BlockHead::LENGTH..length], at);
        self.window.skip(length);
        Some(decoded.map(|payload| Block { at, head, payload }))
    }

    /// The payload is not right. The block after it is looked for where it should be, and only then within the payload, which is what
    /// strangers have sent.
    fn pass_damage(&mut self, at: u64, head: &BlockHead) -> Option<Result<Block, RecordingError>> {
        let what = "the block's bytes are not those that were written";
        let length = BlockHead::LENGTH + head.length as usize;
        let after = match self.peek(length + BlockHead::LENGTH) {
            Ok(bytes) => &bytes[length..],
            Err(error) => return Some(Err(error)),
        };
        if BlockHead::read(after).is_none() {
            return self.resume(at, what, head.exchanges);
        }
        self.window.skip(length);
        Some(Err(RecordingError::Damaged {
            at,
            what,
            exchanges: head.exchanges,
        }))
    }

    /// Goes on at the next beginning of a block. Without one, the recording is torn at `at`.
    fn resume(
        &mut self,
        at: u64,
        what: &'static str,
        exchanges: u32,
    ) -> Option<Result<Block, RecordingError>> {
        self.window.skip(1);
        loop {
            let bytes = match self.peek(BlockHead::LENGTH) {
                Ok(bytes) => bytes,
                Err(error) => return Some(Err(error)),
            };
            if bytes.len() < BlockHead::LENGTH {
                let rest = bytes.len() as u64;
                let bytes = self.window.at() + rest - at;
                self.tail = Some(Tail::Torn { at, bytes });
                return None;
            }
            if BlockHead::read(bytes).is_some() {
                return Some(Err(RecordingError::Damaged {
                    at,
                    what,
                    exchanges,
                }));
            }
            let next = memchr::memmem::find(&bytes[1..], &MARKER).map(|found| found + 1);
            // The rest may be the beginning of a marker.
            let step = next.unwrap_or(bytes.len() - (MARKER.len() - 1));
            self.window.skip(step);
        }
    }

    /// Leaves bytes behind without having them in memory.
    fn skip_far(&mut self, mut bytes: u64) -> Result<(), RecordingError> {
        while bytes > 0 {
            let known = self.peek(1)?.len();
            if known == 0 {
                return Ok(());
            }
            let step = usize::try_from(bytes).map_or(known, |bytes| bytes.min(known));
            self.window.skip(step);
            bytes -= step as u64;
        }
        Ok(())
    }
}

impl<R: Read + Seek> RecordingReader<R> {
    /// Begins anew with the first block.
    pub fn rewind(&mut self) -> Result<(), RecordingError> {
        self.seek(0)?;
        self.has_begun = false;
        self.counts = ReadCounts::default();
        self.begin()
    }

    /// Goes on with the block at `at`, as the index names it.
    pub fn seek(&mut self, at: u64) -> Result<(), RecordingError> {
        let sought = self.window.seek(at);
        sought.map_err(|error| RecordingError::Read { at, error })?;
        (self.block, self.tail, self.is_ended) = (None, None, false);
        self.exchanges = Exchanges::default();
        self.has_begun = true;
        Ok(())
    }

    /// Bytes of the whole recording.
    pub fn length(&mut self) -> Result<u64, RecordingError> {
        let at = self.window.at();
        let length = self.window.length();
        length.map_err(|error| RecordingError::Read { at, error })
    }

    /// The block at `at`; nothing where none begins, or it is damaged.
    pub(super) fn block_at(&mut self, at: u64) -> Result<Option<Block>, RecordingError> {
        self.seek(at)?;
        match self.read_block() {
            Some(Ok(block)) if block.at == at => Ok(Some(block)),
            Some(Err(error @ RecordingError::Encrypted { .. })) => Err(error),
            Some(Err(error)) if error.is_final() => Err(error),
            _ => Ok(None),
        }
    }

    /// What the recording's last block says, if that is its end.
    pub(super) fn read_end(&mut self) -> Result<Option<EndMark>, RecordingError> {
        self.rewind()?;
        let Some(at) = self.length()?.checked_sub(EndMark::BLOCK_LENGTH) else {
            return Ok(None);
        };
        let block = self.block_at(at)?;
        let block = block.filter(|block| block.head.kind == BlockKind::End);
        Ok(block.and_then(|block| EndMark::decode(&block.payload)))
    }
}
