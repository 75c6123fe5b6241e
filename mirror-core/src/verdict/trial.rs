//! One judged request: which of its answers is the odd one, for each place and kind.

use std::collections::BTreeSet;

use crate::compare::{Comparison, Kind, Observation, Severity};
use crate::noise::{Explained, is_derived};
use crate::time::Timestamp;

use super::cache::CacheHits;
use super::coin::Coin;
use super::group::{Group, GroupKey, Groups};
use super::latency::AnswerDurations;
use super::recent::{Numbered, Recent};

/// How a second answer differs from a first one, as production's does from the candidate's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Differences<'a> {
    /// What counts: at places that are not known to vary, or beyond the way in which they vary.
    pub left: &'a [Observation],
    /// What only the first answer shows at places that vary, by the same rules.
    pub against: &'a [Observation],
    /// What noise explains.
    pub varying: &'a [Observation],
    /// What of it tosses no coin.
    pub restless: &'a [GroupKey],
    /// There are more than are told apart, so that what is not among them may differ or not.
    pub is_cut: bool,
}

impl<'a> From<&'a Comparison> for Differences<'a> {
    fn from(comparison: &'a Comparison) -> Self {
        Self {
            left: &comparison.observations,
            is_cut: comparison.untold > 0,
            ..Self::default()
        }
    }
}

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

impl<'a> From<&'a Explained> for Differences<'a> {
    fn from(explained: &'a Explained) -> Self {
        Self {
            left: &explained.left,
            against: &explained.against,
            varying: &explained.varying,
            restless: &explained.restless,
            is_cut: false,
        }
    }
}

impl<'a> Differences<'a> {
    /// All in which the second answer differs, explained or not.
    fn all(&self) -> impl Iterator<Item = &'a Observation> {
        self.left.iter().chain(self.varying)
    }

    /// Those that toss a coin.
    fn tossed(&self) -> impl Iterator<Item = &'a Observation> {
        let restless = self.restless;
        let is_restless = move |one: &Observation| {
            let mut keys = restless.iter();
            keys.any(|(place, kind)| *kind == one.kind && *place == one.place)
        };
        let varying = self.varying.iter().filter(move |one| !is_restless(one));
        self.left.iter().chain(varying).filter(|one| is_tossed(one))
    }

    fn find(&self, key: &GroupKey) -> Option<&'a Observation> {
        self.all()
            .find(|one| one.kind == key.1 && one.place == key.0)
    }

    fn has(&self, key: &GroupKey) -> Presence {
        match self.find(key) {
            Some(_) => Presence::There,
            None if self.is_cut => Presence::Unknown,
            None => Presence::Absent,
        }
    }

    /// Whichever of the two answers it is that shows it, or has what the other has not.
    fn has_either_way(&self, key: &GroupKey) -> Presence {
        let is_against = self
            .against
            .iter()
            .any(|one| one.kind == key.1 && one.place == key.0);
        match (self.has(key), turned(key.1)) {
            (Presence::Absent, _) if is_against => Presence::There,
            (Presence::Absent, Some(kind)) => self.has(&(key.0.clone(), kind)),
            (presence, _) => presence,
        }
    }

    /// Of what differs more than the place is known to. A difference of distribution is none by itself: each pair of values that are
    /// not the same is one, and only their shares say something.
    pub(super) fn severities(&self) -> impl Iterator<Item = Severity> + 'a {
        let differing = self
            .left
            .iter()
            .filter(|one| one.kind != Kind::Distribution);
        differing.map(|one| one.severity())
    }

    fn classes(&self, key: &GroupKey) -> Classes<'a> {
        let mut all = self
            .all()
            .filter(|one| one.kind == key.1 && one.place == key.0);
        match (all.next(), all.next()) {
            (None, _) if self.is_cut => Classes::Unknown,
            (None, _) => Classes::Productions,
            (Some(one), None) if has_classes(one) => Classes::Of(one),
            _ => Classes::Unknown,
        }
    }

    /// Whether they differ in more than what a reader ignores.
    fn matters(&self) -> bool {
        let mut all = self.severities();
        all.any(|severity| severity <= Severity::Value)
    }
}

/// The class of values that an answer has at a place that varies.
enum Classes<'a> {
    Of(&'a Observation),
    /// It has production's.
    Productions,
    Unknown,
}

/// Whether two answers differ in a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    There,
    Absent,
    Unknown,
}

fn key(one: &Observation) -> GroupKey {
    (one.place.clone(), one.kind)
}

/// The same difference with the sides exchanged, where that is another kind.
fn turned(kind: Kind) -> Option<Kind> {
    match kind {
        Kind::Missing => Some(Kind::Added),
        Kind::Added => Some(Kind::Missing),
        _ => None,
    }
}

/// Whether it names the class of values that each side has. Several values at one place (a list's elements) are shown by the first only.
fn has_classes(one: &Observation) -> bool {
    one.count == 1 && one.kind == Kind::Distribution
}

/// What tosses the coin of its group. Of a distribution only the shares of the values say something.
fn is_tossed(one: &Observation) -> bool {
    one.kind != Kind::Distribution
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
            table.shows(&key(one));
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
            groups.explains(&key(one));
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
        let derived = |list: &'_ [Observation]| -> BTreeSet<GroupKey> {
            list.iter()
                .filter(|one| is_derived(one.kind))
                .map(key)
                .collect()
        };
        let (ours, theirs) = (
            derived(self.candidate.left),
            derived(self.candidate.against),
        );
        let sides = [
            (self.candidate.left, &theirs, Coin::CANDIDATE_ODD),
            (self.candidate.against, &ours, Coin::OTHER_ODD),
        ];
        for (list, others, coin) in sides {
            for one in list.iter().filter(|one| is_derived(one.kind)) {
                let key = key(one);
                let (severity, is_odd) = (one.severity(), !others.contains(&key));
                if has_classes(one) {
                    // It names the values of both sides, and is a toss for each.
                    let group = table.groups.entry(&key, severity);
                    group.alone.add_ranked(&one.mirror, &one.production);
                } else if is_tossed(one) && is_odd {
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
    fn shows(&mut self, key: &GroupKey) {
        let Some((recent, exchange)) = &mut self.recent else {
            return;
        };
        if let (Some(gap), Some(group)) = (recent.gap(*exchange, key), self.groups.find_mut(key)) {
            group.gaps.add(gap);
        }
    }
}

/// A way to differ, and the same with the sides exchanged. What is there now and then is missing on one side or on the other, and
/// each alone would not be a fair coin: of three answers, two have it more often than one.
fn both_ways(one: &Observation) -> impl Iterator<Item = (GroupKey, Severity)> {
    let kinds = [one.kind].into_iter().chain(turned(one.kind));
    kinds.map(|kind| ((one.place.clone(), kind), kind.severity_at(&one.place)))
}

#[cfg(test)]
mod tests {
    use super::super::spread::Spread;
    use super::*;
    use crate::compare::Place;

    fn observation(kind: Kind, production: &str, mirror: &str) -> Observation {
        Observation {
            place: Place::Json("/a".into()),
            kind,
            count: 1,
            production: production.into(),
            mirror: mirror.into(),
        }
    }

    fn differences(left: &[Observation]) -> Differences<'_> {
        Differences {
            left,
            ..Differences::default()
        }
    }

    fn trial<'a>(candidate: Differences<'a>) -> Trial<'a> {
        Trial {
            route: "GET /",
            at: Timestamp(1),
            request: None,
            production_status: 200,
            candidate_status: 200,
            candidate,
            control: None,
            repeat: None,
            durations: AnswerDurations::default(),
            cache: CacheHits::default(),
        }
    }

    /// The tosses of the group of `kind`, as (n, k).
    fn tosses(trial: &Trial<'_>, kind: Kind) -> (u64, u64) {
        let mut groups = Groups::default();
        trial.toss(&mut groups, &mut Recent::default());
        let group = groups.find(&(Place::Json("/a".into()), kind));
        let coin = group.map(|group| group.coin()).unwrap_or_default();
        (coin.n, coin.k)
    }

    #[test]
    fn exactly_one_of_candidate_and_control_that_differs_is_the_odd_one() {
        let one = [observation(Kind::Value, "old", "new")];
        let check = |candidate: Differences<'_>, control: Differences<'_>, expect: (u64, u64)| {
            let trial = Trial {
                control: Some(Control {
                    status: 200,
                    differences: control,
                }),
                ..trial(candidate)
            };
            assert_eq!(tosses(&trial, Kind::Value), expect, "{trial:?}");
        };
        let (none, some) = (differences(&[]), differences(&one));
        check(some, none, (1, 1));
        check(none, some, (1, 0));
        check(some, some, (0, 0));
        check(none, none, (0, 0));
        // What noise explains differs as well.
        let explained = Differences {
            varying: &one,
            ..none
        };
        check(explained, none, (1, 1));
        check(some, explained, (0, 0));
        // The control may differ there or not: it says nothing.
        let cut = Differences {
            is_cut: true,
            ..none
        };
        check(some, cut, (0, 0));
    }

    #[test]
    fn a_repeat_that_is_like_exactly_one_of_two_answers_says_which_is_the_odd_one() {
        let one = [observation(Kind::Value, "old", "new")];
        let check = |to_candidate: &[Observation], to_production: &[Observation], expect| {
            let trial = Trial {
                repeat: Some(Repeat {
                    to_candidate: differences(to_candidate),
                    to_production: differences(to_production),
                }),
                ..trial(differences(&one))
            };
            assert_eq!(tosses(&trial, Kind::Value), expect, "{trial:?}");
        };
        check(&[], &one, (1, 1));
        check(&one, &[], (1, 0));
        check(&one, &one, (0, 0));
        check(&[], &[], (0, 0));
    }

    #[test]
    fn what_is_there_now_and_then_has_one_coin_for_both_ways() {
        let added = [observation(Kind::Added, "(absent)", "x")];
        let missing = [observation(Kind::Missing, "x", "(absent)")];
        let trial = Trial {
            repeat: Some(Repeat {
                to_candidate: differences(&missing),
                to_production: differences(&[]),
            }),
            ..trial(differences(&added))
        };
        assert_eq!(tosses(&trial, Kind::Added), (1, 0));
        assert_eq!(tosses(&trial, Kind::Missing), (1, 0));
    }

    #[test]
    fn what_varies_in_many_answers_tosses_no_coin() {
        let one: &'static [Observation] = vec![observation(Kind::Value, "old", "new")].leak();
        let restless: &'static [GroupKey] = vec![key(&one[0])].leak();
        let explained = |restless: &'static [GroupKey]| Differences {
            varying: one,
            restless,
            ..Differences::default()
        };
        let check = |restless: &'static [GroupKey], expect| {
            let with_control = Trial {
                control: Some(Control {
                    status: 200,
                    differences: Differences::default(),
                }),
                ..trial(explained(restless))
            };
            assert_eq!(tosses(&with_control, Kind::Value), expect);
            let with_repeat = Trial {
                repeat: Some(Repeat {
                    to_candidate: Differences::default(),
                    to_production: explained(restless),
                }),
                ..trial(explained(restless))
            };
            assert_eq!(tosses(&with_repeat, Kind::Value), expect);
        };
        check(&[], (1, 1));
        check(restless, (0, 0));
    }

    /// What the shares come to when production's class is A: of candidate and control, of production and control.
    fn spreads(candidate: &[Observation], control: &[Observation]) -> [Spread; 2] {
        let trial = Trial {
            control: Some(Control {
                status: 200,
                differences: differences(control),
            }),
            ..trial(differences(candidate))
        };
        let mut groups = Groups::default();
        trial.toss(&mut groups, &mut Recent::default());
        let key = (Place::Json("/a".into()), Kind::Distribution);
        let group = groups.find(&key);
        let spreads = group.map(|group| [group.spread.clone(), group.natural.clone()]);
        spreads.unwrap_or_default()
    }

    #[test]
    fn classes_of_values_are_compared_with_the_controls() {
        let class = |name| observation(Kind::Distribution, "A", name);
        let check = |candidate: &[Observation], control: &[Observation], expect: [&str; 2]| {
            let expected = expect.map(|pair| {
                let mut spread = Spread::default();
                if let Some((ours, theirs)) = pair.split_once(' ') {
                    spread.add(ours, theirs);
                }
                spread
            });
            assert_eq!(
                spreads(candidate, control),
                expected,
                "{candidate:?} {control:?}"
            );
        };
        check(&[class("B")], &[class("C")], ["B C", "A C"]);
        check(&[class("B")], &[], ["B A", ""]);
        check(&[], &[class("C")], ["A C", "A C"]);
        check(&[class("B")], &[class("B")], ["", "A B"]);
        // Of several elements of a list, none is the other's.
        let gone = observation(Kind::Distribution, "A", "(absent)");
        check(&[class("B"), gone.clone()], &[class("C")], ["", "A C"]);
        check(&[class("B")], &[class("C"), gone], ["", ""]);
        let twice = Observation {
            count: 2,
            ..class("B")
        };
        check(&[twice], &[class("C")], ["", "A C"]);
        // A value by itself has no share.
        check(&[observation(Kind::Value, "A", "B")], &[], ["", ""]);
    }

    #[test]
    fn what_goes_beyond_a_place_that_varies_is_tossed_between_candidate_and_production() {
        let range = |kind| [observation(kind, "1", "9")];
        let (range, clock) = (range(Kind::Range), range(Kind::Clock));
        let both = |left, against| Differences {
            left,
            against,
            ..Differences::default()
        };
        assert_eq!(tosses(&trial(both(&range, &[])), Kind::Range), (1, 1));
        assert_eq!(tosses(&trial(both(&[], &range)), Kind::Range), (1, 0));
        assert_eq!(tosses(&trial(both(&range, &range)), Kind::Range), (0, 0));
        assert_eq!(tosses(&trial(both(&range, &clock)), Kind::Range), (1, 1));
        let mut groups = Groups::default();
        trial(both(&range, &[])).toss(&mut groups, &mut Recent::default());
        let group = groups.find(&key(&range[0])).unwrap();
        assert!(group.varies(), "one alone says nothing");
    }

    #[test]
    fn what_was_found_before_noise_knew_of_it_is_noise_as_well() {
        let one = [observation(Kind::Value, "old", "new")];
        let mut groups = Groups::default();
        trial(differences(&one)).toss(&mut groups, &mut Recent::default());
        assert!(!groups.find(&key(&one[0])).unwrap().varies());
        let explained = Differences {
            varying: &one,
            ..Differences::default()
        };
        trial(explained).toss(&mut groups, &mut Recent::default());
        assert!(groups.find(&key(&one[0])).unwrap().varies());
    }

    #[test]
    fn one_toss_for_each_exchange() {
        let one = [observation(Kind::Value, "old", "new")];
        let trial = Trial {
            control: Some(Control {
                status: 200,
                differences: differences(&[]),
            }),
            repeat: Some(Repeat {
                to_candidate: differences(&[]),
                to_production: differences(&one),
            }),
            ..trial(differences(&one))
        };
        assert_eq!(tosses(&trial, Kind::Value), (1, 1));
    }
}
