//! The results of runs that were kept: of one, or of several together.

use mirror_core::ledger::Outcome;
use mirror_core::time::Timestamp;
use mirror_core::verdict;

use super::kept::{KeptBeside, KeptRun, LedgerRecord};
use super::tallies::{Beside, Tallies};
use crate::report::status::{LedgerData, Results, RunInfo};

/// What one run has found, or several that captured beside each other: their counts are added, and the decision is made from these. It is
/// as somebody at the time `at` would have made it, by the policy of the first one.
pub(in crate::report) fn results_of(runs: Vec<KeptRun>, run: RunInfo, at: Timestamp) -> Results {
    let policy = runs.first().map(|run| run.record.policy.clone());
    let mut ledger = LedgerRecord::default();
    let mut beside = KeptBeside::default();
    for run in &runs {
        ledger.merge(&run.record.ledger);
        beside.merge(&run.record.beside);
    }
    let mut tallies = Tallies::default();
    tallies.add(runs);
    let evidence = tallies.judge.evidence();
    let verdict = verdict::decide(evidence, &policy.unwrap_or_default(), at);
    tallies.results(Beside {
        run,
        verdict,
        ledger: ledger.data(),
        counters: beside.counters,
        schedule: beside.schedule,
    })
}

impl LedgerRecord {
    fn merge(&mut self, other: &Self) {
        self.seen += other.seen;
        self.taken_over += other.taken_over;
        for (name, count) in &other.outcomes {
            *self.outcomes.entry(name.clone()).or_default() += count;
        }
    }

    /// Requests that one of the runs handed over to another are counted once: as the other one says.
    fn data(mut self) -> LedgerData {
        let name = Outcome::HandedOver.name();
        let handed_over = self.outcomes.get(name).copied().unwrap_or(0);
        let both = handed_over.min(self.taken_over);
        self.seen -= both.min(self.seen);
        match handed_over - both {
            0 => self.outcomes.remove(name),
            left => self.outcomes.insert(name.into(), left),
        };
        LedgerData {
            seen: self.seen,
            outcomes: self.outcomes,
        }
    }
}

impl KeptBeside {
    fn merge(&mut self, other: &Self) {
        self.counters.merge(&other.counters);
        let (ours, theirs) = (&mut self.schedule, &other.schedule);
        ours.paused |= theirs.paused;
        ours.open |= theirs.open;
        ours.limit += theirs.limit;
        ours.lanes.active += theirs.lanes.active;
        ours.lanes.waiting += theirs.lanes.waiting;
        ours.breakers.extend(theirs.breakers.iter().cloned());
    }
}

#[cfg(test)]
mod tests;
