//! What a run found: collected while it runs, shown as JSON, text and HTML.

mod comparison;
mod html;
mod latency;
mod metrics;
mod options;
mod text;
mod ticket;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::gate::SnapshotOutcome;
use mirror_core::compare::Difference;
use mirror_core::ledger::{Ledger, Outcome};

pub use comparison::Comparison;
pub use latency::{Latencies, Percentiles};
pub use metrics::{METRICS_TYPE, metrics};
pub use options::ReportOptions;
pub use text::text;
pub use ticket::Ticket;

/// Routes and places of difference that are told apart; the rest is counted under [`OTHER`].
const MOST_GROUPS: usize = 500;
const OTHER: &str = "(other)";
const MOST_EXAMPLES: usize = 3;
/// Upper edges, in milliseconds, of the histogram of waits for a snapshot.
pub const WAIT_BUCKETS_MS: [u64; 9] = [1, 5, 20, 100, 200, 500, 1000, 1500, 2000];

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
    /// Milliseconds that snapshots still had to live when they were found; the percentiles are from the shortest.
    #[serde(default)]
    pub snapshot_ttl_ms: Percentiles,
    /// What mirrors said of their own look for the snapshot.
    #[serde(default)]
    pub mirror_snapshots: BTreeMap<String, u64>,
    /// Why the run is not to be relied on.
    #[serde(default)]
    pub failed: Option<String>,
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
    /// Whether both sides had the same data.
    #[serde(default = "yes")]
    pub is_evidence: bool,
    pub examples: Vec<Example>,
}

fn yes() -> bool {
    true
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
    ttls: Latencies,
    mirror_snapshots: BTreeMap<String, u64>,
    failed: Option<String>,
    routes: BTreeMap<String, Route>,
    /// By route, place and whether it is evidence.
    differences: BTreeMap<(String, String, bool), DifferenceGroup>,
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

    /// A request that another process handed over.
    pub fn took_over(&self) {
        self.ledger.took_over();
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
        let mut count = |name: &str| *found.snapshots.entry(name.into()).or_default() += 1;
        count(outcome.name());
        match outcome {
            SnapshotOutcome::Found(snapshot) => {
                if snapshot.at.is_none() {
                    count("unverified");
                }
                found.waits.add(snapshot.waited);
                if let Some(ttl) = snapshot.ttl {
                    found.ttls.add(ttl);
                }
            }
            SnapshotOutcome::Caught { waited, .. } => found.waits.add(*waited),
            SnapshotOutcome::Missing { refused: true, .. } => count("of another request"),
            _ => {}
        }
    }

    /// What the mirror said of its own look for the snapshot.
    pub fn mirror_snapshot(&self, state: &str) {
        let mut found = self.found();
        if found.mirror_snapshots.len() < MOST_GROUPS {
            *found.mirror_snapshots.entry(state.into()).or_default() += 1;
        }
    }

    /// The run is not to be relied on; the first reason is kept.
    pub fn fail(&self, why: String) {
        self.found().failed.get_or_insert(why);
    }

    pub fn compared(&self, comparison: &Comparison) {
        let mut name = route_name(&comparison.method, &comparison.path);
        let mut found = self.found();
        if found.routes.len() >= MOST_GROUPS && !found.routes.contains_key(&name) {
            name = OTHER.into();
        }
        let route = found.routes.entry(name.clone()).or_default();
        route.compared += 1;
        route.differed += u64::from(comparison.differs());
        route.mirror.add(comparison.mirror);
        if let Some(latency) = comparison.production {
            route.production.add(latency);
        }
        route.production_cache.count(comparison.production_cache);
        route.mirror_cache.count(comparison.mirror_cache);
        for difference in &comparison.differences {
            found.differ(&name, difference, comparison);
        }
    }

    /// The state of a run in progress.
    pub fn live(&self) -> Value {
        let found = self.found();
        json!({
            "ledger": self.ledger_data(),
            "snapshots": found.snapshots,
            "snapshot_wait_ms": found.waits.percentiles(),
            "snapshot_wait_histogram": found.waits.histogram(&WAIT_BUCKETS_MS),
            "snapshot_ttl_ms": found.ttls.shortest(),
            "mirror_snapshots": found.mirror_snapshots,
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
            snapshot_ttl_ms: found.ttls.shortest(),
            mirror_snapshots: found.mirror_snapshots.clone(),
            failed: found.failed.clone(),
            routes: found.routes.iter().map(|(name, r)| r.data(name)).collect(),
            differences,
            capture: below["capture"].take(),
            interfaces: below["interfaces"].take(),
            dissect: below["dissect"].take(),
            advice: serde_json::from_value(below["advice"].take()).unwrap_or_default(),
        }
    }

    pub(crate) fn ledger_data(&self) -> LedgerData {
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
    fn differ(&mut self, route: &str, difference: &Difference, comparison: &Comparison) {
        let place = difference.place.to_string();
        let mut key = (route.to_owned(), place, comparison.is_evidence);
        if self.differences.len() >= MOST_GROUPS && !self.differences.contains_key(&key) {
            key = (OTHER.into(), OTHER.into(), comparison.is_evidence);
        }
        let group = self
            .differences
            .entry(key.clone())
            .or_insert_with(|| DifferenceGroup {
                route: key.0,
                place: key.1,
                count: 0,
                is_evidence: key.2,
                examples: Vec::new(),
            });
        group.count += 1;
        if group.examples.len() < MOST_EXAMPLES {
            group.examples.push(Example {
                request: format!("{} {}", comparison.method, comparison.target),
                id: comparison.id.clone(),
                connection: comparison.connection,
                index: comparison.index,
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
    fn count(&mut self, from_cache: Option<bool>) {
        if let Some(hit) = from_cache {
            self.told += 1;
            self.hits += u64::from(hit);
        }
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
