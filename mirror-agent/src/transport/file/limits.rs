//! What bounds the files of a recording.

use std::time::Duration;

/// When a file is followed by the next one, and when the oldest one is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLimits {
    /// Bytes of a file.
    pub size: u64,
    /// How long a file is written to.
    pub every: Option<Duration>,
    /// Bytes of all files.
    pub total: Option<u64>,
    /// How old the last exchange of a file may be.
    pub age: Option<Duration>,
}
