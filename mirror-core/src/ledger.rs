//! Every captured request ends in exactly one outcome; the ledger counts them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use std::collections::BTreeMap;

macro_rules! outcomes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// How a request ended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Outcome { $($(#[$doc])* $name,)* }

        impl Outcome {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name that reports show.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

outcomes! {
    Matched = "matched",
    Differed = "differed",
    /// Replayed without production's data (`on-missing` replay, or a route that needs none): no evidence.
    MatchedWithoutSnapshot = "matched without snapshot",
    DifferedWithoutSnapshot = "differed without snapshot",
    /// Replayed, but production's own response was not seen whole.
    ReplayedWithoutBaseline = "replayed without baseline",
    /// No target was given.
    Observed = "observed",
    /// The kernel's ring was full when its first packet came.
    LostRingFull = "lost: ring full",
    DroppedGap = "dropped: gap",
    DroppedTruncated = "dropped: truncated",
    DroppedTooLarge = "dropped: too large",
    DroppedAmbiguous = "dropped: ambiguous",
    /// Nothing was seen of the server: nobody is known to have received it.
    DroppedOneSide = "dropped: one side only",
    FilteredMethod = "filtered: method",
    /// It carries the mark of a replay.
    FilteredReplayed = "filtered: replayed request",
    ShedQueueFull = "shed: queue full",
    SnapshotMissing = "snapshot: missing",
    /// It was there, and gone when the request was to be replayed.
    SnapshotExpired = "snapshot: expired",
    /// Several requests had its id.
    SnapshotCollided = "snapshot: collided",
    SnapshotNoId = "snapshot: no id",
    SnapshotUnavailable = "snapshot: store unavailable",
    /// The mirror says that it could not read the snapshot: there is nothing to compare.
    MirrorNoSnapshot = "mirror: no snapshot",
    ReplayTimeout = "replay: timeout",
    ReplayConnectFailed = "replay: connect failed",
    ReplayFailed = "replay: failed",
    /// It went to another process, whose ledger says how it ended.
    HandedOver = "handed over",
    /// Still in flight when the time to drain was over.
    Interrupted = "interrupted",
}

#[derive(Debug)]
pub struct Ledger {
    seen: AtomicU64,
    taken_over: AtomicU64,
    outcomes: Vec<AtomicU64>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            seen: AtomicU64::new(0),
            taken_over: AtomicU64::new(0),
            outcomes: Outcome::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl Ledger {
    pub fn saw(&self) {
        self.seen.fetch_add(1, Relaxed);
    }

    /// A request that another process saw and handed over.
    pub fn took_over(&self) {
        self.taken_over.fetch_add(1, Relaxed);
        self.saw();
    }

    pub fn ended(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Relaxed);
    }

    /// `total` requests were lost before they could be seen, since the start.
    pub fn lost(&self, total: u64) {
        let known = self.outcomes[Outcome::LostRingFull as usize].swap(total, Relaxed);
        self.seen.fetch_add(total.saturating_sub(known), Relaxed);
    }

    /// Requests that came here, those that others handed over included.
    pub fn seen(&self) -> u64 {
        self.seen.load(Relaxed)
    }

    /// Requests among them that were handed over by another process. Over all processes they are as many as ended as
    /// `handed over`, so that both cancel out in a sum of ledgers.
    pub fn taken_over(&self) -> u64 {
        self.taken_over.load(Relaxed)
    }

    /// The outcomes that occurred.
    pub fn outcomes(&self) -> BTreeMap<String, u64> {
        let counts = Outcome::ALL.iter().zip(&self.outcomes);
        counts
            .map(|(outcome, count)| (outcome.name().to_owned(), count.load(Relaxed)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_is_handed_over_is_counted_once_over_both_ledgers() {
        let (capturing, replaying) = (Ledger::default(), Ledger::default());
        for _ in 0..3 {
            capturing.saw();
            capturing.ended(Outcome::HandedOver);
        }
        for _ in 0..2 {
            replaying.took_over();
            replaying.ended(Outcome::Matched);
        }
        // The third is still between the two.
        let seen = capturing.seen() + replaying.seen() - replaying.taken_over();
        let handed_over = capturing.outcomes()["handed over"];
        let in_flight = handed_over - replaying.taken_over();
        let ended = replaying.outcomes()["matched"];
        assert_eq!((seen, ended, in_flight), (3, 2, 1));
    }

    #[test]
    fn the_outcomes_add_up_to_what_was_seen() {
        let ledger = Ledger::default();
        for outcome in Outcome::ALL {
            ledger.saw();
            ledger.ended(*outcome);
        }
        assert_eq!(ledger.outcomes().values().sum::<u64>(), ledger.seen());
        assert_eq!(ledger.outcomes().len(), Outcome::ALL.len());
        ledger.lost(3);
        ledger.lost(5);
        assert_eq!(ledger.outcomes().values().sum::<u64>(), ledger.seen());
    }
}
