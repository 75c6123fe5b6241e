//! Learns what differs by nature, from answers that equal programs gave to one request, and explains by it what differs
//! between production and the candidate.
//!
//! What is learnt of a place is not that it is to be ignored but how it varies: its forms, lengths and decimals, its values
//! while they are few, the range of its numbers, and how far its times lie from the answer's own. A value of the candidate that
//! leaves this is found, although the place varies.
//!
//! **What teaches.** Only A/A pairs ([`Source`]) say that a place varies; a difference between production and the candidate
//! never does, however often it is seen. One A/A pair is enough, because a change of the code cannot make one differ. So a
//! place may be taken for varying that hardly ever does: that is why no difference at a varying place is dropped here
//! ([`Explained::varying`]). Where only the candidate differs from itself, and as many A/A pairs of production's version do
//! not, the candidate has begun to vary, and the place is not taken for varying.
//!
//! **What is allowed** is taken from production's values and from A/A pairs of its version, never from the candidate's. Each
//! answer is judged by what was known before it, and production's by the same rules as the candidate's: without a change, both
//! are as often the odd one ([`Explained::against`]).
//!
//! **Clocks.** Two answers that each say how late it is do not differ in that, whether the place is known or not. Where it is known to
//! vary, nor do times that are as far from their own answers as the other's.
//!
//! With a control, judge its answer as the candidate's. With a repeat, judge each two of the three answers, and let the coin ask
//! [`Explained::either_way`]. Judge them all before anything is learnt from one of them.
//!
//! **Order.** What was learnt does not depend on the order in which it was. What is explained depends on what was learnt
//! before: ask [`Noise::is_varying`] at the end about differences that were found before a place was known to vary.
//!
//! **Limits.** An observation shows the first pair of values of a place in an answer, so that of a list one element is judged;
//! and at most 200 characters of it (see `sample.rs`). Texts whose words are too many are judged by their length only. Places
//! and routes are bounded: what is beyond is not known, counts as a difference, and is counted in [`Noise::dropped`].

mod class;
mod classes;
mod clocks;
mod form;
mod instant;
mod maps;
mod mask;
mod options;
mod pairs;
mod repeats;
mod sample;
mod saved;
mod schedule;
mod shape;
mod token;
mod turns;
mod variation;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::compare::{Comparison, Kind, Observation, Place};
use crate::time::Timestamp;

pub use form::{Family, Form, HexCase, ValueType};
pub use instant::{EpochUnit, Zone};
pub use maps::{MapLearner, Maps};
pub use options::NoiseOptions;
pub use pairs::{Pairs, Source};
pub use repeats::{Earlier, RepeatLimits, Repeats};
pub use saved::{NoiseOrigin, SavedError, load, save};
pub use schedule::RepeatPlan;
pub use variation::{HIGHER, LOWER, Variation};

/// Routes that are told apart: as many as a `RouteLearner` makes.
const MAX_ROUTES: usize = 4096;
/// Varying places of one route.
const MAX_PLACES: usize = 256;
/// Varying places of all routes, of some 600 bytes each.
const MAX_ALL_PLACES: usize = 100_000;
/// A/A pairs of production's version that should have shown a variation, if it were theirs: none of so many does in 1 of 1,000.
const MIN_CONTRADICTING: u64 = 7;

/// When the two answers of a pair were given; the default where that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnswerTimes {
    /// The time of the answer that stands for production in the comparison.
    pub production: Timestamp,
    pub mirror: Timestamp,
}

/// The differences of one exchange, by what is known of their places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explained {
    /// Differences as they were found, at places that vary in this way. One of them is no evidence. But the share of them may
    /// be: they toss the coin of their place and kind.
    pub varying: Vec<Observation>,
    /// Of these, where the place varies in many of the answers of one version. There, which of three answers are alike says which
    /// instance and which moment they are from, and nothing of the code: they toss no coin.
    pub restless: Vec<(Place, Kind)>,
    /// What counts. Differences as they were found, at places that are not known to vary, or not in this way; and what they come
    /// to at places that do vary: [`Kind::Type`], [`Kind::Format`], [`Kind::Range`], [`Kind::Clock`] and [`Kind::Distribution`].
    ///
    /// Of a varying place none of these counts by itself, because production shows something new at times as well: they toss a
    /// coin that falls for the candidate here, and for production in `against`. A `Distribution` falls both ways at
    /// once: it names the class of values that each side has, and is a toss for the candidate as to its own class, and one for
    /// production as to production's. Only a class that nobody has seen (`novel`) is a coin by itself.
    pub left: Vec<Observation>,
    /// What production shows at a varying place and the candidate does not, by the same rules.
    pub against: Vec<Observation>,
    /// Places of those `Distribution`s in `left` that name a class which production never showed, where its classes are known. One in
    /// `against` always is of this kind.
    pub novel: Vec<Place>,
}

impl Explained {
    /// What differs more than is known, whichever side it is that shows it: for a coin between three answers, which must ask the
    /// same of each two of them.
    pub fn either_way(&self) -> impl Iterator<Item = &Observation> {
        self.left.iter().chain(&self.against)
    }
}

/// What was not kept for lack of room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NoiseDropped {
    /// Comparisons of routes beyond the limit.
    pub comparisons: u64,
    /// Differences at places beyond the limit.
    pub observations: u64,
}

/// A place with its rank: where there are too many, those with the lowest ranks are kept, so that the order does not matter.
#[derive(Clone, Debug)]
struct KnownPlace {
    rank: u64,
    variation: Variation,
}

#[derive(Clone, Debug, Default)]
struct RouteNoise {
    /// A/A pairs that were compared.
    pairs: Pairs,
    /// Those that differed in anything.
    differed: Pairs,
    places: HashMap<Place, KnownPlace, foldhash::fast::RandomState>,
}

/// How the places of each route vary.
#[derive(Clone, Debug)]
pub struct Noise {
    routes: HashMap<Box<str>, RouteNoise, foldhash::fast::RandomState>,
    /// Places of all routes.
    places: usize,
    /// The highest rank that is kept.
    max_rank: u64,
    dropped: NoiseDropped,
}

impl Default for Noise {
    fn default() -> Self {
        Self {
            routes: HashMap::default(),
            places: 0,
            max_rank: u64::MAX,
            dropped: NoiseDropped::default(),
        }
    }
}

impl Noise {
    /// Learns from an A/A pair. Call it for pairs that are equal too: their number counts.
    pub fn learn(&mut self, route: &str, source: Source, times: AnswerTimes, pair: &Comparison) {
        let Some(known) = self.route_mut(route) else {
            self.dropped.comparisons += 1;
            return;
        };
        known.pairs.count(source);
        if pair.differs() {
            known.differed.count(source);
        }
        for found in &pair.observations {
            match self.place_mut(route, &found.place) {
                Some(variation) => variation.learn(source, times, found),
                None => self.dropped.observations += 1,
            }
        }
    }

    /// Explains a pair, and learns nothing.
    pub fn judge(&self, route: &str, times: AnswerTimes, pair: &Comparison) -> Explained {
        let mut out = Explained::default();
        let Some(known) = self.routes.get(route) else {
            out.left.clone_from(&pair.observations);
            return out;
        };
        for found in &pair.observations {
            known.judge(times, found, &mut out);
        }
        out
    }

    /// Takes production's values of a pair with the candidate, at places that vary.
    pub fn note(&mut self, route: &str, times: AnswerTimes, pair: &Comparison) {
        let Some(known) = self.routes.get_mut(route) else {
            return;
        };
        for found in &pair.observations {
            if let Some(place) = known.places.get_mut(&found.place)
                && let Some(sample) = variation::production(times, found)
            {
                place.variation.take(&sample);
            }
        }
    }

    /// Whether a place is known to vary by nature.
    pub fn is_varying(&self, route: &str, place: &Place) -> bool {
        let known = self.routes.get(route);
        known.is_some_and(|known| known.varying(place).is_some())
    }

    /// A/A pairs of a route, and those of them that differed in anything.
    pub fn pairs(&self, route: &str) -> (Pairs, Pairs) {
        let known = self.routes.get(route);
        known.map_or_else(Default::default, |known| (known.pairs, known.differed))
    }

    /// Places that differed in A/A pairs of a route, in their order, with how they vary.
    pub fn places(&self, route: &str) -> Vec<(&Place, &Variation)> {
        let known = self.routes.get(route).into_iter();
        let places = known.flat_map(|known| &known.places);
        let mut all: Vec<_> = places
            .map(|(place, known)| (place, &known.variation))
            .collect();
        all.sort_unstable_by_key(|(place, _)| *place);
        all
    }

    /// Routes with A/A pairs, in the order of their names.
    pub fn routes(&self) -> Vec<&str> {
        let mut routes: Vec<&str> = self.routes.keys().map(|route| &**route).collect();
        routes.sort_unstable();
        routes
    }

    pub const fn dropped(&self) -> NoiseDropped {
        self.dropped
    }

    /// Puts what is known of the route `from` to that of `into`, as when routes were folded.
    pub fn fold(&mut self, from: &str, into: &str) {
        if from != into
            && let Some(route) = self.routes.remove(from)
        {
            self.places -= route.places.len();
            self.add_route(into, &route);
        }
    }

    /// Puts together what is known of the members of a route's maps.
    pub fn fold_places(&mut self, route: &str, maps: &Maps) {
        let Some(known) = self.routes.get_mut(route) else {
            return;
        };
        let (all, pairs) = (std::mem::take(&mut known.places), known.pairs);
        self.places -= all.len();
        for (place, known) in all {
            let folded = maps.folded(&place).unwrap_or(place);
            match self.place_mut(route, &folded) {
                Some(variation) => {
                    variation.merge(&known.variation);
                    // A pair may differ at many names of one map.
                    variation.differed = variation.differed.at_most(pairs);
                }
                None => self.dropped.observations += known.variation.differed.total(),
            }
        }
    }

    /// Adds what was learnt elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.limit_rank(other.max_rank);
        for (name, route) in &other.routes {
            self.add_route(name, route);
        }
        self.dropped.comparisons += other.dropped.comparisons;
        self.dropped.observations += other.dropped.observations;
    }

    fn add_route(&mut self, name: &str, other: &RouteNoise) {
        let Some(route) = self.route_mut(name) else {
            self.dropped.comparisons += other.pairs.total();
            return;
        };
        route.pairs += other.pairs;
        route.differed += other.differed;
        for (place, known) in &other.places {
            match self.place_mut(name, place) {
                Some(variation) => variation.merge(&known.variation),
                None => self.dropped.observations += known.variation.differed.total(),
            }
        }
    }

    fn route_mut(&mut self, route: &str) -> Option<&mut RouteNoise> {
        if !self.routes.contains_key(route) {
            if self.routes.len() >= MAX_ROUTES {
                return None;
            }
            self.routes.insert(route.into(), RouteNoise::default());
        }
        self.routes.get_mut(route)
    }

    /// The place of a route that is there, with room made for it if its rank is low enough.
    fn place_mut(&mut self, route: &str, place: &Place) -> Option<&mut Variation> {
        let is_new = !self.routes.get(route)?.places.contains_key(place);
        if is_new {
            let rank = xxh3_64(place.to_string().as_bytes());
            if rank > self.max_rank {
                return None;
            }
            let added = self.routes.get_mut(route)?.add(place, rank);
            self.places += usize::from(added == Added::More);
            if self.places > MAX_ALL_PLACES {
                self.limit_rank(self.max_rank / 2);
            }
        }
        let known = self.routes.get_mut(route)?.places.get_mut(place)?;
        Some(&mut known.variation)
    }

    /// Forgets places of higher ranks.
    fn limit_rank(&mut self, max_rank: u64) {
        if max_rank >= self.max_rank {
            return;
        }
        self.max_rank = max_rank;
        self.places = 0;
        for route in self.routes.values_mut() {
            route.places.retain(|_, known| known.rank <= max_rank);
            self.places += route.places.len();
        }
    }
}

/// What became of a place for which room was asked.
#[derive(PartialEq, Eq)]
enum Added {
    More,
    /// Another one was forgotten for it.
    Instead,
    No,
}

impl RouteNoise {
    /// Explains one difference.
    fn judge(&self, times: AnswerTimes, found: &Observation, out: &mut Explained) {
        let varying = self.varying(&found.place);
        if clocks::is_same_clock(times, found, varying.is_some()) {
            return;
        }
        match varying {
            Some(variation) => {
                let before = out.varying.len();
                variation.judge(times, self.pairs, found, out);
                if variation.differed.is_often_among(self.pairs) || variation.is_ticking() {
                    let varying = out.varying[before..].iter();
                    out.restless
                        .extend(varying.map(|one| (one.place.clone(), one.kind)));
                }
            }
            None => out.left.push(found.clone()),
        }
    }

    /// The place, if it varies by nature.
    fn varying(&self, place: &Place) -> Option<&Variation> {
        let known = self.places.get(place)?;
        (!self.is_new_variation(&known.variation)).then_some(&known.variation)
    }

    /// Whether the candidate varies where production's version does not: so many of its A/A pairs were seen that they would have
    /// shown it at the rate of the candidate's.
    fn is_new_variation(&self, variation: &Variation) -> bool {
        if variation.differed.of_production() > 0 {
            return false;
        }
        // A rate of no repeats is one of less than a half.
        let twice_differed = (2 * variation.differed.repeat).max(1);
        let expected = self.pairs.of_production().saturating_mul(twice_differed);
        expected >= 2 * MIN_CONTRADICTING * self.pairs.repeat.max(1)
    }

    fn add(&mut self, place: &Place, rank: u64) -> Added {
        let mut added = Added::More;
        if self.places.len() >= MAX_PLACES {
            let ranks = self.places.iter().map(|(place, known)| (known.rank, place));
            let Some((highest, last)) = ranks.max().map(|(rank, place)| (rank, place.clone()))
            else {
                return Added::No;
            };
            if (highest, &last) < (rank, place) {
                return Added::No;
            }
            self.places.remove(&last);
            added = Added::Instead;
        }
        let variation = Variation::default();
        self.places
            .insert(place.clone(), KnownPlace { rank, variation });
        added
    }
}

/// Whether differences of this kind are made here, and count by the coin alone.
pub const fn is_derived(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Format | Kind::Range | Kind::Clock | Kind::Distribution
    )
}

#[cfg(test)]
mod tests;
