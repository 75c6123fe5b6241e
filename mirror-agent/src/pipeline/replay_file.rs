//! Files of traffic or recordings in the place of live capture: their requests are sent at their place in the files' time, by the same
//! mirror side.

use std::{
    path::PathBuf,
    pin::pin,
    sync::atomic::AtomicU64,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use tokio::{sync::watch, task::spawn_blocking};

use super::attended::{Attended, drain, passed, stopped};
use super::beginning::Beginning;
use super::capture_side::{Dissected, Intake};
use super::ending::Ending;
use super::feed::Feed;
use super::preflight;
use super::progress::Event;
use super::running::{Running, Source};
use super::schedule::Clock;
use crate::config::{Config, Settings};
use crate::report::{KnownNoise, ReportData, RunInfo};
use mirror_core::schedule::{Pace, Speed};

/// Longest sleep of the reader: it must hear of the run's end.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);
/// Between two looks for room in the queue.
const ROOM_PAUSE: Duration = Duration::from_millis(1);

/// Replays a file until each of its requests has its outcome, or until `ending` says so; then drains and reports. How long the mirror
/// takes for a whole file has no limit: every single request has one.
///
/// `show` is told when the replay begins, and every second how far it is; a control socket that was asked for, and the admin side, answer
/// meanwhile. An error means that nothing was sent.
pub async fn replay_file(
    settings: Settings,
    paths: &[PathBuf],
    ending: Ending,
    mut show: impl FnMut(Event) + Send + 'static,
) -> anyhow::Result<ReportData> {
    let config = Arc::new(settings.config.clone());
    config.require_target()?;
    let noise = KnownNoise::read(config.noise.file.as_deref())?;
    let stop = ending.stop.clone();
    tokio::select! {
        reached = preflight::reach_targets(&config) => { reached?; }
        () = stopped(stop.subscribe()) => bail!("stopped before anything was started"),
    }
    let feed = Feed::open(paths, &config)?;
    if let Some(advice) = feed.advice(&settings) {
        tracing::warn!("{advice}");
    }
    let (info, name) = (run_info(&config, paths), file_name(paths));
    let is_controlled = !config.control.is_usual_socket();
    let beginning = Beginning::new(Arc::clone(&config), noise, info, &name, is_controlled).await?;
    let recorder = Arc::clone(&beginning.recorder);
    let (judging, intake) = beginning.start_judging(&ending, None, None).await?;
    show(Event::Begins(begins(&config, paths)));
    let (dissected, unread_packets) = (Dissected::new(1), Arc::default());
    let running = Arc::new(Running {
        recorder: Arc::clone(&recorder),
        schedule: judging.schedule,
        source: Source::File {
            unread_packets: Arc::clone(&unread_packets),
        },
        dissected: dissected.clone(),
        settings: Mutex::new(settings),
        live: judging.live,
        advice: judging.advice,
    });
    let feeder = Feeder::new(
        feed,
        &config,
        intake,
        (dissected, unread_packets),
        stop.subscribe(),
    );
    let feeding = feeder.start()?;
    let attended = Attended::start(beginning, &running, judging.shares, &ending, show)?;

    // Finished when the reader has gone and nothing is in flight.
    let mut finishing = pin!(judging.mirror.finish());
    let finished = tokio::select! {
        finished = &mut finishing => Some(finished),
        () = stopped(stop.subscribe()) => None,
        () = passed(config.schedule.duration) => None,
    };
    // However it came to this: the reader learns of it.
    stop.send_replace(true);
    let joined = spawn_blocking(|| feeding.join()).await?;
    let read = joined.map_err(|_| anyhow!("the thread that reads the file panicked"));
    let (longest, abort) = (config.transport.drain_timeout, ending.abort.subscribe());
    let finished = match finished {
        Some(finished) => finished,
        None => drain(finishing, &judging.cut, longest, abort).await,
    };
    if let Err(error) = read.and_then(|read| read).and(finished) {
        recorder.fail(format!("{error:#}"));
    }
    attended.finish().await
}

/// What a replay is called: as the first file, without what its name ends in.
fn file_name(paths: &[PathBuf]) -> String {
    let name = paths.first().and_then(|path| path.file_name());
    let name = name.unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

fn shown(paths: &[PathBuf]) -> String {
    let all: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    all.join(", ")
}

fn run_info(config: &Config, paths: &[PathBuf]) -> RunInfo {
    RunInfo {
        interfaces: Vec::new(),
        ports: config.capture.filter.ports.clone(),
        file: Some(shown(paths)),
        target: config.replay.shown_targets(),
        snapshots: config.gate.store.is_some(),
        replica: config.gate.replica.is_some(),
    }
}

fn begins(config: &Config, paths: &[PathBuf]) -> String {
    let speed = match config.file.speed {
        Speed::Times(1.0) => "in its own time".to_owned(),
        Speed::Times(times) => format!("{times} times as fast as it was captured"),
        Speed::Max => "as fast as the mirror takes it".to_owned(),
    };
    let target = config.replay.shown_targets().unwrap_or_default();
    format!("replaying {} to {target}, {speed}", shown(paths))
}

/// Reads the file, and hands each request over at its time.
struct Feeder {
    requests: Feed,
    speed: Speed,
    intake: Intake,
    stop: watch::Receiver<bool>,
    /// What was counted, for those who ask meanwhile.
    dissected: Dissected,
    unread_packets: Arc<AtomicU64>,
}

impl Feeder {
    fn new(
        requests: Feed,
        config: &Config,
        intake: Intake,
        (dissected, unread_packets): (Dissected, Arc<AtomicU64>),
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self {
            requests,
            speed: config.file.speed,
            intake,
            stop,
            dissected,
            unread_packets,
        }
    }

    /// Its thread ends when all is handed over, and with it the queue. A damaged file is an error, once all before the damage is.
    fn start(mut self) -> anyhow::Result<thread::JoinHandle<anyhow::Result<()>>> {
        thread::Builder::new()
            .name("file".into())
            .spawn(move || {
                self.feed();
                self.count();
                self.requests.damage()
            })
            .context("starting the thread that reads the file")
    }

    fn count(&self) {
        self.requests.count(&self.dissected, &self.unread_packets);
    }

    fn feed(&mut self) {
        let clock = Clock::default();
        let mut pace = None;
        while !*self.stop.borrow() {
            let Some(at) = self.requests.peek() else {
                // Nothing is left once the file is read.
                return;
            };
            let begins = clock.now();
            let first = self.requests.first().unwrap_or(at);
            let pace = *pace.get_or_insert_with(|| Pace::new(self.speed, first, begins));
            let due = clock.instant(pace.due(at));
            if self.wait_until(due) {
                self.requests.hand_over(&self.intake, due);
            }
            self.count();
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
