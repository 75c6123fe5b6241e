//! Pieces of reports: times, courses, findings and groups, from a generator of numbers that always gives the same.

use std::time::Duration;

use mirror_agent::report::{
    CacheHits, CaptureCounters, DifferenceExample, DifferenceGroup, Latencies, LatencyData,
    OutcomeData, OutcomeExample, OutcomeGroup, Recorder, ReportData, RouteData, RunInfo,
    ShownRequest, StoredAnswers, StoredBody, StoredMessage, TrendPoint,
};
use mirror_core::compare::{Kind, Place};
use mirror_core::ledger::Outcome;
use mirror_core::verdict::{Change, Finding, RouteFigures, RouteSummary, TimeChange};

pub(crate) const STARTED_AT: u64 = 1_795_756_701;
const LASTED: u64 = 1_860;
/// Points of a route's trend, and the seconds of each.
const POINTS: u64 = 59;
const INTERVAL: u64 = 32;

/// Numbers that are the same on each run.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// From 0 to below 1.
    pub(crate) fn share(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (self.share() * n as f64) as u64
    }

    /// About log-normal.
    fn factor(&mut self, spread: f64) -> f64 {
        let normal: f64 = (0..12).map(|_| self.share()).sum::<f64>() - 6.0;
        (normal * spread).exp()
    }
}

/// A report without content, of a run that took half an hour.
pub(crate) fn empty(name: &str) -> ReportData {
    let run = RunInfo {
        interfaces: vec!["eth0".into()],
        target: Some("http://10.0.12.7:8080".into()),
        snapshots: true,
        ..RunInfo::default()
    };
    let mut report = Recorder::new(run).finish(CaptureCounters::default());
    report.name = name.into();
    report.hosts = vec!["shop-7f9c".into()];
    report.started_at = STARTED_AT;
    report.ended_at = STARTED_AT + LASTED;
    let capture = [("packets_seen", 812_004), ("copied", 401_233)];
    let counted = capture.map(|(name, count)| (name.to_owned(), count));
    report.results.counters.capture.extend(counted);
    report
}

/// `requests` times about a median, in milliseconds.
pub(crate) fn times(numbers: &mut Numbers, requests: u64, median: f64, spread: f64) -> LatencyData {
    latencies(numbers, requests, median, spread).data()
}

/// The same, with percentiles from the shortest.
pub(crate) fn lives(numbers: &mut Numbers, requests: u64, median: f64) -> LatencyData {
    latencies(numbers, requests, median, 0.2).shortest()
}

fn latencies(numbers: &mut Numbers, requests: u64, median: f64, spread: f64) -> Latencies {
    let mut latencies = Latencies::default();
    // Some thousand say as much as all of them.
    let drawn = requests.min(if requests > 1_000 { 2_000 } else { 300 });
    for _ in 0..drawn {
        let slow = if numbers.share() < 0.03 { 4.0 } else { 1.0 };
        let ms = median * slow * numbers.factor(spread);
        latencies.add(Duration::from_secs_f64(ms / 1_000.0));
    }
    latencies
}

pub(crate) struct Route {
    pub(crate) name: &'static str,
    pub(crate) judged: u64,
    pub(crate) differed: u64,
    pub(crate) median: f64,
    /// The candidate's times over production's.
    pub(crate) slower: f64,
    pub(crate) hits: Option<[f64; 2]>,
}

pub(crate) fn route(numbers: &mut Numbers, route: &Route) -> RouteData {
    let cache = |share: f64| CacheHits {
        hits: (route.judged as f64 * share) as u64,
        told: route.judged,
    };
    let hits = route
        .hits
        .map(|shares| shares.map(cache))
        .unwrap_or_default();
    RouteData {
        route: route.name.into(),
        compared: route.judged,
        differed: route.differed,
        production_ms: times(numbers, route.judged, route.median, 0.35),
        mirror_ms: times(numbers, route.judged, route.median * route.slower, 0.4),
        production_cache: hits[0],
        mirror_cache: hits[1],
        trend: trend(numbers, route),
        ..RouteData::default()
    }
}

fn trend(numbers: &mut Numbers, route: &Route) -> Vec<TrendPoint> {
    let first = STARTED_AT / INTERVAL * INTERVAL;
    (0..POINTS)
        .map(|point| {
            let wave = 1.0 + 0.4 * (point as f64 / 9.0).sin();
            let judged = (route.judged as f64 / POINTS as f64 * wave) as u64;
            let cold = if point == 0 { 3.0 } else { 1.0 };
            let p95 = route.median * 1.9 * numbers.factor(0.08);
            TrendPoint {
                at: first + point * INTERVAL,
                judged,
                differed: numbers.below(2 * route.differed / POINTS + 1).min(judged),
                production_p95_ms: (judged > 0).then_some(p95),
                mirror_p95_ms: (judged > 0)
                    .then(|| p95 * route.slower * cold * numbers.factor(0.08)),
            }
        })
        .collect()
}

/// What is known of a route by itself.
pub(crate) fn summary(route: &Route, has_control: bool) -> RouteSummary {
    let change = route.slower - 1.0;
    let width = 2.2 / (route.judged as f64).sqrt();
    let about = |change: f64, width: f64| Change {
        seen: Some(change),
        at_least: Some(change - width),
        at_most: Some(change + width),
    };
    RouteSummary {
        route: route.name.into(),
        seen: route.judged + route.judged / 50,
        admitted: route.judged + route.judged / 90,
        judged: route.judged,
        cold: route.judged / 180,
        times: (route.judged > 0).then(|| TimeChange {
            is_to_control: has_control,
            requests: route.judged,
            p50: about(change, width),
            p95: about(change * 1.3, width * 3.0),
        }),
    }
}

pub(crate) fn figures(
    scope: &str,
    traffic: f64,
    judged: u64,
    differing: u64,
    at_most: f64,
) -> RouteFigures {
    RouteFigures {
        scope: scope.into(),
        traffic,
        judged,
        differing,
        at_most,
        limit: 0.001,
        varying: 3,
        dropped: 0,
    }
}

pub(crate) fn finding(
    route: &str,
    place: Place,
    kind: Kind,
    differed: u64,
    judged: u64,
) -> Finding {
    let heads = differed.min(60);
    Finding {
        route: route.into(),
        severity: kind.severity_at(&place),
        place,
        kind,
        differed,
        judged,
        informative: heads,
        candidate_odd: heads - heads / 20,
        e_value: 1e9,
        at_least: differed as f64 / judged as f64 * 0.82,
        needed: None,
        varies: false,
        is_unsteady: false,
        is_by_chance: false,
    }
}

/// The group that a finding is about.
pub(crate) fn group(finding: &Finding, examples: Vec<DifferenceExample>) -> DifferenceGroup {
    DifferenceGroup {
        route: finding.route.clone(),
        place: finding.place.to_string(),
        kind: finding.kind,
        severity: finding.severity,
        count: finding.differed,
        is_evidence: true,
        varies: finding.varies,
        examples,
    }
}

pub(crate) fn example(
    request: &str,
    production: &str,
    mirror: &str,
    answers: Option<u64>,
) -> DifferenceExample {
    DifferenceExample {
        request: request.into(),
        id: Some("3f2a".into()),
        connection: 118,
        index: 4,
        times: 1,
        production: production.into(),
        mirror: mirror.into(),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
        answers,
    }
}

/// Sums outcomes up in the ledger too.
pub(crate) fn outcomes(
    report: &mut ReportData,
    counts: &[(Outcome, u64, Option<&str>)],
    routes: &[&str],
) {
    let results = &mut report.results;
    for (outcome, count, reason) in counts {
        results.ledger.seen += count;
        results
            .ledger
            .outcomes
            .insert(outcome.name().into(), *count);
        let groups = routes.iter().take(4).zip([6, 3, 2, 1]);
        let groups = groups.map(|(route, twelfths)| OutcomeGroup {
            route: (*route).into(),
            reason: reason.map(Into::into),
            count: count * twelfths / 12,
            examples: vec![OutcomeExample {
                request: ShownRequest {
                    request: route.replace("{id}", "4711"),
                    connection: 17,
                    index: 2,
                },
                reason: reason.map(|reason| format!("{reason} (10.0.12.7:41823)")),
            }],
        });
        results.outcomes.push(OutcomeData {
            outcome: outcome.name().into(),
            count: *count,
            meaning: outcome.meaning().into(),
            groups: groups.filter(|group| group.count > 0).collect(),
        });
    }
}

pub(crate) fn answers(
    number: u64,
    first_line: &str,
    production: (&str, &str),
    mirror: (&str, &str),
) -> StoredAnswers {
    let message = |first_line: &str, status: Option<u16>, headers: &[(&str, &str)], text: &str| {
        StoredMessage {
            first_line: first_line.into(),
            status,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            headers_cut: 0,
            body: StoredBody {
                text: Some(text.into()),
                base64: None,
                bytes: text.len() as u64,
                is_cut: false,
                sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
            },
        }
    };
    let answer = |(status, text): (&str, &str), build: &str| {
        let kind = match text.starts_with(['{', '[']) {
            true => "application/json",
            false => "text/plain",
        };
        let length = text.len().to_string();
        let headers = [
            ("content-type", kind),
            ("content-length", length.as_str()),
            ("x-build", build),
            ("cache-control", "no-store"),
        ];
        let code = status.split(' ').next().and_then(|code| code.parse().ok());
        message(&format!("HTTP/1.1 {status}"), code, &headers, text)
    };
    StoredAnswers {
        number,
        request: message(
            first_line,
            None,
            &[
                ("Host", "shop.example"),
                ("Accept", "application/json"),
                ("Cookie", "sid=‹token 5f3a›"),
            ],
            if first_line.starts_with("POST") {
                r#"{"sku":"it's 7","count":2}"#
            } else {
                ""
            },
        ),
        production: answer(production, "1.4.2"),
        mirror: answer(mirror, "1.5.0"),
    }
}
