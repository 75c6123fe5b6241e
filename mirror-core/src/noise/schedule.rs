//! Which requests are sent to the candidate twice: all while a route is young, then fewer and fewer of them, and some of those
//! whose answers differ.
//!
//! Decided by counts and not by chance, so that the same run asks for the same repeats.

use std::collections::HashMap;

use xxhash_rust::xxh3::Xxh3;

use crate::compare::{Kind, Observation, Place};

/// The first requests of a route, which are all repeated.
const YOUNG: u64 = 20;
/// Later, one of as many is repeated as the count holds this number.
const PER_GAP: u64 = 20;
/// At last one of so many: 1.6 %.
const MAX_GAP: u64 = 64;
/// Differing exchanges of a group that are sent again, all of them.
const BUDGET: u32 = 64;
/// After those, one of so many.
const LATE_GAP: u32 = 16;
/// Routes, and groups, with counts of their own; the others share one.
const MAX_ROUTES: usize = 4096;
const MAX_GROUPS: usize = 32_768;

/// The counts of a route.
#[derive(Clone, Copy, Debug, Default)]
struct RouteCount {
    requests: u64,
    /// The request that is repeated next.
    next: u64,
}

/// Says what is sent twice. The caller asks only for requests that may be: those with a safe method, or whose repeat reads
/// the same snapshot and writes nothing.
#[derive(Debug, Default)]
pub struct RepeatPlan {
    routes: HashMap<Box<str>, RouteCount, foldhash::fast::RandomState>,
    others: RouteCount,
    /// Differing exchanges by a digest of route, place and kind. Two groups of one digest share a budget.
    groups: HashMap<u64, u32, foldhash::fast::RandomState>,
    other_groups: u32,
}

impl RepeatPlan {
    /// Whether this request of the route is sent twice, whatever it is answered. Its repeat is a `Source::Repeat`.
    pub fn is_due(&mut self, route: &str) -> bool {
        if !self.routes.contains_key(route) && self.routes.len() < MAX_ROUTES {
            self.routes.insert(route.into(), RouteCount::default());
        }
        let count = self.routes.get_mut(route).unwrap_or(&mut self.others);
        let number = count.requests;
        count.requests += 1;
        if number < count.next {
            return false;
        }
        let gap = if number < YOUNG {
            1
        } else {
            (number / PER_GAP).clamp(1, MAX_GAP)
        };
        count.next = number + gap;
        true
    }

    /// Whether a request whose answer differs is sent once more, because a group of its differences has repeats left. Its repeat is
    /// a `Source::Recheck`. Each group that it has is charged.
    pub fn is_rechecked(&mut self, route: &str, differences: &[Observation]) -> bool {
        let mut is_wanted = false;
        for found in differences {
            let count = self.group(route, &found.place, found.kind);
            is_wanted |= *count < BUDGET || (*count - BUDGET).is_multiple_of(LATE_GAP);
            *count = count.saturating_add(1);
        }
        is_wanted
    }

    fn group(&mut self, route: &str, place: &Place, kind: Kind) -> &mut u32 {
        let mut hash = Xxh3::default();
        for part in [route, &place.to_string(), kind.name()] {
            hash.update(part.as_bytes());
            hash.update(&[0]);
        }
        let key = hash.digest();
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&key) {
            return &mut self.other_groups;
        }
        self.groups.entry(key).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differing(pointer: &str) -> Observation {
        Observation {
            place: Place::Json(pointer.into()),
            kind: Kind::Value,
            count: 1,
            production: "1".into(),
            mirror: "2".into(),
        }
    }

    #[test]
    fn a_young_route_is_repeated_always_and_an_old_one_hardly() {
        let mut plan = RepeatPlan::default();
        let mut due = |from: u64, to: u64| (from..to).filter(|_| plan.is_due("GET /a")).count();
        assert_eq!(due(0, 20), 20);
        assert_eq!(due(20, 40), 20);
        let middle = due(40, 1280);
        assert!((60..90).contains(&middle), "{middle}");
        assert_eq!(due(1280, 7680), 100);
    }

    #[test]
    fn each_route_is_young_by_itself() {
        let mut plan = RepeatPlan::default();
        for _ in 0..1_000 {
            plan.is_due("GET /a");
        }
        assert!((0..20).all(|_| plan.is_due("GET /b")));
    }

    #[test]
    fn a_group_that_differs_has_a_budget() {
        let mut plan = RepeatPlan::default();
        let differences = [differing("/a")];
        let mut count = |n: u32| {
            (0..n)
                .filter(|_| plan.is_rechecked("GET /a", &differences))
                .count()
        };
        assert_eq!(count(64), 64);
        assert_eq!(count(160), 10);
        let other = [differing("/a"), differing("/b")];
        assert!(
            plan.is_rechecked("GET /a", &other),
            "the second group has repeats left"
        );
        assert!(plan.is_rechecked("GET /b", &differences));
        assert!(!plan.is_rechecked("GET /a", &[]));
    }

    #[test]
    fn counts_are_bounded() {
        let mut plan = RepeatPlan::default();
        for n in 0..5_000 {
            plan.is_due(&format!("GET /{n}"));
        }
        assert_eq!(plan.routes.len(), MAX_ROUTES);
        for n in 0..40_000 {
            plan.is_rechecked("GET /", &[differing(&format!("/{n}"))]);
        }
        assert_eq!(plan.groups.len(), MAX_GROUPS);
    }
}
