//! A run from its start to its report: start, drain, stop.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Context;
use serde_json::{Value, json};
use tokio::{sync::watch, time::timeout};

use crate::capture::filter::Filters;
use crate::capture::tc;
use crate::capture::tc::TcCapture;
use crate::capture::tc::TcOptions;
use crate::config::Config;
use crate::control;
use crate::control::Control;
use crate::control::Handles;
use crate::control::Order;
use crate::replay::OwnSockets;
use crate::report::Recorder;
use crate::report::ReportData;
use crate::transport::memory::Bounds;
use crate::transport::memory::queue;
use crate::transport::{Receiver, Sender};
use mirror_core::dissect::DissectLimits;
use mirror_core::identity::Identifier;

use super::capture_side::{Intake, Readers};
use super::mirror_side::Judging;
use super::preflight;
use super::running::Running;

/// Runs until `stop` turns true or a client of the control socket says so; then drains and reports.
///
/// Everything that can be wrong is found before the first packet is captured: an error means that
/// nothing was started.
pub async fn run(config: Config, stop: watch::Sender<bool>) -> anyhow::Result<ReportData> {
    config.require_capture()?;
    tc::check_rights()?;
    let targets = match &config.target {
        Some(target) => preflight::check_target(target, &config).await?,
        None => Vec::new(),
    };
    let control = Control::bind(&config.socket).await?;
    let metrics = match config.metrics {
        Some(address) => Some(control::metrics::bind(address).await?),
        None => None,
    };
    let recorder = Arc::new(Recorder::new(meta(&config)));
    let (sender, receiver) = queue(Bounds {
        exchanges: config.queue,
        bytes: config.queue_bytes,
    });
    let (capture, rings) = attach(&config).await?;
    for target in targets {
        capture.filters.exclude(target)?;
    }
    let own_sockets = Arc::new(capture.filters.clone());
    let judging = Judging::new(&config, Arc::clone(&recorder), own_sockets, stop.clone())?;
    let (ports, ports_now) = watch::channel(config.filter.ports.clone());
    let intake = Intake {
        host: host()?,
        identifier: Identifier {
            rules: config.rules.clone(),
            skew_seconds: config.skew_seconds,
        },
        policy: config.policy.clone(),
        observe_only: config.target.is_none(),
        recorder: Arc::clone(&recorder),
        sender: Sender::Memory(sender),
    };
    let (readers, dissected) = Readers::start(rings, &limits(&config), &ports_now, intake)?;
    announce(&config, &capture.hook());

    let running = Arc::new(Running {
        recorder: Arc::clone(&recorder),
        capture: Mutex::new(capture),
        dissected,
        ports,
        flags: config.flags.clone(),
    });
    let (ended, ended_seen) = watch::channel(None);
    let orders = Arc::clone(&running);
    let serving = tokio::spawn(control.serve(Handles {
        order: Box::new(move |order| match order {
            Order::Status => Ok(orders.status()),
            Order::Filter(change) => orders.filter(&change),
            Order::Reload => orders.reload(),
        }),
        stop: stop.clone(),
        ended: ended_seen,
    }));
    if let Some(listener) = metrics {
        let running = Arc::clone(&running);
        let text = move || crate::report::metrics(&running.status());
        tokio::spawn(control::metrics::serve(listener, text));
    }
    let mut replaying = tokio::spawn(judging.run(Receiver::Memory(receiver)));

    let mut stopped = stop.subscribe();
    tokio::select! {
        _ = stopped.wait_for(|stop| *stop) => {}
        () = readers.broke() => tracing::error!("capture ended by itself"),
    }
    // Detached first: what was captured before is then read to its end.
    running.capture().detach();
    let captured = readers.finish().await;
    if timeout(config.drain_timeout, &mut replaying).await.is_err() {
        tracing::warn!(
            "not everything could be replayed within the drain time: the rest ends as `interrupted`"
        );
        replaying.abort();
        let _ = replaying.await;
    }
    let report = recorder.finish(running.below());
    if let Some(directory) = &config.report {
        let written = crate::report::write(directory, &report)?;
        tracing::info!(report = %written.html.display(), "report written");
    }
    ended.send_replace(Some(serde_json::to_value(&report)?));
    // The answers to `stop` hold a receiver each: wait until the last of them is sent.
    serving.abort();
    let _ = timeout(Duration::from_secs(1), ended.closed()).await;
    captured?;
    Ok(report)
}

/// Loads and attaches, which may take a moment, away from the runtime's threads.
async fn attach(
    config: &Config,
) -> anyhow::Result<(TcCapture, Vec<crate::capture::ring::RingReader>)> {
    let options = TcOptions {
        interfaces: config.interfaces.clone(),
        namespaces: config.namespaces.clone(),
        hook: config.hook,
        filter: config.filter.clone(),
        ring_bytes: config.ring_bytes,
        rings: config.rings,
    };
    tokio::task::spawn_blocking(move || TcCapture::start(&options)).await?
}

fn limits(config: &Config) -> DissectLimits {
    DissectLimits {
        ports: config.filter.ports.clone(),
        max_body: config.max_body,
        ..DissectLimits::default()
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
fn host() -> anyhow::Result<Arc<str>> {
    let name = nix::sys::utsname::uname().context("asking for this host's name")?;
    Ok(name.nodename().to_string_lossy().into())
}

fn meta(config: &Config) -> Value {
    json!({
        "interfaces": config.interfaces,
        "ports": config.filter.ports,
        "target": config.target.as_ref().map(ToString::to_string),
        "snapshots": config.redis.is_some(),
        "replica": config.replica.is_some(),
    })
}

fn announce(config: &Config, hook: &str) {
    let place = match config.interfaces.as_slice() {
        [] => "the root cgroup".into(),
        names => names.join(", "),
    };
    let place = format!(
        "capturing on {place} ({hook}), port {}",
        config.filter.ports
    );
    match &config.target {
        None => eprintln!("{place}; no --target: requests are counted, nothing is replayed"),
        Some(target) => eprintln!("{place}; replaying to {target}"),
    }
    if config.target.is_some() && config.redis.is_none() && config.replica.is_none() {
        eprintln!(
            "snapshot gate off (no --redis): answers may differ because data changed in between"
        );
    }
}
