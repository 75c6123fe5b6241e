//! What stages tell the recorder beside how a request ended.

use std::time::Duration;

use mirror_core::compare::excerpt;
use mirror_core::session::{CarryStats, Replaced};

use super::Recorder;
use crate::gate::SnapshotOutcome;
use crate::report::OTHER;
use crate::report::effects::EffectsFinding;

/// Different words of mirrors about their snapshots that are told apart.
pub(super) const MAX_STATES: usize = 50;

impl Recorder {
    pub fn snapshot(&self, outcome: &SnapshotOutcome) {
        let mut tallies = self.tallies();
        let mut count = |name: &str| match tallies.totals.snapshots.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                tallies.totals.snapshots.insert(name.into(), 1);
            }
        };
        count(outcome.name());
        match outcome {
            SnapshotOutcome::Found(snapshot) => {
                if snapshot.at.is_none() {
                    count("unverified");
                }
                tallies.totals.waits.add(snapshot.waited);
                if let Some(ttl) = snapshot.ttl {
                    tallies.totals.ttls.add(ttl);
                }
            }
            SnapshotOutcome::Caught { waited, .. } => tallies.totals.waits.add(*waited),
            SnapshotOutcome::Missing { refused: true, .. } => count("of another request"),
            _ => {}
        }
    }

    /// What the mirror said of its own look for the snapshot.
    pub fn mirror_snapshot(&self, state: &str) {
        let mut tallies = self.tallies();
        let state = excerpt(state, 40);
        if tallies.totals.mirror_snapshots.len() < MAX_STATES {
            *tallies.totals.mirror_snapshots.entry(state).or_default() += 1;
        } else if let Some(count) = tallies.totals.mirror_snapshots.get_mut(&state) {
            *count += 1;
        }
    }

    /// A request was sent so much after it should have been, and answered after `latency`, if it was.
    pub fn replayed(&self, lag: Duration, latency: Option<Duration>) {
        let timing = &mut self.tallies().totals.timing;
        timing.send_lag.add(lag);
        if let Some(latency) = latency {
            timing.from_sending.add(latency);
            timing.from_due.add(lag + latency);
        }
    }

    /// Values were put in the place of production's in one request.
    pub fn replaced(&self, replaced: &[Replaced]) {
        if replaced.is_empty() {
            return;
        }
        let mut tallies = self.tallies();
        let places = &mut tallies.totals.carried.places;
        for one in replaced {
            let place = format!("{} from {}", one.place, one.learnt_from);
            let place = excerpt(&place, 200);
            if places.len() < MAX_STATES || places.contains_key(&place) {
                *places.entry(place).or_default() += 1;
            } else {
                *places.entry(OTHER.into()).or_default() += 1;
            }
        }
    }

    /// What became of what a mirror filed, or said that it files.
    pub fn effects(&self, finding: EffectsFinding<'_>) {
        self.tallies().totals.effects.count(finding);
    }

    /// The control did not answer a request.
    pub fn control_failed(&self, reason: &str) {
        self.tallies().totals.control.failed(reason);
    }

    /// How much is carried now, and was replaced so far.
    pub fn carried(&self, stats: CarryStats) {
        let carried = &mut self.tallies().totals.carried;
        (carried.sessions, carried.values) = (stats.sessions, stats.entries);
        (carried.requests, carried.replaced) = (stats.requests, stats.replaced);
        carried.evicted = stats.evicted;
    }

    /// So many requests were sent a second time, because a used connection turned out to be closed.
    pub fn sent_twice(&self, requests: u64) {
        if requests > 0 {
            self.tallies().totals.timing.sent_twice += requests;
        }
    }
}
