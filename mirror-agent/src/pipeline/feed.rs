//! Where a replay's requests come from: a file of traffic, or recordings.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use anyhow::{Context, ensure};
use mirror_core::time::Timestamp;

use super::beginning::limits;
use super::capture_side::{Dissected, Intake};
use crate::config::{Config, Settings};
use crate::traffic::{InOrder, Traffic, TrafficFile};
use crate::transport::file::{MergedRecordings, is_recording, recordings_in};

/// Requests in the order in which they began.
pub(super) enum Feed {
    /// Exchanges, which policy judges and redacts as if they had been captured now.
    Traffic(Box<InOrder>),
    /// Envelopes, which another policy made and this one judges once more.
    Recordings(Box<MergedRecordings>),
}

impl Feed {
    /// One file of traffic, or any number of recordings and directories with recordings.
    pub(super) fn open(paths: &[PathBuf], config: &Config) -> anyhow::Result<Self> {
        let is_of_recordings = |path: &Path| path.is_dir() || is_recording(path);
        if let [path] = paths
            && !is_of_recordings(path)
        {
            let file = TrafficFile::open(path, limits(config))?;
            return Ok(Self::Traffic(Box::new(InOrder::new(file))));
        }
        for path in paths {
            ensure!(
                is_of_recordings(path),
                "{} is not a recording (.mrec), and only recordings are replayed together: give other files one at a time",
                path.display()
            );
        }
        let keys = config.recording.keys()?;
        let merged = MergedRecordings::open(&recordings_in(paths)?, keys)?;
        Ok(Self::Recordings(Box::new(merged)))
    }

    /// What the user should know of it.
    pub(super) fn advice(&self, settings: &Settings) -> Option<String> {
        let Self::Recordings(merged) = self else {
            return None;
        };
        let ours = settings.texts_of("redact");
        let differs = |theirs: &[String]| theirs != ours;
        let metadata = merged.metadata();
        if metadata.iter().any(|one| differs(&one.redaction)) {
            return Some("the recording was made with other --redact rules than this replay: the mirror's answers are hidden by these, and production's by those, so that they may differ".into());
        }
        let with_data = metadata.iter().any(|one| one.with_snapshots);
        (with_data && settings.config.gate.store.is_none()).then(|| {
            "the recording has production's snapshots, and there is no store to put them in for the mirror: add --redis URL".into()
        })
    }

    pub(super) fn peek(&mut self) -> Option<Timestamp> {
        match self {
            Self::Traffic(traffic) => traffic.peek(),
            Self::Recordings(merged) => merged.peek(),
        }
    }

    /// The moment that it begins with.
    pub(super) fn first(&self) -> Option<Timestamp> {
        match self {
            Self::Traffic(traffic) => traffic.file().first(),
            Self::Recordings(merged) => merged.first(),
        }
    }

    /// Hands over the next request.
    pub(super) fn hand_over(&mut self, intake: &Intake, due: Instant) {
        match self {
            Self::Traffic(traffic) => match traffic.next() {
                Some(Traffic::Captured(exchange)) => intake.take(*exchange, due),
                Some(Traffic::Recorded(recorded)) => intake.readmit(recorded.envelope, due),
                None => {}
            },
            Self::Recordings(merged) => {
                if let Some(exchange) = merged.next() {
                    intake.readmit(exchange.envelope, due);
                }
            }
        }
    }

    /// Shows what was counted so far.
    pub(super) fn count(&self, dissected: &Dissected, unread_packets: &AtomicU64) {
        if let Self::Traffic(traffic) = self {
            let file = traffic.file();
            dissected.set(0, file.stats());
            unread_packets.store(file.unread_packets(), Relaxed);
        }
    }

    /// What is wrong with it, where something is.
    pub(super) fn damage(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Traffic(traffic) => {
                let damage = traffic.damage().map_or(Ok(()), Err);
                damage.context("the file is damaged")
            }
            Self::Recordings(merged) => {
                let damage = merged.damage().map_or(Ok(()), Err);
                damage.context(
                    "a recording is damaged: what is before and after the damage was replayed",
                )
            }
        }
    }
}
