//! Which requests stand for a group of differences: the smallest, the first and the rarest.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use mirror_core::compare::Observation;
use mirror_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Pairs of values that are told apart in a group. Where there are more, none of them is rare.
const MAX_VALUES: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DifferenceExample {
    /// Method and target.
    pub request: String,
    pub id: Option<String>,
    /// Number of its connection, and its place in it.
    pub connection: u64,
    pub index: u32,
    /// How often in this pair of answers; the values are the first.
    pub times: u64,
    pub production: String,
    pub mirror: String,
    /// Of production's request, from its `traceparent`.
    pub trace_id: Option<String>,
    /// Number of both answers in full, where they are kept.
    pub answers: Option<u64>,
}

impl DifferenceExample {
    pub(super) fn shown(&self) -> [&str; 3] {
        [&self.request, &self.production, &self.mirror]
    }
}

/// At most three examples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Examples {
    kept: Vec<KeptExample>,
    /// How often each pair of values was seen, by its digest.
    values: ValueCounts,
}

pub(super) type ValueCounts = BTreeMap<u64, u64>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptExample {
    #[serde(flatten)]
    known_by: KnownBy,
    pub(super) example: DifferenceExample,
}

/// What an example is chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownBy {
    at: Timestamp,
    /// Bytes of both bodies.
    size: u64,
    /// Digest of both values.
    values: u64,
}

impl KnownBy {
    pub(super) fn new(at: Timestamp, size: u64, observation: &Observation) -> Self {
        let values = (&observation.production, &observation.mirror);
        Self {
            at,
            size,
            values: FixedState::default().hash_one(values),
        }
    }
}

impl Examples {
    pub(super) fn of(kept: Vec<KeptExample>, values: ValueCounts) -> Self {
        let mut examples = Self { kept, values };
        examples.leave_out();
        examples
    }

    /// Whether a request would be one of them.
    pub(super) fn wants(&self, known_by: KnownBy) -> bool {
        let is_rarer = || {
            let rarest = self.kept.iter().map(|one| self.times(one.known_by)).min();
            let times = self.times(known_by) + 1;
            let is_told_apart =
                self.values.len() < MAX_VALUES || self.values.contains_key(&known_by.values);
            is_told_apart && rarest.is_some_and(|rarest| times < rarest)
        };
        let is_first = |by: fn(&KnownBy) -> (u64, Timestamp)| {
            let mut all = self.kept.iter();
            all.all(|one| by(&known_by) < by(&one.known_by))
        };
        self.kept.is_empty() || is_first(by_time) || is_first(by_size) || is_rarer()
    }

    /// Counts a request, and keeps it if it is wanted. Returns whether those that are kept have changed.
    pub(super) fn count(
        &mut self,
        known_by: KnownBy,
        example: impl FnOnce() -> DifferenceExample,
    ) -> bool {
        let is_wanted = self.wants(known_by);
        if self.values.len() < MAX_VALUES || self.values.contains_key(&known_by.values) {
            *self.values.entry(known_by.values).or_default() += 1;
        }
        if is_wanted {
            self.kept.push(KeptExample {
                known_by,
                example: example(),
            });
            self.leave_out();
        }
        is_wanted
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (values, times) in other.values {
            if self.values.len() < MAX_VALUES || self.values.contains_key(&values) {
                *self.values.entry(values).or_default() += times;
            }
        }
        self.kept.extend(other.kept);
        self.leave_out();
    }

    pub(super) fn kept(&self) -> &[KeptExample] {
        &self.kept
    }

    pub(super) fn values(&self) -> &ValueCounts {
        &self.values
    }

    /// The smallest first, then the first, then the rarest; each once.
    pub(super) fn shown(&self) -> Vec<DifferenceExample> {
        let chosen = self.chosen().into_iter();
        chosen.map(|at| self.kept[at].example.clone()).collect()
    }

    fn times(&self, known_by: KnownBy) -> u64 {
        self.values.get(&known_by.values).copied().unwrap_or(0)
    }

    fn chosen(&self) -> Vec<usize> {
        let at_least = |by: &dyn Fn(&KnownBy) -> (u64, Timestamp)| {
            (0..self.kept.len()).min_by_key(|at| by(&self.kept[*at].known_by))
        };
        let by_times = |known_by: &KnownBy| (self.times(*known_by), known_by.at);
        let chosen = [at_least(&by_size), at_least(&by_time), at_least(&by_times)];
        let mut known = Vec::new();
        for at in chosen.into_iter().flatten() {
            if !known.contains(&at) {
                known.push(at);
            }
        }
        known
    }

    fn leave_out(&mut self) {
        let chosen = self.chosen();
        let mut at = 0;
        self.kept.retain(|_| {
            at += 1;
            chosen.contains(&(at - 1))
        });
    }
}

fn by_time(known_by: &KnownBy) -> (u64, Timestamp) {
    (0, known_by.at)
}

fn by_size(known_by: &KnownBy) -> (u64, Timestamp) {
    (known_by.size, known_by.at)
}

#[cfg(test)]
mod tests {
    use mirror_core::compare::{Kind, Place};

    use super::*;

    fn count(examples: &mut Examples, (at, size): (u64, u64), mirror: &str) {
        let observation = Observation {
            place: Place::Body,
            kind: Kind::Value,
            count: 1,
            production: "1".into(),
            mirror: mirror.into(),
        };
        let known_by = KnownBy::new(Timestamp(at), size, &observation);
        examples.count(known_by, || DifferenceExample {
            request: format!("GET /{at}"),
            id: None,
            connection: 1,
            index: 1,
            times: 1,
            production: "1".into(),
            mirror: mirror.into(),
            trace_id: None,
            answers: None,
        });
    }

    fn shown(examples: &Examples) -> Vec<String> {
        let shown = examples.shown().into_iter();
        shown.map(|example| example.request).collect()
    }

    #[test]
    fn the_smallest_the_first_and_the_rarest_stand_for_thousands() {
        let mut examples = Examples::default();
        for at in 10..2_000 {
            count(&mut examples, (at, 1_000 + at % 7), "2");
        }
        assert_eq!(shown(&examples), ["GET /14", "GET /10"]);
        count(&mut examples, (5, 9_000), "2");
        count(&mut examples, (3_000, 9_000), "3");
        count(&mut examples, (3_001, 9_000), "3");
        count(&mut examples, (3_002, 10), "2");
        assert_eq!(shown(&examples), ["GET /3002", "GET /5", "GET /3000"]);
    }

    #[test]
    fn where_every_value_is_another_one_none_is_rare() {
        let mut examples = Examples::default();
        for at in 0..1_000 {
            count(&mut examples, (at, 50), &at.to_string());
        }
        assert_eq!(shown(&examples), ["GET /0"]);
        assert_eq!(examples.values.len(), MAX_VALUES);
    }

    #[test]
    fn merged_examples_are_those_of_both() {
        let (mut a, mut b) = (Examples::default(), Examples::default());
        for at in 0..10 {
            count(&mut a, (at + 100, 50), "2");
            count(&mut b, (at, 60), "2");
        }
        count(&mut b, (200, 70), "3");
        let mut merged = a.clone();
        merged.merge(b.clone());
        assert_eq!(shown(&merged), ["GET /100", "GET /0", "GET /200"]);
        b.merge(a);
        assert_eq!(shown(&b), shown(&merged));
        let values = merged.values.clone();
        let read = Examples::of(merged.kept.clone(), values);
        assert_eq!(read, merged);
    }
}
