//! What became of requests' effects, in counts.

use mirror_core::compare::excerpt;
use serde::{Deserialize, Serialize};

use super::status::EffectsData;

/// Longest reason that is kept.
const MAX_REASON: usize = 300;

/// What became of a mirror's announcement that it files what a request did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectsFinding<'r> {
    /// They were compared with production's.
    Compared,
    /// Nothing came.
    Missing,
    /// They could not be read.
    Failed(&'r str),
    /// They were compared as far as they are known: one side did more than it can list.
    ComparedInPart,
    /// The candidate did not announce any.
    NotAnnounced,
    /// The control announced none, so that nothing tells the candidate's from what varies by nature.
    NoControl,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct EffectsTally(EffectsData);

impl EffectsTally {
    pub(super) fn count(&mut self, finding: EffectsFinding<'_>) {
        let data = &mut self.0;
        *match finding {
            EffectsFinding::Compared => &mut data.compared,
            EffectsFinding::ComparedInPart => {
                data.compared += 1;
                &mut data.dropped
            }
            EffectsFinding::NotAnnounced => &mut data.not_announced,
            EffectsFinding::Missing => &mut data.missing,
            EffectsFinding::Failed(reason) => {
                let shown = || excerpt(reason, MAX_REASON);
                data.failure.get_or_insert_with(shown);
                &mut data.failed
            }
            EffectsFinding::NoControl => &mut data.no_control,
        } += 1;
    }

    pub(super) fn merge(&mut self, other: Self) {
        // Named one by one, so that a new one is not forgotten.
        let EffectsData {
            compared,
            missing,
            failed,
            failure,
            dropped,
            not_announced,
            no_control,
        } = other.0;
        let ours = &mut self.0;
        ours.compared += compared;
        ours.missing += missing;
        ours.failed += failed;
        ours.failure = ours.failure.take().or(failure);
        ours.dropped += dropped;
        ours.not_announced += not_announced;
        ours.no_control += no_control;
    }

    /// `None` when no mirror announced any.
    pub(super) fn data(&self) -> Option<EffectsData> {
        let silent = EffectsData {
            not_announced: self.0.not_announced,
            ..EffectsData::default()
        };
        (self.0 != silent).then(|| self.0.clone())
    }
}

impl EffectsData {
    /// Each count with its name.
    pub fn counts(&self) -> [(&'static str, u64); 6] {
        [
            ("compared", self.compared),
            ("missing", self.missing),
            ("failed", self.failed),
            ("dropped", self.dropped),
            ("not announced", self.not_announced),
            ("no control", self.no_control),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CaptureCounters, Recorder, RunInfo};
    use super::super::{Extent, report_text};
    use super::*;

    #[test]
    fn every_count_of_two_agents_adds_up() {
        let mut both = EffectsTally::default();
        let all = [
            EffectsFinding::Compared,
            EffectsFinding::ComparedInPart,
            EffectsFinding::Missing,
            EffectsFinding::Failed("reset"),
            EffectsFinding::NotAnnounced,
            EffectsFinding::NoControl,
        ];
        for finding in all {
            both.count(finding);
        }
        let one = both.data().unwrap();
        both.merge(both.clone());
        let sum = both.data().unwrap();
        for ((name, count), (_, once)) in sum.counts().into_iter().zip(one.counts()) {
            assert!(once > 0 && count == 2 * once, "{name}");
        }
        assert_eq!(sum.no_control, 2);
    }

    #[test]
    fn effects_are_told_where_a_mirror_announced_some() {
        let recorder = Recorder::new(RunInfo::default());
        let told = |recorder: &Recorder| {
            let text = report_text(
                &recorder.finish(CaptureCounters::default()),
                Extent::Screen,
                None,
            );
            let lines = text.lines().filter(|line| line.starts_with("effects"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(told(&recorder), Vec::<String>::new());
        // A mirror that never does is one without effects.
        recorder.effects(EffectsFinding::NotAnnounced);
        assert_eq!(told(&recorder), Vec::<String>::new());
        recorder.effects(EffectsFinding::Missing);
        let lines = told(&recorder);
        assert_eq!(lines[0], "effects: compared 0, missing 1, not announced 1");
        assert!(lines[1].contains("x-mirror-effects"), "{lines:?}");
        for _ in 0..2 {
            recorder.effects(EffectsFinding::Compared);
            recorder.effects(EffectsFinding::Failed("no\u{1b} connection"));
        }
        recorder.effects(EffectsFinding::ComparedInPart);
        recorder.effects(EffectsFinding::NoControl);
        let lines = told(&recorder);
        let expect = [
            "effects: compared 3, missing 1, failed 2, dropped 1, not announced 1, no control 1",
            "effects: the first failure: no\\u{1b} connection",
        ];
        assert_eq!(lines[..2], expect);
        assert!(lines[2].contains("more than it can list"), "{lines:?}");
        assert!(lines[3].contains("x-mirror-effects"), "{lines:?}");
        assert!(lines[4].contains("--control"), "{lines:?}");
    }
}
