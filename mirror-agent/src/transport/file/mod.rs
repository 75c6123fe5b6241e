//! Recordings on disk: a file, or files in a directory of which the oldest gives way. `mirror_core::recording` has the format.
//!
//! Each block is written whole or not at all, and an exchange is settled when its block is. What a disk does not take is counted with its
//! reason, and the next block is tried all the same.

mod encryption;
mod files;
mod keep;
mod limits;
mod options;
mod reading;
mod sink;

pub use encryption::{Recipient, RecordingKeys};
pub use files::{FileCounts, RecordingFiles, RecordingPlace, Settled};
pub use keep::{Keep, kept_folder};
pub use limits::FileLimits;
pub use options::RecordingOptions;
pub use reading::{MergedRecordings, OpenRecording, is_recording, open, recordings_in};

/// What the name of a recording ends in.
pub const MREC: &str = ".mrec";

#[cfg(test)]
mod tests;
