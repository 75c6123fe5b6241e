//! A capture file in the place of live capture: its requests are sent at their place in the file's time, by the same mirror side.

use std::{
    path::Path,
    pin::pin,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use foldhash::fast::RandomState;
use tokio::{sync::watch, task::spawn_blocking};

use super::capture_side::Intake;
use super::mirror_side::{MirrorParts, MirrorThread};
use super::progress::{self, Event};
use super::run::{drain, finish_keeping, host, limits, passed, stopped, write_report};
use super::schedule::{Clock, RunSchedule};
use super::{Ending, descriptors, preflight};
use crate::capture::pcap::PcapFile;
use crate::config::{Config, Settings};
use crate::report::{
    CaptureCounters, KnownNoise, NewRun, Recorder, ReportData, ReportDir, RunInfo,
};
use crate::transport::memory::queue;
use crate::transport::{Receiver, Sender};
use mirror_core::dissect::{DissectStats, Dissector};
use mirror_core::exchange::Exchange;
use mirror_core::schedule::{ByTime, Pace, Speed};
use mirror_core::time::Timestamp;

/// How far the file is read ahead of what is sent, in its own time. A request is known when it was answered, so that one that took
/// longer is sent late.
const READ_AHEAD: Duration = Duration::from_secs(30);
/// Most exchanges that are read ahead.
const MAX_AHEAD: usize = 20_000;
/// Longest sleep of the reader: it must hear of the run's end.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);
/// Between two looks for room in the queue.
const ROOM_PAUSE: Duration = Duration::from_millis(1);

/// Replays a file until each of its requests has its outcome, or until `ending` says so; then drains and reports. How long the mirror
/// takes for a whole file has no limit: every single request has one.
///
/// `show` is told when the replay begins, and every
/// second how far it is. An error means that nothing was sent.
pub async fn replay_file(
    settings: Settings,
    path: &Path,
    ending: Ending,
    mut show: impl FnMut(Event) + Send + 'static,
) -> anyhow::Result<ReportData> {
    let config = Arc::new(settings.config);
    config.require_target()?;
    let known_noise = KnownNoise::read(config.noise.file.as_deref())?;
    let stop = ending.stop.clone();
    let open_files = descriptors::raise_limit()?;
    tokio::select! {
        reached = preflight::reach_targets(&config) => { reached?; }
        () = stopped(stop.subscribe()) => bail!("stopped before anything was started"),
    }
    let builds = preflight::ask_builds(&config).await?;
    let file = PcapFile::open(path)?;
    let directory = config.report.directory.as_deref();
    let report_dir = directory.map(ReportDir::open).transpose()?;
    let host = host()?;
    let name = config.report.name_or(&file_name(path));
    let recorder = Arc::new(Recorder::new(run_info(&config, path)).named(&name, &host));
    let new_run = NewRun::make(&config.report, &recorder)?;
    recorder.start_from(known_noise);
    recorder.decide_by(&config.verdict, &config.compare);
    recorder.name_builds(&config.builds);
    recorder.run_builds(builds);
    let shares = descriptors::share(open_files, config.replay.concurrency.get())?;
    let schedule = Arc::new(RunSchedule::new(
        &config.schedule,
        shares.replays,
        config.replay.names(),
    ));
    let (sender, receiver) = queue(&config.transport);
    let live = watch::Sender::new(Arc::clone(&config));
    let parts = MirrorParts {
        config: live.subscribe(),
        recorder: Arc::clone(&recorder),
        schedule: Arc::clone(&schedule),
        own_sockets: None,
        stop: stop.clone(),
        replays: shares.replays,
    };
    let cut = watch::Sender::new(false);
    let mirror = MirrorThread::start(parts, Receiver::Memory(receiver), cut.subscribe()).await?;
    let intake = Intake {
        host,
        config: live.subscribe(),
        recorder: Arc::clone(&recorder),
        sender: Sender::Memory(sender),
        relief: None,
        hasher: RandomState::default(),
    };
    show(Event::Begins(begins(&config, path)));
    let showing = tokio::spawn(progress::tell(
        Arc::clone(&recorder),
        stop.subscribe(),
        config.transport.drain_timeout,
        show,
    ));
    let feeder = Feeder::new(file, &config, intake, stop.subscribe());
    let feeding = feeder.start()?;
    let kept_schedule = Arc::clone(&schedule);
    let beside = move || (CaptureCounters::default(), kept_schedule.data());
    let keeper = new_run.map(|run| run.keep(&recorder, beside)).transpose()?;
    // Finished when the reader has gone and nothing is in flight.
    let mut judging = pin!(mirror.finish());
    let finished = tokio::select! {
        judged = &mut judging => Some(judged),
        () = stopped(stop.subscribe()) => None,
        () = passed(config.schedule.duration) => None,
    };
    // However it came to this: the reader learns of it.
    stop.send_replace(true);
    let joined = spawn_blocking(|| feeding.join()).await?;
    let read = joined.map_err(|_| anyhow!("the thread that reads the file panicked"));
    let counters = read.map(|read| {
        if let Some(damage) = &read.damage {
            recorder.fail(format!("the capture file is damaged: {damage:#}"));
        }
        read.counters()
    });
    let longest = config.transport.drain_timeout;
    let judged = match finished {
        Some(judged) => judged,
        None => drain(judging, &cut, longest, ending.abort.subscribe()).await,
    };
    if let Err(error) = judged {
        recorder.fail(format!("{error:#}"));
    }
    showing.abort();
    let _ = showing.await;
    let counters = counters?;
    let run = finish_keeping(&recorder, keeper).await;
    let places = run.iter().chain(&report_dir);
    Ok(write_report(&recorder, places, || {
        let mut report = recorder.finish(counters.clone());
        report.results.schedule = schedule.data();
        report
    }))
}

/// What a replay is called: as the file, without what its name ends in.
fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

fn run_info(config: &Config, path: &Path) -> RunInfo {
    RunInfo {
        interfaces: Vec::new(),
        ports: config.capture.filter.ports.clone(),
        file: Some(path.display().to_string()),
        target: config.replay.shown_targets(),
        snapshots: config.gate.store.is_some(),
        replica: config.gate.replica.is_some(),
    }
}

fn begins(config: &Config, path: &Path) -> String {
    let speed = match config.file.speed {
        Speed::Times(1.0) => "in its own time".to_owned(),
        Speed::Times(times) => format!("{times} times as fast as it was captured"),
        Speed::Max => "as fast as the mirror takes it".to_owned(),
    };
    let target = config.replay.shown_targets().unwrap_or_default();
    format!("replaying {} to {target}, {speed}", path.display())
}

/// Reads the file, and hands each request over at its time.
struct Feeder {
    file: PcapFile,
    dissector: Dissector,
    speed: Speed,
    intake: Intake,
    stop: watch::Receiver<bool>,
    ahead: ByTime<Exchange>,
    /// The file's first and last packet so far.
    first: Option<Timestamp>,
    read_to: Timestamp,
    is_read: bool,
    damage: Option<anyhow::Error>,
}

/// What a file came to.
struct FileRead {
    stats: DissectStats,
    unsupported_link: u64,
    damage: Option<anyhow::Error>,
}

impl FileRead {
    fn counters(&self) -> CaptureCounters {
        let mut advice = self.stats.advice();
        if self.unsupported_link > 0 {
            advice.push(format!(
                "{} packets have a link type that is not read",
                self.unsupported_link
            ));
        }
        CaptureCounters {
            dissect: self.stats,
            advice,
            ..CaptureCounters::default()
        }
    }
}

impl Feeder {
    fn new(file: PcapFile, config: &Config, intake: Intake, stop: watch::Receiver<bool>) -> Self {
        Self {
            file,
            dissector: Dissector::new(limits(config)),
            speed: config.file.speed,
            intake,
            stop,
            ahead: ByTime::default(),
            first: None,
            read_to: Timestamp::default(),
            is_read: false,
            damage: None,
        }
    }

    /// Its thread ends when all is handed over, and with it the queue.
    fn start(mut self) -> anyhow::Result<thread::JoinHandle<FileRead>> {
        thread::Builder::new()
            .name("file".into())
            .spawn(move || {
                self.feed();
                FileRead {
                    stats: self.dissector.stats(),
                    unsupported_link: self.file.unsupported_link(),
                    damage: self.damage,
                }
            })
            .context("starting the thread that reads the file")
    }

    fn feed(&mut self) {
        let clock = Clock::default();
        let mut pace = None;
        while !*self.stop.borrow() {
            self.read_ahead();
            let Some(at) = self.ahead.first() else {
                // Nothing is left once the file is read.
                return;
            };
            let begins = clock.now();
            let pace = *pace
                .get_or_insert_with(|| Pace::new(self.speed, self.first.unwrap_or(at), begins));
            let due = clock.instant(pace.due(at));
            if self.wait_until(due)
                && let Some(exchange) = self.ahead.pop()
            {
                self.intake.take(exchange, due);
            }
        }
    }

    /// Until the earliest exchange is far enough behind what was read that none before it can turn up.
    fn read_ahead(&mut self) {
        while !self.is_read && self.ahead.len() < MAX_AHEAD {
            let horizon = self.ahead.first().map(|first| first.after(READ_AHEAD));
            if horizon.is_some_and(|horizon| self.read_to > horizon) {
                return;
            }
            self.read_one();
        }
    }

    fn read_one(&mut self) {
        match self.file.next() {
            Some(Ok(packet)) => {
                self.first.get_or_insert(packet.at);
                self.read_to = self.read_to.max(packet.at);
                self.dissector.packet(&packet);
            }
            end => {
                self.damage = end.and_then(Result::err);
                self.is_read = true;
                self.dissector.finish();
            }
        }
        while let Some(exchange) = self.dissector.poll() {
            self.ahead.push(exchange.captured_at(), exchange);
        }
    }

    /// False if something is to be done before.
    fn wait_until(&self, due: Instant) -> bool {
        let left = due.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            self.intake.sender.flush();
            thread::sleep(left.min(LONGEST_SLEEP));
            return left <= LONGEST_SLEEP;
        }
        if self.speed == Speed::Max && self.intake.sender.is_full() {
            self.intake.sender.flush();
            thread::sleep(ROOM_PAUSE);
            return false;
        }
        true
    }
}
