//! Which requests go on when there are more than may: of each route the same share, so that what is replayed stays
//! representative, and no busy route pushes out a rare one.
//!
//! Each route collects the part of a request that the limit leaves of each, and one goes on whenever a whole one has come
//! together. A window later the parts follow the new rate. The same requests at the same times give the same choice.

use std::collections::HashMap;

use xxhash_rust::xxh3::Xxh3;

use crate::exchange::Request;
use crate::route::variable;
use crate::time::Timestamp;

/// How often the share follows the rate, in nanoseconds.
const WINDOW: u64 = 250_000_000;
/// Routes that are told apart; the rest share one account.
const MAX_ROUTES: usize = 1024;

/// Segments of a path that tell routes apart.
const MAX_SEGMENTS: usize = 8;

/// An account holds a whole request, but for rounding.
const WHOLE: f64 = 1.0 - 1e-9;

/// The route of a request as a number: ids and dates in its path do not count.
pub(super) fn route(request: &Request) -> u64 {
    let mut name = Xxh3::new();
    name.update(request.method.as_bytes());
    for segment in request
        .target
        .path()
        .split(|byte| *byte == b'/')
        .take(MAX_SEGMENTS)
    {
        let is_value = std::str::from_utf8(segment).is_ok_and(|text| variable(text).is_some());
        name.update(b"/");
        name.update(if is_value { b"*" } else { segment });
    }
    name.digest()
}

/// Takes the same share of each route. The share may change from request to request.
#[derive(Debug, Default)]
pub struct FairShare {
    routes: HashMap<u64, f64, foldhash::fast::RandomState>,
}

impl FairShare {
    /// Whether a request goes on, where `share` of them do, from 0 to 1. The first one of a route always does.
    pub fn takes(&mut self, request: &Request, share: f64) -> bool {
        let account = self.account(route(request), share);
        let takes = *account >= WHOLE;
        if takes {
            *account -= 1.0;
        }
        takes
    }

    /// What a route has collected, with the part of one more request.
    fn account(&mut self, route: u64, share: f64) -> &mut f64 {
        let known = self.routes.len() < MAX_ROUTES || self.routes.contains_key(&route);
        let account = self
            .routes
            .entry(if known { route } else { 0 })
            .or_insert(1.0 - share);
        // Not more than one in hand, so that a route that was quiet does not burst.
        *account = (*account + share).min(2.0);
        account
    }
}

/// A limit of requests a second, which every route keeps its share of.
#[derive(Debug)]
pub(super) struct FairRate {
    per_second: f64,
    window_from: Timestamp,
    /// Requests that came in this window.
    came: u64,
    /// The part of each request that goes on.
    share: f64,
    /// What may still go on now; at most a window's worth.
    allowance: f64,
    filled_at: Timestamp,
    routes: FairShare,
}

impl FairRate {
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        Self {
            per_second,
            window_from: Timestamp(0),
            came: 0,
            share: 1.0,
            allowance: Self::most(per_second),
            filled_at: Timestamp(0),
            routes: FairShare::default(),
        }
    }

    /// Whether a request on this route goes on; `route` is a hash of its name. `now` never goes back.
    pub(super) fn takes(&mut self, route: u64, now: Timestamp) -> bool {
        self.follow(now);
        self.came += 1;
        let account = self.routes.account(route, self.share);
        let takes = *account >= WHOLE && self.allowance >= 1.0;
        if takes {
            *account -= 1.0;
            self.allowance -= 1.0;
        }
        takes
    }

    fn follow(&mut self, now: Timestamp) {
        let since = now.nanos_since(self.filled_at) as f64 / 1e9;
        self.filled_at = self.filled_at.max(now);
        self.allowance =
            (self.allowance + since * self.per_second).min(Self::most(self.per_second));
        let passed = now.nanos_since(self.window_from);
        if passed >= WINDOW {
            let rate = self.came as f64 * 1e9 / passed as f64;
            self.share = if rate > self.per_second {
                self.per_second / rate
            } else {
                1.0
            };
            self.window_from = now;
            self.came = 0;
        }
    }

    /// As much as one window lets through, and never less than one.
    fn most(per_second: f64) -> f64 {
        (per_second * WINDOW as f64 / 1e9).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// So many requests a second of each route for some seconds: how many of each went on after the first second.
    fn run(limit: u32, routes: &[(u64, u64)], seconds: u64) -> BTreeMap<u64, u64> {
        let mut fair = FairRate::new(limit);
        let mut came: Vec<(u64, u64)> = routes
            .iter()
            .flat_map(|(route, rate)| {
                let gap = 1_000_000_000 / rate;
                (0..seconds * rate).map(move |n| (n * gap + route, *route))
            })
            .collect();
        came.sort_unstable();
        let mut taken = BTreeMap::new();
        for (at, route) in came {
            let takes = fair.takes(route, Timestamp(1_000_000_000 + at));
            if takes && at >= 1_000_000_000 {
                *taken.entry(route).or_default() += 1;
            }
        }
        taken
    }

    #[test]
    fn each_route_keeps_its_share_when_the_limit_binds() {
        let taken = run(100, &[(1, 900), (2, 90), (3, 10)], 11);
        let total: u64 = taken.values().sum();
        assert!((950..=1030).contains(&total), "{total}");
        for (route, expect) in [(1, 900), (2, 90), (3, 10)] {
            let got = taken[&route];
            assert!(
                got * 10 >= expect * 8 && got * 10 <= expect * 12 + 10,
                "{route}: {got} of {expect}"
            );
        }
    }

    #[test]
    fn below_the_limit_everything_goes_on() {
        let taken = run(1000, &[(1, 250), (2, 20)], 3);
        assert_eq!(taken, [(1, 500), (2, 40)].into());
    }

    #[test]
    fn the_limit_holds_when_the_rate_jumps() {
        let mut fair = FairRate::new(100);
        let second = |n: u64| Timestamp(n * 1_000_000_000);
        assert!(fair.takes(1, second(1)));
        let burst = (0..10_000)
            .filter(|n| fair.takes(*n % 7, second(2)))
            .count();
        assert!(burst <= 25, "{burst}");
    }

    #[test]
    fn a_share_that_changes_is_taken_of_each_route() {
        let mut fair = FairShare::default();
        let mut took = |path: &str, share: f64| {
            let request = Request::new("GET", path.to_owned());
            (0..1000).filter(|_| fair.takes(&request, share)).count()
        };
        for path in ["/users/7", "/carts"] {
            assert_eq!(took(path, 1.0), 1000);
            assert!((249..=251).contains(&took(path, 0.25)), "{path}");
            assert!((9..=11).contains(&took(path, 0.01)), "{path}");
        }
        assert_eq!(
            took("/seldom", 0.001),
            1,
            "the first one of a route goes on"
        );
    }

    #[test]
    fn many_routes_take_bounded_room() {
        let mut fair = FairRate::new(10);
        for route in 0..100_000 {
            fair.takes(route, Timestamp(route * 1_000_000));
        }
        assert!(fair.routes.routes.len() <= MAX_ROUTES + 1);
    }
}
