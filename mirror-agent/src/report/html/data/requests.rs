//! The ledger as a flow: which requests leave the way to a verdict at which stage, and why.

use mirror_common::Counter;
use mirror_core::ledger::Outcome;
use serde::Serialize;

use super::super::super::outcomes::{OutcomeData, OutcomeGroup};
use super::super::super::status::Results;
use super::super::words::{name, text};

/// Groups of an outcome that the page has; all are in report.json.
const MAX_GROUPS: usize = 50;

/// A step on the way of a request.
#[derive(Serialize)]
pub(in crate::report::html) struct Stage {
    pub(in crate::report::html) name: &'static str,
    /// What happens to a request here.
    pub(in crate::report::html) what: &'static str,
    /// In the order of the ledger.
    pub(in crate::report::html) outcomes: Vec<OutcomeRow>,
}

/// Requests that end here.
#[derive(Serialize)]
pub(in crate::report::html) struct OutcomeRow {
    pub(in crate::report::html) name: String,
    pub(in crate::report::html) count: u64,
    pub(in crate::report::html) tone: Tone,
    pub(in crate::report::html) meaning: String,
    groups: Vec<Group>,
    /// Groups that are not told.
    more: usize,
}

#[derive(Serialize)]
struct Group {
    route: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    count: u64,
    examples: Vec<Example>,
}

#[derive(Serialize)]
struct Example {
    request: String,
    /// Number of the connection, and the place in it.
    at: (u64, u32),
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What an outcome is to who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::report::html) enum Tone {
    Equal,
    Differs,
    /// Left out on purpose, or by what it is.
    LeftOut,
    /// A verdict was wanted, and there is none.
    Lost,
}

const STAGES: [(&str, &str); 6] = [
    ("Capture", "what the kernel and the connections gave"),
    ("Policy", "what may be replayed"),
    ("Data", "production's snapshot of the request"),
    ("Turn", "limits, pauses and the circuit breaker"),
    ("Replay", "the candidate's answer"),
    ("Comparison", "two answers to one request"),
];

/// All stages in their order, also those at which no request ends.
pub(super) fn stages(results: &Results) -> Vec<Stage> {
    let mut stages: Vec<Stage> = STAGES
        .iter()
        .map(|(name, what)| Stage {
            name,
            what,
            outcomes: Vec::new(),
        })
        .collect();
    for data in &results.outcomes {
        // One of a later agent is shown at the end of the way.
        let known = Outcome::ALL.iter().find(|one| one.name() == data.outcome);
        let (stage, tone) = known.map_or((STAGES.len() - 1, Tone::Lost), |one| place(*one));
        stages[stage].outcomes.push(OutcomeRow::new(data, tone));
    }
    stages
}

/// What stands before the first request.
pub(super) fn capture(results: &Results) -> Vec<(&'static str, u64)> {
    let counters = [
        (Counter::Seen, "packets"),
        (Counter::Copied, "copied"),
        (Counter::RingFull, "lost"),
    ];
    let counts = counters.map(|(counter, what)| (what, results.counters.kernel(counter)));
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// The stage at which requests end so, and what that is to a reader.
fn place(outcome: Outcome) -> (usize, Tone) {
    use Outcome::*;
    use Tone::*;
    match outcome {
        LostTrimmed | LostDamaged | LostVersion | ShedTransport => (1, Lost),
        LostRingFull | DroppedGap | DroppedTruncated | DroppedTooLarge => (0, Lost),
        DroppedAmbiguous | DroppedOneSide | NotReplayedUpgrade => (0, LeftOut),
        FilteredMethod | FilteredRule | FilteredSample | FilteredUnreadable | FilteredReplayed
        | HandedOver => (1, LeftOut),
        SnapshotMissing | SnapshotExpired | SnapshotCollided | SnapshotUnproven
        | SnapshotUnavailable => (2, Lost),
        SnapshotNoId | FilteredWrite => (2, LeftOut),
        FilteredPaused | FilteredSchedule | FilteredEnough | FilteredSent | Observed | Recorded => {
            (3, LeftOut)
        }
        ShedBreaker | ShedRate | ShedBusyHost | ShedQueueFull | LostNotWritten | Interrupted => {
            (3, Lost)
        }
        MirrorNoSnapshot | ReplayTimeout | ReplayConnectFailed | ReplayFailed => (4, Lost),
        ReplayedWithoutBaseline
        | NotComparedMirrorTooLarge
        | NotComparedProductionTooLarge
        | NotComparedDecodedTooLarge => (5, Lost),
        NotComparedNotModified
        | MatchedWithoutSnapshot
        | DifferedWithoutSnapshot
        | DifferedAsControl => (5, LeftOut),
        Matched => (5, Equal),
        Differed => (5, Differs),
    }
}

impl OutcomeRow {
    fn new(data: &OutcomeData, tone: Tone) -> Self {
        Self {
            name: name(&data.outcome),
            count: data.count,
            tone,
            meaning: text(&data.meaning),
            groups: data
                .groups
                .iter()
                .take(MAX_GROUPS)
                .map(Group::new)
                .collect(),
            more: data.groups.len().saturating_sub(MAX_GROUPS),
        }
    }
}

impl Group {
    fn new(group: &OutcomeGroup) -> Self {
        let examples = group.examples.iter().map(|example| Example {
            request: name(&example.request.request),
            at: (example.request.connection, example.request.index),
            reason: example.reason.as_deref().map(text),
        });
        Self {
            route: name(&group.route),
            reason: group.reason.as_deref().map(text),
            count: group.count,
            examples: examples.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::request::tests::label;
    use super::super::super::super::{CaptureCounters, End, Recorder, RunInfo};
    use super::*;

    #[test]
    fn each_outcome_is_at_one_stage_and_the_flow_adds_up() {
        let recorder = Recorder::new(RunInfo::default());
        for outcome in Outcome::ALL {
            recorder.saw();
            let end = End::because(*outcome, "because <b>");
            recorder.ended(&label("GET", "/a"), None, &end);
        }
        let results = recorder.results(CaptureCounters::default());
        let stages = stages(&results);
        assert!(stages.iter().all(|stage| !stage.outcomes.is_empty()));
        let rows = || stages.iter().flat_map(|stage| &stage.outcomes);
        assert_eq!(rows().count(), Outcome::ALL.len());
        assert_eq!(
            rows().map(|row| row.count).sum::<u64>(),
            results.ledger.seen
        );
        let tone = |wanted: &str| rows().find(|row| row.name == wanted).map(|row| row.tone);
        assert_eq!(tone("matched"), Some(Tone::Equal));
        assert_eq!(tone("shed: queue full"), Some(Tone::Lost));
        assert_eq!(tone("filtered: method"), Some(Tone::LeftOut));
        let one = rows().next().unwrap();
        assert_eq!(one.groups[0].examples[0].request, "GET /a");
        assert_eq!(one.groups[0].reason.as_deref(), Some("because <b>"));
    }
}
