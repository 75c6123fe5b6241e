//! What is kept of the compared answers of each route.

use std::collections::HashMap;

use mirror_core::compare::{Comparison, Extent, PlaceTotals};
use mirror_core::noise::{Explained, Maps};
use mirror_core::route::{RouteId, RouteLearner};
use mirror_core::verdict::matters;
use serde::{Deserialize, Serialize};

use super::differences::{self, DifferenceGroup, DifferenceTable, ExamplesRecord, TableRecord};
use super::examples::KnownBy;
use super::latency::Latencies;
use super::pair::JudgedPair;
use super::request::RequestLabel;
use super::status::{CacheHits, RouteData};
use super::trend::{Interval, IntervalKey, Trend, TrendRequest};

/// Routes that are told apart; the rest is one.
const MAX_ROUTES: usize = 500;

#[derive(Default)]
pub(super) struct RouteTallies(HashMap<RouteId, RouteTally>);

#[derive(Default)]
struct RouteTally {
    counts: RouteCounts,
    differences: DifferenceTable,
    trend: Trend,
}

/// What is counted of a route, and adds up.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct RouteCounts {
    compared: u64,
    differed: u64,
    streamed: u64,
    heads_only: u64,
    same: PlaceTotals,
    different: PlaceTotals,
    production: Latencies,
    mirror: Latencies,
    production_cache: CacheHits,
    mirror_cache: CacheHits,
}

/// A route as it is kept, without its examples and its trend.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct RouteTallyRecord {
    counts: RouteCounts,
    differences: TableRecord,
}

/// What has changed of a route.
pub(super) struct RouteTallyChange {
    pub(super) record: RouteTallyRecord,
    pub(super) examples: Option<ExamplesRecord>,
    pub(super) intervals: Vec<(IntervalKey, Interval)>,
}

impl RouteTallies {
    /// `explained` is what noise says of the pair's differences, and whether what it leaves is evidence; `answers` the number of its
    /// stored answers, if they are to be stored. Returns whether it is an example of something.
    pub(super) fn count(
        &mut self,
        mut route: RouteId,
        label: &RequestLabel,
        pair: &JudgedPair,
        explained: (&Explained, bool),
        answers: Option<u64>,
    ) -> bool {
        if self.0.len() >= MAX_ROUTES && !self.0.contains_key(&route) {
            route = RouteLearner::OTHER;
        }
        let tally = self.0.entry(route).or_default();
        tally.count(label, pair, explained, answers)
    }

    /// Whether a pair may become an example of one of its differences. `maps` are those of the route.
    pub(super) fn wants_example(
        &self,
        route: RouteId,
        label: &RequestLabel,
        comparison: &Comparison,
        maps: Option<&Maps>,
    ) -> bool {
        let mut observations = comparison.observations.iter();
        let Some(tally) = self.0.get(&route) else {
            return !comparison.observations.is_empty();
        };
        observations.any(|one| {
            let folded = maps.and_then(|maps| maps.folded(&one.place));
            let place = folded.unwrap_or_else(|| one.place.clone());
            let known_by = KnownBy::new(label.at(), label.size(), one);
            tally.differences.wants(place, one, known_by)
        })
    }

    /// The numbers of the answers that examples name.
    pub(super) fn answers(&self) -> impl Iterator<Item = u64> {
        self.0
            .values()
            .flat_map(|tally| tally.differences.answers())
    }

    /// What has changed of the routes that `wanted` names, or all of them.
    pub(super) fn changes(
        &mut self,
        all: bool,
        wanted: impl Fn(RouteId) -> bool,
    ) -> Vec<(RouteId, RouteTallyChange)> {
        let tallies = self.0.iter_mut();
        let tallies = tallies.filter(|(route, _)| all || wanted(**route));
        tallies
            .map(|(route, tally)| (*route, tally.change(all)))
            .collect()
    }

    /// Adds what was kept of a route.
    pub(super) fn add(
        &mut self,
        route: RouteId,
        record: RouteTallyRecord,
        examples: ExamplesRecord,
        intervals: Vec<(IntervalKey, Interval)>,
    ) {
        let is_known = self.0.len() < MAX_ROUTES || self.0.contains_key(&route);
        let route = if is_known { route } else { RouteLearner::OTHER };
        self.0.entry(route).or_default().merge(RouteTally {
            counts: record.counts,
            differences: DifferenceTable::of(record.differences, examples),
            trend: Trend::of(intervals),
        });
    }

    /// Puts together what the learner has found to be one route.
    pub(super) fn fold(&mut self, routes: &RouteLearner) {
        let mut all: Vec<(RouteId, RouteTally)> = self.0.drain().collect();
        all.sort_by_key(|(route, _)| *route);
        for (route, tally) in all {
            self.0
                .entry(routes.resolve(route))
                .or_default()
                .merge(tally);
        }
    }

    /// Puts together the differences in members of the route's maps.
    pub(super) fn fold_places(&mut self, route: RouteId, maps: &Maps) {
        if let Some(tally) = self.0.get_mut(&route) {
            tally.differences.fold_places(maps);
        }
    }

    pub(super) fn data(&self, routes: &RouteLearner) -> Vec<RouteData> {
        let tallies = self.0.iter();
        let mut data: Vec<RouteData> = tallies
            .map(|(route, tally)| tally.data(routes.name(*route)))
            .collect();
        data.sort_by(|a, b| {
            let by_count = b.compared.cmp(&a.compared);
            by_count.then_with(|| a.route.cmp(&b.route))
        });
        data
    }

    pub(super) fn differences(&self, routes: &RouteLearner) -> Vec<DifferenceGroup> {
        let of = |(route, tally): (&RouteId, &RouteTally)| {
            let name = routes.name(*route);
            tally.differences.data(&name).collect::<Vec<_>>()
        };
        differences::sorted(self.0.iter().flat_map(of).collect())
    }

    pub(super) fn dropped_differences(&self) -> u64 {
        self.0
            .values()
            .map(|tally| tally.differences.dropped())
            .sum()
    }
}

impl RouteTally {
    fn count(
        &mut self,
        label: &RequestLabel,
        pair: &JudgedPair,
        explained: (&Explained, bool),
        answers: Option<u64>,
    ) -> bool {
        self.counts.count(pair, matters(explained.0));
        if pair.is_judged() {
            self.trend.count(&TrendRequest {
                at: label.at(),
                differs: matters(explained.0),
                mirror: pair.mirror.latency,
                production: pair.production.latency,
            });
        }
        self.differences.count(label, pair, explained, answers)
    }

    fn merge(&mut self, other: Self) {
        self.counts.merge(&other.counts);
        self.trend.merge(&other.trend);
        self.differences.merge(other.differences);
    }

    fn change(&mut self, all: bool) -> RouteTallyChange {
        RouteTallyChange {
            record: RouteTallyRecord {
                counts: self.counts.clone(),
                differences: self.differences.record(),
            },
            examples: self.differences.new_examples(all),
            intervals: self.trend.changes(all),
        }
    }

    fn data(&self, route: String) -> RouteData {
        RouteData {
            route,
            trend: self.trend.points(),
            ..self.counts.data()
        }
    }
}

impl RouteCounts {
    fn count(&mut self, pair: &JudgedPair, differs: bool) {
        let comparison = pair.comparison();
        match comparison.extent {
            Extent::Head(_) => self.heads_only += 1,
            Extent::Whole => self.compared += 1,
            Extent::Stream | Extent::Digest => {
                self.compared += 1;
                self.streamed += 1;
            }
        }
        self.differed += u64::from(differs);
        self.same += comparison.same;
        self.different += comparison.different;
        self.mirror.add(pair.mirror.latency);
        if let Some(latency) = pair.production.latency {
            self.production.add(latency);
        }
        self.production_cache.count(pair.production.is_cached);
        self.mirror_cache.count(pair.mirror.is_cached);
    }

    fn merge(&mut self, other: &Self) {
        self.compared += other.compared;
        self.differed += other.differed;
        self.streamed += other.streamed;
        self.heads_only += other.heads_only;
        self.same += other.same;
        self.different += other.different;
        self.production.merge(&other.production);
        self.mirror.merge(&other.mirror);
        self.production_cache.merge(other.production_cache);
        self.mirror_cache.merge(other.mirror_cache);
    }

    fn data(&self) -> RouteData {
        RouteData {
            compared: self.compared,
            differed: self.differed,
            streamed: self.streamed,
            heads_only: self.heads_only,
            same: self.same,
            different: self.different,
            production_ms: self.production.data(),
            mirror_ms: self.mirror.data(),
            production_cache: self.production_cache,
            mirror_cache: self.mirror_cache,
            ..RouteData::default()
        }
    }
}
