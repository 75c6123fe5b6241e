//! A recording: envelopes in a file, as bytes. `docs/recording.md` has the format in words.
//!
//! A recording is a head and then blocks, which are only ever appended. A block has its length and its checksums, so that whatever a crash leaves
//! can be read: a torn tail is cut off, and damage in the middle costs the blocks that it hit. [`RecordingWriter`] makes blocks of
//! envelopes, [`RecordingReader`] makes envelopes of blocks, and [`RecordingIndex`] says what is in which block. Nothing here touches a
//! file: the edges hand in a reader, a writer, and what encrypts.

mod end;
mod error;
mod exchange;
mod file_head;
mod find_index;
mod head;
mod index;
mod metadata;
mod payload;
mod reader;
mod route;
mod window;
mod writer;

pub use error::{RecordingError, WriteFailure};
pub use exchange::{ExtraPart, RecordedExchange};
pub use file_head::{FILE_HEAD_LENGTH, RECORDING_MAGIC};
pub use head::{BlockCoding, BlockHead, BlockKind};
pub use index::{IndexedBlock, RecordingIndex};
pub use metadata::{RecordingLedger, RecordingMetadata};
pub use payload::{Seal, Unseal};
pub use reader::{Block, ReadCounts, RecordingReader, Tail};
pub use route::route_of;
pub use writer::{Pushed, RecordingWriter, WriterOptions};

/// Most bytes of a block before it is compressed. One that holds a single exchange may be as large; all others are closed much earlier.
pub const MAX_BLOCK: usize = 1 << 30;

#[cfg(test)]
mod tests;
