//! The role `capture`: what policy lets through is handed over to an engine, and replayed elsewhere.

use std::sync::{Arc, Mutex, OnceLock};

use anyhow::Context;
use tokio::sync::watch;

use super::attended::{Attended, drain, passed, stopped};
use super::beginning::{Beginning, limits};
use super::capture_side::Readers;
use super::ending::Ending;
use super::progress::Event;
use super::relief::HostRelief;
use super::run::attach;
use super::running::{Running, Source};
use crate::capture::tc;
use crate::config::{Config, Settings};
use crate::report::{CaptureCounters, KnownNoise, ReportData, RunInfo, RunsPlace};
use crate::transport::FleetUrl;
use mirror_core::schedule::ScheduleData;

/// Captures until `ending` says so; then hands over what is left and reports what became of it here.
///
/// Everything that can be wrong is found before the first packet is captured: an error means that
/// nothing was started.
pub async fn capture(
    mut settings: Settings,
    ending: Ending,
    mut show: impl FnMut(Event) + Send + 'static,
) -> anyhow::Result<ReportData> {
    // The engine keeps the run.
    settings.config.report.runs = Some(RunsPlace::Nowhere);
    let config = Arc::new(settings.config.clone());
    config.require_capture()?;
    config.require_no_replay()?;
    let to = config.fleet.to.as_ref();
    let to = to.context(
        "nowhere to hand requests over to: add --to URL, as in redis://HOST/STREAM; `mirror-agent run` captures and replays in one process",
    )?;
    let to = FleetUrl::parse(to.expose())?;
    tc::check_rights()?;
    let (info, name) = (run_info(&config), config.control.name());
    let known = KnownNoise::default();
    let beginning = Beginning::new(Arc::clone(&config), known, info, &name, true).await?;
    let recorder = Arc::clone(&beginning.recorder);
    let (capture, rings) = attach(&config).await?;
    let relief = Arc::new(HostRelief::new(config.schedule.budget.cpu_when_busy));
    let (beside, beside_of) = beside();
    let begins = begins(&config, &capture.hook(), &to);
    let (handing_over, intake) = beginning
        .start_shipping(to, Arc::clone(&relief), beside)
        .await?;
    let (ports, ports_now) = watch::channel(config.capture.filter.ports.clone());
    let (readers, dissected) = Readers::start(rings, &limits(&config), &ports_now, intake)?;
    show(Event::Begins(begins));
    let running = Arc::new(Running {
        recorder: Arc::clone(&recorder),
        schedule: handing_over.schedule,
        source: Source::Rings {
            capture: Mutex::new(capture),
            ports,
        },
        dissected,
        settings: Mutex::new(settings),
        live: handing_over.live,
        advice: None,
    });
    let _ = beside_of.set(Arc::clone(&running));
    let attended = Attended::start(beginning, &running, handing_over.shares, &ending, show)?;
    let stop = ending.stop.clone();
    tokio::select! {
        () = stopped(stop.subscribe()) => {}
        () = passed(config.schedule.duration) => {}
        () = relief.follow_host() => {}
        () = readers.broke() => recorder.fail("capture ended by itself".into()),
        () = handing_over.shipping.ended() => recorder.fail("handing over ended by itself".into()),
    }
    stop.send_replace(true);
    running.source.detach();
    if let Err(error) = readers.finish().await {
        recorder.fail(format!("capture failed: {error:#}"));
    }
    let (longest, abort) = (config.transport.drain_timeout, ending.abort.subscribe());
    let shipping = handing_over.shipping.finish();
    if let Err(error) = drain(shipping, &handing_over.cut, longest, abort).await {
        recorder.fail(format!("{error:#}"));
    }
    attended.finish().await
}

/// What the recorder does not know, once there is a run that does: the second one is told of it.
pub(super) fn beside() -> (
    impl Fn() -> (CaptureCounters, ScheduleData) + Send + 'static,
    Arc<OnceLock<Arc<Running>>>,
) {
    let known: Arc<OnceLock<Arc<Running>>> = Arc::default();
    let of = Arc::clone(&known);
    let beside = move || match of.get() {
        Some(running) => (running.counters(), running.schedule.data()),
        None => Default::default(),
    };
    (beside, known)
}

fn run_info(config: &Config) -> RunInfo {
    RunInfo {
        interfaces: config.capture.interfaces.clone(),
        ports: config.capture.filter.ports.clone(),
        file: None,
        target: None,
        snapshots: false,
        replica: false,
    }
}

fn begins(config: &Config, hook: &str, to: &FleetUrl) -> String {
    let place = match config.capture.interfaces.as_slice() {
        [] => "the root cgroup".into(),
        names => names.join(", "),
    };
    let ports = &config.capture.filter.ports;
    format!("capturing on {place} ({hook}), port {ports}; handing over to {to}")
}
