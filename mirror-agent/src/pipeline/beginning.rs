//! What every run has before its first request, whether that comes from a ring or from a file: a recorder, the places where it is
//! kept and asked, and a mirror side.

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::watch;

use super::capture_side::Intake;
use super::descriptors::{self, Shares};
use super::ending::Ending;
use super::engine_thread::EngineThread;
use super::mirror_side::{MirrorParts, MirrorThread};
use super::preflight;
use super::relief::HostRelief;
use super::schedule::RunSchedule;
use crate::config::Config;
use crate::control::http::Admin;
use crate::control::socket::Control;
use crate::otlp::Exporter;
use crate::replay::OwnSockets;
use crate::report::{
    CaptureCounters, FleetKeeping, FleetRole, KnownNoise, NewRun, Recorder, ReportDir, RunInfo,
};
use crate::transport::memory::queue;
use crate::transport::{FleetUrl, Receiver, Sender, ShipParts, Trouble, ship};
use mirror_core::dissect::DissectLimits;
use mirror_core::schedule::ScheduleData;

/// A run that is about to begin. All that can be wrong with files and addresses has been found.
pub(super) struct Beginning {
    pub(super) config: Arc<Config>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) host: Arc<str>,
    pub(super) report_dir: Option<ReportDir>,
    pub(super) new_run: Option<NewRun>,
    pub(super) control: Option<Control>,
    pub(super) admin: Option<Admin>,
    pub(super) exporter: Option<Exporter>,
    pub(super) open_files: usize,
}

/// What judges the run's requests, and how it is told and ended.
pub(super) struct Judging {
    pub(super) mirror: MirrorThread,
    pub(super) schedule: Arc<RunSchedule>,
    /// Tells the stages of options that have changed.
    pub(super) live: watch::Sender<Arc<Config>>,
    /// What is in flight ends as `interrupted` once this is true.
    pub(super) cut: watch::Sender<bool>,
    pub(super) shares: Shares,
    /// What the user should know of this host.
    pub(super) advice: Option<String>,
}

/// What hands the run's requests over, and how it is told and ended.
pub(super) struct HandingOver {
    pub(super) shipping: EngineThread,
    pub(super) schedule: Arc<RunSchedule>,
    pub(super) live: watch::Sender<Arc<Config>>,
    /// The engine is not asked once more when this is true.
    pub(super) cut: watch::Sender<bool>,
    pub(super) shares: Shares,
}

impl Beginning {
    /// Of a run whose own name, if it was given none, is `name`. Without `is_controlled` it listens on no control socket.
    pub(super) async fn new(
        config: Arc<Config>,
        known_noise: KnownNoise,
        info: RunInfo,
        name: &str,
        is_controlled: bool,
    ) -> anyhow::Result<Self> {
        let open_files = descriptors::raise_limit()?;
        let builds = preflight::ask_builds(&config).await?;
        let directory = config.report.directory.as_deref();
        let report_dir = directory.map(ReportDir::open).transpose()?;
        let control = match is_controlled {
            true => Some(Control::bind(&config.control.socket).await?),
            false => None,
        };
        let admin = match config.control.admin {
            Some(address) => Some(Admin::bind(address, &config.control).await?),
            None => None,
        };
        if config.control.exposes_token() {
            tracing::warn!(
                "the admin side has no TLS, so that others on the way can read its token: add --admin-tls-cert and --admin-tls-key"
            );
        }
        let exporter = Exporter::new(&config.otlp)?;
        let host = host()?;
        let name = config.report.name_or(name);
        let recorder = Arc::new(Recorder::new(info).named(&name, &host));
        let new_run = NewRun::make(&config.report, &recorder)?;
        recorder.start_from(known_noise);
        recorder.decide_by(&config.verdict, &config.compare);
        recorder.name_builds(&config.builds);
        recorder.run_builds(builds);
        Ok(Self {
            config,
            recorder,
            host,
            report_dir,
            new_run,
            control,
            admin,
            exporter,
            open_files,
        })
    }

    /// Starts what ships captured requests to an engine, and returns what hands them on to it. `beside` says what the recorder does not
    /// know.
    pub(super) async fn start_shipping(
        &self,
        to: FleetUrl,
        relief: Arc<HostRelief>,
        beside: impl Fn() -> (CaptureCounters, ScheduleData) + Send + 'static,
    ) -> anyhow::Result<(HandingOver, Intake)> {
        let config = &self.config;
        let shares = descriptors::share(self.open_files, 0)?;
        let schedule = RunSchedule::new(&config.schedule, 0, Vec::new());
        let live = watch::Sender::new(Arc::clone(config));
        let (sender, receiver) = queue(&config.transport);
        let cut = watch::Sender::new(false);
        let trouble = Trouble::default();
        let parts = ShipParts {
            keeping: FleetKeeping::new(&self.recorder, FleetRole::Capture, beside),
            trouble: trouble.clone(),
            receiver: Receiver::Memory(receiver),
            cut: cut.subscribe(),
        };
        let options = config.fleet.clone();
        let work = async move |ready| {
            ship(&to, &options, parts, ready).await;
            Ok(())
        };
        let shipping = EngineThread::start("ship", work).await?;
        let intake = Intake {
            host: Arc::clone(&self.host),
            config: live.subscribe(),
            recorder: Arc::clone(&self.recorder),
            sender: Sender::Memory(sender),
            kept: None,
            carries: true,
            relief: Some(relief),
            handed_over: Some(trouble),
        };
        let handing_over = HandingOver {
            shipping,
            schedule: Arc::new(schedule),
            live,
            cut,
            shares,
        };
        Ok((handing_over, intake))
    }

    /// Starts the mirror side, and returns what hands requests over to it. Call it once all is open that stays open for the whole
    /// run.
    pub(super) async fn start_judging(
        &self,
        ending: &Ending,
        own_sockets: Option<Arc<dyn OwnSockets>>,
        relief: Option<Arc<HostRelief>>,
    ) -> anyhow::Result<(Judging, Intake)> {
        let config = &self.config;
        let concurrency = config.replay.concurrency.get();
        let shares = descriptors::share(self.open_files, concurrency)?;
        let advice = descriptors::advice(self.open_files, concurrency, shares);
        if let Some(advice) = &advice {
            tracing::warn!("{advice}");
        }
        let schedule = Arc::new(RunSchedule::new(
            &config.schedule,
            shares.replays,
            config.replay.names(),
        ));
        let live = watch::Sender::new(Arc::clone(config));
        let (sender, receiver) = queue(&config.transport);
        let parts = MirrorParts {
            config: live.subscribe(),
            recorder: Arc::clone(&self.recorder),
            schedule: Arc::clone(&schedule),
            own_sockets,
            stop: ending.stop.clone(),
            replays: shares.replays,
        };
        let cut = watch::Sender::new(false);
        let receiver = Receiver::Memory(receiver);
        let mirror = MirrorThread::start(parts, receiver, cut.subscribe()).await?;
        let intake = Intake {
            host: Arc::clone(&self.host),
            config: live.subscribe(),
            recorder: Arc::clone(&self.recorder),
            sender: Sender::Memory(sender),
            kept: None,
            carries: config.replay.has_target(),
            relief,
            handed_over: None,
        };
        let judging = Judging {
            mirror,
            schedule,
            live,
            cut,
            shares,
            advice,
        };
        Ok((judging, intake))
    }
}

/// What is captured and read.
pub(super) fn limits(config: &Config) -> DissectLimits {
    DissectLimits {
        ports: config.capture.filter.ports.clone(),
        ..config.dissect.clone()
    }
}

/// This host's name, as `uname -n` prints it.
fn host() -> anyhow::Result<Arc<str>> {
    let name = nix::sys::utsname::uname().context("asking for this host's name")?;
    Ok(name.nodename().to_string_lossy().into())
}
