//! All groups of a run, as one family: which are real, which fail the run, and which are not decided.

use super::super::evidence::{Evidence, RouteEvidence};
use super::super::fdr::{family, ln_threshold};
use super::super::group::{Group, GroupKey};
use super::super::judgement::Finding;
use super::super::policy::{Measure, VerdictPolicy};
use super::super::rate::{Proportion, RATES, excess};
use crate::compare::Kind;
use crate::noise::is_derived;

/// A group that varies by nature stands in the way of a PASS when chance has its coin in at most one of fifty runs, counted
/// over all such groups. This only holds, so one look's probability is enough.
const SUSPECT: f64 = 0.02;
/// It is told, and does not hold the run, where chance has its coin in at most one of ten runs.
const LEANING: f64 = 0.1;
/// Rows of each list that are told: what each of them still needs takes time to find.
const MAX_ROWS: usize = 500;
/// An e-value that JSON can hold.
const MAX_E: f64 = 1e300;

/// The groups in the order of a report: the most severe first, then the most certain.
pub(super) struct Ranking {
    pub(super) findings: Vec<Finding>,
    pub(super) undecided: Vec<Finding>,
    pub(super) noted: Vec<Finding>,
    /// Undecided groups beyond those that are told.
    pub(super) untold: Untold,
    family: f64,
}

/// What there was no room for.
#[derive(Clone, Copy, Default)]
pub(super) struct Untold {
    pub(super) undecided: usize,
    /// Those of them that stand in the way of a PASS by themselves.
    pub(super) open: usize,
}

/// What becomes of a group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Finding,
    Undecided,
    /// Undecided, and no more often than chance has it.
    ByChance,
    Noted,
    /// Noted by the ranks of its numbers.
    NotedByRanks,
}

/// A group in its place.
struct Member<'e> {
    route: &'e str,
    counts: &'e RouteEvidence,
    key: &'e GroupKey,
    group: &'e Group,
    /// The rate above which it fails the run; none if it never does.
    limit: Option<f64>,
    ln_e: f64,
}

impl Ranking {
    /// `rules` are the tests of rules, which belong to the same family.
    pub(super) fn new(evidence: &Evidence, policy: &VerdictPolicy, rules: u64) -> Self {
        let members = members(evidence, policy);
        let can_fail = || members.iter().filter(|one| one.limit.is_some());
        let informative = can_fail().filter(|one| one.group.is_informative()).count();
        // Groups that gave way were tested too.
        let dropped = evidence.routes.values();
        let dropped: u64 = dropped.map(|route| route.groups.dropped().groups).sum();
        let size = family(informative as u64 + dropped + rules);
        let alpha = policy.alpha.fraction();
        let threshold = ln_threshold(can_fail().map(|one| one.ln_e), size, alpha);
        let varying = can_fail()
            .filter(|one| one.group.varies() && one.group.coin().n > 0)
            .count();
        let ln_suspect = (SUSPECT / varying.max(1) as f64).ln();
        let standing = |one: &Member<'_>| one.standing(threshold, ln_suspect, alpha);
        let mut placed: Vec<_> = members
            .iter()
            .filter_map(|one| Some((standing(one)?, one)))
            .collect();
        placed.sort_by(|(_, a), (_, b)| {
            let by_severity = a.group.severity.cmp(&b.group.severity);
            by_severity
                .then(b.ln_e.total_cmp(&a.ln_e))
                .then(b.group.seen().cmp(&a.group.seen()))
        });
        let mut ranking = Self {
            findings: Vec::new(),
            undecided: Vec::new(),
            noted: Vec::new(),
            untold: Untold::default(),
            family: size,
        };
        for (standing, member) in placed {
            ranking.add(standing, member, threshold, alpha);
        }
        ranking
    }

    fn add(&mut self, standing: Standing, member: &Member<'_>, threshold: f64, alpha: f64) {
        let list = match standing {
            Standing::Finding => &mut self.findings,
            Standing::Undecided | Standing::ByChance => &mut self.undecided,
            Standing::Noted | Standing::NotedByRanks => &mut self.noted,
        };
        if list.len() < MAX_ROWS {
            list.push(match standing {
                Standing::NotedByRanks => member.finding_by_ranks(threshold, alpha),
                Standing::ByChance => Finding {
                    is_by_chance: true,
                    ..member.finding(threshold, alpha)
                },
                _ => member.finding(threshold, alpha),
            });
        } else if matches!(standing, Standing::Undecided | Standing::ByChance) {
            let is_open = standing == Standing::Undecided && member.group.is_open();
            self.untold.undecided += 1;
            self.untold.open += usize::from(is_open);
        }
    }

    /// The size of the family.
    pub(super) fn family(&self) -> f64 {
        self.family
    }
}

fn members<'e>(evidence: &'e Evidence, policy: &VerdictPolicy) -> Vec<Member<'e>> {
    let routes = evidence.routes.iter();
    let all = routes.flat_map(|(route, counts)| {
        counts
            .groups
            .iter()
            .map(move |(key, group)| (route, counts, key, group))
    });
    all.map(|(route, counts, key, group)| Member {
        route,
        counts,
        key,
        group,
        limit: policy.limit(route, Measure::Differences(group.severity)),
        ln_e: group.ln_e(),
    })
    .collect()
}

impl Member<'_> {
    fn standing(&self, threshold: f64, ln_suspect: f64, alpha: f64) -> Option<Standing> {
        let group = self.group;
        let is_real = self.ln_e >= threshold;
        match self.limit {
            // A control could say whether it is the code or the machine.
            _ if group.has_other_numbers(threshold) => Some(Standing::NotedByRanks),
            _ if !group.is_own() => None,
            None => is_real.then_some(Standing::Noted),
            Some(limit) if is_real => Some(match limit == 0.0 || self.at_least(alpha) > limit {
                true => Standing::Finding,
                false => Standing::Undecided,
            }),
            // Chance explains it, and it varies by nature: nothing is to be decided. What production never showed is not hidden.
            Some(_) if group.varies() && group.ln_chance() > ln_suspect => {
                let is_told = self.is_new_to_production() || self.is_error() || self.leans();
                is_told.then_some(Standing::ByChance)
            }
            Some(_) => (group.seen() > 0).then_some(Standing::Undecided),
        }
    }

    /// It goes beyond what is known of a place that varies, and never the other way round.
    fn is_new_to_production(&self) -> bool {
        let coin = self.group.coin();
        let goes_beyond =
            is_derived(self.key.1) && (self.key.1 != Kind::Distribution || coin.n > 0);
        goes_beyond && self.group.differed > 0 && coin.n == coin.k
    }

    /// Chance has the candidate as the odd one so often in one of ten such groups only.
    fn leans(&self) -> bool {
        self.group.seen() > 0 && self.group.ln_chance() <= LEANING.ln()
    }

    /// The candidate fails where production does not. What fails by nature now and then hides as many failures of the candidate, so it is
    /// told how many more it takes.
    fn is_error(&self) -> bool {
        self.key.1 == Kind::StatusClass && self.group.seen() > 0
    }

    fn finding(&self, threshold: f64, alpha: f64) -> Finding {
        let coin = self.group.coin();
        Finding {
            route: self.route.into(),
            place: self.key.0.clone(),
            kind: self.key.1,
            severity: self.group.severity,
            differed: self.group.seen(),
            judged: self.counts.judged,
            informative: coin.n,
            candidate_odd: coin.k,
            e_value: self.ln_e.exp().min(MAX_E),
            at_least: self.at_least(alpha),
            needed: self.group.needed(threshold),
            varies: self.group.varies(),
            is_unsteady: self.group.is_unsteady(),
            is_by_chance: false,
        }
    }

    /// Of numbers that are larger or smaller than production's, where no control tells the code from the machine.
    fn finding_by_ranks(&self, threshold: f64, alpha: f64) -> Finding {
        let ranks = &self.group.alone;
        Finding {
            e_value: ranks.ln_e_of_ranks().exp().min(MAX_E),
            at_least: ranks.excess_of_ranks(self.counts.judged, alpha).max(0.0),
            ..self.finding(threshold, alpha)
        }
    }

    /// The rate of real differences on the route is at least this. Where the place varies, what varies is taken off: with a
    /// control by its own differences, else by the share of the repeats that take the candidate's side.
    fn at_least(&self, alpha: f64) -> f64 {
        let (group, counts) = (self.group, self.counts);
        let low = |hits, n, alpha| Proportion::new(hits, n).lower(RATES, alpha);
        let by_values = group.has_values();
        let alpha = if by_values { alpha / 2.0 } else { alpha };
        let at_least = if group.varied == 0 && group.coin().n == group.coin().k {
            low(group.differed, counts.judged, alpha)
        } else if group.control.n > 0 {
            excess(group.control, counts.controlled, alpha / 2.0)
        } else {
            // A part of those that differ is sent again: the share among these, or at least those that were sent.
            let share = excess(group.repeat, group.asked, alpha / 4.0);
            let of_all = low(group.differed, counts.judged, alpha / 4.0) * share;
            of_all.max(excess(group.repeat, counts.judged, alpha / 4.0))
        };
        let values = match by_values {
            true => group.values_at_least((counts.controlled, counts.judged), alpha),
            false => 0.0,
        };
        at_least.max(values).max(0.0)
    }
}
