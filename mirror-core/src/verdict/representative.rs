//! Are the judged requests like those that policy admitted?
//!
//! **Null hypothesis.** Whether an admitted request is judged (and not lost, shed, timed out or without its snapshot) does not depend on its
//! route, its method, its size or the minute it came in. **Test**, for each stratum against the rest of its kind:
//!
//! ```text
//! e = min over p of M_stratum(p) · M_rest(p)        M as in `rate`, with Beta(½, ½)
//! ```
//!
//! Two rates of their own against the best common one: the smallest over p is below the martingale of the true p, so e is one at
//! every look. The minimum is at the share of both together. Strata of all kinds are one family, as in `fdr`. A stratum
//! is *uneven* when the test says so and its share is more than 2 points away from the rest's: with enough requests, a test alone finds
//! differences that do not matter, and with few, shares alone differ by chance.
//!
//! **When it may be wrong.** Losses come in bursts, and then a minute is uneven of which nothing else is wrong; this is still said,
//! because a burst may be what the candidate does under load.
//!
//! Source: L. Wasserman, A. Ramdas and S. Balakrishnan, "Universal inference", PNAS 117(29), 2020, section 8; for two samples R. Turner,
//! A. Ly and P. Grünwald, "Generic E-variables for exact sequential k-sample tests", 2024.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

use super::fdr::family;
use super::rate::{Mixture, Proportion};

/// Shares that differ by less do not matter.
const MAX_OFF: f64 = 0.02;
const MAX_ROUTES: usize = 2_000;
const MAX_MINUTES: usize = 1_440;
const OTHER: &str = "(other)";
/// Methods that are told apart: those of others are strangers' texts.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "QUERY",
];
const SECONDS: u64 = 60;

/// Where an admitted request belongs.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// As in `GET /users/{id}`.
    pub route: &'a str,
    pub method: &'a str,
    /// Bytes of the request's and of production's body.
    pub size: u64,
    pub at: Timestamp,
}

/// Judged requests among admitted ones, for each stratum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Strata {
    routes: BTreeMap<String, Proportion>,
    methods: BTreeMap<String, Proportion>,
    /// By the number of hexadecimal digits of the size.
    sizes: BTreeMap<u32, Proportion>,
    minutes: Minutes,
}

/// By time; where a run is long, several minutes are one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Minutes {
    /// A stratum is 2ˢ minutes. It follows from the set of minutes alone, whatever their order.
    shift: u32,
    counts: BTreeMap<u64, Proportion>,
}

impl Minutes {
    /// `at` is a stratum of 2ˢ minutes.
    fn add(&mut self, at: u64, shift: u32, count: Proportion) {
        *self.counts.entry(at >> (self.shift - shift)).or_default() += count;
        self.coarsen(self.shift);
    }

    /// Puts strata together until they are few enough, and as long as `shift` says.
    fn coarsen(&mut self, shift: u32) {
        while self.counts.len() > MAX_MINUTES || self.shift < shift {
            self.shift += 1;
            for (at, count) in std::mem::take(&mut self.counts) {
                *self.counts.entry(at >> 1).or_default() += count;
            }
        }
    }
}

impl AddAssign<&Self> for Minutes {
    fn add_assign(&mut self, other: &Self) {
        self.coarsen(other.shift);
        for (at, count) in &other.counts {
            self.add(*at, other.shift, *count);
        }
    }
}

/// A stratum of which too few or too many were judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Uneven {
    /// As in `method POST`.
    pub stratum: String,
    pub admitted: u64,
    /// Shares that were judged: in the stratum, and in the rest.
    pub share: f64,
    pub rest: f64,
}

impl Strata {
    /// An admitted request ended.
    pub fn add(&mut self, request: &Request<'_>, is_judged: bool) {
        let one = Proportion::new(u64::from(is_judged), 1);
        add(&mut self.routes, request.route, one);
        let known = METHODS.iter().find(|method| **method == request.method);
        add(&mut self.methods, known.unwrap_or(&OTHER), one);
        let digits = (u64::BITS - request.size.leading_zeros()).div_ceil(4);
        *self.sizes.entry(digits).or_default() += one;
        self.minutes.add(request.at.as_secs() / SECONDS, 0, one);
    }

    /// Puts the counts of the route `from` to those of `into`.
    pub(super) fn fold(&mut self, from: &str, into: &str) {
        if let Some(count) = self.routes.remove(from) {
            add(&mut self.routes, into, count);
        }
    }

    /// The strata that are uneven, those with too few first, and of these the most certain; at most a share of `alpha` of them is false.
    pub fn uneven(&self, alpha: f64) -> Vec<Uneven> {
        let minutes = self.minutes.counts.iter();
        let minutes = minutes.map(|(at, count)| (self.shown_minute(*at), *count));
        let named = |kind: &'static str, map: &BTreeMap<String, Proportion>| {
            let all = map.iter();
            all.map(|(name, count)| (format!("{kind} {name}"), *count))
                .collect::<Vec<_>>()
        };
        let sizes = self.sizes.iter();
        let kinds = [
            named("route", &self.routes),
            named("method", &self.methods),
            sizes
                .map(|(digits, count)| (shown_size(*digits), *count))
                .collect(),
            minutes.collect(),
        ];
        // A kind with one stratum has no rest to be compared with.
        let kinds = kinds.into_iter().filter(|kind| kind.len() > 1);
        let kinds: Vec<_> = kinds.collect();
        let strata: usize = kinds.iter().map(Vec::len).sum();
        let threshold = (family(strata as u64) / alpha).ln();
        let mut found = Vec::new();
        for kind in kinds {
            found.extend(uneven(kind, threshold));
        }
        let is_more = |one: &Uneven| one.share > one.rest;
        found.sort_by(|a, b| {
            let by_side = is_more(&a.1).cmp(&is_more(&b.1));
            by_side.then(b.0.total_cmp(&a.0))
        });
        found.into_iter().map(|(_, uneven)| uneven).collect()
    }

    fn shown_minute(&self, at: u64) -> String {
        let minute = (at << self.minutes.shift) % (24 * 60);
        let (hour, minute) = (minute / 60, minute % 60);
        match 1_u64 << self.minutes.shift {
            1 => format!("minute {hour:02}:{minute:02} UTC"),
            length => format!("{length} minutes from {hour:02}:{minute:02} UTC"),
        }
    }
}

impl AddAssign<&Self> for Strata {
    fn add_assign(&mut self, other: &Self) {
        for (name, count) in &other.routes {
            add(&mut self.routes, name, *count);
        }
        for (name, count) in &other.methods {
            add(&mut self.methods, name, *count);
        }
        for (digits, count) in &other.sizes {
            *self.sizes.entry(*digits).or_default() += *count;
        }
        self.minutes += &other.minutes;
    }
}

fn add(map: &mut BTreeMap<String, Proportion>, name: &str, count: Proportion) {
    if let Some(known) = map.get_mut(name) {
        *known += count;
    } else if map.len() < MAX_ROUTES {
        map.insert(name.into(), count);
    } else {
        *map.entry(OTHER.into()).or_default() += count;
    }
}

fn shown_size(digits: u32) -> String {
    match digits {
        0 => "no body".into(),
        digits => format!("bodies below {} bytes", 16_u128.pow(digits)),
    }
}

/// Each stratum of one kind against the others; with the logarithm of its e-value.
fn uneven(kind: Vec<(String, Proportion)>, threshold: f64) -> Vec<(f64, Uneven)> {
    let mut all = Proportion::default();
    for (_, count) in &kind {
        all += *count;
    }
    let Some(common) = all
        .share()
        .filter(|share| (0.0..1.0).contains(share) && *share > 0.0)
    else {
        return Vec::new();
    };
    let checked = kind.into_iter().filter_map(|(stratum, count)| {
        let rest = Proportion::new(all.hits - count.hits, all.n - count.n);
        let ln_e = count.ln_e(common, Mixture::FLAT) + rest.ln_e(common, Mixture::FLAT);
        let (share, rest) = (count.share()?, rest.share()?);
        let is_uneven = ln_e >= threshold && (share - rest).abs() > MAX_OFF;
        let admitted = count.n;
        is_uneven.then_some((
            ln_e,
            Uneven {
                stratum,
                admitted,
                share,
                rest,
            },
        ))
    });
    checked.collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::Random;
    use super::*;

    const ALPHA: f64 = 0.01;

    fn hash(index: u64) -> u64 {
        Random::new(index).next()
    }

    fn request(index: u64) -> Request<'static> {
        let routes = ["GET /a", "GET /b", "POST /c", "GET /d"];
        let route = routes[index as usize % 4];
        Request {
            route,
            method: route.split(' ').next().unwrap(),
            size: hash(index) % 5_000,
            at: Timestamp(index * 1_000_000_000),
        }
    }

    fn strata(n: u64, is_judged: impl Fn(u64, &Request<'_>) -> bool) -> Strata {
        let mut strata = Strata::default();
        for index in 0..n {
            let request = request(index);
            strata.add(&request, is_judged(index, &request));
        }
        strata
    }

    #[test]
    fn what_is_lost_everywhere_alike_is_representative() {
        assert_eq!(strata(4_000, |_, _| true).uneven(ALPHA), []);
        assert_eq!(strata(4_000, |_, _| false).uneven(ALPHA), []);
        assert_eq!(
            strata(4_000, |index, _| hash(index) % 10 != 3)
                .uneven(ALPHA)
                .len(),
            0
        );
    }

    #[test]
    fn a_route_that_loses_more_is_named_first() {
        let found = strata(4_000, |index, request| {
            request.route != "GET /b" || hash(index) % 4 != 1
        });
        let found = found.uneven(ALPHA);
        assert_eq!(found[0].stratum, "route GET /b");
        assert!((found[0].share - 0.75).abs() < 0.04 && found[0].rest == 1.0);
    }

    #[test]
    fn a_bad_minute_a_method_and_a_size_are_found() {
        let found = strata(6_000, |index, _| index / 60 != 40).uneven(ALPHA);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].stratum, "minute 00:40 UTC");
        let found = strata(6_000, |_, request| request.size < 4_096).uneven(ALPHA);
        assert!(
            found
                .iter()
                .all(|one| one.stratum.starts_with("bodies below"))
        );
        assert_eq!(found[0].stratum, "bodies below 65536 bytes");
        let found = strata(6_000, |index, request| {
            request.method != "POST" || hash(index).is_multiple_of(3)
        });
        assert!(
            found
                .uneven(ALPHA)
                .iter()
                .any(|one| one.stratum == "method POST")
        );
    }

    #[test]
    fn a_point_more_or_less_does_not_matter() {
        let found = strata(400_000, |index, request| {
            request.route != "GET /b" || hash(index) % 100 != 1
        });
        assert_eq!(found.uneven(ALPHA), []);
    }

    #[test]
    fn the_sum_of_two_is_what_both_saw() {
        let is_judged = |index: u64, _: &Request<'_>| index % 7 != 2;
        let whole = strata(200_000, is_judged);
        let mut halves = [Strata::default(), Strata::default()];
        for index in (0..200_000).rev() {
            halves[index as usize % 2].add(&request(index), is_judged(index, &request(index)));
        }
        let [mut first, second] = halves;
        first += &second;
        assert_eq!(first, whole);
        assert!(whole.minutes.counts.len() <= MAX_MINUTES && whole.minutes.shift > 0);
        assert_eq!(whole.shown_minute(2), "4 minutes from 00:08 UTC");
    }

    #[test]
    fn losses_by_chance_are_called_uneven_in_at_most_one_of_a_hundred_runs() {
        let mut random = Random::new(5);
        let mut is_alarm = || {
            let mut strata = Strata::default();
            (0..1_500).any(|index| {
                strata.add(&request(index), !random.chance(0.05));
                index % 50 == 49 && !strata.uneven(ALPHA).is_empty()
            })
        };
        let alarms = (0..300).filter(|_| is_alarm()).count();
        assert!(alarms <= 3, "{alarms} of 300");
    }
}
