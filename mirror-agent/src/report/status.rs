//! The typed state of a run: what `status --json`, `stop`, metrics and reports exchange.

use std::collections::BTreeMap;

use mirror_common::{COUNTERS, Counter};
use mirror_core::compare::{PlaceTotals, RuleTally};
use mirror_core::dissect::DissectStats;
use mirror_core::filter::{FilterSettings, PortSet};
use mirror_core::schedule::ScheduleData;
use mirror_core::verdict::Judgement;
use serde::{Deserialize, Serialize};

use super::differences::DifferenceGroup;
use super::latency::LatencyData;
use super::outcomes::OutcomeData;
use super::trend::TrendPoint;
use crate::capture::tc::BlindTime;

/// Version of what is exchanged. A reader of another version refuses it.
pub const FORMAT: u32 = 4;

/// A run in progress.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Status {
    pub format: u32,
    /// Of the run.
    pub name: String,
    /// Where it runs.
    pub host: String,
    /// Why something of it could not be kept.
    pub kept: Option<String>,
    /// Of the agent.
    pub version: String,
    pub pid: u32,
    /// Seconds since the epoch.
    pub started_at: u64,
    /// How the kernel program is attached.
    pub hook: String,
    pub attached: Vec<AttachedPlace>,
    pub filter: FilterSettings,
    #[serde(flatten)]
    pub results: Results,
}

/// A run that has ended, or what is known of several.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReportData {
    pub format: u32,
    /// Of the run.
    pub name: String,
    /// Where it ran.
    pub hosts: Vec<String>,
    /// Of a run that did not say how it ended: when that was, as in `ended without its end at 14:03:22 UTC`.
    pub unfinished: Option<String>,
    /// Why something of it could not be kept.
    pub kept: Option<String>,
    /// Of the agent.
    pub version: String,
    /// The processes that it adds up, where they shared the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetData>,
    /// Seconds since the epoch.
    pub started_at: u64,
    pub ended_at: u64,
    #[serde(flatten)]
    pub results: Results,
}

/// Processes that captured and replayed together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FleetData {
    pub processes: Vec<FleetProcessData>,
    /// Requests that came to a replayer more than once, and were counted once.
    pub redelivered: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FleetProcessData {
    pub id: String,
    pub host: String,
    pub role: FleetRole,
    pub state: FleetState,
    /// Milliseconds since its last sign of life.
    pub silent_ms: u64,
    /// Requests that it captured.
    pub seen: u64,
    /// Requests of these that the engine has had.
    pub handed_over: u64,
    /// Requests of others that have their outcome by it.
    pub judged: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FleetRole {
    Capture,
    Replay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FleetState {
    Running,
    Ended,
    /// It has given no sign of life for ten seconds, and has not said that it ends.
    Dead,
}

/// A place where the kernel program is attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AttachedPlace {
    pub interface: String,
    pub hook: String,
}

/// What a run has found.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Results {
    pub run: RunInfo,
    pub verdict: Judgement,
    /// Why the run is not to be relied on.
    #[serde(default)]
    pub failed: Option<String>,
    pub ledger: LedgerData,
    /// For each outcome: routes, reasons, examples.
    pub outcomes: Vec<OutcomeData>,
    pub snapshots: BTreeMap<String, u64>,
    /// Milliseconds from the first look to the snapshot.
    pub snapshot_wait_ms: LatencyData,
    /// Milliseconds that snapshots still had to live when they were found; the percentiles are from the shortest.
    pub snapshot_ttl_ms: LatencyData,
    /// What mirrors said of their own look for the snapshot.
    pub mirror_snapshots: BTreeMap<String, u64>,
    #[serde(default)]
    pub timing: TimingData,
    #[serde(default)]
    pub schedule: ScheduleData,
    /// What was carried from the mirror's answers into later requests.
    #[serde(default)]
    pub carried: CarriedData,
    /// What the control answered, where there is one.
    #[serde(default)]
    pub control: Option<ControlData>,
    /// What became of requests' effects, where a mirror files them.
    #[serde(default)]
    pub effects: Option<EffectsData>,
    /// What is wrong with the run as a whole, and what to do.
    #[serde(default)]
    pub headline: Option<String>,
    /// The most requests first.
    pub routes: Vec<RouteData>,
    /// The most significant first.
    pub differences: Vec<DifferenceGroup>,
    /// Differences that are in no group, because there were too many.
    pub differences_dropped: u64,
    /// How often each rule of the comparison matched; one without a hit matched nothing.
    #[serde(default)]
    pub rules: RuleTally,
    #[serde(flatten)]
    pub counters: CaptureCounters,
}

/// When replays were sent, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct TimingData {
    /// From the time at which a request should have been sent to its sending.
    pub send_lag_ms: LatencyData,
    /// From a request's sending to the last byte of its answer.
    pub from_sending_ms: LatencyData,
    /// From the time at which it should have been sent to the last byte of its answer.
    pub from_due_ms: LatencyData,
    /// Requests that were sent a second time, because the mirror had closed a connection that was idle.
    pub sent_twice: u64,
}

/// How the control's answers stood to production's, in requests that were compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct ControlData {
    /// Equal to production's.
    pub equal: u64,
    /// Different from production's in every place where the mirror's was.
    pub alike: u64,
    /// Different from production's, but not in every place where the mirror's was.
    pub apart: u64,
    /// No answer, and why the first of these had none.
    pub failed: u64,
    pub failure: Option<String>,
    pub latency_ms: LatencyData,
}

/// What became of what mirrors filed of requests' reads and writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct EffectsData {
    /// Requests of which production's and the candidate's were compared.
    pub compared: u64,
    /// Announced, and not there in time.
    pub missing: u64,
    /// Not readable, and why the first of these was not.
    pub failed: u64,
    pub failure: Option<String>,
    /// Of those that were compared: requests that did more on one side than it can list.
    pub dropped: u64,
    /// Requests for which the candidate announced none, though it did so for others.
    pub not_announced: u64,
    /// Requests whose control announced none.
    pub no_control: u64,
}

/// Values that the mirror answered otherwise than production, and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct CarriedData {
    /// Clients whose values are known now.
    pub sessions: u64,
    /// Values that are known now.
    pub values: u64,
    /// Values and sessions that gave way to others at a limit.
    pub evicted: u64,
    /// Requests in which values were replaced.
    pub requests: u64,
    pub replaced: u64,
    /// Replacements by place and by the answer that they were learnt from.
    pub places: BTreeMap<String, u64>,
}

/// What was captured and where it was replayed to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunInfo {
    pub interfaces: Vec<String>,
    pub ports: PortSet,
    /// The capture file, where none was captured live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    pub target: Option<String>,
    /// Whether a store of snapshots was given.
    pub snapshots: bool,
    /// Whether a database replica was given.
    pub replica: bool,
}

impl RunInfo {
    /// The URL of the first target, which `target` lists for people.
    pub fn first_target(&self) -> Option<&str> {
        self.target.as_deref()?.split([',', ' ']).next()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LedgerData {
    pub seen: u64,
    pub outcomes: BTreeMap<String, u64>,
}

impl LedgerData {
    /// Requests that have no outcome yet.
    pub fn in_flight(&self) -> u64 {
        self.seen.saturating_sub(self.outcomes.values().sum())
    }
}

/// The counters below the ledger.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CaptureCounters {
    /// The kernel's, by name.
    pub capture: BTreeMap<String, u64>,
    /// The kernel's by interface.
    pub interfaces: BTreeMap<String, BTreeMap<String, u64>>,
    /// What TCP and HTTP read, and could not read.
    pub dissect: DissectStats,
    /// Times in which programs of others may have kept packets from capture.
    pub blind_times: Vec<BlindTime>,
    /// What a user can do about connections that could not be read.
    pub advice: Vec<String>,
}

impl CaptureCounters {
    /// Adds what another host has counted. Interfaces of one name are one.
    pub(super) fn merge(&mut self, other: &Self) {
        let add = |ours: &mut BTreeMap<String, u64>, theirs: &BTreeMap<String, u64>| {
            for (name, count) in theirs {
                *ours.entry(name.clone()).or_default() += count;
            }
        };
        add(&mut self.capture, &other.capture);
        for (interface, counts) in &other.interfaces {
            add(
                self.interfaces.entry(interface.clone()).or_default(),
                counts,
            );
        }
        self.dissect += other.dissect;
        self.blind_times.extend(other.blind_times.iter().cloned());
        for advice in &other.advice {
            if !self.advice.contains(advice) {
                self.advice.push(advice.clone());
            }
        }
    }

    /// A counter of the kernel's.
    pub fn kernel(&self, counter: Counter) -> u64 {
        let named = COUNTERS.iter().find(|(known, _)| *known == counter);
        let count = named.and_then(|(_, name)| self.capture.get(*name));
        count.copied().unwrap_or(0)
    }
}

/// What was compared on a route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RouteData {
    pub route: String,
    pub compared: u64,
    pub differed: u64,
    /// Pairs among them whose bodies are over the limits for data, and were compared byte for byte, or by length and digest.
    pub streamed: u64,
    /// Pairs of which status and headers alone were compared, because an answer was not whole.
    pub heads_only: u64,
    /// Places that were equal, and that were not: a share needs both.
    pub same: PlaceTotals,
    pub different: PlaceTotals,
    /// From the request's last byte to the response's last byte, on the wire.
    pub production_ms: LatencyData,
    /// From sending to the response's last byte, as the agent saw it.
    pub mirror_ms: LatencyData,
    pub production_cache: CacheHits,
    pub mirror_cache: CacheHits,
    /// In the course of the run: at most 60 intervals of one length.
    #[serde(default)]
    pub trend: Vec<TrendPoint>,
}

/// Answers that said in `x-cache` or `age` whether they came from a cache.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct CacheHits {
    pub hits: u64,
    pub told: u64,
}

impl CacheHits {
    pub(super) fn count(&mut self, from_cache: Option<bool>) {
        if let Some(hit) = from_cache {
            self.told += 1;
            self.hits += u64::from(hit);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.hits += other.hits;
        self.told += other.told;
    }
}
