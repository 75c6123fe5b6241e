//! A run from its start to its report: start, drain, stop.

use std::{
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, bail};
use foldhash::fast::RandomState;
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{sleep, timeout},
};

use crate::capture::tc;
use crate::capture::tc::{Filters, TcCapture};
use crate::config::{Config, Settings};
use crate::control::http::{Admin, Pages};
use crate::control::socket::{Control, Handles};
use crate::replay::OwnSockets;
use crate::report::{
    Keeper, KnownNoise, Metrics, NewRun, Recorder, ReportData, ReportDir, RunInfo, Written,
};
use crate::transport::memory::queue;
use crate::transport::{Receiver, Sender};
use mirror_core::dissect::DissectLimits;

use super::capture_side::{Intake, Readers};
use super::mirror_side::{MirrorParts, MirrorThread};
use super::progress::{self, Event};
use super::relief::HostRelief;
use super::running::Running;
use super::schedule::RunSchedule;
use super::{descriptors, preflight};

/// How a run is ended from outside.
#[derive(Clone)]
pub struct Ending {
    /// Ends the capture; what is in flight is drained.
    pub stop: watch::Sender<bool>,
    /// Ends the draining: what is still in flight ends as `interrupted`.
    pub abort: watch::Sender<bool>,
}

impl Default for Ending {
    fn default() -> Self {
        Self {
            stop: watch::Sender::new(false),
            abort: watch::Sender::new(false),
        }
    }
}

/// Runs until `ending` or a client of the control socket says so; then drains and reports. `show` is told when
/// the run begins, and every second how far it is.
///
/// Everything that can be wrong is found before the first packet is captured: an error means that
/// nothing was started.
pub async fn run(
    settings: Settings,
    ending: Ending,
    mut show: impl FnMut(Event) + Send + 'static,
) -> anyhow::Result<ReportData> {
    let config = Arc::new(settings.config.clone());
    config.require_capture()?;
    let known_noise = KnownNoise::read(config.noise.file.as_deref())?;
    let stop = ending.stop.clone();
    tc::check_rights()?;
    let open_files = descriptors::raise_limit()?;
    let targets = tokio::select! {
        targets = preflight::check_targets(&config) => targets?,
        // A name may take long to resolve.
        () = stopped(stop.subscribe()) => bail!("stopped before anything was started"),
    };
    let builds = preflight::ask_builds(&config).await?;
    let directory = config.report.directory.as_deref();
    let report_dir = directory.map(ReportDir::open).transpose()?;
    let control = Control::bind(&config.control.socket).await?;
    let admin = match config.control.admin {
        Some(address) => Some(Admin::bind(address, &config.control).await?),
        None => None,
    };
    if config.control.exposes_token() {
        tracing::warn!(
            "the admin side has no TLS, so that others on the way can read its token: add --admin-tls-cert and --admin-tls-key"
        );
    }
    let host = host()?;
    let name = config.report.name_or(&config.control.name());
    let recorder = Arc::new(Recorder::new(run_info(&config)).named(&name, &host));
    let new_run = NewRun::make(&config.report, &recorder)?;
    recorder.start_from(known_noise);
    recorder.decide_by(&config.verdict, &config.compare);
    recorder.name_builds(&config.builds);
    recorder.run_builds(builds);
    let (sender, receiver) = queue(&config.transport);
    let (capture, rings) = attach(&config).await?;
    let concurrency = config.replay.concurrency.get();
    let shares = descriptors::share(open_files, concurrency)?;
    let advice = descriptors::advice(open_files, concurrency, shares);
    if let Some(advice) = &advice {
        tracing::warn!("{advice}");
    }
    for target in targets {
        capture.filters.exclude(target)?;
    }
    let own_sockets = Arc::new(capture.filters.clone());
    let live = watch::Sender::new(Arc::clone(&config));
    let schedule = Arc::new(RunSchedule::new(
        &config.schedule,
        shares.replays,
        config.replay.names(),
    ));
    let parts = MirrorParts {
        config: live.subscribe(),
        recorder: Arc::clone(&recorder),
        schedule: Arc::clone(&schedule),
        own_sockets: Some(own_sockets),
        stop: stop.clone(),
        replays: shares.replays,
    };
    let cut = watch::Sender::new(false);
    let receiver = Receiver::Memory(receiver);
    let mirror = MirrorThread::start(parts, receiver, cut.subscribe()).await?;
    let (ports, ports_now) = watch::channel(config.capture.filter.ports.clone());
    let relief = Arc::new(HostRelief::new(config.schedule.budget.cpu_when_busy));
    let intake = Intake {
        host,
        config: live.subscribe(),
        recorder: Arc::clone(&recorder),
        sender: Sender::Memory(sender),
        relief: Some(Arc::clone(&relief)),
        hasher: RandomState::default(),
    };
    let (readers, dissected) = Readers::start(rings, &limits(&config), &ports_now, intake)?;
    show(Event::Begins(begins(&config, &capture.hook())));

    let running = Arc::new(Running {
        recorder: Arc::clone(&recorder),
        schedule,
        capture: Mutex::new(capture),
        dissected,
        ports,
        settings: Mutex::new(settings),
        live,
        advice,
    });
    let beside = Arc::clone(&running);
    let beside = move || (beside.counters(), beside.schedule.data());
    let keeper = new_run.map(|run| run.keep(&recorder, beside)).transpose()?;
    let (ended, ended_seen) = watch::channel(None);
    let orders = Arc::clone(&running);
    let handles = Handles {
        order: Box::new(move |order| orders.answer(order)),
        stop: stop.clone(),
        ended: ended_seen,
    };
    let serving = tokio::spawn(control.serve(handles, shares.control));
    if let Some(admin) = admin {
        tokio::spawn(admin.serve(pages(&running, &stop), shares.http));
    }
    let showing = tokio::spawn(progress::tell(
        Arc::clone(&recorder),
        stop.subscribe(),
        config.transport.drain_timeout,
        show,
    ));

    tokio::select! {
        () = stopped(stop.subscribe()) => {}
        () = passed(config.schedule.duration) => {}
        () = relief.follow_host() => {}
        () = readers.broke() => recorder.fail("capture ended by itself".into()),
    }
    // However it came to this: whoever waits for the end learns of it.
    stop.send_replace(true);
    // Detached first: what was captured before is then read to its end.
    running.capture().detach();
    if let Err(error) = readers.finish().await {
        recorder.fail(format!("capture failed: {error:#}"));
    }
    let longest = config.transport.drain_timeout;
    if let Err(error) = drain(mirror.finish(), &cut, longest, ending.abort.subscribe()).await {
        recorder.fail(format!("{error:#}"));
    }
    showing.abort();
    let _ = showing.await;
    let run = finish_keeping(&recorder, keeper).await;
    let places = run.iter().chain(&report_dir);
    let report = write_report(&recorder, places, || running.report());
    ended.send_replace(Some(serde_json::to_value(&report)?));
    // The answers to `stop` hold a receiver each: wait until the last of them is sent.
    serving.abort();
    let _ = timeout(Duration::from_secs(1), ended.closed()).await;
    Ok(report)
}

/// Everything is counted: what keeps the run keeps the rest of it. Returns the run's directory.
pub(super) async fn finish_keeping(
    recorder: &Recorder,
    keeper: Option<Keeper>,
) -> Option<ReportDir> {
    let keeper = keeper?;
    let finished = spawn_blocking(|| keeper.finish()).await;
    match finished.context("keeping the run").flatten() {
        Ok(directory) => Some(directory),
        Err(error) => {
            recorder.note_kept_too(format!("the run could not be kept to its end: {error:#}"));
            None
        }
    }
}

/// Writes the report to each of its places. One that cannot be written is still printed, and answered to `stop`.
pub(super) fn write_report<'d>(
    recorder: &Recorder,
    places: impl IntoIterator<Item = &'d ReportDir>,
    report: impl Fn() -> ReportData,
) -> ReportData {
    let mut finished = report();
    for directory in places {
        let write = || -> anyhow::Result<Written> {
            directory.write_noise(&recorder.noise_text()?)?;
            directory.write(&finished)
        };
        match write() {
            Ok(written) => tracing::info!(report = %written.html.display(), "report written"),
            Err(error) => {
                let why = format!("the report could not be written: {error:#}");
                tracing::warn!("{why}");
                recorder.note_kept_too(why);
                finished = report();
            }
        }
    }
    finished
}

/// The time of the run is over; never without one.
pub(super) async fn passed(duration: Option<Duration>) {
    match duration {
        Some(duration) => sleep(duration).await,
        None => std::future::pending().await,
    }
}

pub(super) async fn stopped(mut stop: watch::Receiver<bool>) {
    // Its sender lives as long as the run.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// What the admin side shows, and what it may order.
fn pages(running: &Arc<Running>, stop: &watch::Sender<bool>) -> Pages {
    let of = || Arc::clone(running);
    let (counted, shown, asked, told) = (of(), of(), of(), of());
    let (metrics, stopping) = (Metrics::default(), stop.subscribe());
    Pages {
        metrics: Box::new(move |format| metrics.text(counted.status(), format)),
        report: Box::new(move || shown.report()),
        ready: Box::new(move || {
            if *stopping.borrow() {
                return Err("draining");
            }
            let attached = asked.is_attached().then_some(());
            attached.ok_or("not attached to any interface")
        }),
        pause: Box::new(move |is_paused| told.pause(is_paused)),
    }
}

/// Waits until everything has its outcome, which is when `judging` is ready; what has none when the time is over, or at an abort, ends as `interrupted`.
pub(super) async fn drain(
    judging: impl Future<Output = anyhow::Result<()>>,
    cut: &watch::Sender<bool>,
    longest: Duration,
    mut abort: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut judging = pin!(judging);
    tokio::select! {
        judged = &mut judging => return judged,
        () = sleep(longest) => tracing::warn!(
            "not everything could be replayed within {} (--drain-timeout): the rest ends as `interrupted`",
            humantime::format_duration(longest)
        ),
        _ = abort.wait_for(|abort| *abort) => {
            tracing::warn!("told to end at once: what is in flight ends as `interrupted`");
        }
    }
    cut.send_replace(true);
    judging.await
}

/// Loads and attaches, which may take a moment, away from the runtime's threads.
async fn attach(
    config: &Config,
) -> anyhow::Result<(TcCapture, Vec<crate::capture::ring::RingReader>)> {
    let options = config.capture.clone();
    spawn_blocking(move || TcCapture::start(&options)).await?
}

pub(super) fn limits(config: &Config) -> DissectLimits {
    DissectLimits {
        ports: config.capture.filter.ports.clone(),
        ..config.dissect.clone()
    }
}

/// Replays are never captured, not even where their packets change addresses on the way.
impl OwnSockets for Filters {
    fn opened(&self, local: SocketAddr) {
        if let Err(error) = self.exclude(local) {
            tracing::debug!("{error:#}");
        }
    }

    fn closed(&self, local: SocketAddr) {
        self.include(local);
    }
}

/// This host's name, as `uname -n` prints it.
pub(super) fn host() -> anyhow::Result<Arc<str>> {
    let name = nix::sys::utsname::uname().context("asking for this host's name")?;
    Ok(name.nodename().to_string_lossy().into())
}

fn run_info(config: &Config) -> RunInfo {
    RunInfo {
        interfaces: config.capture.interfaces.clone(),
        ports: config.capture.filter.ports.clone(),
        file: None,
        target: config.replay.shown_targets(),
        snapshots: config.gate.store.is_some(),
        replica: config.gate.replica.is_some(),
    }
}

/// What a run says when it has begun.
fn begins(config: &Config, hook: &str) -> String {
    let place = match config.capture.interfaces.as_slice() {
        [] => "the root cgroup".into(),
        names => names.join(", "),
    };
    let ports = &config.capture.filter.ports;
    let target = match config.replay.shown_targets() {
        None => "no --target: requests are counted, nothing is replayed".into(),
        Some(target) => format!("replaying to {target}"),
    };
    let text = format!("capturing on {place} ({hook}), port {ports}; {target}");
    let has_data = config.gate.store.is_some() || config.gate.replica.is_some();
    if config.replay.has_target() && !has_data {
        return text
            + "\nsnapshot gate off (no --redis): answers may differ because data changed in between";
    }
    text
}
