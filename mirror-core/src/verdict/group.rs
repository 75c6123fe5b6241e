//! What is known of one way to differ: a place and a kind on a route.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::compare::{Kind, Place};
use crate::noise::Maps;
use crate::time::Timestamp;

use super::coin::Coin;
use super::recent::{Gaps, Steps};
use super::spread::Spread;
use crate::compare::Severity;

/// Groups that are kept for each route.
const MAX_GROUPS: usize = 64;
/// Groups beyond these until some are let go.
const SLACK: usize = 16;
/// Exchanges that have to be asked before a place is believed to vary by nature though few of the answers did.
const ENOUGH_ASKED: u64 = 5;

/// The coin finds most changes; the spread finds those that it cannot find.
const COIN_WEIGHT: f64 = 0.875;

/// Place and kind.
pub type GroupKey = (Place, Kind);

/// Counts of one group. They add up in any order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub severity: Severity,
    /// Judged exchanges in which production and candidate differ so.
    pub differed: u64,
    /// Exchanges in which they differ so as well, with a toss, but noise explains it.
    pub explained: u64,
    /// Exchanges among `differed` with a control or a repeat.
    pub asked: u64,
    /// Exchanges in which two answers of the same version differ so.
    pub varied: u64,
    /// Tosses between the candidate and a control.
    pub control: Coin,
    /// Tosses between the candidate and production, by a repeat.
    pub repeat: Coin,
    /// Of all these, at most one for each request and minute.
    pub apart: Coin,
    /// Exchanges in which noise explains it, where a place that varies so often tosses no coin, and others.
    pub restless: u64,
    pub calm: u64,
    /// Whether tosses hang together.
    pub gaps: Gaps,
    /// Whether the time makes production's value another one.
    pub steps: Steps,
    /// Which values it is that differ between candidate and control.
    pub spread: Spread,
    /// The same between production and control, which run the same code.
    pub natural: Spread,
    /// The same between candidate and production, where there is no control.
    pub alone: Spread,
    /// When it was seen last.
    pub last: Timestamp,
}

impl Group {
    pub fn new(severity: Severity) -> Self {
        Self {
            severity,
            differed: 0,
            explained: 0,
            asked: 0,
            varied: 0,
            control: Coin::default(),
            repeat: Coin::default(),
            apart: Coin::default(),
            restless: 0,
            calm: 0,
            gaps: Gaps::default(),
            steps: Steps::default(),
            spread: Spread::default(),
            natural: Spread::default(),
            alone: Spread::default(),
            last: Timestamp::default(),
        }
    }

    fn forget_tosses(&mut self) {
        *self = Self {
            differed: self.differed,
            explained: self.explained,
            asked: self.asked,
            varied: self.varied,
            last: self.last,
            ..Self::new(self.severity)
        };
    }

    /// All tosses that count. An exchange has one at most.
    pub fn coin(&self) -> Coin {
        let is_alone = self.control.n == 0;
        if is_alone && self.is_of_time() {
            return Coin::default();
        }
        if self.gaps.hang_together() {
            return self.apart;
        }
        let mut coin = self.control;
        coin += self.repeat;
        coin
    }

    /// Whether the moment decides what is there, so that candidate and repeat are alike because they are of one moment, or of one
    /// cache: production's own value goes on with the time, or turned out to vary so often that it tosses no coin any more.
    fn is_of_time(&self) -> bool {
        self.restless > self.calm || self.steps.are_those_of_time()
    }

    /// What the values say: of candidate and control, unless production and control say as much, or of candidate and production; none
    /// if it is to be left aside.
    fn values(&self) -> Option<Cow<'_, Spread>> {
        if self.gaps.hang_together() || self.steps.are_in_runs() || self.natural.is_skewed() {
            return None;
        }
        Some(match self.spread.is_empty() {
            true => Cow::Owned(self.alone.without_ranks()),
            false => Cow::Borrowed(&self.spread),
        })
    }

    /// Whether numbers are larger, or smaller, than production's, without a control to tell the code from the machine.
    pub fn has_other_numbers(&self, ln_threshold: f64) -> bool {
        !self.gaps.hang_together() && self.alone.ln_e_of_ranks() >= ln_threshold
    }

    /// Of so many requests with a control, and without: at least this share has other values.
    pub fn values_at_least(&self, (controlled, alone): (u64, u64), alpha: f64) -> f64 {
        let Some(values) = self.values() else {
            return 0.0;
        };
        let requests = match self.spread.is_empty() {
            true => alone,
            false => controlled,
        };
        values.excess(requests, alpha)
    }

    /// The logarithm of the e-value against "nothing but chance": the weighted mean of the coin's and the values', which is an
    /// e-value however the two depend on each other. Values that are left aside have lost their stake.
    pub fn ln_e(&self) -> f64 {
        let coin = self.coin().ln_e();
        let spread = self
            .values()
            .map_or(f64::NEG_INFINITY, |values| values.ln_e());
        let (high, low) = (COIN_WEIGHT.ln() + coin, (1.0 - COIN_WEIGHT).ln() + spread);
        let (high, low) = (high.max(low), high.min(low));
        high + (low - high).exp().ln_1p()
    }

    /// How many more informative exchanges it takes until the e-value reaches e^`ln_threshold`, if the candidate is the odd one in all of them.
    pub fn needed(&self, ln_threshold: f64) -> Option<u64> {
        self.coin().needed(ln_threshold - COIN_WEIGHT.ln())
    }

    /// Exchanges in which they differ so, explained or not.
    pub fn seen(&self) -> u64 {
        self.differed + self.explained
    }

    /// Whether it stands in the way of a PASS by itself while it is undecided: others are counted in the bounds of their route.
    pub fn is_open(&self) -> bool {
        self.is_unsteady() || self.varies()
    }

    /// Whether it is this way of differing that the tosses are about: what is missing has one coin with what is added.
    pub fn is_own(&self) -> bool {
        let seen = self.seen();
        let is_tossed = self.control.n > 0 || self.has_values();
        is_tossed || (seen > 0 && seen * 2 >= self.repeat.k)
    }

    /// Whether anything was learnt that a test can count.
    pub fn is_informative(&self) -> bool {
        self.coin().n > 0 || self.has_values()
    }

    pub(super) fn has_values(&self) -> bool {
        !self.spread.is_empty() || !self.alone.without_ranks().is_empty()
    }

    /// Whether it can only be decided by the coin: answers of one version differ so as well. A candidate that differs from its own
    /// repeat while production never does is no such place: it may be broken now and then.
    pub fn varies(&self) -> bool {
        let is_asked = self.asked >= ENOUGH_ASKED.min(self.differed);
        let is_most = self.varied * 2 >= self.asked;
        self.varied > 0 && (is_asked || is_most) && !self.is_unsteady()
    }

    /// Whether the candidate's first answer is the odd one far more often than chance has it, and its repeat is like
    /// production's: a fault that comes and goes, or a cache that was cold.
    pub fn is_unsteady(&self) -> bool {
        let tails = Coin {
            n: self.repeat.n,
            k: self.repeat.n - self.repeat.k,
        };
        tails.ln_e() >= 1_000.0_f64.ln()
    }

    /// The logarithm of the probability that a fair coin names the candidate as often, at one look.
    pub fn ln_chance(&self) -> f64 {
        self.coin().ln_chance()
    }
}

impl AddAssign<&Self> for Group {
    fn add_assign(&mut self, other: &Self) {
        self.severity = self.severity.min(other.severity);
        self.differed += other.differed;
        self.explained += other.explained;
        self.asked += other.asked;
        self.varied += other.varied;
        self.control += other.control;
        self.repeat += other.repeat;
        self.apart += other.apart;
        self.restless += other.restless;
        self.calm += other.calm;
        self.gaps += other.gaps;
        self.steps += other.steps;
        self.spread += &other.spread;
        self.natural += &other.natural;
        self.alone += &other.alone;
        self.last = self.last.max(other.last);
    }
}

/// The groups of a route: a bounded number, of which the least significant gives way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Row>", into = "Vec<Row>")]
pub struct Groups {
    groups: BTreeMap<GroupKey, Group>,
    /// What gave way.
    dropped: Dropped,
}

/// Groups that there was no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dropped {
    pub groups: u64,
    /// Exchanges that differed so, counted for each group.
    pub differed: u64,
}

impl AddAssign for Dropped {
    fn add_assign(&mut self, other: Self) {
        self.groups += other.groups;
        self.differed += other.differed;
    }
}

/// As it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Row {
    Group(Place, Kind, Box<Group>),
    Dropped(Dropped),
}

impl From<Vec<Row>> for Groups {
    fn from(rows: Vec<Row>) -> Self {
        let mut groups = Self::default();
        for row in rows {
            match row {
                Row::Group(place, kind, group) => {
                    groups.groups.insert((place, kind), *group);
                }
                Row::Dropped(dropped) => groups.dropped += dropped,
            }
        }
        groups
    }
}

impl From<Groups> for Vec<Row> {
    fn from(groups: Groups) -> Self {
        let rows = groups.groups.into_iter();
        let rows = rows.map(|((place, kind), group)| Row::Group(place, kind, Box::new(group)));
        rows.chain([Row::Dropped(groups.dropped)]).collect()
    }
}

impl Groups {
    pub fn iter(&self) -> impl Iterator<Item = (&GroupKey, &Group)> {
        self.groups.iter()
    }

    pub fn find(&self, key: &GroupKey) -> Option<&Group> {
        self.groups.get(key)
    }

    pub(super) fn find_mut(&mut self, key: &GroupKey) -> Option<&mut Group> {
        self.groups.get_mut(key)
    }

    /// Noise explains such a difference by now: what was found of it before is noise as well.
    pub(super) fn explains(&mut self, key: &GroupKey, is_restless: bool) {
        if let Some(group) = self.groups.get_mut(key) {
            group.varied += 1;
            group.restless += u64::from(is_restless);
            group.calm += u64::from(!is_restless);
        }
    }

    /// Puts together the members of maps. What their tosses came to is forgotten: many are of one exchange, and those of names that
    /// gave way before were other ones than those of names that did not.
    pub(super) fn fold_places(&mut self, maps: &Maps) {
        for ((place, kind), mut group) in std::mem::take(&mut self.groups) {
            let place = match maps.folded(&place) {
                Some(folded) => {
                    group.forget_tosses();
                    folded
                }
                None => place,
            };
            *self.entry(&(place, kind), group.severity) += &group;
        }
    }

    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// The group of `key`, which is made if there is none.
    pub(super) fn entry(&mut self, key: &GroupKey, severity: Severity) -> &mut Group {
        if !self.groups.contains_key(key) {
            // Several at once, because ranking them takes time.
            if self.groups.len() == MAX_GROUPS + SLACK {
                self.make_room(MAX_GROUPS);
            }
            self.groups.insert(key.clone(), Group::new(severity));
        }
        match self.groups.get_mut(key) {
            Some(group) => group,
            None => unreachable!("it was there, or was just inserted"),
        }
    }

    /// Lets the least significant groups go: the smallest e-value first, of equal ones the rarest, and of these the one that
    /// was not seen for the longest time. Noise has small e-values, and the smaller the longer it was watched.
    fn make_room(&mut self, most: usize) {
        let surplus = self.groups.len().saturating_sub(most);
        if surplus == 0 {
            return;
        }
        let all = self.groups.iter();
        let mut ranked: Vec<_> = all
            .map(|(key, group)| (group.ln_e(), group.differed, group.last, key.clone()))
            .collect();
        ranked.sort_by(|a, b| {
            a.0.total_cmp(&b.0)
                .then((a.1, a.2, &a.3).cmp(&(b.1, b.2, &b.3)))
        });
        for (_, differed, _, key) in ranked.into_iter().take(surplus) {
            self.groups.remove(&key);
            self.dropped += Dropped {
                groups: 1,
                differed,
            };
        }
    }
}

impl AddAssign<&Self> for Groups {
    fn add_assign(&mut self, other: &Self) {
        for (key, group) in &other.groups {
            match self.groups.get_mut(key) {
                Some(known) => *known += group,
                None => {
                    self.groups.insert(key.clone(), group.clone());
                }
            }
        }
        self.dropped += other.dropped;
        self.make_room(MAX_GROUPS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> GroupKey {
        (Place::Json(format!("/{name}")), Kind::Value)
    }

    #[test]
    fn noise_that_comes_up_all_the_time_never_pushes_a_real_group_out() {
        let mut groups = Groups::default();
        let real = key("real");
        for index in 0..20_000_u64 {
            let noise = groups.entry(&key(&index.to_string()), Severity::Value);
            noise.differed += 1;
            noise.last = Timestamp(index);
            if index % 40 == 0 {
                let group = groups.entry(&real, Severity::Value);
                group.differed += 1;
                group.repeat += Coin::CANDIDATE_ODD;
                group.last = Timestamp(index);
            }
        }
        let group = groups.find(&real).expect("it is kept");
        assert_eq!((group.differed, group.repeat.k), (500, 500));
        let kept = groups.iter().count();
        assert!(kept <= MAX_GROUPS + SLACK, "{kept}");
        let dropped = groups.dropped();
        assert_eq!(dropped.groups, 20_001 - kept as u64);
        assert_eq!(dropped.differed, dropped.groups);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut groups = Groups::default();
        for name in 0..70 {
            groups
                .entry(&key(&name.to_string()), Severity::Breaking)
                .differed += name;
        }
        let text = serde_json::to_string(&groups).unwrap();
        assert_eq!(serde_json::from_str::<Groups>(&text).unwrap(), groups);
    }

    #[test]
    fn a_place_varies_when_enough_answers_of_one_version_say_so() {
        let group = |differed, asked, varied, n, k| Group {
            differed,
            asked,
            varied,
            repeat: Coin { n, k },
            ..Group::new(Severity::Value)
        };
        assert!(!group(30, 30, 0, 30, 30).varies(), "it never did");
        assert!(!group(500, 4, 1, 3, 3).varies(), "once is too little");
        assert!(group(500, 5, 1, 2, 1).varies());
        assert!(group(4, 1, 1, 0, 0).varies(), "all that was asked");
        assert!(group(1, 1, 1, 1, 0).varies(), "there was no more to ask");
        let unsteady = group(40, 40, 40, 40, 2);
        assert!(unsteady.is_unsteady() && !unsteady.varies());
    }

    #[test]
    fn what_turned_out_to_vary_often_has_no_tosses_of_repeats() {
        let mut group = Group {
            repeat: Coin { n: 20, k: 20 },
            restless: 1,
            calm: 1,
            ..Group::new(Severity::Value)
        };
        assert_eq!(group.coin().n, 20);
        group.restless += 1;
        assert_eq!(group.coin().n, 0);
        group.control = Coin { n: 3, k: 3 };
        assert_eq!(group.coin().n, 23, "a control is of the same moment");
    }

    #[test]
    fn the_chance_of_a_fair_coin_is_the_binomials() {
        let mut group = Group::new(Severity::Value);
        assert_eq!(group.ln_chance(), 0.0);
        group.control = Coin { n: 20, k: 15 };
        let expect = 21_700.0 / 1_048_576.0_f64;
        assert!((group.ln_chance().exp() - expect).abs() < 1e-12);
    }
}
