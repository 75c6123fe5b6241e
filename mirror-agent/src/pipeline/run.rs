//! A run from its start to its report: start, drain, stop.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use anyhow::{bail, ensure};
use tokio::{sync::watch, task::spawn_blocking};

use crate::capture::ring::RingReader;
use crate::capture::tc;
use crate::capture::tc::{Filters, TcCapture};
use crate::config::{Config, Settings};
use crate::replay::OwnSockets;
use crate::report::{KnownNoise, ReportData, RunInfo};

use super::attended::{Attended, drain, passed, stopped};
use super::beginning::{Beginning, limits};
use super::capture_side::Readers;
use super::ending::Ending;
use super::keep_side::{finish_keeping, keep};
use super::preflight;
use super::progress::Event;
use super::relief::HostRelief;
use super::running::{Running, Source};

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
    ensure!(
        config.fleet.to.is_none(),
        "--to is for `mirror-agent capture`: leave it out, or leave out --target and start `capture`"
    );
    let noise = KnownNoise::read(config.noise.file.as_deref())?;
    tc::check_rights()?;
    let stop = ending.stop.clone();
    let targets = tokio::select! {
        targets = preflight::check_targets(&config) => targets?,
        // A name may take long to resolve.
        () = stopped(stop.subscribe()) => bail!("stopped before anything was started"),
    };
    let name = config.control.name();
    let info = run_info(&config);
    let beginning = Beginning::new(Arc::clone(&config), noise, info, &name, true).await?;
    let recorder = Arc::clone(&beginning.recorder);
    let (capture, rings) = attach(&config).await?;
    for target in targets {
        capture.filters.exclude(target)?;
    }
    let own_sockets = Arc::new(capture.filters.clone());
    let relief = Arc::new(HostRelief::new(config.schedule.budget.cpu_when_busy));
    let (judging, mut intake) = beginning
        .start_judging(&ending, Some(own_sockets), Some(Arc::clone(&relief)))
        .await?;
    let (keeper, kept) = keep(&settings, &beginning.host)?;
    intake.kept = keeper;
    let (ports, ports_now) = watch::channel(config.capture.filter.ports.clone());
    let (readers, dissected) = Readers::start(rings, &limits(&config), &ports_now, intake)?;
    show(Event::Begins(begins(&config, &capture.hook())));
    let running = Arc::new(Running {
        recorder: Arc::clone(&recorder),
        schedule: judging.schedule,
        source: Source::Rings {
            capture: Mutex::new(capture),
            ports,
        },
        dissected,
        settings: Mutex::new(settings),
        live: judging.live,
        advice: judging.advice,
    });
    let attended = Attended::start(beginning, &running, judging.shares, &ending, show)?;

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
    if let Err(error) = drain(judging.mirror.finish(), &judging.cut, longest, abort).await {
        recorder.fail(format!("{error:#}"));
    }
    attended.finish().await
}

/// Loads and attaches, which may take a moment, away from the runtime's threads.
pub(super) async fn attach(config: &Config) -> anyhow::Result<(TcCapture, Vec<RingReader>)> {
    let options = config.capture.clone();
    spawn_blocking(move || TcCapture::start(&options)).await?
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
