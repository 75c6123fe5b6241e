//! For every outcome: how many, on which routes, why, and some examples.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use mirror_core::ledger::Outcome;
use mirror_core::route::{RouteId, RouteLearner};
use serde::{Deserialize, Serialize};

use super::request::{RequestLabel, ShownRequest};
use super::{OTHER, reason};

/// Routes and reasons of one outcome that are told apart.
const MAX_GROUPS: usize = 100;
/// Reasons beyond these that are told apart without their routes: many routes cannot push out a new reason.
const MAX_REASONS: usize = 32;
const MAX_EXAMPLES: usize = 3;

/// How many requests ended with an outcome, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OutcomeData {
    pub outcome: String,
    pub count: u64,
    /// What the outcome means, and what can be done about it.
    pub meaning: String,
    /// The largest first.
    pub groups: Vec<OutcomeGroup>,
}

impl OutcomeData {
    /// Whether it needs no explanation, because the answers were compared.
    pub(super) fn is_comparison(&self) -> bool {
        const COMPARED: [Outcome; 4] = [
            Outcome::Matched,
            Outcome::Differed,
            Outcome::MatchedWithoutSnapshot,
            Outcome::DifferedWithoutSnapshot,
        ];
        COMPARED
            .iter()
            .any(|outcome| outcome.name() == self.outcome)
    }
}

/// Requests of one route that ended alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OutcomeGroup {
    /// `(other)` for those beyond the limits.
    pub route: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub count: u64,
    pub examples: Vec<OutcomeExample>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OutcomeExample {
    #[serde(flatten)]
    pub request: ShownRequest,
    /// In full, where the group's is shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `None` for what is beyond the limits.
type Key = (RouteId, Option<Box<str>>);

/// The tallies of all outcomes.
#[derive(Default)]
pub(super) struct OutcomeTallies(BTreeMap<Outcome, Groups>);

type Groups = HashMap<Key, Tally, RandomState>;

#[derive(Clone, Default, Serialize, Deserialize)]
struct Tally {
    count: u64,
    examples: Vec<OutcomeExample>,
}

impl Tally {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        let room = MAX_EXAMPLES - self.examples.len();
        self.examples.extend(other.examples.into_iter().take(room));
    }
}

/// A group as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct OutcomeRecord {
    outcome: String,
    reason: Option<Box<str>>,
    #[serde(flatten)]
    tally: Tally,
}

impl OutcomeRecord {
    pub(super) fn is_of(&self, outcome: Outcome) -> bool {
        self.outcome == outcome.name()
    }
}

impl OutcomeTallies {
    pub(super) fn count(
        &mut self,
        outcome: Outcome,
        route: RouteId,
        label: &RequestLabel,
        full_reason: Option<&str>,
    ) {
        let groups = self.0.entry(outcome).or_default();
        let mut key = (route, full_reason.map(|text| reason::grouped(text).into()));
        if !groups.contains_key(&key) {
            key = admitted(groups, key);
        }
        let is_cut = full_reason.is_some_and(|full| key.1.as_deref() != Some(full));
        let tally = groups.entry(key).or_default();
        tally.count += 1;
        if tally.examples.len() < MAX_EXAMPLES {
            tally.examples.push(OutcomeExample {
                request: label.shown(),
                reason: full_reason
                    .filter(|_| is_cut)
                    .map(|full| mirror_core::compare::excerpt(full, 500)),
            });
        }
    }

    /// Requests that were handed over and never came: nobody knows their route.
    pub(super) fn count_unread(&mut self, outcome: Outcome, count: u64, reason: &str) {
        let groups = self.0.entry(outcome).or_default();
        let mut key = (RouteLearner::OTHER, Some(reason::grouped(reason).into()));
        if !groups.contains_key(&key) {
            key = admitted(groups, key);
        }
        groups.entry(key).or_default().count += count;
    }

    /// Puts together what the learner has found to be one route.
    pub(super) fn fold(&mut self, routes: &RouteLearner) {
        for groups in self.0.values_mut() {
            // In the order of routes, so that the first examples stay.
            let mut all: Vec<(Key, Tally)> = groups.drain().collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            for ((route, reason), tally) in all {
                let into = groups.entry((routes.resolve(route), reason)).or_default();
                into.merge(tally);
            }
        }
    }

    /// What is kept of the routes that `wanted` names.
    pub(super) fn records(
        &self,
        wanted: impl Fn(RouteId) -> bool,
    ) -> impl Iterator<Item = (RouteId, OutcomeRecord)> {
        let of = move |(outcome, groups): (&Outcome, &Groups)| {
            let groups = groups.iter().filter(|((route, _), _)| wanted(*route));
            let record = |((route, reason), tally): (&Key, &Tally)| {
                let record = OutcomeRecord {
                    outcome: outcome.name().into(),
                    reason: reason.clone(),
                    tally: tally.clone(),
                };
                (*route, record)
            };
            groups.map(record).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of)
    }

    /// Adds what was kept of a route. An outcome that this build does not know is left out.
    pub(super) fn add(&mut self, route: RouteId, record: OutcomeRecord) {
        let mut all = Outcome::ALL.iter();
        let Some(outcome) = all.find(|outcome| outcome.name() == record.outcome) else {
            return;
        };
        let groups = self.0.entry(*outcome).or_default();
        let mut key = (route, record.reason);
        if !groups.contains_key(&key) {
            key = admitted(groups, key);
        }
        groups.entry(key).or_default().merge(record.tally);
    }

    /// How many ended with each outcome.
    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        let count = |groups: &Groups| groups.values().map(|tally| tally.count).sum();
        let outcomes = self.0.iter();
        outcomes
            .map(|(outcome, groups)| (outcome.name().to_owned(), count(groups)))
            .collect()
    }

    pub(super) fn data(
        &self,
        routes: &RouteLearner,
        counts: &BTreeMap<String, u64>,
    ) -> Vec<OutcomeData> {
        let occurred = Outcome::ALL.iter().filter_map(|outcome| {
            let count = counts.get(outcome.name())?;
            Some((*outcome, *count))
        });
        occurred
            .map(|(outcome, count)| OutcomeData {
                outcome: outcome.name().into(),
                count,
                meaning: outcome.meaning().into(),
                groups: self.groups(outcome, routes),
            })
            .collect()
    }

    fn groups(&self, outcome: Outcome, routes: &RouteLearner) -> Vec<OutcomeGroup> {
        let tallies = self.0.get(&outcome).into_iter().flatten();
        let mut groups: Vec<OutcomeGroup> = tallies
            .map(|((route, reason), tally)| OutcomeGroup {
                route: routes.name(*route),
                reason: reason.as_deref().map(Into::into),
                count: tally.count,
                examples: tally.examples.clone(),
            })
            .collect();
        groups.sort_by(|a, b| {
            let by_count = b.count.cmp(&a.count);
            by_count.then_with(|| (&a.route, &a.reason).cmp(&(&b.route, &b.reason)))
        });
        groups
    }
}

/// The group that a new key is counted in: its own while there is room, else its reason's, else that of all others.
fn admitted(groups: &Groups, key: Key) -> Key {
    if groups.len() < MAX_GROUPS {
        return key;
    }
    let by_reason = (RouteLearner::OTHER, key.1);
    let is_known = groups.contains_key(&by_reason);
    if is_known || groups.len() < MAX_GROUPS + MAX_REASONS {
        by_reason
    } else {
        (RouteLearner::OTHER, Some(OTHER.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::tests::label;
    use super::*;

    struct Check {
        routes: RouteLearner,
        tallies: OutcomeTallies,
        count: u64,
    }

    impl Check {
        fn new() -> Self {
            Self {
                routes: RouteLearner::default(),
                tallies: OutcomeTallies::default(),
                count: 0,
            }
        }

        fn count(&mut self, path: &str, reason: &str) {
            let route = self.routes.learn("GET", path);
            let label = label("GET", path);
            self.tallies
                .count(Outcome::ReplayFailed, route, &label, Some(reason));
            self.count += 1;
        }

        fn groups(&self) -> Vec<OutcomeGroup> {
            let counts = [("replay: failed".to_owned(), self.count)].into();
            let mut data = self.tallies.data(&self.routes, &counts);
            assert_eq!(data.len(), 1);
            assert_eq!(data[0].count, self.count);
            let sum: u64 = data[0].groups.iter().map(|group| group.count).sum();
            assert_eq!(sum, self.count, "no request is in no group");
            data.remove(0).groups
        }
    }

    #[test]
    fn equal_reasons_on_a_route_are_one_group_with_examples() {
        let mut check = Check::new();
        for n in 0..5 {
            check.count(&format!("/a/{n}"), &format!("127.0.0.1:5000{n}: reset"));
        }
        check.count("/a/7", "refused");
        let groups = check.groups();
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].route, "GET /a/{id}");
        assert_eq!(groups[0].reason.as_deref(), Some("127.0.0.1:…: reset"));
        assert_eq!((groups[0].count, groups[0].examples.len()), (5, 3));
        let example = &groups[0].examples[0];
        assert_eq!(example.request.request, "GET /a/0");
        assert_eq!(example.reason.as_deref(), Some("127.0.0.1:50000: reset"));
        assert_eq!(groups[1].examples[0].reason, None, "it is the group's");
    }

    #[test]
    fn many_routes_cannot_push_out_a_reason() {
        let mut check = Check::new();
        for n in 0..60 {
            for m in 0..3 {
                check.count(&format!("/r{n}x/s{m}x"), "reset");
            }
        }
        check.count("/late", "refused");
        let groups = check.groups();
        let late = groups
            .iter()
            .find(|group| group.reason.as_deref() == Some("refused"));
        assert_eq!(
            late.map(|group| (group.route.as_str(), group.count)),
            Some((OTHER, 1))
        );
        for n in 0..100 {
            check.count("/late", &format!("reason r{n}x"));
        }
        assert!(check.groups().len() <= MAX_GROUPS + MAX_REASONS + 1);
    }

    #[test]
    fn folded_routes_become_one_group() {
        let mut check = Check::new();
        for n in 0..70 {
            check.count(&format!("/products/shoe-{n}-x"), "reset");
        }
        check.tallies.fold(&check.routes);
        let groups = check.groups();
        assert_eq!(groups.len(), 1, "{groups:#?}");
        assert_eq!(groups[0].route, "GET /products/{slug}");
        assert_eq!(groups[0].examples.len(), 3);
    }
}
