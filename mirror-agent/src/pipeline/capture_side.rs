//! The capture side of the pipeline: a thread for each ring, which never waits for anything behind it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use tokio::sync::watch;

use super::keep_side::KeepSender;
use super::relief::HostRelief;
use crate::capture::ring::RingReader;
use crate::clock::wall_clock;
use crate::config::Config;
use crate::report::{End, Recorder, Ticket};
use crate::transport::{Delivery, Sender, Trouble};
use mirror_core::dissect::{DissectLimits, DissectStats, Dissector};
use mirror_core::exchange::{Exchange, Request};
use mirror_core::filter::PortSet;
use mirror_core::ledger::Outcome;
use mirror_core::policy::{Envelope, Refusal};
use mirror_core::schedule::Order;

/// Longest sleep of a reader; bounds how late a packet below the wake-up threshold is seen.
const RING_POLL: Duration = Duration::from_millis(10);

/// What becomes of an exchange before the queue.
pub(super) struct Intake {
    /// Of this host.
    pub(super) host: Arc<str>,
    /// Policy may change while the run goes on.
    pub(super) config: watch::Receiver<Arc<Config>>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) sender: Sender,
    /// Keeps what policy lets through, beside what becomes of it.
    pub(super) kept: Option<KeepSender>,
    /// What policy lets through goes on; else it is only observed.
    pub(super) carries: bool,
    /// A file is read as fast as it is replayed, and needs none.
    pub(super) relief: Option<Arc<HostRelief>>,
    /// What is captured is handed over to other processes, which may be in trouble.
    pub(super) handed_over: Option<Trouble>,
}

impl Intake {
    /// Takes an exchange that is to be sent at `due`. Call `sender.flush` after some.
    pub(super) fn take(&self, exchange: Exchange, due: Instant) {
        let config = self.config.borrow();
        let ticket = Ticket::new(&self.recorder, config.policy.redactor(), &exchange);
        let fault = exchange.request.fault;
        let refused = |refusal: Refusal| End {
            reason: fault.map(|fault| fault.reason().into()).or(refusal.reason),
            ..End::from(refusal.outcome)
        };
        if !self.carries && self.kept.is_none() {
            return ticket.end(match config.policy.judge(&exchange) {
                Err(refusal) => refused(refusal),
                Ok(_) => Outcome::Observed.into(),
            });
        }
        let mut lane = None;
        let identify = |exchange: &Exchange| {
            lane = config.schedule.order.lane(&self.host, exchange, |name| {
                config.policy.number_of_session(name)
            });
            config.identity.identify(exchange)
        };
        let taken = |request: &Request| {
            let relief = self.relief.as_ref();
            relief.is_none_or(|relief| relief.takes(request))
        };
        match config
            .policy
            .admit_if(&self.host, exchange, taken, identify)
        {
            Err(refusal) => ticket.end(refused(refusal)),
            Ok(envelope) => {
                let envelope = envelope.in_lane(lane);
                if let Some(kept) = &self.kept {
                    kept.offer(&envelope);
                }
                match self.carries {
                    true => self.hand_on(envelope, ticket, due),
                    false => ticket.end(Outcome::Observed),
                }
            }
        }
    }

    /// The same for an envelope that another policy made, as of a recording.
    pub(super) fn readmit(&self, envelope: Envelope, due: Instant) {
        let config = self.config.borrow();
        let ticket = Ticket::new(
            &self.recorder,
            config.policy.redactor(),
            envelope.exchange(),
        );
        let lane = envelope
            .lane()
            .filter(|_| config.schedule.order != Order::None);
        match config.policy.readmit(envelope) {
            Err(refusal) => ticket.end(End {
                reason: refusal.reason,
                ..End::from(refusal.outcome)
            }),
            Ok(envelope) => self.hand_on(envelope.in_lane(lane), ticket, due),
        }
    }

    fn hand_on(&self, envelope: Envelope, ticket: Ticket, due: Instant) {
        let delivery = Delivery {
            envelope,
            ticket,
            due,
        };
        if let Err(refused) = self.sender.offer(delivery.into()) {
            let shed = self.handed_over.as_ref().map(Trouble::shed);
            refused
                .ticket
                .end(shed.unwrap_or_else(|| Outcome::ShedQueueFull.into()));
        }
    }
}

/// The threads that read the rings.
pub(super) struct Readers {
    stop: Arc<AtomicBool>,
    handles: Vec<thread::JoinHandle<anyhow::Result<()>>>,
}

/// What each reader's dissector has counted so far.
#[derive(Clone)]
pub(super) struct Dissected(Arc<Vec<Mutex<DissectStats>>>);

impl Dissected {
    pub(super) fn new(readers: usize) -> Self {
        let stats = std::iter::repeat_with(Mutex::default);
        Self(Arc::new(stats.take(readers).collect()))
    }

    /// What the reader with this number has counted so far.
    pub(super) fn set(&self, reader: usize, stats: DissectStats) {
        *self.0[reader]
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = stats;
    }

    /// Summed over the readers.
    pub(super) fn sum(&self) -> DissectStats {
        let mut sum = DissectStats::default();
        for stats in self.0.iter() {
            sum += *stats.lock().unwrap_or_else(PoisonError::into_inner);
        }
        sum
    }
}

impl Readers {
    pub(super) fn start(
        rings: Vec<RingReader>,
        limits: &DissectLimits,
        ports: &watch::Receiver<PortSet>,
        intake: Intake,
    ) -> anyhow::Result<(Self, Dissected)> {
        let stop = Arc::new(AtomicBool::new(false));
        let dissected = Dissected::new(rings.len());
        let intake = Arc::new(intake);
        let mut handles = Vec::new();
        let readers = rings.len() as u64;
        for (number, ring) in rings.into_iter().enumerate() {
            let reader = Reader {
                ring,
                dissector: Dissector::new(limits.clone()).one_of(number as u64, readers),
                ports: ports.clone(),
                intake: Arc::clone(&intake),
                stop: Arc::clone(&stop),
            };
            let dissected = dissected.clone();
            let handle = thread::Builder::new()
                .name(format!("capture-{number}"))
                .spawn(move || reader.live(&dissected.0[number]))
                .context("starting a capture thread")?;
            handles.push(handle);
        }
        Ok((Self { stop, handles }, dissected))
    }

    /// Resolves when one of the threads ended without being asked to.
    pub(super) async fn broke(&self) {
        while !self.handles.iter().any(thread::JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Ends the threads, after they have read what the rings still hold.
    pub(super) async fn finish(self) -> anyhow::Result<()> {
        self.stop.store(true, Relaxed);
        tokio::task::spawn_blocking(|| {
            for handle in self.handles {
                handle
                    .join()
                    .map_err(|_| anyhow!("a capture thread panicked"))??;
            }
            Ok(())
        })
        .await?
    }
}

struct Reader {
    ring: RingReader,
    dissector: Dissector,
    ports: watch::Receiver<PortSet>,
    intake: Arc<Intake>,
    stop: Arc<AtomicBool>,
}

impl Reader {
    fn live(mut self, shown: &Mutex<DissectStats>) -> anyhow::Result<()> {
        let mut last = false;
        while !last {
            // Read once more after the order to stop: what was captured before it counts.
            last = self.stop.load(Relaxed);
            if self.ports.has_changed().unwrap_or(false) {
                self.dissector
                    .set_ports(self.ports.borrow_and_update().clone());
            }
            self.drain()?;
            if last {
                self.dissector.finish();
            } else {
                self.dissector.tick(wall_clock());
            }
            while let Some(exchange) = self.dissector.poll() {
                self.intake.take(exchange, Instant::now());
            }
            self.intake.sender.flush();
            *shown.lock().unwrap_or_else(PoisonError::into_inner) = self.dissector.stats();
        }
        Ok(())
    }

    fn drain(&mut self) -> anyhow::Result<()> {
        let (dissector, intake) = (&mut self.dissector, &self.intake);
        self.ring.read(RING_POLL, |packet| {
            dissector.packet(&packet);
            while let Some(exchange) = dissector.poll() {
                intake.take(exchange, Instant::now());
            }
        })?;
        Ok(())
    }
}
