//! Hosts that capture and replayers, in this process: the real ends of a transport, without a kernel on one side and a mirror on the
//! other.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use mirror_agent::report::{
    CaptureCounters, FleetKeeping, FleetRole, Recorder, ReportData, RunInfo, Ticket, fleet_report,
};
use mirror_agent::transport::memory::queue;
use mirror_agent::transport::{
    Delivery, FetchParts, FleetOptions, FleetUrl, Receiver, Sender, ShipParts, TransportOptions,
    Trouble, Unpacked, fetch, read_fleet, ship,
};
use mirror_core::exchange::{Body, Exchange, Request};
use mirror_core::identity::Identity;
use mirror_core::ledger::Outcome;
use mirror_core::policy::Policy;
use mirror_core::schedule::LaneKey;
use mirror_core::time::Timestamp;
use tokio::sync::{oneshot, watch};

pub(crate) const GROUP: &str = "mirror";

pub(crate) fn options() -> FleetOptions {
    FleetOptions {
        partitions: 4,
        takeover_after: Duration::from_secs(1),
        ..FleetOptions::default()
    }
}

/// The report over all processes.
pub(crate) fn fleet(url: &str) -> Result<ReportData> {
    let url = FleetUrl::parse(url)?;
    fleet_report(runtime()?.block_on(read_fleet(&url, GROUP))?)
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build()?)
}

fn recorder(host: &str) -> Arc<Recorder> {
    Arc::new(Recorder::new(RunInfo::default()).named("shop", host))
}

/// A host that captures.
pub(crate) struct Host {
    recorder: Arc<Recorder>,
    policy: Policy,
    sender: Option<Sender>,
    trouble: Trouble,
    cut: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    pub(crate) fn start(url: &str, name: &str, options: FleetOptions) -> Result<Self> {
        Self::start_with(url, name, options, TransportOptions::default())
    }

    pub(crate) fn start_with(
        url: &str,
        name: &str,
        options: FleetOptions,
        bounds: TransportOptions,
    ) -> Result<Self> {
        let (sender, receiver) = queue(&bounds);
        let (recorder, trouble) = (recorder(name), Trouble::default());
        let cut = watch::Sender::new(false);
        let parts = ShipParts {
            keeping: FleetKeeping::new(&recorder, FleetRole::Capture, Default::default),
            trouble: trouble.clone(),
            receiver: Receiver::Memory(receiver),
            cut: cut.subscribe(),
        };
        let url = FleetUrl::parse(url)?;
        let (ready, started) = oneshot::channel();
        let runtime = runtime()?;
        let work = move || runtime.block_on(ship(&url, &options, parts, ready));
        let thread = thread::spawn(work);
        started.blocking_recv()??;
        Ok(Self {
            recorder,
            policy: Policy::default(),
            sender: Some(Sender::Memory(sender)),
            trouble,
            cut,
            thread: Some(thread),
        })
    }

    /// Captures a request of a lane. It is shed where there is no room.
    pub(crate) fn capture(&self, lane: u64, number: u64) {
        self.capture_large(lane, number, 0);
    }

    /// One with a body.
    pub(crate) fn capture_large(&self, lane: u64, number: u64, body: usize) {
        let address = "127.0.0.1:80".parse().expect("an address");
        let mut exchange = Exchange::new(address, address, Request::new("GET", format!("/{lane}")));
        exchange.connection = lane;
        exchange.index = u32::try_from(number).expect("a small number");
        exchange.timing.request_first = Timestamp(1_000_000_000 + number);
        exchange.request.body = Body::from(Bytes::from(vec![lane as u8; body]));
        let ticket = Ticket::new(&self.recorder, self.policy.redactor(), &exchange);
        let host = self.recorder.host().into();
        let envelope = self.policy.admit(&host, exchange, |_| Identity::default());
        let delivery = Delivery {
            envelope: envelope.expect("a read").in_lane(Some(LaneKey(lane))),
            ticket,
            due: Instant::now(),
        };
        let sender = self.sender.as_ref().expect("it captures");
        if let Err(refused) = sender.offer(Box::new(delivery)) {
            refused.ticket.end(self.trouble.shed());
        }
        sender.flush();
    }

    /// How many requests ended so.
    pub(crate) fn count(&self, outcome: Outcome) -> u64 {
        self.counter()(outcome)
    }

    /// The same, for after it has ended.
    pub(crate) fn counter(&self) -> impl Fn(Outcome) -> u64 + use<> {
        let recorder = Arc::clone(&self.recorder);
        move |outcome| {
            let results = recorder.results(CaptureCounters::default());
            let count = results.ledger.outcomes.get(outcome.name());
            count.copied().unwrap_or(0)
        }
    }

    /// Hands over what is left, and ends. With `cut` it does not wait for the engine.
    pub(crate) fn end(mut self, cut: bool) -> Result<()> {
        self.sender = None;
        if cut {
            self.cut.send_replace(true);
        }
        let thread = self.thread.take().context("it has ended")?;
        thread.join().map_err(|_| anyhow::anyhow!("it panicked"))?;
        Ok(())
    }
}

/// A replayer, of which the mirror answers everything alike after a while.
pub(crate) struct Replayer {
    stop: watch::Sender<bool>,
    fetching: JoinHandle<Result<()>>,
    judging: JoinHandle<()>,
    told: Arc<Told>,
}

/// What a replayer judged.
#[derive(Default)]
struct Told {
    /// Lane and number, in order.
    judged: Mutex<Vec<(u64, u64)>>,
    is_held: AtomicBool,
}

impl Replayer {
    pub(crate) fn start(url: &str, options: FleetOptions) -> Result<Self> {
        Self::start_slow(url, options, Duration::ZERO, TransportOptions::default())
    }

    pub(crate) fn start_slow(
        url: &str,
        options: FleetOptions,
        takes: Duration,
        bounds: TransportOptions,
    ) -> Result<Self> {
        let recorder = recorder("replayer");
        let (sender, receiver) = queue(&bounds);
        let (stop, judged) = (watch::Sender::new(false), watch::Sender::new(false));
        let tickets = Arc::clone(&recorder);
        let policy = Policy::default();
        let parts = FetchParts {
            recorder: Arc::clone(&recorder),
            keeping: FleetKeeping::new(&recorder, FleetRole::Replay, Default::default),
            group: options.group.clone(),
            admit: Box::new(move |Unpacked { envelope, mark, .. }| {
                let redactor = policy.redactor();
                let ticket = Ticket::take_over(&tickets, redactor, envelope.exchange(), mark);
                Some(Box::new(Delivery {
                    envelope,
                    ticket,
                    due: Instant::now(),
                }))
            }),
            sender: Sender::Memory(sender),
            stop: stop.subscribe(),
            judged: judged.subscribe(),
        };
        let url = FleetUrl::parse(url)?;
        let (ready, started) = oneshot::channel();
        let fetching = runtime()?;
        let work = move || fetching.block_on(fetch(&url, &options, parts, ready));
        let fetching = thread::spawn(work);
        let told = Arc::new(Told::default());
        let (teller, runtime) = (Arc::clone(&told), runtime()?);
        let judging = thread::spawn(move || {
            runtime.block_on(judge(Receiver::Memory(receiver), &teller, takes));
            judged.send_replace(true);
        });
        started.blocking_recv()??;
        Ok(Self {
            stop,
            fetching,
            judging,
            told,
        })
    }

    /// From now on nothing is answered.
    pub(crate) fn hold(&self, is_held: bool) {
        self.told.is_held.store(is_held, Relaxed);
    }

    /// Lane and number of what it judged, in order.
    pub(crate) fn judged(&self) -> Vec<(u64, u64)> {
        let judged = self.told.judged.lock();
        judged.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn end(self) -> Result<()> {
        self.stop.send_replace(true);
        let judging = self.judging.join();
        ensure!(judging.is_ok(), "it panicked");
        let fetching = self.fetching.join();
        fetching.map_err(|_| anyhow::anyhow!("it panicked"))?
    }
}

async fn judge(mut receiver: Receiver, told: &Told, takes: Duration) {
    let mut batch = Vec::new();
    while receiver.take(&mut batch).await {
        for (delivery, room) in batch.drain(..) {
            while told.is_held.load(Relaxed) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            let exchange = delivery.envelope.exchange();
            let one = (exchange.connection, u64::from(exchange.index));
            let mut judged = told.judged.lock().unwrap_or_else(PoisonError::into_inner);
            judged.push(one);
            drop(judged);
            delivery.ticket.end(Outcome::Matched);
            drop(room);
        }
    }
}
