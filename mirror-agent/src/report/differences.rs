//! Groups of differences, by place and kind, for one route.

mod record;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use mirror_core::compare::{Kind, Observation, Place, Severity, excerpt};
use mirror_core::noise::{Explained, Maps};
use serde::{Deserialize, Serialize};

use super::examples::{DifferenceExample, Examples, KnownBy};
use super::pair::JudgedPair;
use super::request::RequestLabel;

pub(super) use record::{ExamplesRecord, TableRecord};

/// Groups of one route. At the cap the least significant one gives way, so that noise cannot push a real one out.
const MAX_GROUPS: usize = 40;
/// Longest target that an example shows.
const MAX_TARGET: usize = 300;

/// Answers that differ alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DifferenceGroup {
    pub route: String,
    /// As text, and the same for every element of a list: `body /items/*/price`.
    pub place: String,
    pub kind: Kind,
    /// By kind and place. Reports of older agents do not say it.
    #[serde(default = "usual_severity")]
    pub severity: Severity,
    /// Pairs of answers that differ so.
    pub count: u64,
    /// Whether both sides had the same data, and the control, if there is one, does not differ there too.
    pub is_evidence: bool,
    /// Whether the place is known to vary by nature.
    #[serde(default)]
    pub varies: bool,
    pub examples: Vec<DifferenceExample>,
}

impl DifferenceGroup {
    /// Why it decides nothing by itself.
    pub(super) fn remark(&self, has_control: bool) -> Option<&'static str> {
        match (self.is_evidence, self.varies, has_control) {
            (false, true, _) => Some("varies by nature"),
            (true, true, _) => Some("the place varies by nature too: how often it does decides"),
            (true, false, _) => None,
            (false, false, false) => Some("no evidence: there was no snapshot"),
            (false, false, true) => {
                Some("no evidence: the control differs there too, or there was no snapshot")
            }
        }
    }

    /// Examples that do not read alike, for people.
    pub(super) fn distinct_examples(&self) -> impl Iterator<Item = &DifferenceExample> {
        let seen = |index: usize, example: &DifferenceExample| {
            let mut before = self.examples[..index].iter();
            before.any(|other| other.shown() == example.shown())
        };
        let all = self.examples.iter().enumerate();
        all.filter(move |(index, example)| !seen(*index, example))
            .map(|(_, example)| example)
    }
}

/// What is no evidence sorts last.
type Key = (Reverse<bool>, Place, Kind);

#[derive(Clone, Default)]
pub(super) struct DifferenceTable {
    groups: BTreeMap<Key, Tally>,
    /// Pairs whose group gave way, or never had one.
    dropped: u64,
    /// Whether examples have changed since they were kept last.
    has_new_examples: bool,
}

#[derive(Clone, Default)]
struct Tally {
    count: u64,
    /// Noise explains one of them at least.
    varies: bool,
    examples: Examples,
}

/// Lower is more significant. What nobody notices comes last, and what is no evidence before it; else another class of status
/// is first, then what has the highest severity.
type Rank = (bool, Reverse<bool>, bool, Severity);

fn rank((evidence, place, kind): &Key) -> Rank {
    let severity = kind.severity_at(place);
    let is_cosmetic = severity == Severity::Cosmetic;
    (is_cosmetic, *evidence, *kind != Kind::StatusClass, severity)
}

impl DifferenceTable {
    /// `explained` is what noise says of the pair's differences, and whether what it leaves is evidence; `answers` the number of its
    /// stored answers, if they are to be stored. Returns whether it is an example of something.
    pub(super) fn count(
        &mut self,
        label: &RequestLabel,
        pair: &JudgedPair,
        (explained, is_evidence): (&Explained, bool),
        answers: Option<u64>,
    ) -> bool {
        let mut is_example = false;
        let left = explained.left.iter().map(|one| (is_evidence, false, one));
        let varying = explained.varying.iter().map(|one| (false, true, one));
        for (is_evidence, varies, one) in left.chain(varying) {
            let known_by = KnownBy::new(label.at(), label.size(), one);
            is_example |= self.add((is_evidence, varies), one, known_by, || DifferenceExample {
                answers,
                ..example(label, pair, one)
            });
        }
        self.dropped += pair.comparison().untold;
        self.has_new_examples |= is_example;
        is_example
    }

    /// Whether a pair with this difference may become an example, whatever noise says of it.
    pub(super) fn wants(&self, place: Place, observation: &Observation, known_by: KnownBy) -> bool {
        let key = |is_evidence| (Reverse(is_evidence), place.clone(), observation.kind);
        let keys = [key(true), key(false)];
        let mut known = keys
            .iter()
            .filter_map(|key| self.groups.get(key))
            .peekable();
        match known.peek() {
            Some(_) => known.any(|tally| tally.examples.wants(known_by)),
            None => {
                let least = self.groups.keys().map(rank).max();
                self.groups.len() < MAX_GROUPS || least.is_some_and(|least| rank(&keys[0]) <= least)
            }
        }
    }

    /// The numbers of the answers that its examples name.
    pub(super) fn answers(&self) -> impl Iterator<Item = u64> {
        let kept = self.groups.values().flat_map(|tally| tally.examples.kept());
        kept.filter_map(|one| one.example.answers)
    }

    fn add(
        &mut self,
        (is_evidence, varies): (bool, bool),
        observation: &Observation,
        known_by: KnownBy,
        example: impl FnOnce() -> DifferenceExample,
    ) -> bool {
        let place = observation.place.clone();
        let key = (Reverse(is_evidence), place, observation.kind);
        if !self.has_room(&key) {
            self.dropped += 1;
            return false;
        }
        let tally = self.groups.entry(key).or_default();
        tally.count += 1;
        tally.varies |= varies;
        tally.examples.count(known_by, example)
    }

    /// Makes room for a new group by taking out the least significant one, and of these the smallest.
    fn has_room(&mut self, key: &Key) -> bool {
        if self.groups.len() < MAX_GROUPS || self.groups.contains_key(key) {
            return true;
        }
        let least = self
            .groups
            .iter()
            .max_by_key(|(key, tally)| (rank(key), Reverse(tally.count)))
            .map(|(key, _)| key.clone());
        match least {
            Some(least) if rank(key) <= rank(&least) => {
                let gone = self.groups.remove(&least);
                self.dropped += gone.map_or(0, |tally| tally.count);
                true
            }
            _ => false,
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.dropped += other.dropped;
        self.has_new_examples = true;
        for (key, tally) in other.groups {
            if self.has_room(&key) {
                let into = self.groups.entry(key).or_default();
                into.count += tally.count;
                into.varies |= tally.varies;
                into.examples.merge(tally.examples);
            } else {
                self.dropped += tally.count;
            }
        }
    }

    /// Puts together the members of maps.
    pub(super) fn fold_places(&mut self, maps: &Maps) {
        let all = std::mem::take(&mut self.groups);
        let folded = |(evidence, place, kind): Key| {
            let place = maps.folded(&place).unwrap_or(place);
            (evidence, place, kind)
        };
        for (key, tally) in all {
            let one = BTreeMap::from([(folded(key), tally)]);
            self.merge(Self {
                groups: one,
                ..Self::default()
            });
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What was found before a place was known to vary is in another group than what came after.
    fn varies(&self, key: &Key) -> bool {
        let explained = (Reverse(false), key.1.clone(), key.2);
        let explained = self.groups.get(&explained);
        explained.is_some_and(|tally| tally.varies)
    }

    pub(super) fn data<'a>(&'a self, route: &'a str) -> impl Iterator<Item = Ranked> + 'a {
        self.groups.iter().map(move |(key, tally)| Ranked {
            rank: (rank(key), Reverse(tally.count)),
            group: DifferenceGroup {
                route: route.to_owned(),
                place: key.1.to_string(),
                kind: key.2,
                severity: key.2.severity_at(&key.1),
                count: tally.count,
                is_evidence: key.0.0,
                varies: self.varies(key),
                examples: tally.examples.shown(),
            },
        })
    }
}

/// A group and its place in the report: the most significant first, of these the largest.
pub(super) struct Ranked {
    rank: (Rank, Reverse<u64>),
    group: DifferenceGroup,
}

/// The groups of all routes in the order of the report.
pub(super) fn sorted(mut groups: Vec<Ranked>) -> Vec<DifferenceGroup> {
    groups.sort_by(|a, b| {
        let order = a.rank.cmp(&b.rank);
        order.then_with(|| (&a.group.route, &a.group.place).cmp(&(&b.group.route, &b.group.place)))
    });
    groups.into_iter().map(|ranked| ranked.group).collect()
}

fn usual_severity() -> Severity {
    Severity::Value
}

fn example(
    label: &RequestLabel,
    pair: &JudgedPair,
    observation: &Observation,
) -> DifferenceExample {
    let shown = label.shown();
    let target = excerpt(&pair.shown_target(), MAX_TARGET);
    DifferenceExample {
        request: format!("{} {target}", excerpt(label.method(), MAX_TARGET)),
        id: pair.id.clone(),
        connection: shown.connection,
        index: shown.index,
        times: observation.count,
        production: observation.production.clone(),
        mirror: observation.mirror.clone(),
        trace_id: pair.trace_id.clone(),
        answers: None,
    }
}

#[cfg(test)]
mod tests {
    use mirror_core::compare::Comparison;
    use mirror_core::verdict::Basis;

    use super::super::pair::tests::pair;
    use super::super::request::tests::label;
    use super::*;

    fn count(table: &mut DifferenceTable, place: Place, kind: Kind, basis: Basis) {
        let observation = Observation {
            place,
            kind,
            count: 1,
            production: "1".into(),
            mirror: "2".into(),
        };
        let comparison = Comparison {
            observations: vec![observation],
            ..Comparison::default()
        };
        let pair = pair(basis, comparison);
        let explained = pair.unexplained();
        let is_evidence = pair.is_judged();
        table.count(&label("GET", "/a"), &pair, (&explained, is_evidence), None);
    }

    fn places(table: &DifferenceTable) -> Vec<String> {
        let groups = sorted(table.data("GET /a").collect());
        groups.into_iter().map(|group| group.place).collect()
    }

    #[test]
    fn noise_pushes_no_real_difference_out() {
        let mut table = DifferenceTable::default();
        let noise = |n: u32| Place::Json(format!("/n{n}"));
        for n in 0..500 {
            count(&mut table, noise(n), Kind::Value, Basis::Snapshot);
        }
        count(
            &mut table,
            Place::Status,
            Kind::StatusClass,
            Basis::Snapshot,
        );
        let gone = Place::Json("/gone".into());
        count(&mut table, gone, Kind::Missing, Basis::Snapshot);
        for _ in 0..2 {
            let often = Place::Json("/often".into());
            count(&mut table, often, Kind::Value, Basis::Snapshot);
        }
        for n in 500..1000 {
            count(&mut table, noise(n), Kind::Value, Basis::Snapshot);
        }
        let shown = places(&table);
        assert_eq!(shown.len(), MAX_GROUPS);
        assert_eq!(shown[..3], ["status", "body /gone", "body /often"]);
        let counted: u64 = table.groups.values().map(|tally| tally.count).sum();
        assert_eq!(counted + table.dropped(), 1004);
    }

    #[test]
    fn groups_are_in_the_order_of_their_severity() {
        let mut table = DifferenceTable::default();
        let kinds = [
            ("/white", Kind::Cosmetic, 9),
            ("/new", Kind::Added, 8),
            ("/list", Kind::Order, 7),
            ("/price", Kind::Value, 6),
            ("/gone", Kind::Missing, 5),
        ];
        for (place, kind, times) in kinds {
            for _ in 0..times {
                count(&mut table, Place::Json(place.into()), kind, Basis::Snapshot);
            }
        }
        count(&mut table, Place::Status, Kind::Status, Basis::Snapshot);
        assert_eq!(places(&table)[..2], ["body /gone", "body /price"]);
        count(
            &mut table,
            Place::Status,
            Kind::StatusClass,
            Basis::Snapshot,
        );
        count(&mut table, Place::Body, Kind::Bytes, Basis::Missing);
        let expect = [
            "status",
            "body /gone",
            "body /price",
            "status",
            "body /list",
            "body /new",
            "body",
            "body /white",
        ];
        assert_eq!(places(&table), expect);
    }

    #[test]
    fn what_noise_explains_varies_by_nature_and_what_came_before_it_too() {
        let mut table = DifferenceTable::default();
        let seen = |place: &str| Observation {
            place: Place::Json(place.into()),
            kind: Kind::Value,
            count: 1,
            production: "1".into(),
            mirror: "2".into(),
        };
        let pair = pair(Basis::Snapshot, Comparison::default());
        let label = label("GET", "/a");
        let before = Explained {
            left: vec![seen("/at"), seen("/price")],
            ..Explained::default()
        };
        let after = Explained {
            varying: vec![seen("/at")],
            ..Explained::default()
        };
        table.count(&label, &pair, (&before, true), None);
        table.count(&label, &pair, (&after, true), None);
        let groups = sorted(table.data("GET /a").collect());
        let shown: Vec<_> = groups
            .iter()
            .map(|group| (group.place.as_str(), group.remark(false)))
            .collect();
        let too = Some("the place varies by nature too: how often it does decides");
        assert_eq!(
            shown,
            [
                ("body /at", too),
                ("body /price", None),
                ("body /at", Some("varies by nature")),
            ]
        );
    }

    #[test]
    fn what_is_no_evidence_gives_way_first() {
        let mut table = DifferenceTable::default();
        for n in 0..MAX_GROUPS {
            let place = Place::Json(format!("/n{n}"));
            count(&mut table, place, Kind::Value, Basis::Snapshot);
        }
        count(&mut table, Place::Status, Kind::StatusClass, Basis::Missing);
        assert_eq!(table.dropped(), 1);
        assert!(!places(&table).contains(&"status".to_owned()));
        count(&mut table, Place::Body, Kind::Bytes, Basis::Snapshot);
        assert!(places(&table).contains(&"body".to_owned()));
    }

    #[test]
    fn merged_tables_hold_both_and_stay_bounded() {
        let (mut a, mut b) = (DifferenceTable::default(), DifferenceTable::default());
        for n in 0..MAX_GROUPS {
            count(
                &mut a,
                Place::Json(format!("/a{n}")),
                Kind::Value,
                Basis::Snapshot,
            );
        }
        count(&mut b, Place::Status, Kind::StatusClass, Basis::Snapshot);
        count(
            &mut b,
            Place::Json("/a3".into()),
            Kind::Value,
            Basis::Snapshot,
        );
        a.merge(b);
        let shown = places(&a);
        assert_eq!(shown.len(), MAX_GROUPS);
        assert_eq!(shown[..2], ["status", "body /a3"]);
        assert_eq!(a.dropped(), 1);
    }
}
