//! Live capture into a recording: the capture side of a run, and files in the place of a mirror.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, ensure};
use serde::Serialize;
use tokio::sync::watch;

use super::attended::{Attended, drain, passed, stopped};
use super::beginning::{Beginning, limits};
use super::capture_side::{Intake, Readers};
use super::descriptors;
use super::ending::Ending;
use super::keep_side::{finish_keeping, keep};
use super::metadata::metadata;
use super::mirror_side::gate;
use super::progress::Event;
use super::record_side::{RecordParts, RecordThread, Token};
use super::relief::HostRelief;
use super::run::attach;
use super::running::{Running, Source};
use super::schedule::RunSchedule;
use crate::capture::tc;
use crate::config::{Config, Settings};
use crate::report::{KnownNoise, LedgerData, OutcomeData, RunInfo, RunsPlace};
use crate::transport::file::{FileCounts, RecordingFiles, RecordingPlace};
use crate::transport::memory::queue;
use crate::transport::{Receiver, Sender};

/// What came of a recording.
#[derive(Clone, Debug, Serialize)]
pub struct RecordReport {
    /// The file, or the directory with the files.
    pub path: PathBuf,
    pub ledger: LedgerData,
    /// How requests ended, with reasons.
    pub outcomes: Vec<OutcomeData>,
    /// How the looks for snapshots ended.
    pub snapshots: BTreeMap<String, u64>,
    pub files: FileCounts,
    /// Why the recording is not whole, beside what the ledger says.
    pub failed: Option<String>,
}

/// Records what is captured, until `ending` or a client of the control socket says so. An error means that nothing was started.
pub async fn record(
    settings: Settings,
    path: &Path,
    ending: Ending,
    mut show: impl FnMut(Event) + Send + 'static,
) -> anyhow::Result<RecordReport> {
    let config = Arc::new(wanted(&settings.config)?);
    tc::check_rights()?;
    let stop = ending.stop.clone();
    let name = config.control.name();
    let beginning = Beginning::new(
        Arc::clone(&config),
        KnownNoise::read(None)?,
        run_info(&config),
        &name,
        true,
    )
    .await?;
    let recorder = Arc::clone(&beginning.recorder);
    let files = begin_files(&settings, path, &beginning.host)?;
    let (capture, rings) = attach(&config).await?;
    let relief = Arc::new(HostRelief::new(config.schedule.budget.cpu_when_busy));
    let (recording, mut intake) =
        start_recording(&beginning, &ending, files, Arc::clone(&relief)).await?;
    let (keeper, kept) = keep(&settings, &beginning.host)?;
    intake.kept = keeper;
    let (ports, ports_now) = watch::channel(config.capture.filter.ports.clone());
    let (readers, dissected) = Readers::start(rings, &limits(&config), &ports_now, intake)?;
    show(Event::Begins(format!(
        "recording port {} into {}",
        config.capture.filter.ports,
        path.display()
    )));
    let running = Arc::new(Running {
        recorder: Arc::clone(&recorder),
        schedule: recording.schedule,
        source: Source::Rings {
            capture: Mutex::new(capture),
            ports,
        },
        dissected,
        settings: Mutex::new(settings),
        live: recording.live,
        advice: recording.advice,
    });
    let attended = Attended::start(beginning, &running, recording.shares, &ending, show)?;

    tokio::select! {
        () = stopped(stop.subscribe()) => {}
        () = passed(config.schedule.duration) => {}
        () = relief.follow_host() => {}
        () = readers.broke() => recorder.fail("capture ended by itself".into()),
    }
    // However it came to this: whoever waits for the end learns of it.
    stop.send_replace(true);
    // Detached first: what was captured before is then read to its end.
    running.source.detach();
    if let Err(error) = readers.finish().await {
        recorder.fail(format!("capture failed: {error:#}"));
    }
    finish_keeping(kept, &recorder).await?;
    let (longest, abort) = (config.transport.drain_timeout, ending.abort.subscribe());
    let (told, counts) = tokio::sync::oneshot::channel();
    let finishing = async {
        let finished = recording.thread.finish().await;
        finished.map(|counts| {
            let _ = told.send(counts);
        })
    };
    if let Err(error) = drain(finishing, &recording.cut, longest, abort).await {
        recorder.fail(format!("{error:#}"));
    }
    let report = attended.finish().await?;
    Ok(RecordReport {
        path: path.to_owned(),
        ledger: report.results.ledger,
        outcomes: report.results.outcomes,
        snapshots: report.results.snapshots,
        files: counts.await.unwrap_or_default(),
        failed: report.results.failed,
    })
}

/// The options of a run that sends nothing and is not kept.
fn wanted(config: &Config) -> anyhow::Result<Config> {
    config.require_capture()?;
    ensure!(
        !config.replay.has_target(),
        "`record` sends nothing to a target: leave out --target, or use `run`"
    );
    ensure!(
        !config.recording.with_snapshots || config.gate.store.is_some(),
        "--with-snapshots needs the store of production's snapshots: add --redis URL"
    );
    let mut config = config.clone();
    config.report.runs = Some(RunsPlace::Nowhere);
    config.report.directory = None;
    // Snapshots are read, and copied nowhere.
    config.gate.mirror_store = None;
    Ok(config)
}

fn run_info(config: &Config) -> RunInfo {
    RunInfo {
        interfaces: config.capture.interfaces.clone(),
        ports: config.capture.filter.ports.clone(),
        file: None,
        target: None,
        snapshots: config.recording.with_snapshots,
        replica: false,
    }
}

fn begin_files(
    settings: &Settings,
    path: &Path,
    host: &str,
) -> anyhow::Result<RecordingFiles<Token>> {
    let options = &settings.config.recording;
    RecordingFiles::begin(
        RecordingPlace::of(path)?,
        options.limits(),
        options.keys()?,
        metadata(settings, host),
    )
}

/// What records, and how it is told and ended.
struct Recording {
    thread: RecordThread,
    schedule: Arc<RunSchedule>,
    live: watch::Sender<Arc<Config>>,
    cut: watch::Sender<bool>,
    shares: descriptors::Shares,
    advice: Option<String>,
}

async fn start_recording(
    beginning: &Beginning,
    ending: &Ending,
    files: RecordingFiles<Token>,
    relief: Arc<HostRelief>,
) -> anyhow::Result<(Recording, Intake)> {
    let config = &beginning.config;
    let shares = descriptors::share(beginning.open_files, 1)?;
    let schedule = Arc::new(RunSchedule::new(&config.schedule, 1, Vec::new()));
    let live = watch::Sender::new(Arc::clone(config));
    let (sender, receiver) = queue(&config.transport);
    let gated = Arc::clone(config);
    let gate =
        || -> Box<dyn FnOnce() -> anyhow::Result<_> + Send> { Box::new(move || gate(&gated)) };
    let parts = RecordParts {
        recorder: Arc::clone(&beginning.recorder),
        schedule: Arc::clone(&schedule),
        gate: config.recording.with_snapshots.then(gate),
        files,
        stop: ending.stop.clone(),
    };
    let cut = watch::Sender::new(false);
    let receiver = Receiver::Memory(receiver);
    let thread = RecordThread::start(parts, receiver, cut.subscribe()).await;
    let intake = Intake {
        host: Arc::clone(&beginning.host),
        config: live.subscribe(),
        recorder: Arc::clone(&beginning.recorder),
        sender: Sender::Memory(sender),
        kept: None,
        carries: true,
        relief: Some(relief),
        handed_over: None,
    };
    let recording = Recording {
        thread: thread.context("starting the recording")?,
        schedule,
        live,
        cut,
        shares,
        advice: None,
    };
    Ok((recording, intake))
}
