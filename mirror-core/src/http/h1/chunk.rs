//! The chunked coding (RFC 9112 §7.1), byte by byte where it is framing and slice by slice where it is data.
//!
//! Two levels of bad: what servers are known to read in different ways, but here can be read on, makes the body
//! ambiguous; anything else is [`Unreadable`].

use bytes::{Buf, Bytes};

use super::lenient;
use crate::exchange::{Ambiguity, Headers};

/// Where the body ends can no longer be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body cannot be read on")]
pub struct Unreadable;

/// Bytes of trailers, and of one chunk's extensions.
const MAX_SKIPPED: u32 = 64 << 10;

/// Fields that say what the body is must come before it (RFC 9110 §6.5.1).
const NO_TRAILERS: [&[u8]; 3] = [b"content-length", b"transfer-encoding", b"host"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunks {
    at: At,
    /// Framing bytes passed over in this chunk's extensions, or in the trailers.
    skipped: u32,
    /// The lines after the last chunk, with their ends.
    trailer: Vec<u8>,
    pub(super) ambiguity: Option<Ambiguity>,
}

/// Where the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size {
        size: u64,
        digits: u8,
    },
    Extension {
        size: u64,
        within: Within,
    },
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// In a line after the last chunk, or at its beginning.
    Trailer {
        empty: bool,
    },
    TrailerLf {
        empty: bool,
    },
    Done,
}

/// A place in `*( BWS ";" BWS name [ "=" ( token / quoted ) ] )`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    /// Spaces behind the size, which only an extension may follow.
    Padding,
    /// Behind a semicolon.
    Begun,
    Text,
    Quoted,
    Escaped,
}

impl Chunks {
    pub(super) fn new() -> Self {
        Self {
            at: At::Size { size: 0, digits: 0 },
            skipped: 0,
            trailer: Vec::new(),
            ambiguity: None,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// Takes from `input` up to the next run of data, which it gives.
    pub(super) fn decode(&mut self, input: &mut Bytes) -> Result<Bytes, Unreadable> {
        while !self.is_done() && !input.is_empty() {
            if let At::Data { left } = self.at {
                let taken = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                self.advance(left - taken as u64);
                return Ok(input.split_to(taken));
            }
            let used = self.frame(input)?;
            input.advance(used);
        }
        Ok(Bytes::new())
    }

    /// Goes over `len` lost bytes; false when they are not all data of one chunk.
    pub(super) fn skip(&mut self, len: u64) -> bool {
        match self.at {
            At::Data { left } if len <= left => {
                self.advance(left - len);
                true
            }
            _ => false,
        }
    }

    fn advance(&mut self, left: u64) {
        self.at = match left {
            0 => At::DataCr,
            left => At::Data { left },
        };
    }

    /// Goes over framing bytes; gives how many.
    fn frame(&mut self, input: &[u8]) -> Result<usize, Unreadable> {
        for (index, &byte) in input.iter().enumerate() {
            self.at = self.after(byte)?;
            if matches!(self.at, At::Done | At::Data { .. }) {
                return Ok(index + 1);
            }
        }
        Ok(input.len())
    }

    /// The place behind one framing byte. A bare LF is no line end here: parsers disagree about it.
    fn after(&mut self, byte: u8) -> Result<At, Unreadable> {
        Ok(match (self.at, byte) {
            (At::Size { size, digits }, byte) if byte.is_ascii_hexdigit() && digits < 15 => {
                let digit = (byte as char).to_digit(16).map_or(0, u64::from);
                At::Size {
                    size: size * 16 + digit,
                    digits: digits + 1,
                }
            }
            (At::Size { digits: 0, .. }, _) => return Err(Unreadable),
            (At::Size { size, .. }, b'\r') => At::SizeLf { size },
            (At::Size { size, .. }, b';' | b' ' | b'\t') => {
                self.extension(size, Within::Padding, byte)
            }
            (At::Extension { size, within }, b'\r') => {
                self.mark(within != Within::Text);
                At::SizeLf { size }
            }
            (At::Extension { size, within }, byte) if byte != b'\n' => {
                self.pass()?;
                self.extension(size, within, byte)
            }
            (At::SizeLf { size: 0 }, b'\n') => {
                self.skipped = 0;
                At::Trailer { empty: true }
            }
            (At::SizeLf { size }, b'\n') => At::Data { left: size },
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => {
                self.skipped = 0;
                At::Size { size: 0, digits: 0 }
            }
            (At::Trailer { empty }, b'\r') => At::TrailerLf { empty },
            (At::Trailer { .. }, byte) if byte != b'\n' => {
                self.pass()?;
                self.trailer.push(byte);
                At::Trailer { empty: false }
            }
            (At::TrailerLf { empty: true }, b'\n') => {
                self.end_trailer();
                At::Done
            }
            (At::TrailerLf { empty: false }, b'\n') => {
                self.trailer.push(b'\n');
                At::Trailer { empty: true }
            }
            _ => return Err(Unreadable),
        })
    }

    fn extension(&mut self, size: u64, within: Within, byte: u8) -> At {
        let within = match (within, byte) {
            (Within::Escaped, _) => Within::Quoted,
            (Within::Quoted, b'\\') => Within::Escaped,
            (Within::Quoted, b'"') => Within::Text,
            (Within::Quoted, _) => Within::Quoted,
            (Within::Padding | Within::Begun, b' ' | b'\t') => within,
            (Within::Padding | Within::Text, b';') => Within::Begun,
            (Within::Text, b'"') => Within::Quoted,
            (Within::Text, _) => Within::Text,
            (Within::Begun, byte) => {
                self.mark(matches!(byte, b';' | b'"' | b'='));
                Within::Text
            }
            (Within::Padding, _) => {
                self.mark(true);
                Within::Text
            }
        };
        At::Extension { size, within }
    }

    fn mark(&mut self, is_odd: bool) {
        if is_odd {
            self.ambiguity.get_or_insert(Ambiguity::Chunk);
        }
    }

    fn end_trailer(&mut self) {
        let is_forbidden = |name: &[u8]| {
            let is = |other: &&[u8]| name.eq_ignore_ascii_case(other);
            NO_TRAILERS.iter().any(is)
        };
        if self.trailers().names().any(is_forbidden) {
            self.ambiguity.get_or_insert(Ambiguity::Trailer);
        }
    }

    /// The fields after the last chunk.
    pub(super) fn trailers(&self) -> Headers {
        let lines = self.trailer.split(|byte| *byte == b'\n');
        lenient::headers(lines.filter(|line| !line.is_empty()))
    }

    fn pass(&mut self) -> Result<(), Unreadable> {
        self.skipped += 1;
        if self.skipped > MAX_SKIPPED {
            return Err(Unreadable);
        }
        Ok(())
    }
}
