//! Takes what others have captured from an engine, and sees that each parcel is counted once.
//!
//! A partition is read by one process. Before it reads, it asks what is done: parcels that others have judged and counted. A
//! parcel that was seen before is `redelivered` and not judged again; numbers that are passed over will never come, and end as lost.
//! Once a second, what was counted goes to the engine together with which parcels it counts, and only then they are
//! acknowledged. So whatever dies when: what is counted is done, and what is not is judged by whoever reads next.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use foldhash::fast::RandomState;
use mirror_core::ledger::Outcome;
use mirror_core::policy::{Envelope, WireError};
use tokio::{sync::watch, time::sleep};

use super::done::Done;
use super::engine::{Arriving, EngineError, Fetching, FramePlace, StateChange};
use super::parcel::{Assembled, BadParcel, ParcelId, ProcessId};
use super::partition::{Mark, Partition, done_field, done_of};
use super::{Delivery, Sender};
use crate::report::{FleetKeeping, Recorder};

/// Frames that are asked for at once.
const MAX_FRAMES: usize = 1024;
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// For a queue that is full.
const ROOM_PAUSE: Duration = Duration::from_millis(2);
/// Between two changes of the state.
const KEEP_INTERVAL: Duration = Duration::from_secs(1);
/// A process that lives says so each second.
const SILENCE: Duration = Duration::from_secs(3);
/// Longest time for the last change, when the engine does not answer.
const LAST_CHANGE_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes a delivery of a parcel; `None` if it has its outcome at once.
pub type Admit = Box<dyn Fn(Unpacked) -> Option<Box<Delivery>> + Send>;

/// What was in a parcel.
pub struct Unpacked {
    pub envelope: Envelope,
    /// Of its ticket.
    pub mark: u64,
    /// A process that died may have sent it.
    pub is_again: bool,
}

/// What a fetcher is made of.
pub struct FetchParts {
    pub recorder: Arc<Recorder>,
    pub keeping: FleetKeeping,
    pub group: String,
    pub admit: Admit,
    pub sender: Sender,
    /// Nothing more is fetched.
    pub stop: watch::Receiver<bool>,
    /// Everything that was fetched has its outcome.
    pub judged: watch::Receiver<bool>,
}

pub struct Fetcher<F> {
    fetching: F,
    recorder: Arc<Recorder>,
    keeping: FleetKeeping,
    group: String,
    admit: Admit,
    /// `None` once nothing more is fetched.
    sender: Option<Sender>,
    stop: watch::Receiver<bool>,
    judged: watch::Receiver<bool>,
    partitions: BTreeMap<u32, Partition>,
    /// What there was no room for.
    backlog: VecDeque<Box<Delivery>>,
    marks: HashMap<u64, Mark, RandomState>,
    next_mark: u64,
    own_done: BTreeMap<u32, Done>,
    /// Partitions of which more is done than the engine knows.
    changed: BTreeSet<u32>,
    keep_at: Instant,
    redelivered: u64,
}

impl<F: Fetching> Fetcher<F> {
    pub fn new(fetching: F, parts: FetchParts) -> Self {
        Self {
            fetching,
            recorder: parts.recorder,
            keeping: parts.keeping,
            group: parts.group,
            admit: parts.admit,
            sender: Some(parts.sender),
            stop: parts.stop,
            judged: parts.judged,
            partitions: BTreeMap::new(),
            backlog: VecDeque::new(),
            marks: HashMap::default(),
            next_mark: 0,
            own_done: BTreeMap::new(),
            changed: BTreeSet::new(),
            keep_at: Instant::now(),
            redelivered: 0,
        }
    }

    /// Until it is stopped and everything that it has fetched is judged and kept. An error means that this process's counts are no longer
    /// its own.
    pub async fn run(mut self) -> anyhow::Result<()> {
        loop {
            if *self.stop.borrow() {
                // The queue ends with its sender.
                (self.sender, self.backlog) = (None, VecDeque::new());
            }
            if *self.judged.borrow() {
                break;
            }
            self.hand_on();
            let most = match self.sender {
                Some(_) if self.backlog.is_empty() => MAX_FRAMES,
                _ => 0,
            };
            match self.fetching.next(most).await {
                Ok(arriving) => self.take(arriving, most > 0).await?,
                Err(EngineError::Deposed(why)) => anyhow::bail!(why),
                Err(error) => {
                    tracing::debug!("nothing comes: {error}");
                    sleep(RETRY_PAUSE).await;
                }
            }
            if !self.backlog.is_empty() {
                sleep(ROOM_PAUSE).await;
            }
            if Instant::now() >= self.keep_at {
                self.keep_at = Instant::now() + KEEP_INTERVAL;
                self.keep(false).await?;
                self.release_wanted().await;
                self.ask_shipped().await;
            }
        }
        self.finish().await
    }

    fn hand_on(&mut self) {
        let Some(sender) = &self.sender else { return };
        while let Some(delivery) = self.backlog.pop_front() {
            if let Err(refused) = sender.offer(delivery) {
                self.backlog.push_front(refused);
                break;
            }
        }
        sender.flush();
    }

    async fn take(&mut self, arriving: Vec<Arriving>, looked: bool) -> anyhow::Result<()> {
        for one in arriving {
            match one {
                Arriving::Assigned(partition) => self.assigned(partition).await?,
                Arriving::Wanted(partition) => {
                    if let Some(partition) = self.partitions.get_mut(&partition) {
                        partition.is_wanted = true;
                    }
                }
                Arriving::Frame {
                    partition,
                    place,
                    bytes,
                } => self.frame(partition, place, &bytes),
            }
        }
        if looked {
            self.find_missing_at_end();
        }
        Ok(())
    }

    /// Asks what is done of it. Until that is known, nothing of it can be judged.
    async fn assigned(&mut self, number: u32) -> anyhow::Result<()> {
        let states = loop {
            match self.fetching.states(Some(&self.group)).await {
                Ok(states) => break states,
                Err(EngineError::Deposed(why)) => anyhow::bail!(why),
                Err(error) if *self.stop.borrow() => anyhow::bail!(error),
                Err(_) => sleep(RETRY_PAUSE).await,
            }
        };
        let mut partition = Partition::default();
        let mut has_died = false;
        for state in &states {
            let done = done_of(state, number);
            let is_silent = !state.has_ended && state.silent_for > SILENCE;
            has_died |= is_silent && done.count() > 0;
            partition.seen.merge(&done);
        }
        if has_died {
            // Not knowing it is to send something twice.
            partition.given_to = self.shipped(number).await?;
        }
        if let Some(own) = self.own_done.get(&number) {
            partition.seen.merge(own);
        }
        self.partitions.insert(number, partition);
        Ok(())
    }

    async fn shipped(&mut self, number: u32) -> anyhow::Result<BTreeMap<ProcessId, u64>> {
        loop {
            match self.fetching.shipped(number).await {
                Ok(shipped) => return Ok(shipped),
                Err(EngineError::Deposed(why)) => anyhow::bail!(why),
                Err(error) if *self.stop.borrow() => anyhow::bail!(error),
                Err(_) => sleep(RETRY_PAUSE).await,
            }
        }
    }

    fn frame(&mut self, number: u32, place: FramePlace, bytes: &Bytes) {
        let Some(partition) = self.partitions.get_mut(&number) else {
            return;
        };
        match partition.assembler.take(bytes) {
            Assembled::Unreadable => {
                partition.unreadable += 1;
                partition.counted.push(place);
            }
            Assembled::Part(id) => partition.parts.entry(id.origin).or_default().push(place),
            Assembled::Parcel(id, payload) => {
                let mut places = partition.parts.remove(&id.origin).unwrap_or_default();
                places.push(place);
                if partition.seen.contains(id) {
                    partition.counted.extend(places);
                    self.redelivered += 1;
                    return;
                }
                self.find_missing(number, id.origin, id.sequence);
                let is_again = self.is_again(number, place, id);
                self.redelivered += u64::from(is_again);
                let mark = self.mark(number, id.origin, (id.sequence, id.sequence + 1), places);
                self.parcel(payload, mark, is_again);
            }
        }
    }

    /// Whether a process that died may have sent it.
    fn is_again(&self, number: u32, place: FramePlace, id: ParcelId) -> bool {
        let given = self.fetching.was_given_before(number, place);
        given.unwrap_or_else(|| {
            let partition = self.partitions.get(&number);
            let given_to = partition.and_then(|one| one.given_to.get(&id.origin));
            given_to.is_some_and(|to| id.sequence < *to)
        })
    }

    fn parcel(&mut self, payload: Result<Bytes, BadParcel>, mark: u64, is_again: bool) {
        let envelope = payload.and_then(|wire| Ok(Envelope::from_wire(&wire)?));
        match envelope {
            Ok(envelope) => {
                let unpacked = Unpacked {
                    envelope,
                    mark,
                    is_again,
                };
                self.backlog.extend((self.admit)(unpacked));
            }
            Err(bad) => {
                let outcome = match &bad {
                    BadParcel::UnknownVersion(_)
                    | BadParcel::Envelope(WireError::UnknownVersion(_)) => Outcome::LostVersion,
                    _ => Outcome::LostDamaged,
                };
                self.recorder.unread(outcome, 1, &bad.to_string(), mark);
            }
        }
        if let Some(sender) = &self.sender
            && let Some(delivery) = self.backlog.pop_front()
            && let Err(refused) = sender.offer(delivery)
        {
            self.backlog.push_front(refused);
        }
    }

    /// Parcels of the partition that end under one mark.
    fn mark(
        &mut self,
        number: u32,
        origin: ProcessId,
        (from, to): (u64, u64),
        places: Vec<FramePlace>,
    ) -> u64 {
        if let Some(partition) = self.partitions.get_mut(&number) {
            partition.seen.of(origin).extend(from, to);
            partition.open += 1;
        }
        self.next_mark += 1;
        let mark = Mark {
            partition: number,
            origin,
            from,
            to,
            places,
        };
        self.marks.insert(self.next_mark, mark);
        self.next_mark
    }

    /// Parcels before the number `to` that have not come never will.
    fn find_missing(&mut self, number: u32, origin: ProcessId, to: u64) {
        let Some(partition) = self.partitions.get_mut(&number) else {
            return;
        };
        let mut unreadable = partition.unreadable;
        for (from, to) in partition.seen.of(origin).missing(0, to) {
            let damaged = from + unreadable.min(to - from);
            unreadable -= damaged - from;
            let parts = [
                (
                    from,
                    damaged,
                    Outcome::LostDamaged,
                    "the parcel cannot be read",
                ),
                (
                    damaged,
                    to,
                    Outcome::LostTrimmed,
                    "the engine does not have it any more",
                ),
            ];
            for (from, to, outcome, reason) in parts {
                if from < to {
                    let mark = self.mark(number, origin, (from, to), Vec::new());
                    self.recorder.unread(outcome, to - from, reason, mark);
                }
            }
        }
        if let Some(partition) = self.partitions.get_mut(&number) {
            partition.unreadable = unreadable;
        }
    }

    /// Where a partition is read to its end, what was shipped before and has not come is lost too.
    fn find_missing_at_end(&mut self) {
        let numbers: Vec<u32> = self.partitions.keys().copied().collect();
        for number in numbers {
            if !self.fetching.is_read_to_its_end(number) {
                continue;
            }
            let partition = self.partitions.get_mut(&number);
            let shipped = partition.and_then(|partition| partition.shipped.take());
            for (origin, next) in shipped.into_iter().flatten() {
                self.find_missing(number, origin, next);
            }
        }
    }

    /// The next look at the end of each partition is compared with what was shipped until now.
    async fn ask_shipped(&mut self) {
        if self.sender.is_none() {
            return;
        }
        for (number, partition) in &mut self.partitions {
            if partition.shipped.is_none() && !partition.is_wanted {
                partition.shipped = self.fetching.shipped(*number).await.ok();
            }
        }
    }

    /// Keeps what was counted, and acknowledges what it counts. Returns whether it could.
    async fn keep(&mut self, ends: bool) -> anyhow::Result<bool> {
        let change = self.keeping.change(self.redelivered)?;
        for mark in change.marks {
            let Some(mark) = self.marks.remove(&mark) else {
                continue;
            };
            let done = self.own_done.entry(mark.partition).or_default();
            done.of(mark.origin).extend(mark.from, mark.to);
            self.changed.insert(mark.partition);
            if let Some(partition) = self.partitions.get_mut(&mark.partition) {
                partition.open -= 1;
                partition.counted.extend(mark.places);
            }
        }
        let fields = change.fields.into_iter();
        let mut fields: Vec<(String, Bytes)> =
            fields.map(|(name, value)| (name, value.into())).collect();
        for (number, done) in &self.own_done {
            if change.is_whole || self.changed.contains(number) {
                let text = serde_json::to_vec(done)?;
                fields.push((done_field(*number), text.into()));
            }
        }
        let change = StateChange {
            is_whole: change.is_whole,
            fields,
            holds: self.changed.iter().copied().collect(),
            ends,
        };
        match self.fetching.store(&change).await {
            Ok(()) => {
                self.changed.clear();
                self.acknowledge().await;
                Ok(true)
            }
            Err(EngineError::Deposed(why)) => anyhow::bail!(why),
            Err(error) => {
                self.keeping.forget();
                tracing::debug!("what was counted is not kept yet: {error}");
                Ok(false)
            }
        }
    }

    /// What is kept need not come again.
    async fn acknowledge(&mut self) {
        for (number, partition) in &mut self.partitions {
            partition.kept.append(&mut partition.counted);
            if !partition.kept.is_empty()
                && self
                    .fetching
                    .acknowledge(*number, &partition.kept)
                    .await
                    .is_ok()
            {
                partition.kept.clear();
            }
        }
    }

    async fn release_wanted(&mut self) {
        let is_over = |partition: &Partition| {
            let places = partition.counted.len() + partition.kept.len();
            partition.is_wanted && partition.open == 0 && places == 0
        };
        let over = self.partitions.iter().filter(|(_, one)| is_over(one));
        let over: Vec<u32> = over.map(|(number, _)| *number).collect();
        for number in over {
            if self.fetching.release(number).await.is_ok() {
                self.partitions.remove(&number);
            }
        }
    }

    /// The last change, and then others may read.
    async fn finish(mut self) -> anyhow::Result<()> {
        let until = Instant::now() + LAST_CHANGE_TIMEOUT;
        while !self.keep(true).await? {
            anyhow::ensure!(
                Instant::now() < until,
                "the engine did not take what was counted last: others will judge that again"
            );
            sleep(RETRY_PAUSE).await;
        }
        for number in std::mem::take(&mut self.partitions).into_keys() {
            // A lease that is not given back expires.
            let _ = self.fetching.release(number).await;
        }
        Ok(())
    }
}
