//! One judged request: which of its answers is the odd one, for each place and kind.

use crate::compare::{Comparison, Kind, Observation};
use crate::time::Timestamp;

use super::cache::CacheHits;
use super::coin::Coin;
use super::group::{GroupKey, Groups};
use super::latency::AnswerTimes;
use super::severity::Severity;

/// Repeats for each group after which it is left to the common share of repeats.
pub(super) const MAX_ASKED: u64 = 64;

/// How two answers differ.
#[derive(Clone, Copy, Debug, Default)]
pub struct Differences<'a> {
    pub observations: &'a [Observation],
    /// There are more than `observations` tells apart, so that what is not among them may differ or not.
    pub is_cut: bool,
}

impl<'a> From<&'a Comparison> for Differences<'a> {
    fn from(comparison: &'a Comparison) -> Self {
        Self {
            observations: &comparison.observations,
            is_cut: comparison.untold > 0,
        }
    }
}

/// A judged request, and all that its answers came to.
///
/// Where noise explains differences away, the candidate's and the control's have to be explained by the same state of knowledge, before
/// anything is learnt from either: otherwise the one that is explained later looks more regular, and the coin is not fair.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// As in `GET /users/{id}`.
    pub route: &'a str,
    pub at: Timestamp,
    pub production_status: u16,
    pub candidate_status: u16,
    /// Production against the candidate: what counts.
    pub candidate: Differences<'a>,
    /// Production against the candidate: what noise explains. Their values are still compared with the control's.
    pub explained: &'a [Observation],
    pub control: Option<Control<'a>>,
    pub repeat: Option<Repeat<'a>>,
    /// Of the candidate's first answer, never of a repeat.
    pub times: AnswerTimes,
    pub cache: CacheHits,
}

/// The old version's answer to the same request, sent at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Control<'a> {
    pub status: u16,
    /// Production against the control.
    pub differences: Differences<'a>,
    pub explained: &'a [Observation],
}

/// The candidate's answer to the same request, sent a second time.
#[derive(Clone, Copy, Debug)]
pub struct Repeat<'a> {
    /// The candidate's first answer against its second.
    pub to_candidate: Differences<'a>,
    /// Production against the candidate's second answer.
    pub to_production: Differences<'a>,
}

impl<'a> Differences<'a> {
    fn has(&self, key: &GroupKey) -> Presence {
        let mut all = self.observations.iter();
        match all.any(|one| one.place == key.0 && one.kind == key.1) {
            true => Presence::There,
            false if self.is_cut => Presence::Unknown,
            false => Presence::Absent,
        }
    }

    /// Also the other way round: what one side has and the other has not.
    fn has_either_way(&self, key: &GroupKey) -> Presence {
        match (self.has(key), turned(key.1)) {
            (Presence::Absent, Some(kind)) => self.has(&(key.0.clone(), kind)),
            (presence, _) => presence,
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = GroupKey> + 'a {
        let all = self.observations.iter();
        all.map(|one| (one.place.clone(), one.kind))
    }

    pub(super) fn severities(&self) -> impl Iterator<Item = Severity> + 'a {
        self.observations.iter().map(Severity::of)
    }

    /// Whether they differ in more than what a reader ignores.
    fn matters(&self) -> bool {
        self.severities()
            .any(|severity| severity <= Severity::Value)
    }
}

/// Whether two answers differ in a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    There,
    Absent,
    Unknown,
}

/// The same difference with the sides exchanged, where that is another kind.
fn turned(kind: Kind) -> Option<Kind> {
    match kind {
        Kind::Missing => Some(Kind::Added),
        Kind::Added => Some(Kind::Missing),
        _ => None,
    }
}

impl Trial<'_> {
    /// Whether two answers of one version differ; none if there are no two.
    pub(super) fn same_version_differs(&self) -> Option<bool> {
        match (&self.control, &self.repeat) {
            (Some(control), _) => Some(control.differences.matters()),
            (None, Some(repeat)) => Some(repeat.to_candidate.matters()),
            (None, None) => None,
        }
    }

    /// Counts how the candidate differs, and tosses a coin for each way of differing that says which answer is the odd one.
    pub(super) fn toss(&self, groups: &mut Groups) {
        for one in self.candidate.observations {
            let group = groups.entry(&(one.place.clone(), one.kind), Severity::of(one));
            group.differed += 1;
            group.asked += u64::from(self.control.is_some() || self.repeat.is_some());
            group.last = group.last.max(self.at);
        }
        match (&self.control, &self.repeat) {
            // One toss for each exchange: with four answers a second one would not be independent of the first.
            (Some(control), _) => {
                self.toss_with_control(control, groups);
                self.compare_values(control, groups);
            }
            (None, Some(repeat)) => self.toss_with_repeat(repeat, groups),
            (None, None) => {}
        }
    }

    fn toss_with_control(&self, control: &Control<'_>, groups: &mut Groups) {
        for one in self.candidate.observations {
            let key = (one.place.clone(), one.kind);
            if control.differences.has(&key) == Presence::Absent {
                groups.entry(&key, Severity::of(one)).control += Coin::CANDIDATE_ODD;
            }
        }
        for one in control.differences.observations {
            let key = (one.place.clone(), one.kind);
            let group = groups.entry(&key, Severity::of(one));
            group.varied += 1;
            group.last = group.last.max(self.at);
            if self.candidate.has(&key) == Presence::Absent {
                group.control += Coin::OTHER_ODD;
            }
        }
    }

    /// For values of which both are known: where one of two does not differ, it has production's.
    fn compare_values(&self, control: &Control<'_>, groups: &mut Groups) {
        let ours = [self.candidate.observations, self.explained];
        let theirs = [control.differences.observations, control.explained];
        let find = |lists: &[&[Observation]; 2], key: &GroupKey| {
            let mut all = lists.iter().flat_map(|list| list.iter());
            all.find(|one| one.place == key.0 && one.kind == key.1)
                .cloned()
        };
        for one in ours
            .iter()
            .flat_map(|list| list.iter())
            .filter(|one| is_single_value(one))
        {
            let key = (one.place.clone(), one.kind);
            let other = find(&theirs, &key);
            let other = other
                .as_ref()
                .map_or(&one.production, |other| &other.mirror);
            groups
                .entry(&key, Severity::of(one))
                .spread
                .add(&one.mirror, other);
        }
        for one in theirs
            .iter()
            .flat_map(|list| list.iter())
            .filter(|one| is_single_value(one))
        {
            let key = (one.place.clone(), one.kind);
            if find(&ours, &key).is_none() {
                groups
                    .entry(&key, Severity::of(one))
                    .spread
                    .add(&one.production, &one.mirror);
            }
        }
    }

    fn toss_with_repeat(&self, repeat: &Repeat<'_>, groups: &mut Groups) {
        for one in self.candidate.observations {
            let key = (one.place.clone(), one.kind);
            let to_production = repeat.to_production.has_either_way(&key);
            let to_candidate = repeat.to_candidate.has_either_way(&key);
            let coin = match (to_production, to_candidate) {
                (Presence::There, Presence::Absent) => Coin::CANDIDATE_ODD,
                (Presence::Absent, Presence::There) => Coin::OTHER_ODD,
                _ => continue,
            };
            groups.entry(&key, Severity::of(one)).repeat += coin;
            // What is there now and then is missing on one side or on the other. Each alone would not be a fair coin: of
            // three answers, two have it more often than one.
            if let Some(kind) = turned(one.kind) {
                let severity = Severity::of(&Observation {
                    kind,
                    ..one.clone()
                });
                groups.entry(&(one.place.clone(), kind), severity).repeat += coin;
            }
        }
        for one in repeat.to_candidate.observations {
            let group = groups.entry(&(one.place.clone(), one.kind), Severity::of(one));
            group.varied += 1;
            group.last = group.last.max(self.at);
            if let Some(kind) = turned(one.kind) {
                let severity = Severity::of(&Observation {
                    kind,
                    ..one.clone()
                });
                groups.entry(&(one.place.clone(), kind), severity).varied += 1;
            }
        }
    }
}

/// Several values at one place (a list's elements) are shown by the first only.
fn is_single_value(one: &Observation) -> bool {
    one.kind == Kind::Value && one.count == 1
}
