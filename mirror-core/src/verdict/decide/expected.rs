//! Rules of the comparison that nothing matched: an intended change that is not there fails the run, any other is named.

use super::super::judgement::{Missing, RuleMet};
use super::super::policy::VerdictPolicy;
use super::super::words::{count, counted};
use crate::compare::RuleTally;

/// Compared answers without an intended change before it counts as absent: it may need an input that comes now and then.
const MIN_ANSWERS: u64 = 20;
/// Rules that an advice names.
const MAX_NAMED: usize = 5;

/// Intended changes that are absent, and those of which that is not known yet.
pub(super) fn absent(rules: &RuleTally, policy: &VerdictPolicy) -> (Vec<RuleMet>, Vec<Missing>) {
    let needed = if policy.quick { 1 } else { MIN_ANSWERS };
    let (mut met, mut missing) = (Vec::new(), Vec::new());
    for (rule, compared) in rules.absent() {
        let what = match compared {
            0 => format!("no answer was compared that may have the intended change `{rule}`"),
            compared => format!(
                "the intended change `{rule}` was in none of {}",
                counted(compared, "compared answer")
            ),
        };
        if compared >= needed {
            met.push(RuleMet {
                rule: rule.to_owned(),
                scope: scope(rule),
                what,
            });
        } else {
            missing.push(Missing {
                what: format!(
                    "{what}: {} are needed to say that it is absent",
                    count(needed)
                ),
                have: compared,
                needed: Some(needed),
                seconds: None,
            });
        }
    }
    (met, missing)
}

/// The route in a rule's text.
fn scope(rule: &str) -> String {
    let route = rule.split_once("=>").map(|(route, _)| route.trim());
    route.unwrap_or("all routes").to_owned()
}

/// Names the rules that matched nothing; what is intended and absent is said elsewhere.
pub(super) fn unmatched(rules: &RuleTally) -> Option<String> {
    let unused = rules.iter();
    let unused = unused.filter(|(_, count)| count.hits == 0 && !count.is_expectation);
    let names: Vec<_> = unused.map(|(rule, _)| format!("`{rule}`")).collect();
    if names.is_empty() {
        return None;
    }
    let more = names.len().saturating_sub(MAX_NAMED);
    let shown = &names[..names.len() - more];
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "these rules matched nothing in this run, and may be left out or wrong: {}{more}",
        shown.join(", ")
    ))
}
