//! Which parcels of a partition are done: for each process that shipped there, the numbers of those that have their outcome in
//! the ledger.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::parcel::{ParcelId, ProcessId};

/// A set of numbers, as ranges that do not touch each other: from the first one to the one after the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Numbers(BTreeMap<u64, u64>);

impl Numbers {
    /// False if it was there already.
    pub fn insert(&mut self, number: u64) -> bool {
        if self.contains(number) {
            return false;
        }
        self.extend(number, number + 1);
        true
    }

    pub fn contains(&self, number: u64) -> bool {
        let before = self.0.range(..=number).next_back();
        before.is_some_and(|(_, end)| number < *end)
    }

    /// Adds all numbers from `from` to the one before `to`.
    pub fn extend(&mut self, mut from: u64, mut to: u64) {
        if from >= to {
            return;
        }
        while let Some((start, end)) = self.0.range(..=to).next_back().map(|(s, e)| (*s, *e)) {
            if end < from {
                break;
            }
            (from, to) = (from.min(start), to.max(end));
            self.0.remove(&start);
        }
        self.0.insert(from, to);
    }

    pub fn ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|(from, to)| (*from, *to))
    }

    pub fn count(&self) -> u64 {
        self.ranges().map(|(from, to)| to - from).sum()
    }

    /// The number after the largest one.
    pub fn end(&self) -> u64 {
        self.0.last_key_value().map_or(0, |(_, to)| *to)
    }

    /// The numbers from `from` to the one before `to` that are not there, as ranges.
    pub fn missing(&self, from: u64, to: u64) -> Vec<(u64, u64)> {
        let (mut missing, mut at) = (Vec::new(), from);
        for (start, end) in self.ranges() {
            if end <= at {
                continue;
            }
            if start >= to {
                break;
            }
            if start > at {
                missing.push((at, start));
            }
            at = end;
        }
        if at < to {
            missing.push((at, to));
        }
        missing
    }
}

/// What is done of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Done(BTreeMap<ProcessId, Numbers>);

impl Done {
    /// False if it was done already.
    pub fn insert(&mut self, parcel: ParcelId) -> bool {
        self.of(parcel.origin).insert(parcel.sequence)
    }

    pub fn contains(&self, parcel: ParcelId) -> bool {
        let numbers = self.0.get(&parcel.origin);
        numbers.is_some_and(|numbers| numbers.contains(parcel.sequence))
    }

    pub fn of(&mut self, origin: ProcessId) -> &mut Numbers {
        self.0.entry(origin).or_default()
    }

    pub fn merge(&mut self, other: &Self) {
        for (origin, numbers) in &other.0 {
            let ours = self.of(*origin);
            for (from, to) in numbers.ranges() {
                ours.extend(from, to);
            }
        }
    }

    pub fn origins(&self) -> impl Iterator<Item = (ProcessId, &Numbers)> {
        self.0.iter().map(|(origin, numbers)| (*origin, numbers))
    }

    pub fn count(&self) -> u64 {
        self.0.values().map(Numbers::count).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Against a naive model.
    #[test]
    fn numbers_are_a_set_whatever_comes_in_which_order() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut any = move |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        for _ in 0..200 {
            let (mut numbers, mut model) = (Numbers::default(), BTreeSet::new());
            for _ in 0..60 {
                if any(3) == 0 {
                    let from = any(50);
                    let to = from + any(8);
                    numbers.extend(from, to);
                    model.extend(from..to);
                } else {
                    let number = any(60);
                    assert_eq!(numbers.insert(number), model.insert(number));
                }
                let ranges: Vec<_> = numbers.ranges().collect();
                let all: BTreeSet<u64> = ranges.iter().flat_map(|(from, to)| *from..*to).collect();
                assert_eq!(all, model);
                assert!(
                    ranges.windows(2).all(|pair| pair[0].1 < pair[1].0),
                    "{ranges:?}"
                );
                assert_eq!(numbers.count(), model.len() as u64);
                assert_eq!(numbers.end(), model.last().map_or(0, |last| last + 1));
                let (from, to) = (any(30), 30 + any(40));
                let missing = numbers.missing(from, to).into_iter();
                let missing: Vec<u64> = missing.flat_map(|(from, to)| from..to).collect();
                let expect: Vec<u64> = (from..to).filter(|n| !model.contains(n)).collect();
                assert_eq!(missing, expect);
            }
        }
    }

    #[test]
    fn what_several_did_is_done() {
        let origin = ProcessId::random().unwrap();
        let parcel = |sequence| ParcelId { origin, sequence };
        let (mut ours, mut theirs) = (Done::default(), Done::default());
        for sequence in [0, 1, 4] {
            assert!(ours.insert(parcel(sequence)));
        }
        theirs.insert(parcel(2));
        theirs.merge(&ours);
        let text = serde_json::to_string(&theirs).unwrap();
        assert_eq!(serde_json::from_str::<Done>(&text).unwrap(), theirs);
        assert_eq!(
            theirs.of(origin).ranges().collect::<Vec<_>>(),
            [(0, 3), (4, 5)]
        );
        assert!(theirs.contains(parcel(2)) && !theirs.contains(parcel(3)));
        assert_eq!(theirs.count(), 4);
    }
}
