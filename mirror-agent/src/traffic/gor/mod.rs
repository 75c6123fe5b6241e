//! Files of GoReplay's `--output-file`, <https://github.com/buger/goreplay/wiki/Saving-and-Replaying-from-file>.
//!
//! A record is a line with its kind, its request's id, its time and how long it took (both in nanoseconds), then the message as it
//! was on the wire, then [`SEPARATOR`]. A request and its answers have one id.

mod read;
mod records;
mod write;

pub(super) use read::GoReplay;
pub(super) use records::is_gor;
pub(super) use write::GorWriter;

/// What ends a record.
const SEPARATOR: &[u8] = "\n🐵🙈🙉\n".as_bytes();
