//! What a recording says of itself, as JSON: members may be added, and unknown ones are ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Where and how it was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordingMetadata {
    /// The host that captured.
    pub host: String,
    /// The agent's version.
    pub agent: String,
    /// The commit that the agent was built from, where it is known.
    pub build: String,
    /// Digest of the options in effect: equal where two recordings were made by equal rules.
    pub config_digest: String,
    /// The rules of redaction in effect, as they were given.
    pub redaction: Vec<String>,
    /// What all files of one recording have in common.
    pub series: String,
    /// Of this file in its series, from 0.
    pub part: u64,
    /// When the file was begun.
    pub started_at: Timestamp,
    /// Whether production's snapshots are in it.
    pub with_snapshots: bool,
}

/// What became of the requests that the recording agent saw, from its start until then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordingLedger {
    pub at: Timestamp,
    pub seen: u64,
    /// By outcome.
    pub outcomes: BTreeMap<String, u64>,
}
