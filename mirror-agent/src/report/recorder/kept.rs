//! What is kept of a run on disk, as records of a journal: written from the tallies, and made to tallies again.
//!
//! One record holds what is known of the run as a whole, and each route has one with its counts, one with its examples, and one for each interval of
//! its trend. So what is written each second is what has changed in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, ensure};
use mirror_core::journal::{Batch, Journal};
use mirror_core::ledger::Outcome;
use mirror_core::schedule::ScheduleData;
use mirror_core::verdict::{Evidence, RouteEvidence, VerdictPolicy};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::totals::Totals;
use crate::report::differences::ExamplesRecord;
use crate::report::outcomes::OutcomeRecord;
use crate::report::routes::RouteTallyRecord;
use crate::report::status::CaptureCounters;
use crate::report::trend::{Interval, IntervalKey};

/// The key of what is known of the run as a whole.
const RUN: &str = "run";

/// What is known of a run as a whole.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(in crate::report) struct RunRecord {
    pub(in crate::report) ledger: LedgerRecord,
    pub(in crate::report) policy: VerdictPolicy,
    /// Without routes.
    pub(super) evidence: Evidence,
    pub(super) totals: Totals,
    #[serde(flatten)]
    pub(in crate::report) beside: KeptBeside,
}

impl RunRecord {
    /// Whether answers were compared by the same rules in both.
    pub(in crate::report) fn compares_as(&self, other: &Self) -> bool {
        self.evidence.rules().has_rules_of(other.evidence.rules())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::report) struct LedgerRecord {
    pub(in crate::report) seen: u64,
    pub(in crate::report) taken_over: u64,
    pub(in crate::report) outcomes: BTreeMap<String, u64>,
}

/// What others than the recorder know of a run.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(in crate::report) struct KeptBeside {
    pub(in crate::report) counters: CaptureCounters,
    pub(in crate::report) schedule: ScheduleData,
    /// Why something could not be kept.
    pub(in crate::report) kept: Option<String>,
}

/// What is known of a route, without its examples and its trend.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RouteRecord {
    pub(super) evidence: Option<RouteEvidence>,
    pub(super) compared: Option<RouteTallyRecord>,
    pub(super) outcomes: Vec<OutcomeRecord>,
}

impl RouteRecord {
    pub(super) fn requests(&self) -> u64 {
        self.evidence.as_ref().map_or(0, RouteEvidence::seen)
    }
}

#[derive(Default)]
pub(super) struct KeptRoute {
    pub(super) record: RouteRecord,
    pub(super) examples: Option<ExamplesRecord>,
    pub(super) intervals: Vec<(IntervalKey, Interval)>,
}

/// What has changed of a run.
pub(in crate::report) struct RunChanges {
    /// All of it is here.
    pub(in crate::report) is_whole: bool,
    pub(in crate::report) run: RunRecord,
    pub(super) routes: BTreeMap<Arc<str>, KeptRoute>,
    /// Marks of the requests that ended since the last time: what is here counts them, and no others that have a mark.
    pub(in crate::report) marks: Vec<u64>,
}

impl RunChanges {
    /// As records.
    pub(in crate::report) fn batch(&self) -> anyhow::Result<Batch> {
        let mut batch = Batch::default();
        let mut put = |key: &str, value: Vec<u8>| batch.put(key, &value);
        put(RUN, serde_json::to_vec(&self.run)?);
        for (route, kept) in &self.routes {
            put(
                &format!("counts {route}"),
                serde_json::to_vec(&kept.record)?,
            );
            if let Some(examples) = &kept.examples {
                put(&format!("examples {route}"), serde_json::to_vec(examples)?);
            }
            for (key, interval) in &kept.intervals {
                let name = format!("trend {} {} {route}", key.length, key.start);
                put(&name, serde_json::to_vec(interval)?);
            }
        }
        Ok(batch)
    }
}

/// A run as its journal has it.
#[derive(Default)]
pub(in crate::report) struct KeptRun {
    pub(in crate::report) record: RunRecord,
    pub(super) routes: BTreeMap<String, KeptRoute>,
}

impl KeptRun {
    /// A journal without a record is a run of which nothing is known yet.
    pub(in crate::report) fn of(journal: &Journal) -> anyhow::Result<Self> {
        let mut run = Self::default();
        for (key, value) in &journal.records {
            run.take(key, value)
                .with_context(|| format!("the record `{key}` of the journal cannot be read"))?;
        }
        Ok(run)
    }

    /// Takes a record of a run, whichever it is.
    pub(in crate::report) fn take(&mut self, key: &str, value: &[u8]) -> anyhow::Result<()> {
        if key == RUN {
            self.record = read(value)?;
            return Ok(());
        }
        let (kind, route) = key.split_once(' ').context("the record names no route")?;
        match kind {
            "counts" => self.route(route).record = read(value)?,
            "examples" => self.route(route).examples = Some(read(value)?),
            _ => {
                ensure!(kind == "trend", "it is of no kind that is known");
                let mut parts = route.splitn(3, ' ');
                let mut number = || parts.next()?.parse().ok();
                let key = number().zip(number());
                let (length, start) = key.context("it has no interval")?;
                let route = parts.next().context("the record names no route")?;
                let interval = (IntervalKey { length, start }, read(value)?);
                self.route(route).intervals.push(interval);
            }
        }
        Ok(())
    }

    /// Of a process that captured: what it handed over has its outcome elsewhere, or is on its way.
    pub(in crate::report) fn forget_handed_over(&mut self) {
        let of = Outcome::HandedOver;
        self.record.ledger.outcomes.remove(of.name());
        for route in self.routes.values_mut() {
            route.record.outcomes.retain(|record| !record.is_of(of));
        }
    }

    fn route(&mut self, name: &str) -> &mut KeptRoute {
        self.routes.entry(name.to_owned()).or_default()
    }
}

fn read<T: DeserializeOwned>(value: &[u8]) -> anyhow::Result<T> {
    Ok(serde_json::from_slice(value)?)
}
