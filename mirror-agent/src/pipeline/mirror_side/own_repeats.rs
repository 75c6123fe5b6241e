//! Production's own repeats: what differs between two answers of production to the same request varies by nature, and to see it
//! costs no request.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use super::MirrorSide;
use super::lane::Waiting;
use mirror_core::compare::{Asked, CompareOptions, Comparison, compare_light};
use mirror_core::exchange::Exchange;
use mirror_core::noise::{AnswerTimes, Earlier};

/// One of so many requests is looked at: to know one again takes 1.1 µs, for a digest of all that it says, and most of what varies
/// shows in a part of the requests.
const ONE_OF: u64 = 8;
/// After each of them others are looked at, so that a request which is made all the time has its turn. A repeat comes within
/// seconds.
const TURN_NANOS: u64 = 60_000_000_000;

impl MirrorSide {
    /// Looks at exchanges in the order of capture, before they are judged.
    pub(super) fn learn_from_production(&self, waiting: &Waiting) {
        let exchange = waiting.envelope.exchange();
        // With production's data for each request, what it reads is not to be taken for nature.
        if !self.gate.is_off() || !is_looked_at(exchange) {
            return;
        }
        let earlier = self.own_repeats.borrow_mut().take(exchange);
        let pair =
            earlier.and_then(|earlier| own_pair(&waiting.config.compare, &earlier, exchange));
        if let Some((times, comparison)) = pair {
            waiting.ticket.learn_from_production(times, &comparison);
        }
    }
}

/// Whether it is the target's turn; the same for the same traffic.
fn is_looked_at(exchange: &Exchange) -> bool {
    let turn = exchange.captured_at().0 / TURN_NANOS;
    let target = exchange.request.target.as_bytes();
    let hash = FixedState::with_seed(0).hash_one((turn, target));
    hash.is_multiple_of(ONE_OF)
}

/// The earlier answer, which stands for production, against this one, by the rules of the run. `None` if that needs more memory
/// than a light comparison.
fn own_pair(
    options: &CompareOptions,
    earlier: &Earlier,
    exchange: &Exchange,
) -> Option<(AnswerTimes, Comparison)> {
    let answer = exchange.response.as_deref()?;
    let at = exchange.timing.response_last;
    let times = AnswerTimes {
        production: earlier.at,
        mirror: at.unwrap_or(exchange.captured_at()),
    };
    // Both are of the host that the request names.
    let asked = Asked {
        request: Some(&exchange.request),
        mirror_authority: None,
    };
    let comparison = compare_light(options, asked, &earlier.response, answer)?;
    Some((times, comparison))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mirror_core::compare::compare;
    use mirror_core::exchange::{Request, Response};
    use mirror_core::noise::Repeats;
    use mirror_core::policy::Policy;
    use mirror_core::time::Timestamp;
    use mirror_core::verdict::{Basis, CacheOptions, MirrorAnswer};

    use crate::report::{
        CaptureCounters, End, JudgedAnswer, JudgedPair, ProductionAnswer, Recorder, RunInfo, Ticket,
    };

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn answer(number: u32) -> Response {
        let body = format!(r#"{{"id":"550e8400-e29b-41d4-a716-4466554{number:05}"}}"#);
        Response {
            body: bytes::Bytes::from(body).into(),
            ..Response::new(200)
        }
    }

    fn exchange(target: &str, number: u32) -> Exchange {
        let address = "127.0.0.1:80".parse().unwrap();
        let mut exchange = Exchange::new(address, address, Request::new("GET", target.to_owned()));
        exchange.response = Some(Box::new(answer(number)));
        exchange.timing.response_last = Some(Timestamp(u64::from(number) * SECOND));
        exchange
    }

    /// How a request ends that the mirror answers with another id, after production was asked for these.
    fn ends(targets: &[&str]) -> Vec<String> {
        let recorder = Arc::new(Recorder::new(RunInfo::default()));
        let options = CompareOptions::default();
        let mut repeats = Repeats::default();
        let mut last = None;
        for (number, target) in targets.iter().enumerate() {
            let exchange = exchange(target, number as u32 + 1);
            let ticket = Ticket::new(&recorder, Policy::default().redactor(), &exchange);
            let earlier = repeats.take(&exchange);
            let pair = earlier.and_then(|earlier| own_pair(&options, &earlier, &exchange));
            if let Some((times, comparison)) = pair {
                assert_eq!(times.production, Timestamp(SECOND * number as u64));
                ticket.learn_from_production(times, &comparison);
            }
            last = Some((ticket, exchange));
        }
        let (ticket, exchange) = last.unwrap();
        let production = exchange.response.as_deref().unwrap();
        let mirror = JudgedAnswer {
            at: Timestamp(9 * SECOND),
            status: 200,
            latency: std::time::Duration::from_millis(3),
            is_cached: None,
            comparison: compare(&options, production, &answer(99)),
        };
        ticket.end(End::judged(JudgedPair::new(
            &exchange,
            None,
            ProductionAnswer::new(&exchange, production, &CacheOptions::default()),
            (mirror, MirrorAnswer::Other),
            Basis::NotGated,
        )));
        let results = recorder.results(CaptureCounters::default());
        assert_eq!(results.routes[0].route, "GET /a");
        let outcomes = results.ledger.outcomes.into_iter();
        outcomes
            .filter(|(name, _)| name != "interrupted")
            .map(|(name, _)| name)
            .collect()
    }

    #[test]
    fn each_request_has_its_turn_and_one_of_eight_is_looked_at() {
        let count = |target: &str| {
            let mut exchange = exchange(target, 1);
            let turns = (0..800).filter(|turn| {
                let looks = [0, TURN_NANOS - 1].map(|after| {
                    exchange.timing.request_first = Timestamp(turn * TURN_NANOS + after);
                    is_looked_at(&exchange)
                });
                assert_eq!(looks[0], looks[1], "within a turn");
                looks[0]
            });
            turns.count()
        };
        for target in ["/", "/status", "/users/17?page=2"] {
            let looked_at = count(target);
            assert!((60..140).contains(&looked_at), "{target}: {looked_at}");
        }
    }

    #[test]
    fn what_production_answers_otherwise_to_the_same_request_varies_by_nature() {
        assert_eq!(ends(&["/a", "/a"]), ["matched"]);
        assert_eq!(ends(&["/a?b=1", "/a?b=2"]), ["differed"]);
        assert_eq!(ends(&["/a"]), ["differed"]);
    }
}
