//! The role `replay`: requests that other hosts have captured come from an engine, and are judged by the same mirror side.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::{Context, bail};
use tokio::sync::watch;

use super::attended::{Attended, drain, passed, stopped};
use super::beginning::Beginning;
use super::capture::beside;
use super::capture_side::{Dissected, Intake};
use super::ending::Ending;
use super::engine_thread::EngineThread;
use super::preflight;
use super::progress::Event;
use super::running::{Running, Source};
use crate::config::{Config, Settings};
use crate::report::{
    End, FleetKeeping, FleetRole, KnownNoise, ReportData, RunInfo, RunsPlace, Ticket,
};
use crate::transport::{Admit, Delivery, FetchParts, FleetUrl, Unpacked, fetch};
use mirror_core::ledger::Outcome;
use mirror_core::policy::Access;

/// Replays what comes until `ending` says so; then drains and reports what was judged here. The decision over all of the fleet is
/// `report --fleet`'s.
///
/// An error means that nothing was sent.
pub async fn replay_fleet(
    mut settings: Settings,
    ending: Ending,
    mut show: impl FnMut(Event) + Send + 'static,
) -> anyhow::Result<ReportData> {
    // The engine keeps the run.
    settings.config.report.runs = Some(RunsPlace::Nowhere);
    let config = Arc::new(settings.config.clone());
    config.require_target()?;
    let from = config.fleet.from.as_ref();
    let from =
        from.context("name a file to replay, or with --from URL the stream that `capture` writes")?;
    let from = FleetUrl::parse(from.expose())?;
    let noise = KnownNoise::read(config.noise.file.as_deref())?;
    let stop = ending.stop.clone();
    tokio::select! {
        reached = preflight::reach_targets(&config) => { reached?; }
        () = stopped(stop.subscribe()) => bail!("stopped before anything was started"),
    }
    let info = run_info(&config, &from);
    let is_controlled = !config.control.is_usual_socket();
    let name = config.fleet.group.clone();
    let beginning = Beginning::new(Arc::clone(&config), noise, info, &name, is_controlled).await?;
    let recorder = Arc::clone(&beginning.recorder);
    let (judging, intake) = beginning.start_judging(&ending, None, None).await?;
    let (beside, beside_of) = beside();
    let judged = watch::Sender::new(false);
    let (admit, sender) = admit(intake);
    let parts = FetchParts {
        recorder: Arc::clone(&recorder),
        keeping: FleetKeeping::new(&recorder, FleetRole::Replay, beside),
        group: config.fleet.group.clone(),
        admit,
        sender,
        stop: stop.subscribe(),
        judged: judged.subscribe(),
    };
    let begins = begins(&config, &from);
    let options = config.fleet.clone();
    let work = async move |ready| fetch(&from, &options, parts, ready).await;
    let fetching = EngineThread::start("fetch", work).await?;
    show(Event::Begins(begins));
    let running = Arc::new(Running {
        recorder: Arc::clone(&recorder),
        schedule: judging.schedule,
        source: Source::Fleet,
        dissected: Dissected::new(0),
        settings: Mutex::new(settings),
        live: judging.live,
        advice: judging.advice,
    });
    let _ = beside_of.set(Arc::clone(&running));
    let attended = Attended::start(beginning, &running, judging.shares, &ending, show)?;
    tokio::select! {
        () = stopped(stop.subscribe()) => {}
        () = passed(config.schedule.duration) => {}
        () = fetching.ended() => {
            // Others judge what is in flight here.
            judging.cut.send_replace(true);
        }
    }
    stop.send_replace(true);
    let (longest, abort) = (config.transport.drain_timeout, ending.abort.subscribe());
    if let Err(error) = drain(judging.mirror.finish(), &judging.cut, longest, abort).await {
        recorder.fail(format!("{error:#}"));
    }
    judged.send_replace(true);
    if let Err(error) = fetching.finish().await {
        recorder.fail(format!(
            "what was counted here since it was last kept is not in the fleet's report: {error:#}"
        ));
    }
    attended.finish().await
}

/// Opens the ticket of what comes, and judges it by this process's own policy.
fn admit(intake: Intake) -> (Admit, crate::transport::Sender) {
    let Intake {
        config,
        recorder,
        sender,
        ..
    } = intake;
    let admit: Admit = Box::new(move |unpacked| {
        let Unpacked {
            envelope,
            mark,
            is_again,
        } = unpacked;
        let config = config.borrow();
        let policy = &config.policy;
        let ticket = Ticket::take_over(&recorder, policy.redactor(), envelope.exchange(), mark);
        let envelope = match policy.readmit(envelope) {
            Ok(envelope) => envelope,
            Err(refusal) => {
                ticket.end(End {
                    reason: refusal.reason,
                    ..End::from(refusal.outcome)
                });
                return None;
            }
        };
        // With a snapshot the mirror answers from that, and nothing is written twice.
        let changes_data = envelope.access() == Access::Write && policy.allow_unsnapshotted_writes;
        if is_again && changes_data {
            ticket.end(Outcome::FilteredSent);
            return None;
        }
        Some(Box::new(Delivery {
            envelope,
            ticket,
            due: Instant::now(),
        }))
    });
    (admit, sender)
}

fn run_info(config: &Config, from: &FleetUrl) -> RunInfo {
    RunInfo {
        interfaces: Vec::new(),
        ports: config.capture.filter.ports.clone(),
        file: Some(from.to_string()),
        target: config.replay.shown_targets(),
        snapshots: config.gate.store.is_some(),
        replica: config.gate.replica.is_some(),
    }
}

fn begins(config: &Config, from: &FleetUrl) -> String {
    let target = config.replay.shown_targets().unwrap_or_default();
    let group = &config.fleet.group;
    format!("replaying what comes from {from} to {target}, in the group {group}")
}
