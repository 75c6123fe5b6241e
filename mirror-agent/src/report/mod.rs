//! What a run found: collected while it runs, shown as JSON, text and HTML.

mod html;
mod latency;
mod ledger;
mod metrics;
mod text;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    compare::{Difference, Verdict},
    exchange::{Exchange, Headers, Response},
    snapshot::SnapshotOutcome,
};

pub use latency::{Latencies, Percentiles};
pub use ledger::{Ledger, Outcome};
pub use metrics::metrics;
pub use text::text;

/// Routes and places of difference that are told apart; the rest is counted under [`OTHER`].
const MOST_GROUPS: usize = 500;
const OTHER: &str = "(other)";
const MOST_EXAMPLES: usize = 3;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReportData {
    pub version: String,
    /// Seconds since the epoch.
    pub started_at: u64,
    pub ended_at: u64,
    /// What was captured and where it was replayed to.
    pub run: Value,
    pub ledger: LedgerData,
    pub snapshots: BTreeMap<String, u64>,
    /// Milliseconds from the first look to the snapshot.
    pub snapshot_wait_ms: Percentiles,
    pub routes: Vec<RouteData>,
    pub differences: Vec<DifferenceGroup>,
    /// The kernel's counters.
    pub capture: Value,
    /// The kernel's counters by interface.
    #[serde(default)]
    pub interfaces: Value,
    /// What TCP and HTTP could not read.
    pub dissect: Value,
    /// What a user can do about connections that could not be read.
    #[serde(default)]
    pub advice: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LedgerData {
    pub seen: u64,
    pub outcomes: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RouteData {
    pub route: String,
    pub compared: u64,
    pub differed: u64,
    /// From the request's last byte to the response's last byte, on the wire.
    pub production_ms: Percentiles,
    /// From sending to the response's last byte, as the agent saw it.
    pub mirror_ms: Percentiles,
    pub production_cache: CacheHits,
    pub mirror_cache: CacheHits,
}

/// Answers that said in `x-cache` or `age` whether they came from a cache.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct CacheHits {
    pub hits: u64,
    pub told: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DifferenceGroup {
    pub route: String,
    pub place: String,
    pub count: u64,
    pub examples: Vec<Example>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Example {
    pub request: String,
    pub id: Option<String>,
    pub connection: u64,
    pub index: u32,
    pub production: String,
    pub mirror: String,
}

/// Collects from many tasks at once.
pub struct Recorder {
    ledger: Ledger,
    run: Value,
    started_at: u64,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    snapshots: BTreeMap<String, u64>,
    waits: Latencies,
    routes: BTreeMap<String, Route>,
    differences: BTreeMap<(String, String), DifferenceGroup>,
}

#[derive(Default)]
struct Route {
    differed: u64,
    production: Latencies,
    mirror: Latencies,
    compared: u64,
    production_cache: CacheHits,
    mirror_cache: CacheHits,
}

impl Recorder {
    pub fn new(run: Value) -> Self {
        Self {
            ledger: Ledger::default(),
            run,
            started_at: now(),
            found: Mutex::default(),
        }
    }

    pub fn saw(&self) {
        self.ledger.saw();
    }

    /// `total` requests were lost in the kernel since the start.
    pub fn lost(&self, total: u64) {
        self.ledger.lost(total);
    }

    pub fn ended(&self, outcome: Outcome) {
        self.ledger.ended(outcome);
    }

    pub fn snapshot(&self, outcome: &SnapshotOutcome) {
        let mut found = self.found();
        *found.snapshots.entry(outcome.name().into()).or_default() += 1;
        if let SnapshotOutcome::Hit { waited, .. } = outcome {
            found.waits.add(*waited);
        }
    }

    pub fn compared(
        &self,
        exchange: &Exchange,
        mirror: &Response,
        verdict: &Verdict,
        id: Option<&str>,
        latency: Duration,
    ) {
        let mut name = route_name(&exchange.request.method, exchange.path());
        let mut found = self.found();
        if found.routes.len() >= MOST_GROUPS && !found.routes.contains_key(&name) {
            name = OTHER.into();
        }
        let route = found.routes.entry(name.clone()).or_default();
        route.compared += 1;
        route.differed += u64::from(!verdict.differences.is_empty());
        route.mirror.add(latency);
        if let Some(nanos) = exchange.latency_nanos() {
            route.production.add(Duration::from_nanos(nanos));
        }
        if let Some(production) = &exchange.response {
            route.production_cache.count(&production.headers);
        }
        route.mirror_cache.count(&mirror.headers);
        for difference in &verdict.differences {
            found.differ(&name, difference, exchange, id);
        }
    }

    /// The state of a run in progress.
    pub fn live(&self) -> Value {
        let found = self.found();
        json!({
            "ledger": self.ledger_data(),
            "snapshots": found.snapshots,
            "differences": found.differences.values().map(|d| d.count).sum::<u64>(),
            "run": self.run,
        })
    }

    /// The report; `below` holds the counters of capture and dissection.
    pub fn finish(&self, mut below: Value) -> ReportData {
        let found = self.found();
        let mut differences: Vec<_> = found.differences.values().cloned().collect();
        differences.sort_by_key(|d| std::cmp::Reverse(d.count));
        ReportData {
            version: env!("CARGO_PKG_VERSION").into(),
            started_at: self.started_at,
            ended_at: now(),
            run: self.run.clone(),
            ledger: self.ledger_data(),
            snapshots: found.snapshots.clone(),
            snapshot_wait_ms: found.waits.percentiles(),
            routes: found.routes.iter().map(|(name, r)| r.data(name)).collect(),
            differences,
            capture: below["capture"].take(),
            interfaces: below["interfaces"].take(),
            dissect: below["dissect"].take(),
            advice: serde_json::from_value(below["advice"].take()).unwrap_or_default(),
        }
    }

    fn ledger_data(&self) -> LedgerData {
        LedgerData {
            seen: self.ledger.seen(),
            outcomes: self.ledger.outcomes(),
        }
    }

    fn found(&self) -> std::sync::MutexGuard<'_, Found> {
        // Counts stay usable after a panic elsewhere.
        self.found
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Found {
    fn differ(
        &mut self,
        route: &str,
        difference: &Difference,
        exchange: &Exchange,
        id: Option<&str>,
    ) {
        let mut key = (route.to_owned(), difference.place.to_string());
        if self.differences.len() >= MOST_GROUPS && !self.differences.contains_key(&key) {
            key = (OTHER.into(), OTHER.into());
        }
        let group = self
            .differences
            .entry(key.clone())
            .or_insert_with(|| DifferenceGroup {
                route: key.0,
                place: key.1,
                count: 0,
                examples: Vec::new(),
            });
        group.count += 1;
        if group.examples.len() < MOST_EXAMPLES {
            group.examples.push(Example {
                request: format!("{} {}", exchange.request.method, exchange.request.target),
                id: id.map(Into::into),
                connection: exchange.connection,
                index: exchange.index,
                production: difference.production.clone(),
                mirror: difference.mirror.clone(),
            });
        }
    }
}

impl Route {
    fn data(&self, name: &str) -> RouteData {
        RouteData {
            route: name.into(),
            compared: self.compared,
            differed: self.differed,
            production_ms: self.production.percentiles(),
            mirror_ms: self.mirror.percentiles(),
            production_cache: self.production_cache,
            mirror_cache: self.mirror_cache,
        }
    }
}

impl CacheHits {
    fn count(&mut self, headers: &Headers) {
        let hit = match (headers.first("x-cache"), headers.first("age")) {
            (Some(told), _) => told.to_ascii_lowercase().windows(3).any(|w| w == b"hit"),
            (None, Some(age)) => age != b"0",
            (None, None) => return,
        };
        self.told += 1;
        self.hits += u64::from(hit);
    }
}

/// A path with its ids taken out: numbers, and hexadecimal words of 8 characters and more.
/// Requests of one route have one name: numbers and long hexadecimal segments are `{id}`.
pub fn route_name(method: &str, path: &str) -> String {
    let is_id = |segment: &str| {
        let digits = segment.bytes().filter(u8::is_ascii_digit).count();
        let hex = segment.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        digits > 0 && (digits == segment.len() || (hex && segment.len() >= 8))
    };
    let segments = path.split('/').map(|s| if is_id(s) { "{id}" } else { s });
    format!("{method} {}", segments.collect::<Vec<_>>().join("/"))
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}

/// Where `write` put the report.
pub struct Written {
    pub json: PathBuf,
    pub html: PathBuf,
}

/// Writes report.json and report.html; a reader never sees half of one.
pub fn write(directory: &Path, data: &ReportData) -> anyhow::Result<Written> {
    fs::create_dir_all(directory)
        .with_context(|| format!("making the report directory {}", directory.display()))?;
    let put = |name: &str, text: String| {
        let path = directory.join(name);
        let unfinished = directory.join(format!(".{name}.new"));
        fs::write(&unfinished, text)
            .and_then(|()| fs::rename(&unfinished, &path))
            .with_context(|| format!("writing {}", path.display()))?;
        anyhow::Ok(path)
    };
    Ok(Written {
        json: put("report.json", serde_json::to_string_pretty(data)?)?,
        html: put("report.html", html::page(data))?,
    })
}

/// Reads what `write` wrote.
pub fn read(directory: &Path) -> anyhow::Result<ReportData> {
    let path = directory.join("report.json");
    let text = fs::read_to_string(&path).with_context(|| {
        format!(
            "reading {}: name the directory given to `run --report`",
            path.display()
        )
    })?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is no report of this version", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_out_of_routes() {
        let check = |path, expect: &str| assert_eq!(route_name("GET", path), expect);
        check("/users/42/cart", "GET /users/{id}/cart");
        check("/o/550e8400-e29b-41d4-a716-446655440000", "GET /o/{id}");
        check("/feed/added", "GET /feed/added");
    }
}
