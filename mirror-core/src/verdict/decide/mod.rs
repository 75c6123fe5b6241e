//! From evidence to one of four values. The rules, in their order:
//!
//! 1. INVALID: what was judged is not representative, or the run cannot be relied on, whatever it found.
//! 2. FAIL: a real difference of a severity that the policy fails on, or a rule that is met with confidence.
//! 3. PASS: the rate of real differences is shown to be below the limit, on each route with at least 1 % of the traffic or named in the
//!    policy, and on the others together.
//! 4. HOLD: everything else, with what is missing.
//!
//! The same evidence gives the same judgement; the time of the look only serves to say how long the rest will take.

mod bounds;
mod each;
mod expected;
mod invalid;
mod ranking;
mod rules;
mod scope;

use crate::ledger::Outcome;
use crate::time::Timestamp;

use super::Decision;
use super::evidence::Evidence;
use super::judgement::{Finding, Judgement, Missing, Uncovered};
use super::policy::VerdictPolicy;
use super::words::{count, counted, percent};
use crate::compare::Severity;
use ranking::Ranking;
use scope::Scope;

/// A bound is wrong in at most one of twenty runs.
const BOUND_ALPHA: f64 = 0.05;
/// Missing parts that a reason names.
const MAX_NAMED: usize = 3;

/// Decides a run.
pub fn decide(evidence: &Evidence, policy: &VerdictPolicy, now: Timestamp) -> Judgement {
    let scopes = scope::scopes(evidence, policy);
    let rules = rules::Rules::new(&scopes, policy);
    let ranking = Ranking::new(evidence, policy, rules.count());
    let rules = rules.check(policy, ranking.family());
    let mut advice = advice(evidence);
    if ranking.untold.undecided > 0 {
        advice.push(format!(
            "{} undecided ways to differ are not listed; the requests that they concern are counted",
            count(ranking.untold.undecided as u64)
        ));
    }
    advice.extend(rules::advice(&scopes, policy, ranking.family()));
    let routes: Vec<_> = scopes
        .iter()
        .map(|scope| bounds::figures(scope, policy))
        .collect();
    let elapsed = evidence.span.map_or(0, |(first, _)| now.nanos_since(first));
    let mut missing = missing_evidence(evidence, &scopes);
    missing.extend(bounds::missing(&scopes, policy, elapsed));
    missing.extend(rules.missing);
    missing.extend(untold(&ranking));
    let (absent, unseen) = expected::absent(&evidence.rules, policy);
    missing.extend(unseen);
    let uneven = evidence.strata.uneven(policy.alpha.fraction());
    let mut judgement = Judgement {
        decision: Decision::Hold,
        reason: String::new(),
        is_quick: policy.quick,
        invalid: invalid::reasons(evidence, policy, &uneven),
        uneven,
        findings: ranking.findings,
        rules_met: [rules.met, absent].concat(),
        undecided: ranking.undecided,
        noted: ranking.noted,
        missing,
        routes,
        each: each::summaries(evidence),
        coverage: coverage(evidence),
        advice,
        builds: evidence.builds(),
    };
    (judgement.decision, judgement.reason) = conclude(&judgement, evidence, policy);
    judgement
}

/// Undecided groups that stand in the way of a PASS, and that there is no room to tell.
fn untold(ranking: &Ranking) -> Option<Missing> {
    let open = ranking.untold.open as u64;
    (open > 0).then(|| Missing {
        what: format!("{} more ways to differ are undecided", count(open)),
        have: 0,
        needed: None,
        seconds: None,
    })
}

fn conclude(found: &Judgement, evidence: &Evidence, policy: &VerdictPolicy) -> (Decision, String) {
    let judged = judged(evidence);
    if let Some(why) = found.invalid.first() {
        return (Decision::Invalid, why.clone());
    }
    if let Some(reason) = failure(found) {
        return (Decision::Fail, reason);
    }
    if judged == 0 {
        return (Decision::Hold, nothing_judged(evidence));
    }
    if policy.quick {
        return match says_little(evidence) {
            Some(why) => (Decision::Hold, why),
            None => quick(found, judged),
        };
    }
    let open: Vec<_> = found.undecided.iter().filter(|one| is_open(one)).collect();
    if found.missing.is_empty() && open.is_empty() {
        return (Decision::Pass, shown(found, judged));
    }
    let mut parts: Vec<String> = found.missing.iter().map(|one| one.what.clone()).collect();
    parts.extend(open.iter().map(|one| undecided(one)));
    let more = parts.len().saturating_sub(MAX_NAMED);
    parts.truncate(MAX_NAMED);
    let mut reason = parts.join("; ");
    if more > 0 {
        reason.push_str(&format!("; and {more} more"));
    }
    (Decision::Hold, reason)
}

/// Whether an undecided group stands in the way of a PASS by itself: others are counted in the bounds of their route.
fn is_open(finding: &Finding) -> bool {
    !finding.is_by_chance && (finding.varies || finding.is_unsteady)
}

fn failure(found: &Judgement) -> Option<String> {
    let first = found.findings.first();
    let more = (found.findings.len() + found.rules_met.len()).saturating_sub(1);
    let mut reason = match (first, found.rules_met.first()) {
        (Some(one), _) => format!(
            "{} {} really differ at {} ({}): at least {} of its requests",
            count(one.differed),
            if one.differed == 1 {
                "answer"
            } else {
                "answers"
            },
            place(one),
            one.kind.with_severity(one.severity),
            percent(one.at_least)
        ),
        (None, Some(rule)) => rule.what.clone(),
        (None, None) => return None,
    };
    if more > 0 {
        reason.push_str(&format!("; and {more} more"));
    }
    Some(reason)
}

fn place(finding: &Finding) -> String {
    format!("{} {}", finding.route, finding.place)
}

fn undecided(one: &Finding) -> String {
    let at = place(one);
    if one.is_unsteady {
        return format!(
            "{} answers of the candidate differ at {at}, and not when they are asked for again: a fault that comes and goes, or a cold cache",
            count(one.differed)
        );
    }
    match one.needed {
        Some(needed) if needed > 0 => format!(
            "undecided at {at}: {} differ, {} more that say the same are needed",
            count(one.differed),
            count(needed)
        ),
        _ => format!(
            "{} answers differ at {at}, and it is not shown whether more than the limit do",
            count(one.differed)
        ),
    }
}

/// What a PASS promises, for the largest route.
fn shown(found: &Judgement, judged: u64) -> String {
    let largest = found
        .routes
        .iter()
        .max_by(|a, b| a.traffic.total_cmp(&b.traffic));
    let promise = largest.map_or_else(String::new, |route| {
        format!(
            ": a change hitting more than {} of {} would have been found with 95 %",
            percent(route.limit),
            route.scope
        )
    });
    let others = found.routes.len().saturating_sub(1);
    let others = match others {
        0 => String::new(),
        others => format!(", and so on {} more", counted(others as u64, "route")),
    };
    format!(
        "{} were judged{promise}{others}",
        counted(judged, "request")
    )
}

/// By what was seen, and not by what is shown.
fn quick(found: &Judgement, judged: u64) -> (Decision, String) {
    let seen = found
        .undecided
        .iter()
        .find(|one| !one.varies && one.differed > 0);
    match seen {
        Some(one) => (
            Decision::Fail,
            format!(
                "a quick look, which proves nothing: {} of {} differ at {}",
                count(one.differed),
                counted(one.judged, "answer"),
                place(one)
            ),
        ),
        None => (
            Decision::Pass,
            format!(
                "a quick look, which promises nothing: no difference in {}",
                counted(judged, "request")
            ),
        ),
    }
}

fn judged(evidence: &Evidence) -> u64 {
    evidence.routes.values().map(|route| route.judged).sum()
}

fn total(evidence: &Evidence, outcome: Outcome) -> u64 {
    let counts = evidence.routes.values();
    counts
        .filter_map(|route| route.outcomes.get(outcome.name()))
        .sum()
}

/// What makes judged requests say little or nothing.
fn missing_evidence(evidence: &Evidence, scopes: &[Scope<'_>]) -> Vec<Missing> {
    let mut missing = Vec::new();
    let judged = judged(evidence);
    let mut lacks = |what: String| {
        missing.push(Missing {
            what,
            have: judged,
            needed: None,
            seconds: None,
        });
    };
    if judged == 0 {
        lacks("nothing was compared that is evidence".into());
        return missing;
    }
    says_little(evidence).into_iter().for_each(&mut lacks);
    let cut = total(evidence, Outcome::Interrupted);
    if cut > judged {
        lacks(format!(
            "{} requests were interrupted, and {} judged",
            count(cut),
            count(judged)
        ));
    }
    for scope in scopes.iter().filter(|scope| scope.total.judged == 0) {
        lacks(format!(
            "nothing was judged of {}, which has {} of the admitted traffic",
            scope.name,
            percent(scope.traffic)
        ));
    }
    missing
}

/// Why judged requests say nothing of the candidate, if they do not.
fn says_little(evidence: &Evidence) -> Option<String> {
    let judged = judged(evidence);
    let sum = |of: fn(&super::evidence::RouteEvidence) -> u64| -> u64 {
        evidence.routes.values().map(of).sum()
    };
    let (good, refused) = (sum(|route| route.good), sum(|route| route.refused));
    if refused * 2 > judged {
        Some(format!(
            "{} of {} judged requests were refused with 401 or 403: the clients are not logged in, so their routes are not tested",
            count(refused),
            count(judged)
        ))
    } else if good == 0 {
        Some("production answered all judged requests with an error: nothing shows that the candidate works".into())
    } else {
        None
    }
}

/// Names the outcome that most requests ended with; of equal ones the first by name.
fn nothing_judged(evidence: &Evidence) -> String {
    let mut totals = std::collections::BTreeMap::<&str, u64>::new();
    for (name, count) in evidence.routes.values().flat_map(|route| &route.outcomes) {
        *totals.entry(name).or_default() += count;
    }
    let most = totals.iter().rev().max_by_key(|(_, count)| **count);
    let Some((name, most)) = most else {
        return "nothing was compared: no request was seen".into();
    };
    let all: u64 = totals.values().sum();
    let outcome = Outcome::ALL.iter().find(|outcome| outcome.name() == *name);
    let meaning = outcome.map_or("", |outcome| outcome.meaning());
    format!(
        "nothing was compared that is evidence: {} of {} ended as `{name}`: {meaning}",
        count(*most),
        counted(all, "request")
    )
}

/// Routes of production that nothing was judged of, the busiest first.
fn coverage(evidence: &Evidence) -> Vec<Uncovered> {
    let all: u64 = evidence.routes.values().map(|route| route.seen()).sum();
    let unjudged = evidence.routes.iter();
    let unjudged = unjudged.filter(|(_, route)| route.judged == 0 && route.seen() > 0);
    let mut rows: Vec<_> = unjudged
        .map(|(name, route)| Uncovered {
            route: name.clone(),
            requests: route.seen(),
            traffic: route.seen() as f64 / all as f64,
            outcome: most_common(route),
        })
        .collect();
    rows.sort_by(|a, b| b.requests.cmp(&a.requests).then(a.route.cmp(&b.route)));
    rows
}

fn most_common(route: &super::evidence::RouteEvidence) -> String {
    let most = route.outcomes.iter().rev().max_by_key(|(_, count)| **count);
    most.map(|(name, _)| name.clone()).unwrap_or_default()
}

fn advice(evidence: &Evidence) -> Vec<String> {
    let mut advice = Vec::new();
    let judged = judged(evidence);
    let controlled: u64 = evidence.routes.values().map(|route| route.controlled).sum();
    if judged > 0 && controlled * 2 < judged {
        advice.push("without a control, the candidate's instance, data, clock and cache cannot be told from its code: give each request production's data by snapshots, or run the old version beside the candidate with --control".into());
    }
    if judged > 0 {
        advice.extend(expected::unmatched(&evidence.rules));
    }
    let dropped: u64 = evidence
        .routes
        .values()
        .map(|route| route.groups.dropped().groups)
        .sum();
    if dropped > 0 {
        advice.push(format!(
            "{} of the least significant ways to differ were not kept; the requests that they concern are counted",
            count(dropped)
        ));
    }
    let is_breaking = |route: &super::evidence::RouteEvidence| {
        let mut groups = route.groups.iter();
        groups.any(|(_, group)| group.severity == Severity::Breaking && group.is_unsteady())
    };
    if evidence.routes.values().any(is_breaking) {
        advice.push("some answers of the candidate are only wrong the first time: a control tells a fault that comes and goes from a cold cache".into());
    }
    advice
}

#[cfg(test)]
mod tests;
