//! What was found against what was planted.

use std::collections::BTreeSet;
use std::ops::AddAssign;

use mirror_core::verdict::{Finding, Judgement};

use crate::changes::{Change, Needs, Shows};
use crate::rivals::At;
use crate::run::{Ended, Way};
use crate::service::Site;

/// Requests with a change that are enough to find it.
pub const ENOUGH: u64 = 20;
/// All that differs fails a run here, so that each kind of change can be found.
pub const STRICT: [&str; 3] = ["order > 0.1%", "added > 0.1%", "cosmetic > 0.1%"];
/// The same for what only a control shows.
pub const TIMED: [&str; 3] = ["p50 > +5%", "p95 > +10%", "cache-hit < -5%"];

/// Counts of runs, which add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Findings at places of planted changes, and others.
    pub right: u64,
    pub wrong: u64,
    /// Changes with enough hits that were found, and that were not.
    pub found: u64,
    pub missed: u64,
    /// Changes with fewer hits: found all the same, undecided with the number that is missing, and neither.
    pub early: u64,
    pub undecided: u64,
    pub unseen: u64,
    /// Changes that take a control, where there is none.
    pub beyond: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.found += other.found;
        self.missed += other.missed;
        self.early += other.early;
        self.undecided += other.undecided;
        self.unseen += other.unseen;
        self.beyond += other.beyond;
    }
}

impl Counts {
    /// One where nothing was found.
    pub fn precision(self) -> f64 {
        share(self.right, self.right + self.wrong)
    }

    pub fn recall(self) -> f64 {
        share(self.found, self.found + self.missed)
    }
}

fn share(part: u64, all: u64) -> f64 {
    if all == 0 {
        1.0
    } else {
        part as f64 / all as f64
    }
}

/// Counts, and what went wrong in words.
#[derive(Clone, Debug, Default)]
pub struct Score {
    pub counts: Counts,
    pub notes: Vec<String>,
}

/// What a judgement fails the run for: places, and rules with the route that they are met on.
#[derive(Clone, Debug, Default)]
pub struct Found {
    places: BTreeSet<At>,
    rules: BTreeSet<(String, String)>,
    undecided: Vec<Finding>,
}

pub fn found(site: &Site, judgement: &Judgement) -> Found {
    let place = |one: &Finding| {
        let route = site.route(&one.route)?;
        Some((route.name, one.place.clone()))
    };
    let rules = judgement.rules_met.iter();
    Found {
        places: judgement.findings.iter().filter_map(place).collect(),
        rules: rules
            .map(|met| (met.scope.clone(), met.rule.clone()))
            .collect(),
        undecided: judgement.undecided.clone(),
    }
}

impl From<BTreeSet<At>> for Found {
    fn from(places: BTreeSet<At>) -> Self {
        Self {
            places,
            ..Self::default()
        }
    }
}

impl Change {
    fn shows_at(&self, route: &str, place: &str) -> bool {
        self.route == route
            && match self.shows {
                Shows::At(places) | Shows::Rule(_, places) => places.contains(&place),
                Shows::Anywhere => true,
            }
    }

    fn is_in(&self, found: &Found) -> bool {
        let mut places = found.places.iter();
        let is_rule = matches!(self.shows, Shows::Rule(..));
        (!is_rule && places.any(|(route, place)| self.shows_at(route, &place.to_string())))
            || found
                .rules
                .iter()
                .any(|(scope, rule)| self.is_met(scope, rule))
    }

    fn is_met(&self, scope: &str, rule: &str) -> bool {
        self.route == scope
            && match self.shows {
                Shows::Rule(own, _) => own == rule,
                // Errors are counted by a rule, too.
                Shows::Anywhere => rule.starts_with("error-rate"),
                Shows::At(_) => false,
            }
    }
}

/// Scores one way of judging.
pub fn scored(run: &Ended, way: Way, found: &Found) -> Score {
    let mut score = Score::default();
    let planted: Vec<&Change> = run
        .world
        .site
        .changes
        .iter()
        .filter(|change| run.hits.contains_key(change.name))
        .collect();
    for (route, place) in &found.places {
        let name = place.to_string();
        if planted.iter().any(|change| change.shows_at(route, &name)) {
            score.counts.right += 1;
        } else {
            score.counts.wrong += 1;
            score.notes.push(format!("wrong: {route} {name}"));
        }
    }
    for (scope, rule) in &found.rules {
        if planted.iter().any(|change| change.is_met(scope, rule)) {
            score.counts.right += 1;
        } else {
            score.counts.wrong += 1;
            score.notes.push(format!("wrong: {rule} on {scope}"));
        }
    }
    for change in planted {
        score.place(change, run, way, found);
    }
    score
}

impl Score {
    fn place(&mut self, change: &Change, run: &Ended, way: Way, found: &Found) {
        let hits = run.hits[change.name];
        let is_found = change.is_in(found);
        let counts = &mut self.counts;
        if change.needs == Needs::Control && way != Way::Control {
            counts.beyond += 1;
            return;
        }
        if hits >= ENOUGH {
            counts.found += u64::from(is_found);
            counts.missed += u64::from(!is_found);
            if !is_found {
                let note = format!("missed: {} on {}, {hits} hits", change.name, change.route);
                self.notes.push(note);
            }
            return;
        }
        let mut undecided = found.undecided.iter();
        let is_undecided = undecided.any(|one| {
            let needs = one.needed.is_none_or(|needed| needed > 0) || one.at_least == 0.0;
            needs && change.shows_at(&one.route, &one.place.to_string())
        });
        match (is_found, is_undecided) {
            (true, _) => counts.early += 1,
            (false, true) => counts.undecided += 1,
            (false, false) => {
                counts.unseen += 1;
                let note = format!("unseen: {} on {}, {hits} hits", change.name, change.route);
                self.notes.push(note);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::Planted;
    use crate::run::{Plan, policy, run};
    use crate::service::Caches;
    use crate::shop::SHOP;
    use mirror_core::verdict::Decision;

    /// Enough for a change of 10 % to be found, and few enough for a debug build.
    const REQUESTS: u64 = 300;

    fn ended(way: Way, planted: Planted) -> (Score, Judgement) {
        let run = run(Plan {
            site: &SHOP,
            seed: 3,
            planted,
            way,
            caches: Caches::Shared,
            routes: SHOP.routes,
            requests: REQUESTS,
        });
        let judgement = run.decide(&policy(&STRICT));
        (scored(&run, way, &found(&SHOP, &judgement)), judgement)
    }

    /// Both ways at once: most of the time is theirs.
    fn both(planted: Planted) -> Vec<(Score, Judgement)> {
        std::thread::scope(|scope| {
            let ways = [Way::Repeats, Way::Control];
            let runs = ways.map(|way| scope.spawn(move || ended(way, planted)));
            let joined = runs.map(|run| run.join().expect("the run ends"));
            joined.into()
        })
    }

    #[test]
    fn what_is_planted_is_found_amid_noise_and_nothing_else_is() {
        for (score, _) in both(Planted::Some) {
            let counts = score.counts;
            assert_eq!(counts.wrong, 0, "{:#?}", score.notes);
            // Latency takes more requests, and noise in one line of a text hides the others.
            assert!(counts.missed <= 3, "{:#?}", score.notes);
            assert!(counts.found >= 15, "{counts:?}");
        }
    }

    #[test]
    fn what_is_rare_is_undecided_and_holds_and_without_changes_nothing_is_found() {
        for (score, judgement) in both(Planted::Rare) {
            let reason = &judgement.reason;
            assert_eq!(judgement.decision, Decision::Hold, "{reason}");
            assert_eq!((score.counts.wrong, score.counts.found), (0, 0));
            assert!(score.counts.undecided > 5, "{:?}", score.counts);
        }
        for (score, judgement) in both(Planted::None) {
            assert_eq!(score.counts.wrong, 0, "{:#?}", score.notes);
            assert_eq!(judgement.decision, Decision::Hold, "{}", judgement.reason);
        }
    }

    #[test]
    fn nothing_fails_without_repeats_and_without_a_control() {
        let (score, judgement) = ended(Way::Neither, Planted::Some);
        assert_eq!(judgement.decision, Decision::Hold, "{}", judgement.reason);
        assert_eq!((score.counts.right, score.counts.wrong), (0, 0));
    }
}
