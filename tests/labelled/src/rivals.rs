//! Two usual rules, beside ours. Both get our comparison, so that only the rule differs.

use std::collections::{BTreeMap, BTreeSet};

use mirror_core::compare::{Comparison, Place};

/// Diffy's thresholds, in percent: `threshold.relative` and `threshold.absolute` of its command line, by default.
const RELATIVE: f64 = 20.0;
const ABSOLUTE: f64 = 0.03;

/// A place of a route.
pub(crate) type At = (&'static str, Place);

/// How often each place differed.
#[derive(Clone, Debug, Default)]
pub struct Rivals {
    requests: BTreeMap<&'static str, u64>,
    /// Production (Diffy's primary) against the candidate, and against the control (its secondary).
    differing: BTreeMap<At, [u64; 2]>,
}

impl Rivals {
    pub(crate) fn take(
        &mut self,
        route: &'static str,
        candidate: &Comparison,
        control: Option<&Comparison>,
    ) {
        *self.requests.entry(route).or_default() += 1;
        let sides = [Some(candidate), control];
        for (side, comparison) in sides.into_iter().enumerate() {
            let observations = comparison.into_iter().flat_map(|one| &one.observations);
            let places: BTreeSet<_> = observations.map(|one| &one.place).collect();
            for place in places {
                self.differing.entry((route, place.clone())).or_default()[side] += 1;
            }
        }
    }

    /// Every place that differs and is not on the list.
    pub fn by_list(&self, ignored: &[&str]) -> BTreeSet<At> {
        let is_ignored = |place: &Place| {
            let name = place.to_string();
            ignored.iter().any(|part| name.contains(part))
        };
        let found = self.differing.iter();
        let found = found.filter(|((_, place), [raw, _])| *raw > 0 && !is_ignored(place));
        found.map(|(at, _)| at.clone()).collect()
    }

    /// A place counts if it differs from the candidate more often than from the secondary instance: by 20 % of the differences
    /// of both, and in 0.03 % of the requests (`DifferencesFilterFactory` and `JoinedField` of Diffy).
    pub fn by_diffy(&self) -> BTreeSet<At> {
        let found = self.differing.iter().filter(|((route, _), [raw, noise])| {
            let (raw, noise) = (*raw as f64, *noise as f64);
            let requests = self.requests[route] as f64;
            raw > noise
                && (raw - noise) / (raw + noise) * 100.0 > RELATIVE
                && (raw - noise) / requests * 100.0 > ABSOLUTE
        });
        found.map(|(at, _)| at.clone()).collect()
    }
}
