//! Rules about rates and times: met with confidence, shown not to be met, or open.

use std::time::Duration;

use super::super::evidence::RouteEvidence;
use super::super::judgement::{Missing, RuleMet};
use super::super::latency::{Latency, Times};
use super::super::policy::{Measure, VerdictPolicy};
use super::super::rate::{Mixture, Paired, Proportion};
use super::super::words::{count, percent};
use super::BOUND_ALPHA;
use super::scope::Scope;

const MEASURES: [Measure; 5] = [
    Measure::ErrorRate,
    Measure::P50,
    Measure::P95,
    Measure::P99,
    Measure::CacheHit,
];

/// What is said of times and caches where no rule asks for it.
const ADVISED: [(Measure, f64); 4] = [
    (Measure::P50, 0.05),
    (Measure::P95, 0.1),
    (Measure::P99, 0.1),
    (Measure::CacheHit, -0.05),
];
/// Against production, an answer has to be so much longer to be worth a word: it came over another way.
const ADVISED_ALONE: f64 = 0.5;

/// Each rule where it applies.
pub(super) struct Rules<'s, 'e> {
    tests: Vec<Test<'s, 'e>>,
}

/// A rule on a route. What grows is bad: of a cache, it is the loss of hits.
struct Test<'s, 'e> {
    scope: &'s Scope<'e>,
    measure: Measure,
    rule: String,
    limit: f64,
    /// What a PASS has to show; no number of requests shows that an error rate did not grow at all.
    shown: f64,
}

#[derive(Default)]
pub(super) struct Checked {
    pub(super) met: Vec<RuleMet>,
    pub(super) missing: Vec<Missing>,
}

impl<'s, 'e> Rules<'s, 'e> {
    pub(super) fn new(scopes: &'s [Scope<'e>], policy: &VerdictPolicy) -> Self {
        let mut tests = Vec::new();
        for scope in scopes.iter().filter(|scope| scope.total.judged > 0) {
            for measure in MEASURES {
                if let Some(rule) = policy.fail_on.rule(scope.rule_route(), measure) {
                    tests.push(Test::new(
                        scope,
                        measure,
                        rule.to_string(),
                        rule.limit,
                        policy,
                    ));
                }
            }
        }
        Self { tests }
    }

    /// Tests in the family.
    pub(super) fn count(&self) -> u64 {
        self.tests.len() as u64
    }

    /// A rule is met at the level of one member of a family of this size.
    pub(super) fn check(&self, policy: &VerdictPolicy, family: f64) -> Checked {
        let mut checked = Checked::default();
        let level = policy.alpha.fraction() / family;
        for test in &self.tests {
            let at_least = test.growth(level).0;
            if at_least > test.limit {
                checked.met.push(RuleMet {
                    rule: test.rule.clone(),
                    scope: test.scope.name.clone(),
                    what: test.what(at_least),
                });
            } else if test.growth(BOUND_ALPHA).1 > test.shown {
                checked.missing.push(test.missing());
            }
        }
        checked
    }
}

/// What is worse by the usual measures, where no rule asks for them: with the same confidence, and without consequence.
pub(super) fn advice(scopes: &[Scope<'_>], policy: &VerdictPolicy, family: f64) -> Vec<String> {
    let level = policy.alpha.fraction() / family;
    let mut advice = Vec::new();
    for scope in scopes {
        for (measure, limit) in ADVISED {
            let is_asked = policy.limit(scope.rule_route(), measure).is_some();
            let test = Test::new(scope, measure, String::new(), limit, policy);
            let at_least = test.growth(level).0;
            if !is_asked && at_least > test.limit {
                advice.push(test.what(at_least));
            }
        }
        let at_least = scope.total.latency.growth_alone(0.5, level);
        if at_least > ADVISED_ALONE {
            advice.push(format!(
                "half of the candidate's answers on {} take at least {} longer than production's: its machine and its way are others, so a control has to tell",
                scope.name,
                percent(at_least)
            ));
        }
    }
    advice
}

impl<'s, 'e> Test<'s, 'e> {
    fn new(
        scope: &'s Scope<'e>,
        measure: Measure,
        rule: String,
        limit: f64,
        policy: &VerdictPolicy,
    ) -> Self {
        let limit = if measure == Measure::CacheHit {
            -limit
        } else {
            limit
        };
        let shown = match measure {
            Measure::ErrorRate => limit.max(policy.max_mismatch.fraction()),
            _ => limit,
        };
        Self {
            scope,
            measure,
            rule,
            limit,
            shown,
        }
    }

    /// By how much the candidate is worse, from at least to at most. Without data it may be anything.
    fn growth(&self, alpha: f64) -> (f64, f64) {
        let total = &self.scope.total;
        let mixture = Mixture::about(self.shown);
        match self.measure {
            Measure::P50 => {
                let (low, high) = total.latency.ratios.median(alpha);
                (low - 1.0, high - 1.0)
            }
            Measure::P95 => total.latency.growth(0.95, alpha),
            Measure::P99 => total.latency.growth(0.99, alpha),
            Measure::CacheHit => {
                let (low, high) = total.cache.excess(mixture, alpha);
                (-high, -low)
            }
            Measure::ErrorRate | Measure::Differences(_) => {
                reference(total).0.excess(mixture, alpha)
            }
        }
    }

    /// Requests that say something.
    fn have(&self) -> u64 {
        let total = &self.scope.total;
        match self.measure {
            Measure::P50 | Measure::P95 | Measure::P99 => total.latency.ratios.count(),
            Measure::CacheHit => total.cache.n,
            Measure::ErrorRate | Measure::Differences(_) => reference(total).0.n,
        }
    }

    fn what(&self, at_least: f64) -> String {
        let (name, total) = (&self.scope.name, &self.scope.total);
        let shares = |paired: Paired| {
            let shown = |side: Proportion| percent(side.share().unwrap_or(0.0));
            (shown(paired.candidate()), shown(paired.other()))
        };
        let at_least = percent(at_least);
        match self.measure {
            Measure::P50 => format!(
                "half of the answers on {name} take at least {at_least} longer than the control's"
            ),
            Measure::P95 => tail(name, "p95", 0.95, &total.latency, &at_least),
            Measure::P99 => tail(name, "p99", 0.99, &total.latency, &at_least),
            Measure::CacheHit => {
                let (ours, theirs) = shares(total.cache);
                format!(
                    "{ours} of the candidate's answers on {name} come from a cache, and {theirs} of the control's: at least {at_least} less"
                )
            }
            Measure::ErrorRate | Measure::Differences(_) => {
                let (paired, other) = reference(total);
                let (ours, theirs) = shares(paired);
                format!(
                    "{ours} of the candidate's answers on {name} are 5xx or missing, and {theirs} of {other}'s: at least {at_least} more"
                )
            }
        }
    }

    fn missing(&self) -> Missing {
        let have = self.have();
        let what = match have {
            0 => format!("`{}` on {}: {}", self.rule, self.scope.name, self.lacks()),
            have => format!(
                "`{}` is not ruled out on {} by {} requests",
                self.rule,
                self.scope.name,
                count(have)
            ),
        };
        Missing {
            what,
            have,
            needed: self.needed(),
            seconds: None,
        }
    }

    fn lacks(&self) -> &'static str {
        match self.measure {
            Measure::P50 | Measure::P95 | Measure::P99 if self.scope.total.controlled > 0 => {
                "no request counts yet: the first ten seconds are set apart"
            }
            Measure::CacheHit => {
                "it takes a control, and answers that say whether they come from a cache"
            }
            _ => "it takes a control",
        }
    }

    /// For rates, if the candidate has no more of them from now on.
    fn needed(&self) -> Option<u64> {
        if self.measure != Measure::ErrorRate {
            return None;
        }
        let paired = reference(&self.scope.total).0;
        let hits = Proportion::new(paired.candidate_only, paired.n);
        let more = hits.needed(self.shown, Mixture::about(self.shown), BOUND_ALPHA / 2.0)?;
        (more > 0).then_some(paired.n + more)
    }
}

fn tail(name: &str, quantile: &str, q: f64, latency: &Latency, at_least: &str) -> String {
    let shown = |times: &Times| {
        let time = times.at(q).unwrap_or(Duration::ZERO);
        format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
    };
    format!(
        "the {quantile} of {name} is {}, and the control's {}: at least {at_least} more",
        shown(&latency.candidate),
        shown(&latency.control)
    )
}

/// The candidate's 5xx beside those of the side that answered more of the requests, production or the control. What the
/// candidate does not answer is an error of its own.
fn reference(route: &RouteEvidence) -> (Paired, &'static str) {
    let (control, production) = (route.errors_to_control, route.errors_to_production);
    let (mut paired, name) = match control.n >= production.n && control.n > 0 {
        true => (control, "the control"),
        false => (production, "production"),
    };
    if route.judged > 0 {
        paired.n += route.unanswered;
        paired.candidate_only += route.unanswered;
    }
    (paired, name)
}
