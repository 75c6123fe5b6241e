//! run.json: what a run is, written at its start and locked while it goes on.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use super::super::directory::{PrivateDir, read_regular};
use super::super::recorder::Recorder;
use super::super::status::{FORMAT, RunInfo};
use super::names::RUN_JSON;

const NEW: &str = ".run.json.new";
const MAX_HEAD: u64 = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::report) struct RunHead {
    pub(in crate::report) format: u32,
    /// Of the agent.
    pub(in crate::report) version: String,
    pub(in crate::report) name: String,
    pub(in crate::report) host: String,
    pub(in crate::report) pid: u32,
    /// Seconds since the epoch.
    pub(in crate::report) started_at: u64,
    pub(in crate::report) run: RunInfo,
}

impl RunHead {
    pub(in crate::report) fn new(recorder: &Recorder) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            name: recorder.name().into(),
            host: recorder.host().into(),
            pid: std::process::id(),
            started_at: recorder.started_at(),
            run: recorder.run().clone(),
        }
    }

    /// Writes it. The file that is returned is locked until it is dropped, or until this process ends in any way. It is locked before it has
    /// its name, so that nobody ever finds a run in progress without its lock.
    pub(super) fn write(&self, directory: &PrivateDir) -> anyhow::Result<File> {
        let path = directory.path().join(RUN_JSON);
        let text = serde_json::to_vec_pretty(self)?;
        let write = || -> anyhow::Result<File> {
            let mut file = directory.create(NEW)?;
            if let Err(error) = file.lock() {
                let run = path.display();
                tracing::warn!(%run, "the file system has no lock for it, so the run looks as if it had been killed while it goes on: {error}");
            }
            file.write_all(&text)?;
            file.sync_data()?;
            directory.rename(NEW, RUN_JSON)?;
            Ok(file)
        };
        let written = write().with_context(|| format!("writing {}", path.display()));
        if written.is_err() {
            // What room it took is others'.
            let _ = directory.remove(NEW);
        }
        written
    }

    pub(super) fn read(run: &Path) -> anyhow::Result<Self> {
        let path = run.join(RUN_JSON);
        let shown = path.display();
        let text = read_regular(&path, MAX_HEAD).with_context(|| format!("reading {shown}"))?;
        let unreadable = || format!("{shown} is not a run of this version");
        let head: Self = serde_json::from_slice(&text).with_context(unreadable)?;
        ensure!(head.format == FORMAT, unreadable());
        Ok(head)
    }
}

/// Whether the run's agent still holds its lock.
pub(super) fn is_running(run: &Path) -> bool {
    let file = File::open(run.join(RUN_JSON));
    file.is_ok_and(|file| {
        matches!(
            file.try_lock_shared(),
            Err(std::fs::TryLockError::WouldBlock)
        )
    })
}
