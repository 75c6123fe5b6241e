//! A table of differences as it is kept: its counts and its examples are records of their own, because examples are long and seldom change.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use mirror_core::compare::{Kind, Place};
use serde::{Deserialize, Serialize};

use super::super::examples::{Examples, KeptExample, ValueCounts};
use super::{DifferenceTable, Key, Tally};

/// A table as it is kept, without examples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::report) struct TableRecord {
    groups: Vec<GroupRecord>,
    dropped: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct GroupRecord {
    is_evidence: bool,
    place: Place,
    kind: Kind,
    count: u64,
    varies: bool,
    values: ValueCounts,
}

/// The examples of a table as they are kept, each with its group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::report) struct ExamplesRecord(Vec<(bool, Place, Kind, KeptExample)>);

impl ExamplesRecord {
    /// Beside those of other runs, numbers of answers mean nothing.
    pub(in crate::report) fn forget_answers(&mut self) {
        for (_, _, _, kept) in &mut self.0 {
            kept.example.answers = None;
        }
    }
}

impl DifferenceTable {
    pub(in crate::report) fn record(&self) -> TableRecord {
        let group = |(key, tally): (&Key, &Tally)| GroupRecord {
            is_evidence: key.0.0,
            place: key.1.clone(),
            kind: key.2,
            count: tally.count,
            varies: tally.varies,
            values: tally.examples.values().clone(),
        };
        TableRecord {
            groups: self.groups.iter().map(group).collect(),
            dropped: self.dropped,
        }
    }

    /// Its examples, if they have changed since they were asked for last, or in any case.
    pub(in crate::report) fn new_examples(&mut self, in_any_case: bool) -> Option<ExamplesRecord> {
        let has_new = std::mem::take(&mut self.has_new_examples);
        let all = || {
            let of = |(key, tally): (&Key, &Tally)| {
                let (is_evidence, place, kind) = (key.0.0, key.1.clone(), key.2);
                let kept = tally.examples.kept().to_vec().into_iter();
                kept.map(move |example| (is_evidence, place.clone(), kind, example))
                    .collect::<Vec<_>>()
            };
            ExamplesRecord(self.groups.iter().flat_map(of).collect())
        };
        (has_new || in_any_case).then(all)
    }

    pub(in crate::report) fn of(record: TableRecord, examples: ExamplesRecord) -> Self {
        let mut kept: BTreeMap<Key, Vec<KeptExample>> = BTreeMap::new();
        for (is_evidence, place, kind, example) in examples.0 {
            let key = (Reverse(is_evidence), place, kind);
            kept.entry(key).or_default().push(example);
        }
        let group = |group: GroupRecord| {
            let key = (Reverse(group.is_evidence), group.place, group.kind);
            let examples = kept.remove(&key).unwrap_or_default();
            let tally = Tally {
                count: group.count,
                varies: group.varies,
                examples: Examples::of(examples, group.values),
            };
            (key, tally)
        };
        Self {
            groups: record.groups.into_iter().map(group).collect(),
            dropped: record.dropped,
            has_new_examples: false,
        }
    }
}
