//! What is counted of a run as a whole, beside the evidence.

use std::collections::BTreeMap;

use mirror_core::verdict::LoginCounts;
use serde::{Deserialize, Serialize};

use crate::report::control::ControlTally;
use crate::report::effects::EffectsTally;
use crate::report::latency::Latencies;
use crate::report::status::{CarriedData, TimingData};

/// Adds up over the runs of several hosts.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::report) struct Totals {
    pub(super) snapshots: BTreeMap<String, u64>,
    pub(super) waits: Latencies,
    pub(super) ttls: Latencies,
    pub(super) timing: Timing,
    pub(super) mirror_snapshots: BTreeMap<String, u64>,
    pub(super) carried: CarriedData,
    pub(super) control: ControlTally,
    pub(super) effects: EffectsTally,
    pub(super) logins: LoginCounts,
    pub(super) failure: Option<String>,
}

/// When replays were sent, and how long they took.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Timing {
    pub(super) send_lag: Latencies,
    pub(super) from_sending: Latencies,
    pub(super) from_due: Latencies,
    pub(super) sent_twice: u64,
}

impl Totals {
    pub(super) fn merge(&mut self, other: Self) {
        add(&mut self.snapshots, other.snapshots);
        self.waits.merge(&other.waits);
        self.ttls.merge(&other.ttls);
        self.timing.merge(&other.timing);
        add(&mut self.mirror_snapshots, other.mirror_snapshots);
        self.carried.merge(other.carried);
        self.control.merge(other.control);
        self.effects.merge(other.effects);
        self.logins += other.logins;
        self.failure = self.failure.take().or(other.failure);
    }
}

impl Timing {
    fn merge(&mut self, other: &Self) {
        self.send_lag.merge(&other.send_lag);
        self.from_sending.merge(&other.from_sending);
        self.from_due.merge(&other.from_due);
        self.sent_twice += other.sent_twice;
    }

    pub(super) fn data(&self) -> TimingData {
        TimingData {
            send_lag_ms: self.send_lag.data(),
            from_sending_ms: self.from_sending.data(),
            from_due_ms: self.from_due.data(),
            sent_twice: self.sent_twice,
        }
    }
}

impl CarriedData {
    fn merge(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.values += other.values;
        self.evicted += other.evicted;
        self.requests += other.requests;
        self.replaced += other.replaced;
        add(&mut self.places, other.places);
    }
}

fn add(ours: &mut BTreeMap<String, u64>, theirs: BTreeMap<String, u64>) {
    for (name, count) in theirs {
        *ours.entry(name).or_default() += count;
    }
}
