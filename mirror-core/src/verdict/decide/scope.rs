//! What a bound is shown for: each large or named route, and the others together.

use super::super::evidence::{Evidence, RouteEvidence};
use super::super::policy::VerdictPolicy;

/// A route with less of the admitted traffic is judged together with other small ones.
const MIN_TRAFFIC: f64 = 0.01;

pub(super) struct Scope<'e> {
    /// A route, or `the other routes`.
    pub(super) name: String,
    pub(super) routes: Vec<(&'e str, &'e RouteEvidence)>,
    /// Of what policy admitted.
    pub(super) traffic: f64,
    /// Of all of them, without their groups.
    pub(super) total: RouteEvidence,
}

impl<'e> Scope<'e> {
    fn new(name: String, routes: Vec<(&'e str, &'e RouteEvidence)>, admitted: u64) -> Self {
        let mut total = RouteEvidence::default();
        for (_, route) in &routes {
            total.add_all_but_groups(route);
        }
        let traffic = if admitted == 0 {
            0.0
        } else {
            traffic(&total) as f64 / admitted as f64
        };
        Self {
            name,
            routes,
            traffic,
            total,
        }
    }

    /// The route whose rules count; rules for one route do not concern the others together.
    pub(super) fn rule_route(&self) -> &str {
        match self.routes.as_slice() {
            [(route, _)] => route,
            _ => "",
        }
    }
}

/// A caller that only says what was judged has admitted that much.
fn traffic(route: &RouteEvidence) -> u64 {
    route.admitted.max(route.judged)
}

/// The large and the named routes by name, and then the others. Routes of which policy admitted nothing are left to coverage,
/// unless they are named.
pub(super) fn scopes<'e>(evidence: &'e Evidence, policy: &VerdictPolicy) -> Vec<Scope<'e>> {
    let admitted: u64 = evidence.routes.values().map(traffic).sum();
    let (mut scopes, mut rest) = (Vec::new(), Vec::new());
    for (name, route) in &evidence.routes {
        let is_large = admitted > 0 && traffic(route) as f64 >= MIN_TRAFFIC * admitted as f64;
        if is_large || policy.names(name) {
            scopes.push(Scope::new(name.clone(), vec![(name, route)], admitted));
        } else if traffic(route) > 0 {
            rest.push((name.as_str(), route));
        }
    }
    if !rest.is_empty() {
        scopes.push(Scope::new("the other routes".into(), rest, admitted));
    }
    scopes
}
