//! All groups of a run, as one family: which are real, which fail the run, and which are not decided.

use super::super::evidence::{Evidence, RouteEvidence};
use super::super::fdr::{family, ln_threshold};
use super::super::group::{Group, GroupKey};
use super::super::judgement::Finding;
use super::super::policy::{Measure, VerdictPolicy};
use super::super::rate::{Proportion, RATES, excess};

/// A group that varies by nature stands in the way of a PASS when chance has its coin in at most one of fifty runs, counted
/// over all such groups. This only holds, so one look's probability is enough.
const SUSPECT: f64 = 0.02;
/// An e-value that JSON can hold.
const MAX_E: f64 = 1e300;

/// The groups in the order of a report: the most severe first, then the most certain.
pub(super) struct Ranking {
    pub(super) findings: Vec<Finding>,
    pub(super) undecided: Vec<Finding>,
    pub(super) noted: Vec<Finding>,
    family: f64,
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
        let mut ranking = Self {
            findings: Vec::new(),
            undecided: Vec::new(),
            noted: Vec::new(),
            family: size,
        };
        for member in &members {
            ranking.place(member, threshold, ln_suspect, alpha);
        }
        for list in [
            &mut ranking.findings,
            &mut ranking.undecided,
            &mut ranking.noted,
        ] {
            list.sort_by(|a, b| {
                let by_severity = a.severity.cmp(&b.severity);
                by_severity
                    .then(b.e_value.total_cmp(&a.e_value))
                    .then(b.differed.cmp(&a.differed))
            });
        }
        ranking
    }

    /// The size of the family.
    pub(super) fn family(&self) -> f64 {
        self.family
    }

    fn place(&mut self, member: &Member<'_>, threshold: f64, ln_suspect: f64, alpha: f64) {
        let group = member.group;
        let is_real = member.ln_e >= threshold;
        match member.limit {
            // A control could say whether it is the code or the machine.
            _ if group.has_other_numbers(threshold) => {
                self.noted.push(member.finding_by_ranks(threshold, alpha));
            }
            _ if !group.is_own() => {}
            None if is_real => self.noted.push(member.finding(threshold, alpha)),
            None => {}
            Some(limit) if is_real => {
                let finding = member.finding(threshold, alpha);
                if limit == 0.0 || finding.at_least > limit {
                    self.findings.push(finding);
                } else {
                    self.undecided.push(finding);
                }
            }
            // Chance explains it, and it varies by nature: nothing is to be decided.
            Some(_) if group.varies() && group.ln_chance() > ln_suspect => {}
            Some(_) if group.differed + group.explained > 0 => {
                self.undecided.push(member.finding(threshold, alpha));
            }
            Some(_) => {}
        }
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
    fn finding(&self, threshold: f64, alpha: f64) -> Finding {
        let coin = self.group.coin();
        Finding {
            route: self.route.into(),
            place: self.key.0.clone(),
            kind: self.key.1,
            severity: self.group.severity,
            differed: self.group.differed + self.group.explained,
            judged: self.counts.judged,
            informative: coin.n,
            candidate_odd: coin.k,
            e_value: self.ln_e.exp().min(MAX_E),
            at_least: self.at_least(alpha),
            needed: self.group.needed(threshold),
            varies: self.group.varies(),
            is_unsteady: self.group.is_unsteady(),
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
