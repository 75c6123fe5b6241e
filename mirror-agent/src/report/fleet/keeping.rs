//! What a process of a fleet has counted, as fields for the engine: those that have changed since the last time.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use mirror_core::schedule::ScheduleData;
use serde::{Deserialize, Serialize};

use super::super::recorder::{KeptBeside, Recorder};
use super::super::runs::RunHead;
use super::super::status::{CaptureCounters, FleetRole};
use super::HEAD;

/// Texts of counts are a fifth of themselves then.
const LEVEL: i32 = 1;

/// What a process says of itself.
#[derive(Serialize, Deserialize)]
pub(super) struct FleetHead {
    #[serde(flatten)]
    pub(super) run: RunHead,
    pub(super) role: FleetRole,
    #[serde(default)]
    pub(super) redelivered: u64,
}

/// Makes fields of what a recorder counts.
pub struct FleetKeeping {
    recorder: Arc<Recorder>,
    beside: Box<dyn Fn() -> (CaptureCounters, ScheduleData) + Send>,
    role: FleetRole,
    /// Digests of the fields that are in the engine, by name.
    written: HashMap<String, u64>,
    wants_all: bool,
}

/// What has changed.
#[derive(Debug, Default)]
pub struct FleetChange {
    /// These are all fields.
    pub is_whole: bool,
    pub fields: Vec<(String, Vec<u8>)>,
    /// Marks of the requests that ended since the last time, and are counted in the fields.
    pub marks: Vec<u64>,
}

impl FleetKeeping {
    /// `beside` says what the recorder does not know. Nobody else may keep what this recorder counts.
    pub fn new(
        recorder: &Arc<Recorder>,
        role: FleetRole,
        beside: impl Fn() -> (CaptureCounters, ScheduleData) + Send + 'static,
    ) -> Self {
        Self {
            recorder: Arc::clone(recorder),
            beside: Box::new(beside),
            role,
            written: HashMap::new(),
            wants_all: true,
        }
    }

    /// The next change has everything: the last one may not have been kept.
    pub fn forget(&mut self) {
        self.wants_all = true;
    }

    pub fn change(&mut self, redelivered: u64) -> anyhow::Result<FleetChange> {
        let (counters, schedule) = (self.beside)();
        let beside = KeptBeside {
            counters,
            schedule,
            kept: self.recorder.kept(),
        };
        let mut changes = self.recorder.changes(beside, self.wants_all);
        if self.role == FleetRole::Replay {
            // What it holds is still on its way, for the fleet: another one may have to judge it.
            let ledger = &mut changes.run.ledger;
            ledger.seen = ledger.outcomes.values().sum();
            ledger.taken_over = ledger.seen;
        }
        if changes.is_whole {
            self.written.clear();
        }
        self.wants_all = false;
        let head = FleetHead {
            run: RunHead::new(&self.recorder),
            role: self.role,
            redelivered,
        };
        let head = (HEAD.to_owned(), serde_json::to_vec(&head)?);
        let records = changes.batch()?.into_records();
        let mut fields = Vec::new();
        for (name, value) in records.chain([head]) {
            let digest = FixedState::default().hash_one(&value);
            if self.written.insert(name.clone(), digest) != Some(digest) {
                fields.push((name, zstd::encode_all(&value[..], LEVEL)?));
            }
        }
        Ok(FleetChange {
            is_whole: changes.is_whole,
            fields,
            marks: changes.marks,
        })
    }
}
