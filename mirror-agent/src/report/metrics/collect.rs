//! What a run has to say in metrics.

use std::collections::BTreeMap;
use std::fmt;

use mirror_core::compare::Severity;
use mirror_core::schedule::BreakerState;
use mirror_core::verdict::Decision;

use super::super::latency::LatencyData;
use super::super::status::{RouteData, Status};
use super::families::{Buckets, Families, LIFE_EDGES_MS, Labels, REQUEST_EDGES_MS};
use super::routes::LabelledRoutes;

/// Writes all of them.
pub(super) fn collect(
    status: &Status,
    labelled: &LabelledRoutes,
    families: &mut Families<'_>,
) -> fmt::Result {
    about(status, families)?;
    requests(status, families)?;
    schedule(status, families)?;
    snapshots(status, families)?;
    comparisons(status, labelled, families)?;
    verdict(status, families)?;
    capture(status, families)
}

fn about(status: &Status, families: &mut Families<'_>) -> fmt::Result {
    families.gauges(
        "mirror_build_info",
        "1, with the agent's version",
        [(vec![("version", &*status.version)], 1)],
    )?;
    families.gauges(
        "mirror_start_time_seconds",
        "When the run began, in seconds since 1970",
        [(Labels::new(), gauge(status.started_at))],
    )?;
    families.gauges(
        "mirror_run_kept",
        "Whether all of the run could be written to its files so far",
        [(Labels::new(), i64::from(status.kept.is_none()))],
    )
}

fn requests(status: &Status, families: &mut Families<'_>) -> fmt::Result {
    let ledger = &status.results.ledger;
    families.counters(
        "mirror_requests_seen",
        "Requests that production received",
        [(Labels::new(), ledger.seen)],
    )?;
    families.counters(
        "mirror_requests",
        "Requests by the outcome they ended with",
        labelled(&ledger.outcomes, "outcome"),
    )?;
    families.gauges(
        "mirror_requests_in_flight",
        "Requests that have no outcome yet",
        [(Labels::new(), gauge(ledger.in_flight()))],
    )
}

fn schedule(status: &Status, families: &mut Families<'_>) -> fmt::Result {
    let (timing, schedule) = (&status.results.timing, &status.results.schedule);
    for (name, help, data) in [
        (
            "mirror_send_lag_seconds",
            "From the time at which a request should have been sent to its sending",
            &timing.send_lag_ms,
        ),
        (
            "mirror_latency_seconds",
            "From a request's sending to the mirror's whole answer",
            &timing.from_sending_ms,
        ),
        (
            "mirror_latency_from_due_seconds",
            "From the time at which a request should have been sent to the mirror's whole answer",
            &timing.from_due_ms,
        ),
    ] {
        families.histograms(name, help, [plain(REQUEST_EDGES_MS, data)])?;
    }
    families.counters(
        "mirror_sent_twice",
        "Requests sent a second time, because the mirror had closed an idle connection",
        [(Labels::new(), timing.sent_twice)],
    )?;
    let count = |number: usize| gauge(number as u64);
    for (name, help, value) in [
        (
            "mirror_paused",
            "Whether mirroring is paused",
            i64::from(schedule.paused),
        ),
        (
            "mirror_schedule_open",
            "Whether now is a time in which --schedule replays",
            i64::from(schedule.open),
        ),
        (
            "mirror_replay_limit",
            "Most replays at once, now",
            count(schedule.limit),
        ),
        (
            "mirror_lanes",
            "Connections or sessions with a request that waits or is on its way",
            count(schedule.lanes.active),
        ),
        (
            "mirror_lane_waiting",
            "Requests that wait for those before them",
            count(schedule.lanes.waiting),
        ),
    ] {
        families.gauges(name, help, [(Labels::new(), value)])?;
    }
    let states = [
        BreakerState::Closed,
        BreakerState::Open,
        BreakerState::HalfOpen,
    ];
    let breakers = &schedule.breakers;
    families.gauges(
        "mirror_breaker",
        "1 for the state that a target's circuit breaker is in",
        breakers.iter().flat_map(|breaker| {
            states.map(|state| {
                let labels = vec![("target", breaker.target.as_str()), ("state", state.name())];
                (labels, i64::from(breaker.state == state))
            })
        }),
    )?;
    families.counters(
        "mirror_breaker_opened",
        "Times that a target was left alone because it did not answer",
        breakers
            .iter()
            .map(|breaker| (vec![("target", breaker.target.as_str())], breaker.opened)),
    )
}

fn snapshots(status: &Status, families: &mut Families<'_>) -> fmt::Result {
    let results = &status.results;
    families.counters(
        "mirror_snapshots",
        "Waits for a snapshot by how they ended",
        labelled(&results.snapshots, "outcome"),
    )?;
    families.counters(
        "mirror_service_snapshots",
        "Answers of the mirror by what they say of their snapshot",
        labelled(&results.mirror_snapshots, "state"),
    )?;
    let effects = results.effects.iter().flat_map(|effects| effects.counts());
    families.counters(
        "mirror_effects",
        "What mirrors filed of requests' reads and writes, by what became of it",
        effects.map(|(name, count)| (vec![("outcome", name)], count)),
    )?;
    families.histograms(
        "mirror_snapshot_life_left_seconds",
        "Time that snapshots still had to live when they were found",
        [plain(LIFE_EDGES_MS, &results.snapshot_ttl_ms)],
    )?;
    families.histograms(
        "mirror_snapshot_wait_seconds",
        "Waits for a snapshot that was found",
        [plain(REQUEST_EDGES_MS, &results.snapshot_wait_ms)],
    )
}

fn comparisons(
    status: &Status,
    labelled: &LabelledRoutes,
    families: &mut Families<'_>,
) -> fmt::Result {
    let routes = labelled.group(&status.results.routes);
    for (name, help, of) in [
        (
            "mirror_compared",
            "Pairs of answers that were compared, by route",
            (|route| route.compared) as fn(&RouteData) -> u64,
        ),
        (
            "mirror_differed",
            "Pairs of answers that differed, by route",
            |route| route.differed,
        ),
    ] {
        let by_route = routes.iter().map(|(name, routes)| {
            let count = routes.iter().map(|route| of(route)).sum();
            (vec![("route", *name)], count)
        });
        families.counters(name, help, by_route)?;
    }
    let differences = status.results.routes.iter();
    let differences = differences.map(|route| route.different.total()).sum();
    families.counters(
        "mirror_differences",
        "Places where the mirror answered differently",
        [(Labels::new(), differences)],
    )?;
    for (name, help, of) in [
        (
            "mirror_production_latency_seconds",
            "From production's request to its answer, on the wire, by route",
            (|route| &route.production_ms) as fn(&RouteData) -> &LatencyData,
        ),
        (
            "mirror_replay_latency_seconds",
            "From a replay to its answer, by route",
            |route| &route.mirror_ms,
        ),
    ] {
        let by_route = routes.iter().map(|(name, routes)| {
            let all = routes.iter().map(|route| of(route));
            (vec![("route", *name)], Buckets::new(REQUEST_EDGES_MS, all))
        });
        families.histograms(name, help, by_route)?;
    }
    Ok(())
}

/// What the run comes to so far. Some of it shrinks when more is known, so that all are gauges.
fn verdict(status: &Status, families: &mut Families<'_>) -> fmt::Result {
    let verdict = &status.results.verdict;
    families.gauges(
        "mirror_decision",
        "1 for what the run would be decided as now",
        Decision::ALL.map(|decision| {
            let labels = vec![("decision", decision.name())];
            (labels, i64::from(decision == verdict.decision))
        }),
    )?;
    let routes = verdict.routes.iter();
    families.gauges(
        "mirror_judged",
        "Requests whose answers are evidence, by route; small routes are one",
        routes.map(|route| (vec![("route", &*route.scope)], gauge(route.judged))),
    )?;
    let missing = verdict.missing.iter();
    let still_needed = missing
        .filter_map(|one| Some(one.needed?.saturating_sub(one.have)))
        .max();
    for (name, help, of) in [
        (
            "mirror_findings",
            "Real differences that fail the run, by severity",
            &verdict.findings,
        ),
        (
            "mirror_undecided",
            "Differences that could fail the run and are not decided, by severity",
            &verdict.undecided,
        ),
    ] {
        let by_severity = Severity::ALL.map(|severity| {
            let count = of.iter().filter(|one| one.severity == severity).count();
            (vec![("severity", severity.name())], gauge(count as u64))
        });
        families.gauges(name, help, by_severity)?;
    }
    families.gauges(
        "mirror_rules_met",
        "Rules about rates and times that fail the run",
        [(Labels::new(), gauge(verdict.rules_met.len() as u64))],
    )?;
    families.gauges(
        "mirror_judged_needed",
        "Judged requests that a PASS still needs on the route that needs most; absent where no number is known",
        still_needed.map(|more| (Labels::new(), gauge(more))),
    )
}

fn capture(status: &Status, families: &mut Families<'_>) -> fmt::Result {
    let counters = &status.results.counters;
    let packets = counters.interfaces.iter().flat_map(|(interface, counts)| {
        counts.iter().map(move |(reason, count)| {
            (
                vec![("interface", &**interface), ("reason", reason)],
                *count,
            )
        })
    });
    families.counters(
        "mirror_packets",
        "Packets at an interface by what the kernel program did with them",
        packets,
    )?;
    let read = numbers(&counters.dissect);
    families.counters(
        "mirror_read",
        "What TCP and HTTP read, and could not read",
        labelled(&read, "what"),
    )?;
    let places = status.attached.iter();
    families.gauges(
        "mirror_attached",
        "Where the kernel program is attached",
        places.map(|place| {
            (
                vec![("interface", &*place.interface), ("hook", &*place.hook)],
                1,
            )
        }),
    )
}

/// A histogram without labels.
fn plain(edges_ms: &'static [u64], data: &LatencyData) -> (Labels<'static>, Buckets) {
    (Labels::new(), Buckets::new(edges_ms, [data]))
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn labelled<'a>(
    counts: &'a BTreeMap<String, u64>,
    label: &'static str,
) -> impl Iterator<Item = (Labels<'a>, u64)> {
    counts
        .iter()
        .map(move |(name, count)| (vec![(label, &**name)], *count))
}

/// The counters of a struct, by the names of its fields.
fn numbers(counters: &impl serde::Serialize) -> BTreeMap<String, u64> {
    let fields = match serde_json::to_value(counters) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => return BTreeMap::new(),
    };
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_u64()?)))
        .collect()
}
