//! The state of a run in the text format that Prometheus reads (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::{self, Debug};

use mirror_core::compare::Severity;
use mirror_core::schedule::BreakerState;
use mirror_core::verdict::Decision;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Registry;

use super::latency::LatencyData;
use super::status::Status;

/// What `metrics` returns.
pub const METRICS_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// Upper edges, in milliseconds, of the histograms.
const EDGES_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

type Labels<'a> = Vec<(&'static str, &'a str)>;

/// The metrics of a run.
pub fn metrics(status: Status) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(StatusCollector(status)));
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = prometheus_text::encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct StatusCollector(Status);

impl Collector for StatusCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        requests(&self.0, &mut families)?;
        schedule(&self.0, &mut families)?;
        snapshots(&self.0, &mut families)?;
        comparisons(&self.0, &mut families)?;
        verdict(&self.0, &mut families)?;
        capture(&self.0, &mut families)
    }
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
        families.histograms(name, help, [(Labels::new(), data)])?;
    }
    families.counters(
        "mirror_sent_twice",
        "Requests sent a second time, because the mirror had closed an idle connection",
        [(Labels::new(), timing.sent_twice)],
    )?;
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
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
    let ttl = &results.snapshot_ttl_ms;
    families.gauges(
        "mirror_snapshot_ttl_milliseconds",
        "Time that snapshots had left to live when they were found: the median and the shortest 1%",
        [
            (vec![("quantile", "0.5")], ttl.p50 as i64),
            (vec![("quantile", "0.01")], ttl.p99 as i64),
        ],
    )?;
    families.histograms(
        "mirror_snapshot_wait_seconds",
        "Waits for a snapshot that was found",
        [(Labels::new(), &results.snapshot_wait_ms)],
    )
}

fn comparisons(status: &Status, families: &mut Families<'_>) -> fmt::Result {
    let routes = &status.results.routes;
    families.counters(
        "mirror_compared",
        "Pairs of answers that were compared, by route",
        routes
            .iter()
            .map(|r| (vec![("route", &*r.route)], r.compared)),
    )?;
    families.counters(
        "mirror_differed",
        "Pairs of answers that differed, by route",
        routes
            .iter()
            .map(|r| (vec![("route", &*r.route)], r.differed)),
    )?;
    let differences = routes.iter().map(|r| r.different.total()).sum();
    families.counters(
        "mirror_differences",
        "Places where the mirror answered differently",
        [(Labels::new(), differences)],
    )?;
    for (name, help, of) in [
        (
            "mirror_production_latency_seconds",
            "From production's request to its answer, on the wire, by route",
            (|r| &r.production_ms) as fn(&super::RouteData) -> &LatencyData,
        ),
        (
            "mirror_replay_latency_seconds",
            "From a replay to its answer, by route",
            |r| &r.mirror_ms,
        ),
    ] {
        let by_route = routes.iter().map(|r| (vec![("route", &*r.route)], of(r)));
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
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let routes = verdict.routes.iter();
    families.gauges(
        "mirror_judged",
        "Requests whose answers are evidence, by route; small routes are one",
        routes.map(|route| (vec![("route", &*route.scope)], number(route.judged))),
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
            (vec![("severity", severity.name())], number(count as u64))
        });
        families.gauges(name, help, by_severity)?;
    }
    families.gauges(
        "mirror_rules_met",
        "Rules about rates and times that fail the run",
        [(Labels::new(), number(verdict.rules_met.len() as u64))],
    )?;
    families.gauges(
        "mirror_judged_needed",
        "Judged requests that a PASS still needs on the route that needs most; absent where no number is known",
        still_needed.map(|more| (Labels::new(), number(more))),
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

/// Writes whole families: name, help and samples.
struct Families<'e>(DescriptorEncoder<'e>);

impl Families<'_> {
    fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, u64)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in samples {
            let none = None::<&Exemplar<[(&str, &str); 0], u64>>;
            family
                .encode_family(&labels)?
                .encode_counter(&value, none)?;
        }
        Ok(())
    }

    fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, i64)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in samples {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn histograms<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, &'a LatencyData)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, data) in samples {
            let mut below = 0;
            let mut buckets = Vec::new();
            for (edge, cumulative) in data.below(&EDGES_MS) {
                buckets.push((edge as f64 / 1000.0, cumulative - below));
                below = cumulative;
            }
            let sum = data.sum / 1000.0;
            family
                .encode_family(&labels)?
                .encode_histogram::<[(&str, &str); 0]>(sum, data.count, &buckets, None)?;
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mirror_core::filter::FilterSettings;

    use super::super::judgement::tests::judgement;
    use super::super::{
        AttachedPlace, CaptureCounters, EffectsData, FORMAT, Latencies, Recorder, RunInfo,
    };
    use super::*;

    fn status() -> Status {
        let mut counters = CaptureCounters::default();
        for (interface, count) in [("eth0", 3), ("a\"b", 1)] {
            let counts = [("copied".to_owned(), count)].into();
            counters.interfaces.insert(interface.into(), counts);
        }
        counters.dissect.streams.gaps = 1;
        counters.dissect.http.tls_ports.add(443);
        let mut results = Recorder::new(RunInfo::default()).results(counters);
        results.verdict = judgement();
        results.ledger.seen = 7;
        results.ledger.outcomes = [("lost: ring full".into(), 2), ("matched".into(), 5)].into();
        let mut waits = Latencies::default();
        for millis in [3, 3, 40, 9000] {
            waits.add(Duration::from_millis(millis));
        }
        results.snapshot_wait_ms = waits.data();
        results.effects = Some(EffectsData {
            compared: 3,
            missing: 1,
            ..EffectsData::default()
        });
        Status {
            format: FORMAT,
            name: "run".into(),
            host: "a".into(),
            kept: None,
            version: "1".into(),
            pid: 1,
            started_at: 0,
            hook: "tcx".into(),
            attached: vec![AttachedPlace {
                interface: "eth0".into(),
                hook: "tcx".into(),
            }],
            filter: FilterSettings::default(),
            results,
        }
    }

    #[test]
    fn numbers_are_shown_under_their_names() {
        let text = metrics(status());
        for line in [
            "# TYPE mirror_requests_total counter",
            "mirror_requests_seen_total 7",
            "mirror_requests_total{outcome=\"lost: ring full\"} 2",
            "mirror_packets_total{interface=\"a\\\"b\",reason=\"copied\"} 1",
            "mirror_read_total{what=\"gaps\"} 1",
            "mirror_attached{interface=\"eth0\",hook=\"tcx\"} 1",
            "mirror_effects_total{outcome=\"compared\"} 3",
            "mirror_effects_total{outcome=\"missing\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(!text.contains("tls_ports"), "{text}");
    }

    #[test]
    fn the_decision_is_one_of_all_and_what_it_needs_is_a_number() {
        let text = metrics(status());
        for line in [
            "mirror_decision{decision=\"FAIL\"} 1",
            "mirror_decision{decision=\"HOLD\"} 0",
            "mirror_judged{route=\"POST /orders\"} 1912",
            "mirror_findings{severity=\"breaking\"} 1",
            "mirror_findings{severity=\"order\"} 0",
            "mirror_undecided{severity=\"value\"} 1",
            "mirror_rules_met 1",
            "mirror_judged_needed 2192",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        let mut done = status();
        done.results.verdict.missing.clear();
        let text = metrics(done);
        let mut lines = text.lines();
        assert!(!lines.any(|l| l.starts_with("mirror_judged_needed ")));
    }

    #[test]
    fn the_readme_names_only_metrics_that_there_are() {
        let text = metrics(status());
        let readme = include_str!("../../../README.md");
        let named: Vec<&str> = readme
            .split('`')
            .filter(|word| word.starts_with("mirror_"))
            .collect();
        assert!(named.contains(&"mirror_decision"), "{named:?}");
        for name in named {
            assert!(text.contains(&format!("\n# TYPE {name} ")), "{name}");
        }
    }

    #[test]
    fn histograms_have_their_sum() {
        let text = metrics(status());
        let name = "mirror_snapshot_wait_seconds";
        for line in [
            format!("# TYPE {name} histogram"),
            format!("{name}_bucket{{le=\"0.002\"}} 0"),
            format!("{name}_bucket{{le=\"0.005\"}} 2"),
            format!("{name}_bucket{{le=\"0.05\"}} 3"),
            format!("{name}_bucket{{le=\"5\"}} 3"),
            format!("{name}_bucket{{le=\"+Inf\"}} 4"),
            format!("{name}_sum 9.046"),
            format!("{name}_count 4"),
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }
}
