//! The gate: an exchange passes once production's snapshot for it is there.

use std::time::Duration;

use mirror_snapshot::{RedisStore, RequestId, WaitOptions, Waited};

#[derive(Debug)]
pub enum SnapshotOutcome {
    /// No store was given.
    Off,
    Hit {
        id: RequestId,
        waited: Duration,
    },
    Missing {
        waited: Duration,
    },
    /// No rule yielded an id.
    NoId,
    Unavailable {
        error: String,
    },
}

impl SnapshotOutcome {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Hit { .. } => "hit",
            Self::Missing { .. } => "missing",
            Self::NoId => "no id",
            Self::Unavailable { .. } => "store unavailable",
        }
    }
}

pub struct Gate(Option<(RedisStore, WaitOptions)>);

impl Gate {
    /// A gate that lets everything through at once.
    pub fn off() -> Self {
        Self(None)
    }

    pub fn new(store: RedisStore, options: WaitOptions) -> Self {
        Self(Some((store, options)))
    }

    /// Waits for the snapshot of one of the ids. Any number may wait at once: they share a connection.
    pub async fn wait(&self, candidates: &[RequestId]) -> SnapshotOutcome {
        let Some((store, options)) = &self.0 else {
            return SnapshotOutcome::Off;
        };
        if candidates.is_empty() {
            return SnapshotOutcome::NoId;
        }
        match store.wait(candidates, *options).await {
            Waited::Hit { id, waited, .. } => SnapshotOutcome::Hit { id, waited },
            Waited::Missing { waited } => SnapshotOutcome::Missing { waited },
            Waited::Unavailable(error) => SnapshotOutcome::Unavailable {
                error: error.to_string(),
            },
        }
    }
}
