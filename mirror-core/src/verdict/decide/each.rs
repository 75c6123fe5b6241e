//! What is known of each route by itself, however small it is: for readers. No decision rests on it.

use super::super::evidence::{Evidence, RouteEvidence};
use super::super::judgement::{Change, RouteSummary, TimeChange};
use super::super::latency::{Latency, Times};
use super::BOUND_ALPHA;

/// Routes that are told; the busiest come first.
const MAX_ROUTES: usize = 500;

/// The busiest routes, by the requests that policy let out.
pub(super) fn summaries(evidence: &Evidence) -> Vec<RouteSummary> {
    let mut routes: Vec<_> = evidence.routes.iter().collect();
    routes.sort_by(|(a_name, a), (b_name, b)| {
        let busy = |route: &RouteEvidence| (route.admitted.max(route.judged), route.seen());
        busy(b).cmp(&busy(a)).then_with(|| a_name.cmp(b_name))
    });
    routes.truncate(MAX_ROUTES);
    routes
        .into_iter()
        .map(|(name, route)| RouteSummary {
            route: name.clone(),
            seen: route.seen(),
            admitted: route.admitted.max(route.judged),
            judged: route.judged,
            cold: route.latency.cold,
            times: times(&route.latency),
        })
        .collect()
}

/// Against the control where there is one, request by request; else against production.
fn times(latency: &Latency) -> Option<TimeChange> {
    let alpha = BOUND_ALPHA / 2.0;
    let pairs = latency.ratios.count();
    if pairs > 0 {
        let (low, high) = latency.ratios.median(alpha);
        let p50 = Change::new(latency.ratios.middle(), (low, high));
        return Some(TimeChange {
            is_to_control: true,
            requests: pairs,
            p50,
            p95: quantile(&latency.candidate, &latency.control, 0.95, |q| {
                latency.growth(q, alpha)
            }),
        });
    }
    let requests = latency.alone.count().min(latency.production.count());
    let against = |q| {
        quantile(&latency.alone, &latency.production, q, |q| {
            latency.change_alone(q, alpha)
        })
    };
    (requests > 0).then(|| TimeChange {
        is_to_control: false,
        requests,
        p50: against(0.5),
        p95: against(0.95),
    })
}

fn quantile(ours: &Times, theirs: &Times, q: f64, growth: impl Fn(f64) -> (f64, f64)) -> Change {
    let seen = ours.at(q).zip(theirs.at(q));
    let seen = seen.filter(|(_, theirs)| !theirs.is_zero());
    let seen = seen.map(|(ours, theirs)| ours.as_secs_f64() / theirs.as_secs_f64());
    let (low, high) = growth(q);
    Change::new(seen, (low + 1.0, high + 1.0))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::latency::AnswerDurations;
    use super::*;

    fn ms(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    fn route(times: AnswerDurations, requests: u64) -> RouteEvidence {
        let mut route = RouteEvidence {
            admitted: requests,
            judged: requests,
            ..RouteEvidence::default()
        };
        for number in 0..requests {
            // A little apart, so that there are values on both sides of the middle.
            let candidate = times
                .candidate
                .map(|time| time + Duration::from_micros(number));
            route.latency.add(&AnswerDurations { candidate, ..times });
        }
        route
    }

    fn of(routes: Vec<(&str, RouteEvidence)>) -> Vec<RouteSummary> {
        let mut evidence = Evidence::default();
        for (name, route) in routes {
            evidence.routes.insert(name.into(), route);
        }
        summaries(&evidence)
    }

    #[test]
    fn times_are_held_against_the_control_and_else_against_production() {
        let with_control = AnswerDurations {
            production: ms(40),
            candidate: ms(12),
            control: ms(10),
            is_cold: false,
        };
        let alone = AnswerDurations {
            control: None,
            ..with_control
        };
        let told = of(vec![
            ("GET /small", route(alone, 2_000)),
            ("GET /large", route(with_control, 4_000)),
            ("GET /none", RouteEvidence::default()),
        ]);
        let names: Vec<_> = told.iter().map(|one| one.route.as_str()).collect();
        assert_eq!(names, ["GET /large", "GET /small", "GET /none"]);
        let large = told[0].times.as_ref().unwrap();
        assert!(large.is_to_control && large.requests == 4_000);
        let ratio = large.p50.seen.unwrap();
        assert!((0.39..0.41).contains(&ratio), "{large:?}");
        let (low, high) = (large.p50.at_least.unwrap(), large.p50.at_most.unwrap());
        assert!(low <= ratio && ratio <= high, "{large:?}");
        let small = told[1].times.as_ref().unwrap();
        assert!(!small.is_to_control);
        assert!(
            (-0.66..-0.64).contains(&small.p95.seen.unwrap()),
            "{small:?}"
        );
        assert_eq!(told[2].times, None);
    }

    #[test]
    fn few_requests_have_no_interval_and_cold_ones_no_times() {
        let cold = AnswerDurations {
            production: ms(1),
            candidate: ms(1),
            control: ms(1),
            is_cold: true,
        };
        let warm = AnswerDurations {
            is_cold: false,
            ..cold
        };
        let told = of(vec![("GET /a", route(warm, 1)), ("GET /b", route(cold, 1))]);
        let few = told[0].times.as_ref().unwrap();
        assert_eq!((few.p50.at_least, few.p50.at_most), (None, None));
        assert_eq!((told[1].cold, &told[1].times), (1, &None));
        // What is not known is null in JSON, and is read back.
        let text = serde_json::to_string(few).unwrap();
        assert_eq!(&serde_json::from_str::<TimeChange>(&text).unwrap(), few);
    }
}
