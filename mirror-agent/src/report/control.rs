//! What the control answered, in counts.

use std::time::Duration;

use mirror_core::compare::excerpt;
use mirror_core::verdict::ControlFinding;
use serde::{Deserialize, Serialize};

use super::latency::Latencies;
use super::status::ControlData;

/// Longest reason that is kept.
const MAX_REASON: usize = 300;

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ControlTally {
    equal: u64,
    alike: u64,
    apart: u64,
    failed: u64,
    failure: Option<String>,
    latencies: Latencies,
}

impl ControlTally {
    pub(super) fn count(&mut self, finding: ControlFinding, latency: Duration) {
        *match finding {
            ControlFinding::Equal => &mut self.equal,
            ControlFinding::Alike => &mut self.alike,
            ControlFinding::Apart => &mut self.apart,
        } += 1;
        self.latencies.add(latency);
    }

    pub(super) fn failed(&mut self, reason: &str) {
        self.failed += 1;
        self.failure
            .get_or_insert_with(|| excerpt(reason, MAX_REASON));
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.equal += other.equal;
        self.alike += other.alike;
        self.apart += other.apart;
        self.failed += other.failed;
        self.failure = self.failure.take().or(other.failure);
        self.latencies.merge(&other.latencies);
    }

    /// `None` when no control was asked.
    pub(super) fn data(&self) -> Option<ControlData> {
        let data = ControlData {
            equal: self.equal,
            alike: self.alike,
            apart: self.apart,
            failed: self.failed,
            failure: self.failure.clone(),
            latency_ms: self.latencies.data(),
        };
        let asked = data.equal + data.alike + data.apart + data.failed;
        (asked > 0).then_some(data)
    }
}
