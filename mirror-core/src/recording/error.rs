//! What is wrong with a recording, and where.

use std::io;

use thiserror::Error;

use super::head::{BlockHead, VERSION};
use crate::policy::WireError;

#[derive(Debug, Error)]
pub enum RecordingError {
    #[error("it is not a recording: its first bytes are not those of a .mrec file")]
    NotARecording,
    #[error(
        "the recording has version {0} of the format, and this agent reads version {VERSION}: use a newer agent"
    )]
    UnknownVersion(u16),
    #[error("the recording ends within its head: nothing was written to it")]
    TornHead,
    /// Reading goes on after it.
    #[error("byte {at}: {what}")]
    Damaged {
        at: u64,
        what: &'static str,
        /// Exchanges that the block says it has.
        exchanges: u32,
    },
    #[error(
        "byte {at}: the block says that it holds {bytes} bytes, and at most {most} are read: raise the limit if the file is trusted"
    )]
    TooLarge { at: u64, bytes: u64, most: u64 },
    /// Its checksums are right.
    #[error("byte {at}: the block is encrypted: give the file with its key")]
    Encrypted { at: u64, head: BlockHead },
    #[error("byte {at}: the block cannot be decrypted: {error}")]
    Unsealing { at: u64, error: io::Error },
    /// Reading goes on with the next exchange.
    #[error("exchange {number} of the block at byte {at}: {error}")]
    Exchange {
        at: u64,
        /// Within the block, from 0.
        number: u32,
        error: WireError,
    },
    #[error("byte {at}: {error}")]
    Read { at: u64, error: io::Error },
}

impl RecordingError {
    /// Whether nothing can be read after it.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::NotARecording | Self::UnknownVersion(_) | Self::TornHead | Self::Read { .. }
        )
    }

    /// Exchanges that are lost by it, as far as that is known.
    pub fn lost_exchanges(&self) -> u32 {
        match self {
            Self::Damaged { exchanges, .. } => *exchanges,
            Self::Exchange { .. } => 1,
            _ => 0,
        }
    }
}

/// A block was not written, and its exchanges are gone.
#[derive(Debug, Error)]
#[error("{exchanges} exchanges were not written: {error}")]
pub struct WriteFailure {
    pub exchanges: u32,
    /// It is the exchange that was just pushed; those before it are not concerned.
    pub is_last: bool,
    pub error: io::Error,
}
