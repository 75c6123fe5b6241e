//! What is told of recordings.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, ensure};
use mirror_core::options::ByteSize;

use super::{FileLimits, Keep, Recipient, RecordingKeys};

/// Bytes of a file in a directory, unless its limits say otherwise.
const USUAL_SIZE: u64 = 1 << 30;
/// Files among which a total is spread.
const FILES_OF_TOTAL: u64 = 8;

mirror_core::options! {
    /// What `record` writes, what a run keeps to look back, and what reads recordings.
    #[derive(Clone, Debug)]
    pub struct RecordingOptions("Recording") {
        /// Size after which `record` goes on in another file of its directory; an eighth of --total, or 1GiB, unless given
        #[option("rotate-size", "SIZE")]
        pub rotate_size: Option<ByteSize>,
        /// Time after which `record` goes on in another file of its directory
        #[option("rotate-every", "TIME")]
        pub rotate_every: Option<Duration>,
        /// Most bytes of a recording's files together; the oldest file gives way, and is counted
        #[option("total", "SIZE")]
        pub total: Option<ByteSize>,
        /// Encrypt what is recorded or kept to an age recipient, as in age1… (repeatable)
        #[option("encrypt-to", "RECIPIENT")]
        pub recipients: Vec<Recipient>,
        /// File with age keys, as age-keygen writes them: recordings are encrypted to them, and read with them
        #[option("recording-key-file", "FILE")]
        pub key_file: Option<PathBuf>,
        /// Have `record` wait for production's snapshots and put them into the recording, so that it can be replayed when they are gone.
        /// They are production's data, unredacted: it needs --encrypt-to or --recording-key-file
        #[option("with-snapshots", "")]
        pub with_snapshots: bool,
        /// Keep what was captured on disk for so long, or so much of it, for `record --since`, as in 10m or 2G
        #[option("keep", "TIME|SIZE")]
        pub keep: Option<Keep>,
        /// Folder for that; unless given, /var/lib/mirror-agent/kept for root, else ~/.local/state/mirror-agent/kept
        #[option("keep-in", "DIR")]
        pub keep_in: Option<PathBuf>,
    }
}

impl RecordingOptions {
    /// Whether something encrypts.
    pub fn encrypts(&self) -> bool {
        !self.recipients.is_empty() || self.key_file.is_some()
    }

    /// What encrypts recordings, and reads encrypted ones.
    pub fn keys(&self) -> anyhow::Result<RecordingKeys> {
        RecordingKeys::new(&self.recipients, self.key_file.as_deref())
    }

    /// What bounds the files of `record`.
    pub fn limits(&self) -> FileLimits {
        let total = self.total.map(|total| total.as_u64());
        let of_total = total.map_or(USUAL_SIZE, |total| (total / FILES_OF_TOTAL).max(1));
        let size = self.rotate_size.map(|size| size.as_u64());
        FileLimits {
            size: size.unwrap_or(of_total.min(USUAL_SIZE)),
            every: self.rotate_every,
            total,
            age: None,
        }
    }

    /// What concerns several options.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(
            !self.with_snapshots || self.encrypts(),
            "--with-snapshots puts production's data into the recording as it is, unredacted: add --encrypt-to age1… or --recording-key-file FILE (`age-keygen -o FILE` makes one)"
        );
        if let (Some(size), Some(total)) = (self.rotate_size, self.total)
            && size.as_u64() > total.as_u64() / 2
        {
            bail!(
                "--rotate-size {size} leaves nothing to give way within --total {total}: use at most half of it"
            );
        }
        Ok(())
    }
}
