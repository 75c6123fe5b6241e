//! What the processes of a fleet have kept, as one report with one decision.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use mirror_core::ledger::Outcome;
use mirror_core::time::Timestamp;

use super::super::recorder::{KeptRun, results_of};
use super::super::runs::{info, joined};
use super::super::status::{
    FORMAT, FleetData, FleetProcessData, FleetRole, FleetState, ReportData,
};
use super::keeping::FleetHead;
use super::{HEAD, MAX_RECORD};
use crate::clock::wall_clock;

/// A process that has been silent for so long is taken for dead.
const DEAD_AFTER: Duration = Duration::from_secs(10);

/// A process, as the engine has it.
pub struct FleetProcess {
    pub id: String,
    pub fields: BTreeMap<String, Bytes>,
    pub silent_for: Duration,
    pub has_ended: bool,
    /// Requests of it that the engine has had, as the engine and those who read there know it.
    pub handed_over: u64,
}

struct KeptProcess {
    head: FleetHead,
    kept: KeptRun,
    data: FleetProcessData,
}

/// The report that one agent would have written that captured and replayed all of it.
pub fn fleet_report(processes: Vec<FleetProcess>) -> anyhow::Result<ReportData> {
    let (mut read, mut of_unknown) = (Vec::new(), 0);
    for process in processes {
        if !process.fields.contains_key(HEAD) {
            of_unknown += process.handed_over;
            continue;
        }
        let context = format!("reading what process {} has kept", process.id);
        read.push(KeptProcess::open(process).context(context)?);
    }
    ensure!(
        !read.is_empty(),
        "no process has kept anything there: start `mirror-agent capture --to` and `mirror-agent replay --from` with this URL first"
    );
    // Whoever replays knows what the run is decided by.
    read.sort_by_key(|one| (one.data.role == FleetRole::Capture, one.data.id.clone()));
    check_policies(&read)?;
    let at = wall_clock();
    let hosts: BTreeSet<String> = read.iter().map(|one| one.head.run.host.clone()).collect();
    let started = read.iter().map(|one| one.head.run.started_at).min();
    let goes_on = read.iter().any(|one| one.data.state == FleetState::Running);
    let last = match goes_on {
        true => at,
        false => last_sign(&read, at),
    };
    let fleet = FleetData {
        processes: read.iter().map(|one| one.data.clone()).collect(),
        redelivered: read.iter().map(|one| one.head.redelivered).sum(),
    };
    let kept = read.iter().filter_map(|one| {
        let why = one.kept.record.beside.kept.as_ref()?;
        Some(format!("{} {why}", one.head.run.host))
    });
    let kept: Vec<String> = kept.collect();
    let (name, version) = (
        joined(read.iter().map(|one| one.head.run.name.as_str())),
        joined(read.iter().map(|one| one.head.run.version.as_str())),
    );
    let info = info(read.iter().map(|one| &one.head.run.run));
    let runs = read.into_iter().map(|one| one.kept).collect();
    let mut results = results_of(runs, info, last);
    // Of hosts that have said nothing of themselves, what they handed over is known all the same.
    results.ledger.seen += of_unknown;
    Ok(ReportData {
        format: FORMAT,
        name,
        hosts: hosts.into_iter().collect(),
        unfinished: unfinished(&fleet, results.ledger.in_flight()),
        kept: (!kept.is_empty()).then(|| kept.join("; ")),
        version,
        fleet: Some(fleet),
        started_at: started.unwrap_or_default(),
        ended_at: last.as_secs(),
        results,
    })
}

impl KeptProcess {
    fn open(process: FleetProcess) -> anyhow::Result<Self> {
        let mut kept = KeptRun::default();
        let mut head = None;
        for (name, value) in &process.fields {
            let value = decoded(value).with_context(|| format!("reading `{name}`"))?;
            match name == HEAD {
                true => head = Some(serde_json::from_slice(&value)?),
                false => kept.take(name, &value)?,
            }
        }
        let head: FleetHead = head.context("it has not said what it is")?;
        ensure!(
            head.run.format == FORMAT,
            "it is of another release: use one release on all hosts"
        );
        let state = match (process.has_ended, process.silent_for > DEAD_AFTER) {
            (true, _) => FleetState::Ended,
            (false, true) => FleetState::Dead,
            (false, false) => FleetState::Running,
        };
        let mut data = FleetProcessData {
            id: process.id,
            host: head.run.host.clone(),
            role: head.role,
            state,
            silent_ms: u64::try_from(process.silent_for.as_millis()).unwrap_or(u64::MAX),
            seen: 0,
            handed_over: 0,
            judged: 0,
        };
        match head.role {
            FleetRole::Capture => captured(&mut kept, &mut data, process.handed_over),
            FleetRole::Replay => {
                let ledger = &mut kept.record.ledger;
                data.judged = ledger.seen;
                (ledger.seen, ledger.taken_over) = (0, 0);
            }
        }
        Ok(Self { head, kept, data })
    }
}

/// Of a host that captures, what is handed over has its outcome with those who replay, or is on its way. What a host knew alone when it died ends as
/// `interrupted`.
fn captured(kept: &mut KeptRun, data: &mut FleetProcessData, in_engine: u64) {
    let outcomes = &kept.record.ledger.outcomes;
    let known = outcomes.get(Outcome::HandedOver.name());
    // The engine may know more than a host could say before it died.
    data.handed_over = known.copied().unwrap_or(0).max(in_engine);
    kept.forget_handed_over();
    let ledger = &mut kept.record.ledger;
    let ended = ledger.outcomes.values().sum::<u64>() + data.handed_over;
    ledger.seen = ledger.seen.max(ended);
    data.seen = ledger.seen;
    if data.state == FleetState::Dead && ledger.seen > ended {
        let name = Outcome::Interrupted.name().to_owned();
        *ledger.outcomes.entry(name).or_default() += ledger.seen - ended;
    }
}

fn decoded(value: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut plain = Vec::new();
    let decoder = zstd::Decoder::with_buffer(value)?;
    let length = decoder.take(MAX_RECORD).read_to_end(&mut plain)?;
    ensure!((length as u64) < MAX_RECORD, "it is too long");
    Ok(plain)
}

fn check_policies(read: &[KeptProcess]) -> anyhow::Result<()> {
    let replays = || read.iter().filter(|one| one.data.role == FleetRole::Replay);
    let policy = replays().next().map(|one| &one.kept.record.policy);
    for one in replays() {
        ensure!(
            Some(&one.kept.record.policy) == policy,
            "two replayers judged by different rules (--fail-on, --max-mismatch, --alpha, --quick or the limits of an invalid run): there is no one decision for both"
        );
    }
    Ok(())
}

fn last_sign(read: &[KeptProcess], now: Timestamp) -> Timestamp {
    let silent = read.iter().map(|one| one.data.silent_ms).min();
    Timestamp(
        now.0
            .saturating_sub(silent.unwrap_or(0).saturating_mul(1_000_000)),
    )
}

/// Who died, and what goes on. `None` if all have ended and nothing is on its way.
fn unfinished(fleet: &FleetData, in_flight: u64) -> Option<String> {
    let mut parts = Vec::new();
    for one in &fleet.processes {
        let short = one.id.get(..8).unwrap_or(&one.id);
        let seconds = one.silent_ms / 1000;
        match (one.state, one.role) {
            (FleetState::Dead, FleetRole::Capture) => parts.push(format!(
                "{} ({short}) died {seconds} s ago, after it had handed over {} requests",
                one.host, one.handed_over
            )),
            (FleetState::Dead, FleetRole::Replay) => parts.push(format!(
                "{} ({short}) died {seconds} s ago, after it had judged {} requests",
                one.host, one.judged
            )),
            _ => {}
        }
    }
    let running = |role| {
        let of = |one: &&FleetProcessData| one.state == FleetState::Running && one.role == role;
        fleet.processes.iter().filter(of).count()
    };
    let (capture, replay) = (running(FleetRole::Capture), running(FleetRole::Replay));
    if capture + replay > 0 {
        parts.push(format!(
            "goes on with {capture} capturing and {replay} replaying"
        ));
    }
    if in_flight > 0 {
        parts.push(format!("{in_flight} requests are in flight"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}
