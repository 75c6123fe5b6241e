//! A block's payload and what is done to it: zstd, and perhaps encryption around that.

use std::io::{self, Read};

use bytes::Bytes;
use zstd::bulk::{Compressor, Decompressor};

use super::RecordingError;
use super::head::{BlockCoding, BlockHead};

/// A payload up to this size is decompressed into memory that is reserved at once, a larger one into memory that grows with it.
const RESERVED_AT_ONCE: usize = 8 << 20;

/// Encrypts. That needs randomness, which is not a core's.
pub trait Seal: Send {
    fn seal(&mut self, plain: &[u8]) -> io::Result<Vec<u8>>;
}

/// Decrypts what a [`Seal`] encrypted, of at most so many bytes.
pub trait Unseal: Send {
    fn unseal(&mut self, sealed: &[u8], most: usize) -> io::Result<Vec<u8>>;
}

/// Makes payloads.
pub(super) struct Encoder {
    compressor: Compressor<'static>,
    seal: Option<Box<dyn Seal>>,
}

impl Encoder {
    pub(super) fn new(level: i32, seal: Option<Box<dyn Seal>>) -> io::Result<Self> {
        Ok(Self {
            compressor: Compressor::new(level)?,
            seal,
        })
    }

    /// What anybody may read stays readable without a key.
    pub(super) fn encode(
        &mut self,
        plain: &[u8],
        is_public: bool,
    ) -> io::Result<(BlockCoding, Vec<u8>)> {
        let compressed = self.compressor.compress(plain)?;
        match &mut self.seal {
            Some(seal) if !is_public => Ok((BlockCoding::Sealed, seal.seal(&compressed)?)),
            _ => Ok((BlockCoding::Zstd, compressed)),
        }
    }
}

/// Reads payloads.
pub(super) struct Decoder {
    decompressor: Decompressor<'static>,
    unseal: Option<Box<dyn Unseal>>,
    most: usize,
}

impl Decoder {
    pub(super) fn new(unseal: Option<Box<dyn Unseal>>, most: usize) -> io::Result<Self> {
        Ok(Self {
            decompressor: Decompressor::new()?,
            unseal,
            most,
        })
    }

    /// Most bytes that a payload may have.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// The payload of a block at `at` without its coding. `stored` has the right checksum.
    pub(super) fn decode(
        &mut self,
        head: &BlockHead,
        stored: &[u8],
        at: u64,
    ) -> Result<Bytes, RecordingError> {
        let plain = head.plain as usize;
        let damaged = |what| RecordingError::Damaged {
            at,
            what,
            exchanges: head.exchanges,
        };
        let payload = match head.coding {
            BlockCoding::Plain => stored.to_vec(),
            BlockCoding::Zstd => self
                .decompress(stored, plain)
                .map_err(|_| damaged("the block cannot be decompressed"))?,
            BlockCoding::Sealed => {
                let unseal = self.unseal.as_mut();
                let unseal = unseal.ok_or(RecordingError::Encrypted { at, head: *head })?;
                let opened = unseal.unseal(stored, stored.len());
                let opened = opened.map_err(|error| RecordingError::Unsealing { at, error })?;
                self.decompress(&opened, plain)
                    .map_err(|_| damaged("the block cannot be decompressed"))?
            }
            BlockCoding::Unknown(_) => {
                return Err(damaged("the block has a coding of a later release"));
            }
        };
        match payload.len() == plain {
            true => Ok(payload.into()),
            false => Err(damaged("the block is not as long as it says")),
        }
    }

    /// At most one byte more than `plain`.
    fn decompress(&mut self, stored: &[u8], plain: usize) -> io::Result<Vec<u8>> {
        if plain <= RESERVED_AT_ONCE {
            return self.decompressor.decompress(stored, plain);
        }
        let mut payload = Vec::new();
        let decoder = zstd::Decoder::with_buffer(stored)?;
        decoder.take(plain as u64 + 1).read_to_end(&mut payload)?;
        Ok(payload)
    }
}
