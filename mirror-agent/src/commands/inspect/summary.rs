//! What a file holds in short: routes, statuses, latencies, and what could not be read.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use mirror_agent::report::table::{Align, number, table};
use mirror_agent::report::{Latencies, LatencyData};
use mirror_agent::traffic::TrafficFile;
use mirror_core::dissect::DissectStats;
use mirror_core::exchange::Exchange;
use mirror_core::route::{RouteId, RouteLearner};
use serde::Serialize;

use super::Known;

const SHOWN_ROUTES: usize = 10;

/// Counts of what was read; all others are of what was not, or not quite.
const READ: [&str; 9] = [
    "packets",
    "segments",
    "flows",
    "requests",
    "responses",
    "interim_responses",
    "retransmitted_bytes",
    "joined_packets",
    "idle_flows",
];

#[derive(Default)]
pub(super) struct Summary {
    learner: RouteLearner,
    routes: BTreeMap<RouteId, RouteTally>,
    all: RouteTally,
    outcomes: BTreeMap<&'static str, u64>,
    /// Why requests are not whole.
    faults: BTreeMap<String, u64>,
}

#[derive(Default)]
struct RouteTally {
    exchanges: u64,
    statuses: BTreeMap<String, u64>,
    latencies: Latencies,
}

/// What a file holds.
#[derive(Serialize)]
pub(super) struct FileCounts {
    packets: u64,
    connections: u64,
    exchanges: u64,
    statuses: BTreeMap<String, u64>,
    latency_ms: LatencyData,
    outcomes: BTreeMap<&'static str, u64>,
    faults: BTreeMap<String, u64>,
    /// The most exchanges first.
    routes: Vec<RouteCounts>,
    not_read: BTreeMap<String, u64>,
    advice: Vec<String>,
}

#[derive(Serialize)]
struct RouteCounts {
    route: String,
    exchanges: u64,
    statuses: BTreeMap<String, u64>,
    latency_ms: LatencyData,
}

impl RouteTally {
    fn add(&mut self, exchange: &Exchange) {
        let status = exchange.response.as_ref().map(|r| r.status.to_string());
        self.exchanges += 1;
        *self
            .statuses
            .entry(status.unwrap_or_else(|| "none".into()))
            .or_default() += 1;
        if let Some(nanos) = exchange.latency_nanos() {
            self.latencies.add(Duration::from_nanos(nanos));
        }
    }

    fn merge(&mut self, other: Self) {
        self.exchanges += other.exchanges;
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.latencies.merge(&other.latencies);
    }
}

impl Summary {
    pub(super) fn add(&mut self, exchange: &Exchange, known: &Known) {
        let folds = self.learner.folds();
        let route = self
            .learner
            .learn(&exchange.request.method, &exchange.path());
        if self.learner.folds() != folds {
            for (route, tally) in std::mem::take(&mut self.routes) {
                let into = self.routes.entry(self.learner.resolve(route)).or_default();
                into.merge(tally);
            }
        }
        self.routes.entry(route).or_default().add(exchange);
        self.all.add(exchange);
        *self.outcomes.entry(known.outcome).or_default() += 1;
        if let Some(fault) = exchange.request.fault {
            *self.faults.entry(fault.to_string()).or_default() += 1;
        }
    }

    /// All of it; some counts are of the whole file, the rest of the exchanges that were shown.
    pub(super) fn counts(&self, file: &TrafficFile) -> FileCounts {
        let stats = file.stats();
        let mut not_read = not_read(&stats);
        let left_out = file.left_out().into_iter();
        not_read.extend(left_out.map(|(name, count)| (name.to_owned(), count)));
        FileCounts {
            packets: stats.packets.packets + file.unread_packets(),
            connections: stats.streams.flows,
            exchanges: self.all.exchanges,
            statuses: self.all.statuses.clone(),
            latency_ms: self.all.latencies.data(),
            outcomes: self.outcomes.clone(),
            faults: self.faults.clone(),
            routes: self.route_counts(),
            not_read,
            advice: stats.advice(),
        }
    }

    fn route_counts(&self) -> Vec<RouteCounts> {
        let mut routes: Vec<RouteCounts> = self
            .routes
            .iter()
            .map(|(route, tally)| RouteCounts {
                route: self.learner.name(*route),
                exchanges: tally.exchanges,
                statuses: tally.statuses.clone(),
                latency_ms: tally.latencies.data(),
            })
            .collect();
        routes.sort_by(|a, b| {
            let by_count = b.exchanges.cmp(&a.exchanges);
            by_count.then_with(|| a.route.cmp(&b.route))
        });
        routes
    }
}

/// The counters of what could not be read, by the names of their fields.
fn not_read(stats: &DissectStats) -> BTreeMap<String, u64> {
    let fields = match serde_json::to_value(stats) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => return BTreeMap::new(),
    };
    fields
        .into_iter()
        .filter(|(name, _)| !READ.contains(&name.as_str()))
        .filter_map(|(name, value)| Some((name, value.as_u64()?)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// The summary for people, its table at most `width` columns.
pub(super) fn text(counts: &FileCounts, width: usize, out: &mut String) {
    out.push('\n');
    if counts.packets > 0 {
        let packets = counted(counts.packets, "packet");
        let connections = counted(counts.connections, "connection");
        let _ = write!(out, "{packets}, {connections}, ");
    }
    out.push_str(&counted(counts.exchanges, "exchange"));
    let statuses = by_count(&counts.statuses);
    if !statuses.is_empty() {
        let _ = write!(out, ": {statuses}");
    }
    out.push('\n');
    if !counts.routes.is_empty() {
        out.push('\n');
        out.push_str(&routes(&counts.routes, width));
    }
    if counts.routes.len() > SHOWN_ROUTES {
        let _ = writeln!(
            out,
            "and {} more routes",
            counts.routes.len() - SHOWN_ROUTES
        );
    }
    for (fault, count) in &counts.faults {
        let requests = match count {
            1 => "1 request is".to_owned(),
            _ => format!("{count} requests are"),
        };
        let _ = writeln!(out, "{requests} {fault}");
    }
    let not_read: Vec<String> = counts
        .not_read
        .iter()
        .map(|(name, count)| format!("{count} {}", name.replace('_', " ")))
        .collect();
    if !not_read.is_empty() {
        let not_read = not_read.join(", ");
        let _ = writeln!(out, "\nnot read, or not as it should be: {not_read}");
    }
    for advice in &counts.advice {
        let _ = writeln!(out, "{advice}");
    }
}

fn routes(routes: &[RouteCounts], width: usize) -> String {
    let columns = [
        ("ROUTE", Align::Left),
        ("EXCHANGES", Align::Right),
        ("P50 MS", Align::Right),
        ("P95 MS", Align::Right),
        ("P99 MS", Align::Right),
        ("STATUSES", Align::Left),
    ];
    let rows = routes.iter().take(SHOWN_ROUTES).map(|route| {
        let latency = &route.latency_ms;
        let millis = |value: f64| format!("{value:.2}");
        [
            route.route.clone(),
            number(route.exchanges),
            millis(latency.p50),
            millis(latency.p95),
            millis(latency.p99),
            by_count(&route.statuses),
        ]
    });
    table(u16::try_from(width).ok(), columns, rows)
}

fn by_count(statuses: &BTreeMap<String, u64>) -> String {
    let shown = statuses
        .iter()
        .map(|(status, count)| format!("{count} × {status}"));
    shown.collect::<Vec<_>>().join(", ")
}
