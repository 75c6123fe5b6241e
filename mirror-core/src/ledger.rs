//! Every captured request ends in exactly one outcome; the ledger counts them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! outcomes {
    ($($name:ident = $text:literal: $meaning:literal,)*) => {
        /// How a request ended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Outcome { $(#[doc = $meaning] $name,)* }

        impl Outcome {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name that reports show.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it means, and what a user can do about it.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

outcomes! {
    Matched = "matched":
        "both answers are equal",
    Differed = "differed":
        "the mirror answered differently",
    DifferedAsControl = "differed as the control":
        "the control, which runs the old version, differs from production in the same places: the reason is data or time",
    MatchedWithoutSnapshot = "matched without snapshot":
        "replayed without production's data: equal answers, but no evidence",
    DifferedWithoutSnapshot = "differed without snapshot":
        "replayed without production's data: a difference may be the data's, so it is no evidence",
    ReplayedWithoutBaseline = "replayed without baseline":
        "production's own response was not seen whole",
    NotComparedMirrorTooLarge = "not compared: mirror answer too large":
        "the mirror's body is over the limit and coded otherwise than production's, so only status and headers were compared: raise --max-body",
    NotComparedProductionTooLarge = "not compared: production answer too large":
        "production's body is over the limit and coded otherwise than the mirror's, so only status and headers were compared: raise --max-body",
    NotComparedDecodedTooLarge = "not compared: too large when decoded":
        "the bodies are too large without their content-coding, so only status and headers were compared",
    NotComparedNotModified = "not compared: not modified":
        "a condition such as If-None-Match held on one side only, because its validator is production's: use --carry",
    NotReplayedUpgrade = "not replayed: upgrade":
        "the connection changed to another protocol, which has no request and answer to compare",
    Observed = "observed":
        "no --target was given, so nothing was replayed",
    Recorded = "recorded":
        "it is in the recording, and nothing was replayed",
    LostNotWritten = "lost: not written":
        "the recording's disk did not take it: the reason is beside it; give the recording a disk with room, or a --total",
    LostRingFull = "lost: ring full":
        "the kernel's ring was full when its first packet came: raise --ring-size",
    LostTrimmed = "lost: trimmed":
        "it was handed over, and the engine removed it before a replayer had read it: start more replayers, or give the stream more room with --stream-length",
    LostDamaged = "lost: damaged":
        "it was handed over, and what the replayer read is not what was written: check the engine, and who else writes there",
    LostVersion = "lost: other version":
        "it was handed over by an agent of another release, in a form that the replayer does not read: use one release on all hosts",
    DroppedGap = "dropped: gap":
        "bytes of the request were never captured",
    DroppedTruncated = "dropped: truncated":
        "the connection or the capture ended inside the request",
    DroppedTooLarge = "dropped: too large":
        "the request's body is over the limit: raise --max-body",
    DroppedAmbiguous = "dropped: ambiguous":
        "two parsers could read the request differently, so it is never sent again",
    DroppedOneSide = "dropped: one side only":
        "nothing was seen of the server, so nobody is known to have received it",
    FilteredMethod = "filtered: method":
        "only GET, HEAD and OPTIONS are replayed: name its route with --allow if it may be repeated, or with --reads if it only reads",
    FilteredRule = "filtered: rule":
        "a --deny rule fits it, or its method is allowed by name and no --allow rule fits: `mirror-agent explain` shows which",
    FilteredSample = "filtered: sample":
        "it is not in the share that --replay-share takes",
    FilteredWrite = "filtered: write without snapshot":
        "it writes, and the snapshot of this very request was not there: give --redis, name its route with --reads if it only reads, or give --allow-unsnapshotted-writes",
    FilteredUnreadable = "filtered: not redactable":
        "a --redact rule may concern its body, which cannot be read, so it must not leave the host: keep it out with --deny",
    FilteredReplayed = "filtered: replayed request":
        "it carries the mark of a replay",
    FilteredPaused = "filtered: paused":
        "it came while mirroring was paused: `mirror-agent resume` goes on",
    FilteredSchedule = "filtered: schedule":
        "it came outside the times that --schedule names",
    FilteredEnough = "filtered: enough":
        "it came after as many requests as --requests names",
    FilteredSent = "filtered: sent before":
        "a replayer that died may have sent this write, and --allow-unsnapshotted-writes would do it twice",
    ShedBreaker = "shed: breaker":
        "the mirror did not answer other requests, so it was left alone for a while: see to the mirror; --breaker-failures, --breaker-share and --breaker-pause are the limits",
    ShedRate = "shed: rate":
        "more came than --replay-rate takes: raise it, or take a smaller --replay-share",
    ShedBusyHost = "shed: busy host":
        "this host's CPUs were busy, so the agent kept within --max-cpu-when-busy: mirror off-peak with --schedule, or less with --replay-share",
    ShedQueueFull = "shed: queue full":
        "the mirror is slower than production: raise --concurrency, or take a --sample",
    ShedTransport = "shed: transport":
        "the engine between capture and replay was full or did not answer: see to it, or have more replayers read from it",
    SnapshotMissing = "snapshot: missing":
        "production filed no snapshot for it in time: check that the service files snapshots for this route, raise --snapshot-wait, or name the route with --no-snapshot",
    SnapshotExpired = "snapshot: expired":
        "its snapshot was gone when the request was to be replayed",
    SnapshotCollided = "snapshot: collided":
        "several requests had its id: add a field to the rule that tells them apart",
    SnapshotUnproven = "snapshot: unproven":
        "identical requests have its id, and no snapshot is proven to be its own",
    SnapshotNoId = "snapshot: no id":
        "no --rule found its fields in the request: give the rule by which production names it",
    SnapshotUnavailable = "snapshot: store unavailable":
        "the store did not answer: check that it runs, and that --redis is right",
    MirrorNoSnapshot = "mirror: no snapshot":
        "the mirror says that it could not read the snapshot, so there is nothing to compare",
    ReplayTimeout = "replay: timeout":
        "the mirror's answer did not come in time: see to the mirror, or raise --replay-timeout",
    ReplayConnectFailed = "replay: connect failed":
        "no connection to the mirror: check that it runs, and that --target is right",
    ReplayFailed = "replay: failed":
        "the request could not be sent, or its answer could not be read",
    HandedOver = "handed over":
        "it went to another process, whose ledger says how it ended",
    Interrupted = "interrupted":
        "still in flight when the time to drain was over: --drain-timeout is the limit",
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
