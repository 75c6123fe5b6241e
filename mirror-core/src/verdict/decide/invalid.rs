//! Why a run cannot be relied on, whatever it found.

use super::super::evidence::{Evidence, Side};
use super::super::policy::VerdictPolicy;
use super::super::rate::{Mixture, Proportion};
use super::super::representative::Uneven;
use super::super::words::{count, percent};

/// Answers of production before its errors count.
const MIN_ANSWERS: u64 = 20;

pub(super) fn reasons(
    evidence: &Evidence,
    policy: &VerdictPolicy,
    uneven: &[Uneven],
) -> Vec<String> {
    let mut reasons: Vec<String> = evidence.failure.iter().cloned().collect();
    reasons.extend(changed_builds(evidence));
    reasons.extend(production_failed(evidence, policy));
    reasons.extend(noise(evidence, policy));
    reasons.extend(uneven.first().map(not_representative));
    reasons
}

fn changed_builds(evidence: &Evidence) -> Vec<String> {
    let told = |side: Side| {
        let builds = evidence.changed_builds(side)?.iter();
        let names: Vec<_> = builds.map(|build| format!("`{build}`")).collect();
        let side = side.name();
        Some(format!(
            "{side} ran several builds during the run: {}",
            names.join(", ")
        ))
    };
    Side::ALL.into_iter().filter_map(told).collect()
}

fn production_failed(evidence: &Evidence, policy: &VerdictPolicy) -> Option<String> {
    let errors = evidence.production_errors;
    let share = errors.share()?;
    let is_over = errors.n >= MIN_ANSWERS && share > policy.max_production_errors.fraction();
    is_over.then(|| {
        format!(
            "production itself failed: {} of its answers were 5xx, and --max-production-errors is {}",
            percent(share),
            percent(policy.max_production_errors.fraction())
        )
    })
}

/// Answers of one version differ from each other more often than the policy bears.
fn noise(evidence: &Evidence, policy: &VerdictPolicy) -> Option<String> {
    let mut noise = Proportion::default();
    for route in evidence.routes.values() {
        noise += route.noise;
    }
    let limit = policy.max_noise.fraction();
    let at_least = noise.lower(Mixture::FLAT, policy.alpha.fraction());
    (noise.n > 0 && at_least > limit).then(|| {
        format!(
            "{} of {} answers of the same version differ from each other beyond what is known to vary, and --max-noise is {}",
            count(noise.hits),
            count(noise.n),
            percent(limit)
        )
    })
}

fn not_representative(uneven: &Uneven) -> String {
    format!(
        "what was judged is not representative: {} of {} requests with {}, and {} of the others",
        percent(uneven.share),
        count(uneven.admitted),
        uneven.stratum,
        percent(uneven.rest)
    )
}
