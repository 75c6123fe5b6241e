//! What a recording begins with.

use xxhash_rust::xxh3::xxh3_64;

use super::RecordingError;
use super::head::VERSION;

/// The first bytes of a recording. As in PNG, a transfer that changes line ends or cuts the highest bit is seen in them.
pub const RECORDING_MAGIC: [u8; 8] = *b"\x89MREC\r\n\x1a";
/// Bytes of a file's head.
pub const FILE_HEAD_LENGTH: usize = 16;

pub(super) fn file_head() -> [u8; FILE_HEAD_LENGTH] {
    let mut head = [0; FILE_HEAD_LENGTH];
    head[..8].copy_from_slice(&RECORDING_MAGIC);
    head[8..10].copy_from_slice(&VERSION.to_le_bytes());
    let checksum = xxh3_64(&head[..12]).to_le_bytes();
    head[12..].copy_from_slice(&checksum[..4]);
    head
}

pub(super) fn check_file_head(bytes: &[u8]) -> Result<(), RecordingError> {
    let begun = bytes.len().min(RECORDING_MAGIC.len());
    if bytes[..begun] != RECORDING_MAGIC[..begun] {
        return Err(RecordingError::NotARecording);
    }
    let Some((head, _)) = bytes.split_first_chunk::<FILE_HEAD_LENGTH>() else {
        return Err(RecordingError::TornHead);
    };
    let version = u16::from_le_bytes([head[8], head[9]]);
    if xxh3_64(&head[..12]).to_le_bytes()[..4] != head[12..] {
        return Err(RecordingError::NotARecording);
    }
    match version {
        VERSION => Ok(()),
        other => Err(RecordingError::UnknownVersion(other)),
    }
}
