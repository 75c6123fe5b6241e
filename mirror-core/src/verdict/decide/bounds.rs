//! How much of a route's requests may really differ: what a PASS has to show.

use super::super::judgement::{Missing, RouteFigures};
use super::super::policy::{Measure, VerdictPolicy};
use super::super::rate::{Mixture, Proportion};
use super::super::words::{about, count, percent};
use super::BOUND_ALPHA;
use super::scope::Scope;
use crate::compare::Severity;

/// What counts against the limit of one severity.
struct Bound {
    hits: Proportion,
    limit: f64,
}

impl Bound {
    fn upper(&self) -> f64 {
        self.hits.upper(Mixture::about(self.limit), BOUND_ALPHA)
    }

    fn needed(&self) -> Option<u64> {
        self.hits
            .needed(self.limit, Mixture::about(self.limit), BOUND_ALPHA)
    }
}

/// One for each severity that fails the run; the tightest last.
fn bounds(scope: &Scope<'_>, policy: &VerdictPolicy) -> Vec<Bound> {
    let mut bounds: Vec<_> = Severity::ALL
        .iter()
        .filter_map(|severity| bound(scope, policy, *severity))
        .collect();
    let excess = |bound: &Bound| bound.upper() / bound.limit;
    bounds.sort_by(|a, b| excess(a).total_cmp(&excess(b)));
    bounds
}

fn bound(scope: &Scope<'_>, policy: &VerdictPolicy, severity: Severity) -> Option<Bound> {
    let limit = policy.limit(scope.rule_route(), Measure::Differences(severity))?;
    let hits = scope.routes.iter().map(|(_, route)| {
        let groups = route.groups.iter();
        let unexplained = groups.filter(|(_, one)| one.severity == severity && !one.varies());
        let unexplained: u64 = unexplained.map(|(_, one)| one.differed).sum();
        let most = unexplained + route.groups.dropped().differed;
        // A request with several differences is one.
        most.min(route.differing.get(&severity).copied().unwrap_or(0))
    });
    // No answer breaks a reader as an answer of another class does.
    let unanswered = match severity {
        Severity::Breaking => scope.total.unanswered,
        _ => 0,
    };
    Some(Bound {
        hits: Proportion::new(
            hits.sum::<u64>() + unanswered,
            scope.total.judged + unanswered,
        ),
        limit: limit.max(policy.max_mismatch.fraction()),
    })
}

pub(super) fn figures(scope: &Scope<'_>, policy: &VerdictPolicy) -> RouteFigures {
    let tightest = bounds(scope, policy).pop();
    let groups = || {
        scope
            .routes
            .iter()
            .flat_map(|(_, route)| route.groups.iter())
    };
    let dropped = scope
        .routes
        .iter()
        .map(|(_, route)| route.groups.dropped().groups);
    RouteFigures {
        scope: scope.name.clone(),
        traffic: scope.traffic,
        judged: scope.total.judged,
        differing: tightest.as_ref().map_or(0, |bound| bound.hits.hits),
        at_most: tightest.as_ref().map_or(0.0, Bound::upper),
        limit: tightest.as_ref().map_or(1.0, |bound| bound.limit),
        varying: groups().filter(|(_, group)| group.varies()).count() as u64,
        dropped: dropped.sum(),
    }
}

/// What is still needed on each route; `elapsed` nanoseconds were needed for what is there.
pub(super) fn missing(scopes: &[Scope<'_>], policy: &VerdictPolicy, elapsed: u64) -> Vec<Missing> {
    let scopes = scopes.iter().filter(|scope| scope.total.judged > 0);
    scopes
        .filter_map(|scope| missing_on(scope, policy, elapsed))
        .collect()
}

fn missing_on(scope: &Scope<'_>, policy: &VerdictPolicy, elapsed: u64) -> Option<Missing> {
    let all = bounds(scope, policy);
    let worst = all
        .iter()
        .max_by_key(|bound| bound.needed().unwrap_or(u64::MAX))?;
    let more = worst.needed();
    if more == Some(0) {
        return None;
    }
    let have = scope.total.judged;
    let seconds = more.map(|more| (more as f64 / have as f64 * elapsed as f64 / 1e9) as u64);
    let hits = match worst.hits.hits {
        0 => String::new(),
        hits => format!(
            " ({} {}, and the limit is {})",
            count(hits),
            match scope.total.unanswered {
                0 => "differ",
                _ => "differ or have no answer",
            },
            percent(worst.limit)
        ),
    };
    let time = match seconds {
        Some(seconds) if elapsed > 0 => format!(", {} more", about(seconds)),
        _ => String::new(),
    };
    let what = match more {
        Some(more) => {
            let needed = count(have + more);
            format!(
                "{} of {needed} needed on {}{hits}{time}",
                count(have),
                scope.name
            )
        }
        None => format!(
            "{} differ on {} too often for any number of requests",
            count(worst.hits.hits),
            scope.name
        ),
    };
    Some(Missing {
        what,
        have,
        needed: more.map(|more| have + more),
        seconds,
    })
}
