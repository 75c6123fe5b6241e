//! One judged request: which of its answers is the odd one, for each place and kind.

use std::collections::BTreeSet;

use crate::compare::{Kind, Observation, Severity};
use crate::noise::{HIGHER, is_derived};
use crate::time::Timestamp;

use super::cache::CacheHits;
use super::coin::Coin;
use super::differences::{Classes, Differences, Presence, has_classes, key, turned};
use super::group::{Group, GroupKey, Groups};
use super::latency::AnswerDurations;
use super::recent::{Numbered, Recent};

/// A judged request, and all that its answers came to.
///
/// All pairs of its answers have to be explained by the same state of knowledge, before anything is learnt from one of them: otherwise
/// the answer that is explained later looks more regular, and the coin is not fair.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// As in `GET /users/{id}`.
    pub route: &'a str,
    pub at: Timestamp,
    pub production_status: u16,
    pub candidate_status: u16,
    /// A digest of the request. Those of one digest may be answered from one entry of a cache, so that they hang together; without one
    /// the request is like no other.
    pub request: Option<u64>,
    /// Production against the candidate.
    pub candidate: Differences<'a>,
    pub control: Option<Control<'a>>,
    pub repeat: Option<Repeat<'a>>,
    /// Of the candidate's first answer, never of a repeat.
    pub durations: AnswerDurations,
    pub cache: CacheHits,
}

/// The old version's answer to the same request, sent at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Control<'a> {
    pub status: u16,
    /// Production against the control.
    pub differences: Differences<'a>,
}

/// The candidate's answer to the same request, sent a second time.
#[derive(Clone, Copy, Debug)]
pub struct Repeat<'a> {
    /// The candidate's first answer against its second.
    pub to_candidate: Differences<'a>,
    /// Production against the candidate's second answer.
    pub to_production: Differences<'a>,
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

    /// Counts how the candidate differs, and tosses a coin for each way of differing that says which answer is the odd one: one toss
    /// for each exchange, because with four answers a second one would not be independent of the first.
    pub(super) fn toss(&self, groups: &mut Groups, recent: &mut Recent) {
        let numbered = self
            .request
            .and_then(|request| recent.number(request, self.at));
        let mut table = Table {
            groups,
            recent: numbered.map(|exchange| (recent, exchange)),
        };
        self.count(table.groups);
        match &self.control {
            Some(control) => {
                self.toss_with_control(&control.differences, &mut table);
                self.compare_values(&control.differences, table.groups);
            }
            None => {
                if let Some(repeat) = &self.repeat {
                    self.toss_with_repeat(repeat, &mut table);
                }
                self.toss_with_production(&mut table);
            }
        }
        for one in self.candidate.all() {
            table.shows(one);
        }
    }

    /// Counts how the candidate differs.
    fn count(&self, groups: &mut Groups) {
        let is_asked = self.control.is_some() || self.repeat.is_some();
        for one in self.candidate.left {
            let group = groups.entry(&key(one), one.severity());
            group.differed += 1;
            group.asked += u64::from(is_asked || is_derived(one.kind));
            // The place varies, or there would be nothing to go beyond.
            group.varied += u64::from(is_derived(one.kind));
            group.last = group.last.max(self.at);
        }
        for one in self.candidate.varying {
            groups.explains(&key(one), self.candidate.is_restless(one));
        }
    }

    fn toss_with_control(&self, control: &Differences<'_>, table: &mut Table<'_>) {
        for one in self.candidate.tossed() {
            let key = key(one);
            if control.has(&key) == Presence::Absent {
                let coin = Coin::CANDIDATE_ODD;
                table.toss(&key, one.severity(), coin).control += coin;
                self.count_explained(one, table.groups);
            }
        }
        for one in control.tossed() {
            let key = key(one);
            if self.candidate.has(&key) == Presence::Absent {
                let coin = Coin::OTHER_ODD;
                table.toss(&key, one.severity(), coin).control += coin;
            }
        }
        for one in control.left {
            let group = table.groups.entry(&key(one), one.severity());
            group.varied += 1;
            group.last = group.last.max(self.at);
        }
    }

    fn count_explained(&self, one: &Observation, groups: &mut Groups) {
        let is_same = |left: &Observation| left.kind == one.kind && left.place == one.place;
        let is_left = self.candidate.left.iter().any(is_same);
        let group = groups.entry(&key(one), one.severity());
        group.explained += u64::from(!is_left);
    }

    /// Compares the classes of values that candidate and control have, and those of production and control. Where one of them does not
    /// differ from production, it has production's. Where one of them has several, as of a list's elements, they are no pair.
    fn compare_values(&self, control: &Differences<'_>, groups: &mut Groups) {
        let all = self.candidate.all().chain(control.all());
        let of_classes = all.filter(|one| one.kind == Kind::Distribution);
        let keys: BTreeSet<(GroupKey, Severity)> =
            of_classes.map(|one| (key(one), one.severity())).collect();
        for (key, severity) in keys {
            let theirs = control.classes(&key);
            if let Classes::Of(theirs) = theirs {
                let natural = &mut groups.entry(&key, severity).natural;
                natural.add(&theirs.production, &theirs.mirror);
            }
            let pair = match (self.candidate.classes(&key), theirs) {
                (Classes::Of(ours), Classes::Of(theirs)) => (&ours.mirror, &theirs.mirror),
                (Classes::Of(ours), Classes::Productions) => (&ours.mirror, &ours.production),
                (Classes::Productions, Classes::Of(theirs)) => (&theirs.production, &theirs.mirror),
                _ => continue,
            };
            groups.entry(&key, severity).spread.add(pair.0, pair.1);
        }
    }

    fn toss_with_repeat(&self, repeat: &Repeat<'_>, table: &mut Table<'_>) {
        let mut done = BTreeSet::new();
        let either_way = self.candidate.tossed().chain(self.candidate.against);
        for one in either_way.filter(|one| !is_derived(one.kind)) {
            let key = key(one);
            if !done.insert(key.clone()) {
                continue;
            }
            let to_production = repeat.to_production.has_either_way(&key);
            let to_candidate = repeat.to_candidate.has_either_way(&key);
            let coin = match (to_production, to_candidate) {
                (Presence::There, Presence::Absent) => Coin::CANDIDATE_ODD,
                (Presence::Absent, Presence::There) => Coin::OTHER_ODD,
                _ => continue,
            };
            for (key, severity) in both_ways(one) {
                table.toss(&key, severity, coin).repeat += coin;
            }
            self.count_explained(one, table.groups);
        }
        for one in repeat.to_candidate.left {
            for (key, severity) in both_ways(one) {
                let group = table.groups.entry(&key, severity);
                group.varied += 1;
                group.last = group.last.max(self.at);
            }
        }
    }

    /// For what goes beyond the way in which a place varies: does the candidate show it, or production?
    fn toss_with_production(&self, table: &mut Table<'_>) {
        let candidate = &self.candidate;
        let is_tossed = |one: &&Observation| is_derived(one.kind) && candidate.is_tossed(one);
        let ours: BTreeSet<GroupKey> = candidate.left.iter().filter(is_tossed).map(key).collect();
        let theirs = candidate.against.iter().filter(|one| is_derived(one.kind));
        let theirs: BTreeSet<GroupKey> = theirs.map(key).collect();
        let sides = [
            (self.candidate.left, &theirs, Coin::CANDIDATE_ODD),
            (self.candidate.against, &ours, Coin::OTHER_ODD),
        ];
        for (list, others, coin) in sides {
            for one in list.iter().filter(|one| is_derived(one.kind)) {
                let key = key(one);
                let (severity, is_odd) = (one.severity(), !others.contains(&key));
                let is_ours = coin == Coin::CANDIDATE_ODD;
                if is_ours && has_classes(one) {
                    // It names the values of both sides, and is a toss for each.
                    let group = table.groups.entry(&key, severity);
                    group.alone.add_ranked(&one.mirror, &one.production);
                }
                if is_odd && (!is_ours || candidate.is_tossed(one)) {
                    table.toss(&key, severity, coin).repeat += coin;
                }
            }
        }
    }
}

/// Where tosses are counted: the groups of a route, and what is known of the request where it is told apart.
struct Table<'t> {
    groups: &'t mut Groups,
    recent: Option<(&'t mut Recent, Numbered)>,
}

impl Table<'_> {
    /// The group of a toss, in which it is counted if it is apart from others.
    fn toss(&mut self, key: &GroupKey, severity: Severity, coin: Coin) -> &mut Group {
        let recent = self.recent.as_mut();
        let is_apart = recent.is_none_or(|(recent, exchange)| recent.is_apart(*exchange, key));
        let group = self.groups.entry(key, severity);
        if is_apart {
            group.apart += coin;
        }
        group
    }

    /// The candidate differs so.
    fn shows(&mut self, one: &Observation) {
        let Some((recent, exchange)) = &mut self.recent else {
            return;
        };
        let key = key(one);
        let again = recent.shows(*exchange, &key, &one.production);
        if let Some(group) = self.groups.find_mut(&key) {
            again.gap.into_iter().for_each(|gap| group.gaps.add(gap));
            let is_ahead = again.counts_seconds && is_ahead(one);
            let step = again.step.into_iter();
            step.for_each(|step| group.steps.add(step, is_ahead, one.mirror == HIGHER));
        }
    }
}

/// Whether the candidate's number is above production's by one or less, as what counts seconds is in a later answer.
fn is_ahead(one: &Observation) -> bool {
    let numbers = (one.production.parse::<f64>(), one.mirror.parse::<f64>());
    matches!(numbers, (Ok(ours), Ok(theirs)) if theirs > ours && theirs - ours <= 1.0)
}

/// A way to differ, and the same with the sides exchanged. What is there now and then is missing on one side or on the other, and
/// each alone would not be a fair coin: of three answers, two have it more often than one.
fn both_ways(one: &Observation) -> impl Iterator<Item = (GroupKey, Severity)> {
    let kinds = [one.kind].into_iter().chain(turned(one.kind));
    kinds.map(|kind| ((one.place.clone(), kind), kind.severity_at(&one.place)))
}

#[cfg(test)]
mod tests;
