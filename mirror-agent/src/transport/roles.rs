//! The ends of an engine that an address names, each with what runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;

use super::address::{EngineAddress, FleetUrl};
use super::engine::{EngineError, Fetching, ProcessState, Shipping, Store};
use super::fetch::{FetchParts, Fetcher};
use super::parcel::ProcessId;
use super::partition::{all_done, is_done_field};
use super::ship::{Shipper, Trouble};
use super::{FleetOptions, Receiver};
use crate::report::{FleetKeeping, FleetProcess};

/// How often the state of a fleet is asked for, when there is no answer.
const READ_TRIES: u32 = 10;
const READ_PAUSE: Duration = Duration::from_millis(300);

/// Told when the engine is there, or why it is not.
pub type Ready = oneshot::Sender<anyhow::Result<()>>;

/// What ships for a host.
pub struct ShipParts {
    pub keeping: FleetKeeping,
    pub trouble: Trouble,
    pub receiver: Receiver,
    pub cut: watch::Receiver<bool>,
}

/// Ships until the queue has ended.
pub async fn ship(url: &FleetUrl, options: &FleetOptions, parts: ShipParts, ready: Ready) {
    match ProcessId::random() {
        Err(error) => drop(ready.send(Err(error))),
        Ok(process) => match &url.address {
            EngineAddress::Redis(address) => {
                let end = address.outbound(process, options).await;
                ship_by(url, end, process, parts, ready).await;
            }
            #[cfg(feature = "kafka")]
            EngineAddress::Kafka(address) => {
                let end = address.outbound(process, options).await;
                ship_by(url, end, process, parts, ready).await;
            }
        },
    }
}

async fn ship_by<S: Shipping>(
    url: &FleetUrl,
    end: Result<S, EngineError>,
    process: ProcessId,
    parts: ShipParts,
    ready: Ready,
) {
    let Some(end) = opened(url, end, ready) else {
        return;
    };
    let shipper = Shipper::new(end, process, parts.keeping, parts.trouble, parts.cut);
    shipper.run(parts.receiver).await;
}

/// Fetches until it is stopped and everything is judged and kept.
pub async fn fetch(
    url: &FleetUrl,
    options: &FleetOptions,
    parts: FetchParts,
    ready: Ready,
) -> anyhow::Result<()> {
    let process = ProcessId::random()?;
    match &url.address {
        EngineAddress::Redis(address) => {
            let end = address.inbound(process, options).await;
            fetch_by(url, end, parts, ready).await
        }
        #[cfg(feature = "kafka")]
        EngineAddress::Kafka(address) => {
            let end = address.inbound(process, options).await;
            fetch_by(url, end, parts, ready).await
        }
    }
}

async fn fetch_by<F: Fetching>(
    url: &FleetUrl,
    end: Result<F, EngineError>,
    parts: FetchParts,
    ready: Ready,
) -> anyhow::Result<()> {
    match opened(url, end, ready) {
        None => Ok(()),
        Some(end) => Fetcher::new(end, parts).run().await,
    }
}

fn opened<E>(url: &FleetUrl, end: Result<E, EngineError>, ready: Ready) -> Option<E> {
    let (end, said) = match end {
        Ok(end) => (Some(end), Ok(())),
        Err(error) => {
            let said = anyhow::Error::new(error).context(format!("opening {url}"));
            (None, Err(said))
        }
    };
    let _ = ready.send(said);
    end
}

/// What all processes have kept: those that capture, and those that replay in the group.
pub async fn read_fleet(url: &FleetUrl, group: &str) -> anyhow::Result<Vec<FleetProcess>> {
    let states = match &url.address {
        EngineAddress::Redis(address) => {
            let reader = address.reader().await;
            let mut reader = reader.with_context(|| format!("opening {url}"))?;
            states_of(&mut reader, group).await
        }
        #[cfg(feature = "kafka")]
        EngineAddress::Kafka(address) => {
            let reader = address.reader().await;
            let mut reader = reader.with_context(|| format!("opening {url}"))?;
            states_of(&mut reader, group).await
        }
    };
    let states = states.with_context(|| format!("reading {url}"))?;
    Ok(processes(states))
}

/// An engine that is busy may be late with one answer of many.
async fn states_of<S: Store>(
    reader: &mut S,
    group: &str,
) -> Result<Vec<ProcessState>, EngineError> {
    let mut tries = READ_TRIES;
    loop {
        tries -= 1;
        match reader.states(Some(group)).await {
            Err(EngineError::Unanswered(_) | EngineError::Unreached(_)) if tries > 0 => {
                sleep(READ_PAUSE).await;
            }
            states => return states,
        }
    }
}

/// What was handed over is what the engine says of it, or what those who read there have seen, if that is more.
fn processes(states: Vec<ProcessState>) -> Vec<FleetProcess> {
    let mut ends: BTreeMap<(ProcessId, u32), u64> = BTreeMap::new();
    for state in &states {
        let shipped = state.shipped.iter();
        let shipped = shipped.map(|(number, next)| ((state.process, *number), *next));
        let done = all_done(state).flat_map(|(number, done)| {
            let ends = done
                .origins()
                .map(|(origin, known)| ((origin, number), known.end()));
            ends.collect::<Vec<_>>()
        });
        for (place, end) in shipped.chain(done) {
            let known = ends.entry(place).or_default();
            *known = end.max(*known);
        }
    }
    let handed_over = |process| {
        let own = ends.iter().filter(|((origin, _), _)| *origin == process);
        own.map(|(_, end)| *end).sum()
    };
    let known: BTreeSet<ProcessId> = states.iter().map(|state| state.process).collect();
    let process = |state: ProcessState| FleetProcess {
        handed_over: handed_over(state.process),
        id: state.process.to_string(),
        fields: state
            .fields
            .into_iter()
            .filter(|(name, _)| !is_done_field(name))
            .collect(),
        silent_for: state.silent_for,
        has_ended: state.has_ended,
    };
    // What a process handed over counts, also if nothing else is known of it.
    let origins: BTreeSet<ProcessId> = ends.keys().map(|(origin, _)| *origin).collect();
    let unknown = origins.difference(&known).map(|origin| FleetProcess {
        id: origin.to_string(),
        fields: BTreeMap::new(),
        silent_for: Duration::ZERO,
        has_ended: false,
        handed_over: handed_over(*origin),
    });
    states.into_iter().map(process).chain(unknown).collect()
}
