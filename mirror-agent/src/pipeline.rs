//! The way of a request, from the kernel's ring to the verdict: the only file that knows the order of the stages.
//!
//! ```text
//! capture thread:  TcCapture → Dissector → identity → policy ─┐
//!                                                       queue (bounded, sheds)
//! tokio:           report ← compare ← replay ← snapshot gate ─┘
//! ```
//!
//! The capture thread never waits for anything behind it. Each exchange carries a [`Ticket`], so that
//! it ends in the ledger exactly once, even when the run is cut short.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, anyhow};
use mirror_snapshot::{IdRules, RedisStore, RequestId, WaitOptions};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::{Semaphore, oneshot, watch},
    task::JoinSet,
    time::timeout,
};

use crate::{
    capture::tc::{self, Counters, TcCapture, TcOptions},
    cli::OnMissing,
    compare::{CompareOptions, compare},
    config::Config,
    control::{Control, Handles},
    dissect::{DissectLimits, DissectStats, Dissector},
    exchange::{Exchange, Timestamp},
    identity,
    policy::{Admitted, Policy},
    replay::{ReplayOptions, ReplayOutcome, Replayer, Target},
    report::{Outcome, Recorder, ReportData},
    snapshot::{Gate, SnapshotOutcome},
    transport::memory::{Bounds, Sink, Source, queue},
};

/// Longest sleep of the capture thread; bounds how late a packet below the wake-up threshold is seen.
const RING_POLL: Duration = Duration::from_millis(10);
const REACH_TIMEOUT: Duration = Duration::from_secs(3);

/// Runs until `stop` turns true or a client of the control socket says so; then drains and reports.
///
/// Everything that can be wrong is found before the first packet is captured: an error means that
/// nothing was started.
pub async fn run(config: Config, stop: watch::Sender<bool>) -> anyhow::Result<ReportData> {
    config.require_capture()?;
    tc::check_rights()?;
    let targets = match &config.target {
        Some(target) => check_target(target, &config).await?,
        None => Vec::new(),
    };
    let control = Control::bind(&config.socket).await?;
    let recorder = Arc::new(Recorder::new(meta(&config)));
    let judging = Judging::new(&config, Arc::clone(&recorder))?;
    let (sink, source) = queue(Bounds {
        exchanges: config.queue,
        bytes: config.queue_bytes,
    });
    let dissected = Arc::new(Mutex::new(DissectStats::default()));
    let intake = Intake {
        rules: config.rules.clone(),
        skew_seconds: config.skew_seconds,
        policy: config.policy.clone(),
        targets,
        observe_only: config.target.is_none(),
        recorder: Arc::clone(&recorder),
        sink,
    };
    let capture = CaptureThread::start(&config, intake, Arc::clone(&dissected)).await?;
    announce(&config, capture.hook);

    let counters = capture.counters.clone();
    let show = {
        let recorder = Arc::clone(&recorder);
        let hook = capture.hook;
        let dissected = Arc::clone(&dissected);
        move || {
            let mut status = recorder.live();
            status["hook"] = json!(hook);
            status["pid"] = json!(std::process::id());
            extend(&mut status, seen_below(&counters, &dissected));
            status
        }
    };
    let (ended, ended_seen) = watch::channel(None);
    let serving = tokio::spawn(control.serve(Handles {
        status: Box::new(show),
        stop: stop.clone(),
        ended: ended_seen,
    }));
    let mut replaying = tokio::spawn(judging.run(source));

    let mut stopped = stop.subscribe();
    tokio::select! {
        _ = stopped.wait_for(|stop| *stop) => {}
        () = capture.broke() => tracing::error!("capture ended by itself"),
    }
    let counters = capture.counters.clone();
    let captured = capture.finish().await;
    if timeout(config.drain_timeout, &mut replaying).await.is_err() {
        tracing::warn!(
            "not everything could be replayed within the drain time: the rest ends as `interrupted`"
        );
        replaying.abort();
        let _ = replaying.await;
    }
    let report = recorder.finish(seen_below(&counters, &dissected));
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

/// One seen request on its way to its outcome; dropped without one, it ends as `interrupted`.
struct Ticket {
    recorder: Arc<Recorder>,
    open: bool,
}

impl Ticket {
    fn new(recorder: &Arc<Recorder>) -> Self {
        recorder.saw();
        Self {
            recorder: Arc::clone(recorder),
            open: true,
        }
    }

    fn end(mut self, outcome: Outcome) {
        self.open = false;
        self.recorder.ended(outcome);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.open {
            self.recorder.ended(Outcome::Interrupted);
        }
    }
}

struct Job {
    admitted: Admitted,
    ticket: Ticket,
}

impl AsRef<Admitted> for Job {
    fn as_ref(&self) -> &Admitted {
        &self.admitted
    }
}

/// The capture side of the pipeline behind the dissector.
struct Intake {
    rules: IdRules,
    skew_seconds: u64,
    policy: Policy,
    /// Traffic to these is our own replays passing the interface, not production's.
    targets: Vec<SocketAddr>,
    observe_only: bool,
    recorder: Arc<Recorder>,
    sink: Sink<Job>,
}

impl Intake {
    fn take(&self, exchange: Exchange) {
        if self.targets.contains(&exchange.server) {
            return self.recorder.saw_own_replay();
        }
        let ticket = Ticket::new(&self.recorder);
        let candidates = identity::candidates(&self.rules, &exchange, self.skew_seconds);
        match self.policy.admit(exchange, candidates) {
            Err(outcome) => ticket.end(outcome),
            Ok(_) if self.observe_only => ticket.end(Outcome::Observed),
            Ok(admitted) => {
                if let Err(job) = self.sink.offer(Job { admitted, ticket }) {
                    job.ticket.end(Outcome::ShedQueueFull);
                }
            }
        }
    }
}

struct CaptureThread {
    hook: &'static str,
    counters: Counters,
    stop: Arc<AtomicBool>,
    handle: thread::JoinHandle<anyhow::Result<()>>,
}

impl CaptureThread {
    /// Attaches and starts to read, on a thread of its own; returns once attached.
    async fn start(
        config: &Config,
        intake: Intake,
        dissected: Arc<Mutex<DissectStats>>,
    ) -> anyhow::Result<Self> {
        let options = TcOptions {
            interfaces: config.interfaces.clone(),
            ports: config.ports.clone(),
            ring_bytes: config.ring_bytes,
        };
        let limits = DissectLimits {
            ports: config.ports.clone(),
            max_body: config.max_body,
            ..DissectLimits::default()
        };
        let stop = Arc::new(AtomicBool::new(false));
        let (attached, ready) = oneshot::channel();
        let stopping = Arc::clone(&stop);
        let handle = thread::Builder::new()
            .name("capture".into())
            .spawn(move || {
                let mut capture = match TcCapture::attach(&options) {
                    Ok(capture) => capture,
                    Err(error) => {
                        let _ = attached.send(Err(error));
                        return Ok(());
                    }
                };
                let _ = attached.send(Ok((capture.hook(), capture.counters())));
                drain_ring(
                    &mut capture,
                    Dissector::new(limits),
                    &intake,
                    &stopping,
                    &dissected,
                )
            })
            .context("starting the capture thread")?;
        let (hook, counters) = ready
            .await
            .context("the capture thread ended before it attached")??;
        Ok(Self {
            hook,
            counters,
            stop,
            handle,
        })
    }

    /// Resolves when the thread ended without being asked to.
    async fn broke(&self) {
        while !self.handle.is_finished() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Detaches, after reading what the ring still holds.
    async fn finish(self) -> anyhow::Result<()> {
        self.stop.store(true, Relaxed);
        tokio::task::spawn_blocking(|| self.handle.join())
            .await?
            .map_err(|_| anyhow!("the capture thread panicked"))?
    }
}

fn drain_ring(
    capture: &mut TcCapture,
    mut dissector: Dissector,
    intake: &Intake,
    stop: &AtomicBool,
    dissected: &Mutex<DissectStats>,
) -> anyhow::Result<()> {
    let mut last = false;
    while !last {
        // Read once more after the order to stop: what was captured before it counts.
        last = stop.load(Relaxed);
        capture.read(RING_POLL, |packet| {
            dissector.packet(&packet);
            while let Some(exchange) = dissector.poll() {
                intake.take(exchange);
            }
        })?;
        if last {
            dissector.finish();
        } else {
            dissector.tick(now());
        }
        while let Some(exchange) = dissector.poll() {
            intake.take(exchange);
        }
        if let Ok(mut shown) = dissected.lock() {
            *shown = *dissector.stats();
        }
    }
    Ok(())
}

/// The mirror side of the pipeline: gate, replay, compare, record.
struct Judging {
    gate: Gate,
    replayer: Option<Replayer>,
    on_missing: OnMissing,
    compare: CompareOptions,
    recorder: Arc<Recorder>,
    replays: Semaphore,
}

impl Judging {
    fn new(config: &Config, recorder: Arc<Recorder>) -> anyhow::Result<Self> {
        let gate = match &config.redis {
            None => Gate::off(),
            Some(url) => Gate::new(
                RedisStore::connect(url).context("--redis")?,
                WaitOptions {
                    timeout: config.snapshot_wait,
                    poll: config.snapshot_poll,
                    ..WaitOptions::default()
                },
            ),
        };
        Ok(Self {
            gate,
            replayer: config.target.clone().map(|target| {
                Replayer::new(ReplayOptions {
                    timeout: config.replay_timeout,
                    connections: config.concurrency,
                    ..ReplayOptions::new(target)
                })
            }),
            on_missing: config.on_missing,
            compare: config.compare.clone(),
            recorder,
            replays: Semaphore::new(config.concurrency),
        })
    }

    /// Judges until the queue has ended and all its exchanges have an outcome.
    async fn run(self, mut source: Source<Job>) {
        let this = Arc::new(self);
        let mut judged = JoinSet::new();
        while let Some((Job { admitted, ticket }, room)) = source.next().await {
            while judged.try_join_next().is_some() {}
            let this = Arc::clone(&this);
            judged.spawn(async move {
                let outcome = this.judge(&admitted).await;
                ticket.end(outcome);
                drop(room);
            });
        }
        while judged.join_next().await.is_some() {}
    }

    async fn judge(&self, admitted: &Admitted) -> Outcome {
        let Some(replayer) = &self.replayer else {
            return Outcome::Observed;
        };
        let id = match self.pass_gate(admitted.candidates()).await {
            Ok(id) => id,
            Err(outcome) => return outcome,
        };
        let Ok(_permit) = self.replays.acquire().await else {
            return Outcome::Interrupted;
        };
        let exchange = admitted.exchange();
        match replayer
            .send(exchange, id.as_ref().map(RequestId::as_str))
            .await
        {
            ReplayOutcome::Answered { response, latency } => {
                let whole = exchange.response.as_ref().filter(|r| r.fault.is_none());
                let Some(baseline) = whole else {
                    return Outcome::ReplayedWithoutBaseline;
                };
                let verdict = compare(&self.compare, baseline, &response);
                self.recorder.compared(
                    exchange,
                    &response,
                    &verdict,
                    id.as_ref().map(RequestId::as_str),
                    latency,
                );
                if verdict.differences.is_empty() {
                    Outcome::Matched
                } else {
                    Outcome::Differed
                }
            }
            ReplayOutcome::Timeout => Outcome::ReplayTimeout,
            ReplayOutcome::ConnectFailed { .. } => Outcome::ReplayConnectFailed,
            ReplayOutcome::Failed { error } => {
                tracing::debug!(%error, "replay failed");
                Outcome::ReplayFailed
            }
        }
    }

    /// Waits for the snapshot: the id to replay with, or how the exchange ends here.
    async fn pass_gate(&self, candidates: &[RequestId]) -> Result<Option<RequestId>, Outcome> {
        let outcome = self.gate.wait(candidates).await;
        self.recorder.snapshot(&outcome);
        let without = |end| match self.on_missing {
            OnMissing::Skip => Err(end),
            OnMissing::Replay => Ok(candidates.first().cloned()),
        };
        match outcome {
            SnapshotOutcome::Off => Ok(candidates.first().cloned()),
            SnapshotOutcome::Hit { id, .. } => Ok(Some(id)),
            SnapshotOutcome::Missing { .. } => without(Outcome::SnapshotMissing),
            SnapshotOutcome::NoId => without(Outcome::SnapshotNoId),
            SnapshotOutcome::Unavailable { error } => {
                tracing::debug!(%error, "snapshot store");
                Err(Outcome::SnapshotUnavailable)
            }
        }
    }
}

/// The addresses of a target that can be reached and is not production.
async fn check_target(target: &Target, config: &Config) -> anyhow::Result<Vec<SocketAddr>> {
    let addresses = target
        .resolve()
        .await
        .with_context(|| format!("resolving the target {target}"))?;
    check_own(config, &addresses)?;
    reach(&addresses).await.with_context(|| {
        format!(
            "the target {target} cannot be reached: start the mirror first, or correct --target"
        )
    })?;
    Ok(addresses)
}

/// Refuses addresses that are this host's own on a captured port.
pub fn check_own(config: &Config, addresses: &[SocketAddr]) -> anyhow::Result<()> {
    config.refuse_own_target(addresses, &own_addresses())
}

/// Connects to the first address that answers.
pub async fn reach(addresses: &[SocketAddr]) -> anyhow::Result<()> {
    let mut last = anyhow!("it has no address");
    for address in addresses {
        match timeout(REACH_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => last = anyhow!("{address}: {error}"),
            Err(_) => last = anyhow!("{address}: no answer within {REACH_TIMEOUT:?}"),
        }
    }
    Err(last)
}

fn own_addresses() -> Vec<IpAddr> {
    let interfaces = pnet_datalink::interfaces().into_iter();
    interfaces
        .flat_map(|i| i.ips)
        .map(|network| network.ip())
        .collect()
}

fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

fn meta(config: &Config) -> Value {
    json!({
        "interfaces": config.interfaces,
        "ports": config.ports,
        "target": config.target.as_ref().map(ToString::to_string),
        "snapshots": config.redis.is_some(),
    })
}

fn seen_below(counters: &Counters, dissected: &Mutex<DissectStats>) -> Value {
    let dissected = dissected.lock().map(|d| *d).unwrap_or_default();
    json!({ "capture": counters.read(), "dissect": dissected, "advice": dissected.advice() })
}

fn extend(value: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (value, more) {
        into.extend(more);
    }
}

fn announce(config: &Config, hook: &str) {
    let ports: Vec<_> = config.ports.iter().map(ToString::to_string).collect();
    let place = format!(
        "capturing on {} ({hook}), port {}",
        config.interfaces.join(", "),
        ports.join(", ")
    );
    match &config.target {
        None => eprintln!("{place}; no --target: requests are counted, nothing is replayed"),
        Some(target) => eprintln!("{place}; replaying to {target}"),
    }
    if config.target.is_some() && config.redis.is_none() {
        eprintln!(
            "snapshot gate off (no --redis): answers may differ because data changed in between"
        );
    }
}
