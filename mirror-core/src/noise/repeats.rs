//! Production's own repeats: the same request answered twice within a short time. The two answers are an A/A pair that costs
//! no request.
//!
//! Two requests are the same when method, target, body and all header fields agree, but for those that name the single request
//! or the connection. Only safe methods are looked at (RFC 9110 §9.2.1): another one may change what it answers. A digest stands
//! for the request, and the earlier answer is held by its slices, so that nothing is copied.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use xxhash_rust::xxh3::Xxh3;

use crate::exchange::{Exchange, Request, Response};
use crate::time::Timestamp;

/// Fields that differ between two requests which mean the same.
const OWN_FIELDS: [&str; 19] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "date",
    "traceparent",
    "tracestate",
    "baggage",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-request-id",
    "x-correlation-id",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-mirror-id",
];
/// What an entry takes beside its answer's bytes.
const OVERHEAD: usize = 256;
/// Replaced answers that `order` may name beside those that are held.
const MIN_REPLACED: usize = 1024;
const SAFE: [&str; 3] = ["GET", "HEAD", "OPTIONS"];

/// Bounds of [`Repeats`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepeatLimits {
    /// How long after an answer the same request counts as a repeat.
    pub within: Duration,
    /// All that is held.
    pub bytes: usize,
    /// Answers with larger bodies are not held.
    pub body_bytes: usize,
}

impl Default for RepeatLimits {
    fn default() -> Self {
        Self {
            within: Duration::from_secs(2),
            bytes: 8 << 20,
            body_bytes: 64 << 10,
        }
    }
}

/// An answer that production gave to the same request before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    pub at: Timestamp,
    pub response: Response,
}

#[derive(Debug)]
struct HeldAnswer {
    /// Which of the answers in `order` it is.
    number: u64,
    bytes: usize,
    earlier: Earlier,
}

/// Production's latest answers.
#[derive(Debug, Default)]
pub struct Repeats {
    limits: RepeatLimits,
    held: HashMap<u128, HeldAnswer, foldhash::fast::RandomState>,
    /// The oldest first; those that were replaced are still named here.
    order: VecDeque<(u128, u64)>,
    next: u64,
    bytes: usize,
    found: u64,
}

impl Repeats {
    pub fn new(limits: RepeatLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Takes production's answer to a request, and gives back the one that it gave to the same request shortly before.
    pub fn take(&mut self, exchange: &Exchange) -> Option<Earlier> {
        let response = exchange.response.as_deref()?;
        let is_whole = exchange.request.fault.is_none() && response.fault.is_none();
        let is_safe = SAFE.contains(&exchange.request.method.as_str());
        if !is_whole || !is_safe || response.body.len() > self.limits.body_bytes {
            return None;
        }
        let at = exchange
            .timing
            .response_last
            .unwrap_or(exchange.captured_at());
        let key = key(&exchange.request);
        let held = self.hold(key, at, response);
        self.drop_old(at);
        let earlier = held.filter(|earlier| self.is_near(earlier.at, at))?;
        self.found += 1;
        Some(earlier)
    }

    /// Repeats found.
    pub const fn found(&self) -> u64 {
        self.found
    }

    /// Bytes held.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    fn hold(&mut self, key: u128, at: Timestamp, response: &Response) -> Option<Earlier> {
        let head: usize = response
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let held = HeldAnswer {
            number: self.next,
            bytes: OVERHEAD + head + response.body.len(),
            earlier: Earlier {
                at,
                response: response.clone(),
            },
        };
        self.order.push_back((key, self.next));
        self.next += 1;
        self.bytes += held.bytes;
        let before = self.held.insert(key, held)?;
        self.bytes -= before.bytes;
        Some(before.earlier)
    }

    /// Answers come in the order of their ends, or nearly so.
    fn is_near(&self, earlier: Timestamp, later: Timestamp) -> bool {
        let apart = earlier.0.abs_diff(later.0);
        u128::from(apart) <= self.limits.within.as_nanos()
    }

    fn drop_old(&mut self, now: Timestamp) {
        // One request over and over must not fill the list while an older one is held.
        if self.order.len() > 2 * self.held.len() + MIN_REPLACED {
            let held = &self.held;
            let is_held = |(key, number): &(u128, u64)| {
                held.get(key).is_some_and(|held| held.number == *number)
            };
            self.order.retain(is_held);
        }
        while let Some((key, number)) = self.order.front().copied() {
            let held = self.held.get(&key).filter(|held| held.number == number);
            // The newest one stays within the bytes too: a body is smaller than all of them.
            let must_go = held.is_none_or(|held| {
                self.bytes > self.limits.bytes || !self.is_near(held.earlier.at, now)
            });
            if !must_go {
                break;
            }
            self.order.pop_front();
            if let Some(bytes) = held.map(|held| held.bytes) {
                self.held.remove(&key);
                self.bytes -= bytes;
            }
        }
    }
}

/// 128 bits of XXH3 over all that two equal requests have in common. Lengths go in before what may have any.
fn key(request: &Request) -> u128 {
    let mut hash = Xxh3::default();
    let mut add = |part: &[u8]| {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(request.method.as_bytes());
    add(request.target.as_bytes());
    let is_own = |name: &str| OWN_FIELDS.iter().any(|own| own.eq_ignore_ascii_case(name));
    for (name, value) in request.headers.iter().filter(|(name, _)| !is_own(name)) {
        add(name.to_ascii_lowercase().as_bytes());
        add(value);
    }
    add(&request.body);
    hash.digest128()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::exchange::Fault;

    const SECOND: u64 = 1_000_000_000;

    fn exchange(target: &str, fields: &[(&str, &str)], at: u64, body: &str) -> Exchange {
        let address = "127.0.0.1:80".parse().expect("an address");
        let mut request = Request::new("GET", target.to_owned());
        request.headers = fields.iter().copied().collect();
        let mut exchange = Exchange::new(address, address, request);
        let mut response = Response::new(200);
        response.body = Bytes::copy_from_slice(body.as_bytes()).into();
        exchange.response = Some(Box::new(response));
        exchange.timing.response_last = Some(Timestamp(at));
        exchange
    }

    #[test]
    fn a_repeat_gives_back_the_answer_before_it() {
        let limits = RepeatLimits {
            within: Duration::from_secs(10),
            ..RepeatLimits::default()
        };
        let mut repeats = Repeats::new(limits);
        let mut check = |target: &str, fields: &[(&str, &str)], at: u64, expect: Option<&str>| {
            let name = format!("{at}");
            let earlier = repeats.take(&exchange(target, fields, at * SECOND, &name));
            let body = earlier.map(|e| String::from_utf8_lossy(&e.response.body).into_owned());
            assert_eq!(body.as_deref(), expect, "{target} {fields:?} {at}");
        };
        let user = ("cookie", "sid=1");
        check("/a", &[user, ("x-request-id", "1")], 1, None);
        check("/a", &[user, ("X-Request-Id", "2")], 2, Some("1"));
        check(
            "/a",
            &[("Cookie", "sid=1"), ("traceparent", "00")],
            12,
            Some("2"),
        );
        check("/a", &[user], 23, None);
        check("/a", &[("cookie", "sid=2")], 23, None);
        check("/a", &[], 23, None);
        check("/a?b", &[user], 23, None);
        check("/a", &[user], 24, Some("23"));
        // The end of an answer that was captured late.
        check("/a", &[user], 20, Some("24"));
    }

    #[test]
    fn what_is_not_whole_or_may_change_something_is_no_repeat() {
        let mut repeats = Repeats::default();
        let mut check = |change: fn(&mut Exchange), expect: bool| {
            for _ in 0..2 {
                let mut exchange = exchange("/a", &[], SECOND, "body");
                change(&mut exchange);
                let found = repeats.take(&exchange).is_some();
                if found {
                    return assert!(expect);
                }
            }
            assert!(!expect);
        };
        check(|e| e.request.method = "POST".into(), false);
        check(|e| e.response = None, false);
        check(|e| e.request.fault = Some(Fault::TooLarge), false);
        check(
            |e| {
                if let Some(response) = &mut e.response {
                    response.fault = Some(Fault::TooLarge);
                }
            },
            false,
        );
        check(|e| e.request.method = "HEAD".into(), true);
    }

    #[test]
    fn what_is_held_is_bounded_and_the_oldest_goes_first() {
        let limits = RepeatLimits {
            bytes: 20_000,
            body_bytes: 5_000,
            ..RepeatLimits::default()
        };
        let mut repeats = Repeats::new(limits);
        let body = "x".repeat(1_000);
        for n in 0..1_000 {
            assert_eq!(
                repeats.take(&exchange(&format!("/{n}"), &[], SECOND, &body)),
                None
            );
            assert!(repeats.bytes() <= 20_000, "{n}");
        }
        assert!(
            repeats
                .take(&exchange("/999", &[], SECOND, &body))
                .is_some()
        );
        assert!(repeats.take(&exchange("/0", &[], SECOND, &body)).is_none());
        let large = "x".repeat(5_001);
        for _ in 0..2 {
            assert_eq!(repeats.take(&exchange("/large", &[], SECOND, &large)), None);
        }
        assert_eq!(repeats.found(), 1);
        repeats.take(&exchange("/later", &[], 20 * SECOND, ""));
        assert_eq!((repeats.held.len(), repeats.order.len()), (1, 1));
        assert_eq!(repeats.bytes(), OVERHEAD);
    }

    #[test]
    fn one_request_over_and_over_takes_the_room_of_one() {
        let mut repeats = Repeats::default();
        for _ in 0..10_000 {
            repeats.take(&exchange("/a", &[], SECOND, "body"));
        }
        assert_eq!((repeats.held.len(), repeats.order.len()), (1, 1));
        assert_eq!(repeats.found(), 9_999);
        let mut repeats = Repeats::default();
        repeats.take(&exchange("/first", &[], SECOND, "body"));
        for _ in 0..10_000 {
            repeats.take(&exchange("/a", &[], SECOND, "body"));
            assert!(repeats.order.len() <= MIN_REPLACED + 5);
        }
        assert!(
            repeats
                .take(&exchange("/first", &[], SECOND, "body"))
                .is_some()
        );
    }
}
