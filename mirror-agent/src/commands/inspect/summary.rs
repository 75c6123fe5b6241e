//! What a file holds in short: routes, statuses, latencies, and what could not be read.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use mirror_agent::report::Latencies;
use mirror_agent::report::route_name;
use mirror_core::dissect::DissectStats;
use mirror_core::exchange::Exchange;
use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr;

use super::{Known, output::harmless, table::fitted};

/// Routes that are told apart; the rest is one.
const MOST_ROUTES: usize = 1000;
const OTHER: &str = "(other)";
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
    exchanges: u64,
    routes: BTreeMap<String, Route>,
    all: Route,
    outcomes: BTreeMap<&'static str, u64>,
    /// Why requests are not whole.
    faults: BTreeMap<String, u64>,
}

#[derive(Default)]
struct Route {
    exchanges: u64,
    statuses: BTreeMap<String, u64>,
    latencies: Latencies,
}

impl Route {
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
}

impl Summary {
    pub(super) fn add(&mut self, exchange: &Exchange, known: &Known) {
        let mut name = route_name(&exchange.request.method, &exchange.path());
        if self.routes.len() >= MOST_ROUTES && !self.routes.contains_key(&name) {
            name = OTHER.into();
        }
        self.exchanges += 1;
        self.routes.entry(name).or_default().add(exchange);
        self.all.add(exchange);
        *self.outcomes.entry(known.outcome).or_default() += 1;
        if let Some(fault) = exchange.request.fault {
            *self.faults.entry(fault.to_string()).or_default() += 1;
        }
    }

    /// All of it, as an object; `stats` are of the whole file, the rest of the exchanges that were shown.
    pub(super) fn counts(&self, stats: &DissectStats, unsupported_link: u64) -> Value {
        let mut routes: Vec<_> = self.routes.iter().collect();
        routes.sort_by_key(|(_, route)| std::cmp::Reverse(route.exchanges));
        let all = json!(stats);
        let number = |name: &str| all[name].as_u64().unwrap_or(0);
        let counts = all.as_object().into_iter().flat_map(Map::iter);
        let mut not_read: Map<String, Value> = counts
            .filter(|(name, value)| {
                !READ.contains(&name.as_str()) && value.as_u64().is_some_and(|count| count > 0)
            })
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if unsupported_link > 0 {
            not_read.insert("unsupported_link".into(), json!(unsupported_link));
        }
        json!({
            "packets": number("packets") + unsupported_link,
            "connections": number("flows"),
            "exchanges": self.exchanges,
            "statuses": self.all.statuses,
            "latency_ms": self.all.latencies.percentiles(),
            "outcomes": self.outcomes,
            "faults": self.faults,
            "routes": routes
                .into_iter()
                .map(|(name, route)| json!({
                    "route": name,
                    "exchanges": route.exchanges,
                    "statuses": route.statuses,
                    "latency_ms": route.latencies.percentiles(),
                }))
                .collect::<Vec<_>>(),
            "not_read": not_read,
            "advice": stats.advice(),
        })
    }
}

/// The summary for people, at most `width` columns but for its last lines.
pub(super) fn text(counts: &Value, width: usize, out: &mut String) {
    let _ = write!(
        out,
        "\n{} packets, {} connections, {} exchanges",
        counts["packets"], counts["connections"], counts["exchanges"]
    );
    let statuses = by_count(&counts["statuses"]);
    if !statuses.is_empty() {
        let _ = write!(out, ": {statuses}");
    }
    out.push('\n');
    let routes = counts["routes"].as_array().map_or(&[][..], Vec::as_slice);
    if !routes.is_empty() {
        out.push('\n');
        let names = ["EXCHANGES", "P50 MS", "P95 MS", "P99 MS"].map(Into::into);
        line("ROUTE", names, "STATUSES", width, out);
    }
    for route in routes.iter().take(SHOWN_ROUTES) {
        let latency =
            |name: &str| format!("{:.2}", route["latency_ms"][name].as_f64().unwrap_or(0.0));
        line(
            &harmless(route["route"].as_str().unwrap_or_default()),
            [
                route["exchanges"].to_string(),
                latency("p50"),
                latency("p95"),
                latency("p99"),
            ],
            &by_count(&route["statuses"]),
            width,
            out,
        );
    }
    if routes.len() > SHOWN_ROUTES {
        let _ = writeln!(out, "and {} more routes", routes.len() - SHOWN_ROUTES);
    }
    for (fault, count) in counts["faults"].as_object().into_iter().flatten() {
        let requests = match count.as_u64() {
            Some(1) => "1 request is".to_owned(),
            _ => format!("{count} requests are"),
        };
        let _ = writeln!(out, "{requests} {fault}");
    }
    let not_read = listed(&counts["not_read"], |name, count| {
        format!("{count} {}", name.replace('_', " "))
    });
    if !not_read.is_empty() {
        let _ = writeln!(out, "\nnot read, or not as it should be: {not_read}");
    }
    for advice in counts["advice"].as_array().into_iter().flatten() {
        let _ = writeln!(out, "{}", advice.as_str().unwrap_or_default());
    }
}

fn line(route: &str, numbers: [String; 4], statuses: &str, width: usize, out: &mut String) {
    /// Columns of the numbers with the spaces before, and of the statuses.
    const NUMBERS: usize = 40;
    const STATUSES: usize = 20;
    const LEAST_ROUTE: usize = 16;
    let columns = width.saturating_sub(NUMBERS + STATUSES).max(LEAST_ROUTE);
    let route = fitted(route, columns);
    let pad = " ".repeat(columns - route.width());
    let [exchanges, p50, p95, p99] = numbers;
    let line = format!("{route}{pad} {exchanges:>9} {p50:>8} {p95:>9} {p99:>9}  {statuses}");
    let _ = writeln!(out, "{}", fitted(&line, width).trim_end());
}

fn by_count(statuses: &Value) -> String {
    listed(statuses, |status, count| format!("{count} × {status}"))
}

fn listed(object: &Value, show: impl Fn(&str, &Value) -> String) -> String {
    let entries = object.as_object().into_iter().flat_map(Map::iter);
    let shown: Vec<String> = entries.map(|(name, count)| show(name, count)).collect();
    shown.join(", ")
}
