//! One member of a group of consumers, used by one thread.
//!
//! A partition that is to go elsewhere is given up when it is released, which is when all that came of it is judged. Until then librdkafka
//! fetches nothing more, of the other partitions neither; members that give nothing up go on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::Offset;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use super::super::engine::{Arriving, EngineError, FramePlace};
use super::super::parcel::ProcessId;
use super::address::Address;
use super::client::{ANSWER, Connections, DEPOSED, engine_error};
use super::writer::Claim;

/// How long `next` waits when nothing is there.
const MOMENT: Duration = Duration::from_millis(100);
/// Longest wait for the library to leave a group.
const GOODBYE: Duration = Duration::from_secs(1);
/// Frames that are kept here while nobody wants any.
const MAX_KEPT: usize = 256;

pub(super) struct Member {
    consumer: BaseConsumer<Group>,
    topic: String,
    process: ProcessId,
    held: BTreeMap<u32, Held>,
    /// What has come, and was not given yet.
    arrivals: VecDeque<Arriving>,
    /// Partitions that the group waits for.
    wanted: Option<TopicPartitionList>,
    is_paused: bool,
    /// The group was lost: nothing is certain until it has been found again.
    is_lost: bool,
    /// Others have had what this process had begun with.
    is_deposed: bool,
    /// What the client said of its connections, and it may be over.
    trouble: Option<EngineError>,
}

/// A partition that this process reads.
struct Held {
    /// What comes next is not before this.
    given: i64,
    /// Given, and not acknowledged.
    open: BTreeSet<i64>,
    committed: i64,
    /// Nothing more is there.
    at_end: bool,
    /// The end when somebody asked for it.
    end: i64,
    is_wanted: bool,
}

impl Held {
    fn from(offset: i64) -> Self {
        Self {
            given: offset,
            open: BTreeSet::new(),
            committed: offset,
            at_end: false,
            end: 0,
            is_wanted: false,
        }
    }

    /// All before it is acknowledged.
    fn position(&self) -> i64 {
        self.open.first().copied().unwrap_or(self.given)
    }
}

/// What the group decides, kept until the thread has time for it.
#[derive(Default)]
struct Group {
    connections: Connections,
    decisions: Mutex<VecDeque<Decision>>,
    /// The client ends: nobody has time any more.
    is_ending: AtomicBool,
}

enum Decision {
    Assigned(TopicPartitionList),
    Revoked(TopicPartitionList),
}

impl ClientContext for Group {
    fn log(&self, level: RDKafkaLogLevel, subject: &str, words: &str) {
        self.connections.log(level, subject, words);
    }

    fn error(&self, error: KafkaError, words: &str) {
        self.connections.error(error, words);
    }
}

impl ConsumerContext for Group {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        if self.is_ending.load(Relaxed) {
            let _ = match what {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                    consumer.incremental_assign(list)
                }
                _ => consumer.incremental_unassign(list),
            };
            return;
        }
        let decision = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                Decision::Assigned(list.clone())
            }
            _ => Decision::Revoked(list.clone()),
        };
        let decisions = self.decisions.lock();
        decisions
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(decision);
    }
}

impl Member {
    pub(super) fn join(
        address: &Address,
        process: ProcessId,
        group: &str,
        session: Duration,
    ) -> Result<Self, EngineError> {
        let context = Group::default();
        let connections = context.connections.clone();
        let session = session.as_millis();
        let error = |error| engine_error(&error, &connections, "joining the group");
        let consumer: BaseConsumer<Group> = address
            .client()
            .set("group.id", group)
            .set("session.timeout.ms", session.to_string())
            .set("heartbeat.interval.ms", (session / 4).to_string())
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            // Frames are in no transaction. Where a partition stands may be: then this is the place before, and states say what is done.
            .set("isolation.level", "read_uncommitted")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "100")
            .set("queued.max.messages.kbytes", "16384")
            .create_with_context(context)
            .map_err(error)?;
        consumer.subscribe(&[&address.topic]).map_err(error)?;
        Ok(Self {
            consumer,
            topic: address.topic.clone(),
            process,
            held: BTreeMap::new(),
            arrivals: VecDeque::new(),
            wanted: None,
            is_paused: false,
            is_lost: false,
            is_deposed: false,
            trouble: None,
        })
    }

    /// What has come; of frames at most `most`.
    pub(super) fn next(&mut self, most: usize) -> Result<Vec<Arriving>, EngineError> {
        self.check_not_deposed()?;
        self.pause(most == 0 && self.arrivals.len() >= MAX_KEPT)?;
        let until = Instant::now() + MOMENT;
        loop {
            let is_there = match most {
                0 => self.arrivals.iter().any(|one| !is_frame(one)),
                _ => !self.arrivals.is_empty(),
            };
            let left = until.saturating_duration_since(Instant::now());
            let wait = if is_there { Duration::ZERO } else { left };
            let came = self.poll(wait)?;
            let enough = match most {
                0 => !came || self.arrivals.len() >= MAX_KEPT,
                most => self.arrivals.len() >= most,
            };
            if enough || (!came && (is_there || left.is_zero())) {
                break;
            }
        }
        let given = self.give(most);
        match self.trouble.take() {
            Some(trouble) if given.is_empty() => Err(trouble),
            _ => Ok(given),
        }
    }

    /// Takes one thing that the client has for us; false if there was none.
    fn poll(&mut self, wait: Duration) -> Result<bool, EngineError> {
        let polled = match self.consumer.poll(wait) {
            Some(Ok(message)) => {
                let bytes = message.payload().map(Bytes::copy_from_slice);
                Ok((message.partition(), message.offset(), bytes))
            }
            Some(Err(error)) => Err(error),
            None => return self.decide(),
        };
        match polled {
            Ok((partition, offset, bytes)) => self.take(partition, offset, bytes),
            Err(KafkaError::PartitionEOF(partition)) => {
                if let Some(held) = self.held.get_mut(&partition.unsigned_abs()) {
                    held.at_end = true;
                }
            }
            Err(error) => self.mind(&error)?,
        }
        self.decide()?;
        Ok(true)
    }

    fn take(&mut self, partition: i32, offset: i64, bytes: Option<Bytes>) {
        let partition = partition.unsigned_abs();
        let held = self.held.get_mut(&partition);
        // Nothing more is wanted of a partition that goes elsewhere.
        let Some(held) = held.filter(|held| !held.is_wanted && offset >= held.given) else {
            return;
        };
        held.at_end = false;
        self.arrivals.push_back(Arriving::Frame {
            partition,
            place: FramePlace(0, offset.unsigned_abs()),
            bytes: bytes.unwrap_or_default(),
        });
    }

    /// The library tries again by itself, unless it was refused.
    fn mind(&mut self, error: &KafkaError) -> Result<(), EngineError> {
        let doing = format!("reading {}", self.topic);
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::InvalidSessionTimeout) => Err(EngineError::Refused(
                "kafka: the brokers do not take --takeover-after: use one between their group.min.session.timeout.ms (usually 6s) and group.max.session.timeout.ms (30m)".into(),
            )),
            // It is told by the group, with what is to be given up.
            Some(
                RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::PollExceeded
                // The oldest frames are gone: it goes on with those that are there, and the gap is seen by the numbers.
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::AutoOffsetReset,
            ) => Ok(()),
            _ => match engine_error(error, self.connections(), &doing) {
                trouble @ EngineError::Unanswered(_) => {
                    self.trouble = Some(trouble);
                    Ok(())
                }
                refused => Err(refused),
            },
        }
    }

    /// Carries out what the group has decided; false if there was nothing.
    fn decide(&mut self) -> Result<bool, EngineError> {
        let mut came = false;
        while let Some(decision) = self.next_decision() {
            came = true;
            match decision {
                Decision::Assigned(list) => {
                    if let Err(error) = self.assigned(&list) {
                        // Nothing is assigned before it is known where to begin.
                        self.put_back(Decision::Assigned(list));
                        return Err(error);
                    }
                }
                Decision::Revoked(list) => self.revoked(list)?,
            }
        }
        Ok(came)
    }

    fn next_decision(&self) -> Option<Decision> {
        let decisions = self.consumer.context().decisions.lock();
        decisions
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    fn put_back(&self, decision: Decision) {
        let decisions = self.consumer.context().decisions.lock();
        decisions
            .unwrap_or_else(PoisonError::into_inner)
            .push_front(decision);
    }

    fn assigned(&mut self, list: &TopicPartitionList) -> Result<(), EngineError> {
        let error = |error| engine_error(&error, self.connections(), "taking a partition over");
        let committed = self
            .consumer
            .committed_offsets(list.clone(), ANSWER)
            .map_err(error)?;
        let mut assigned = TopicPartitionList::new();
        let (mut begins, mut kept) = (Vec::new(), BTreeSet::new());
        for place in committed.elements() {
            place.error().map_err(error)?;
            let partition = place.partition().unsigned_abs();
            let by_us = place.metadata() == self.process.to_string();
            let offset = match (place.offset(), self.held.get(&partition)) {
                // Nobody else has had it meanwhile.
                (Offset::Offset(_), Some(held)) if by_us => {
                    kept.insert(partition);
                    Offset::Offset(held.given)
                }
                (Offset::Offset(offset), _) => {
                    begins.push((partition, offset));
                    Offset::Offset(offset)
                }
                _ => {
                    begins.push((partition, 0));
                    Offset::Beginning
                }
            };
            assigned
                .add_partition_offset(&self.topic, place.partition(), offset)
                .map_err(error)?;
        }
        self.consumer.incremental_assign(&assigned).map_err(error)?;
        if self.is_lost {
            self.forget_lost(&kept);
        }
        for (partition, offset) in begins {
            self.held.insert(partition, Held::from(offset));
            self.arrivals.push_back(Arriving::Assigned(partition));
        }
        Ok(())
    }

    /// The group is found again. Partitions that it has given to others, or that others have had, are not ours any more.
    fn forget_lost(&mut self, kept: &BTreeSet<u32>) {
        self.is_lost = false;
        let lost = self
            .held
            .keys()
            .filter(|partition| !kept.contains(partition));
        for partition in lost.copied().collect::<Vec<_>>() {
            let had_begun = self
                .held
                .remove(&partition)
                .is_some_and(|held| !held.open.is_empty());
            self.is_deposed |= had_begun;
            self.arrivals.push_back(Arriving::Wanted(partition));
        }
        // It was about to be given up, which nobody waits for any longer.
        self.is_deposed |= self.held.values().any(|held| held.is_wanted);
    }

    fn revoked(&mut self, list: TopicPartitionList) -> Result<(), EngineError> {
        if self.consumer.assignment_lost() {
            let unassigned = self.consumer.incremental_unassign(&list);
            unassigned.map_err(|error| {
                engine_error(&error, self.connections(), "giving partitions up")
            })?;
            self.is_lost = true;
            self.wanted = None;
            // They are fetched once more, by whoever reads the partition then.
            self.arrivals.retain(|one| !is_frame(one));
            return Ok(());
        }
        for place in list.elements() {
            let partition = place.partition().unsigned_abs();
            self.drop_frames(partition);
            let was_announced = !self.arrivals.contains(&Arriving::Assigned(partition));
            self.arrivals
                .retain(|one| *one != Arriving::Assigned(partition));
            match self.held.get_mut(&partition) {
                Some(held) if was_announced => {
                    held.is_wanted = true;
                    self.arrivals.push_back(Arriving::Wanted(partition));
                }
                _ => {
                    self.held.remove(&partition);
                }
            }
        }
        self.wanted = Some(list);
        self.give_up()
    }

    fn drop_frames(&mut self, partition: u32) {
        self.arrivals.retain(
            |one| !matches!(one, Arriving::Frame { partition: of, .. } if *of == partition),
        );
    }

    /// Lets the group go on, when all that it wanted is released.
    fn give_up(&mut self) -> Result<(), EngineError> {
        let Some(list) = &self.wanted else {
            return Ok(());
        };
        let is_held = |partition: i32| self.held.contains_key(&partition.unsigned_abs());
        if list
            .elements()
            .iter()
            .any(|place| is_held(place.partition()))
        {
            return Ok(());
        }
        let given_up = self.consumer.incremental_unassign(list);
        given_up
            .map_err(|error| engine_error(&error, self.connections(), "giving partitions up"))?;
        self.wanted = None;
        Ok(())
    }

    fn give(&mut self, most: usize) -> Vec<Arriving> {
        let (mut given, mut kept, mut frames) = (Vec::new(), VecDeque::new(), 0);
        while let Some(one) = self.arrivals.pop_front() {
            if let Arriving::Frame {
                partition, place, ..
            } = &one
            {
                if frames == most {
                    kept.push_back(one);
                    continue;
                }
                frames += 1;
                let offset = place.1.cast_signed();
                if let Some(held) = self.held.get_mut(partition) {
                    held.given = offset + 1;
                    held.open.insert(offset);
                }
            }
            given.push(one);
        }
        self.arrivals = kept;
        given
    }

    /// What was given, and nobody got.
    pub(super) fn take_back(&mut self, given: Vec<Arriving>) {
        for one in given.into_iter().rev() {
            if let Arriving::Frame {
                partition, place, ..
            } = &one
            {
                let offset = place.1.cast_signed();
                if let Some(held) = self.held.get_mut(partition) {
                    held.open.remove(&offset);
                    held.given = offset;
                }
            }
            self.arrivals.push_front(one);
        }
    }

    /// Notes where a partition ends now.
    pub(super) fn note_end(&mut self, partition: u32) -> Result<(), EngineError> {
        let doing = format!("asking for the end of partition {partition}");
        let ends = self
            .consumer
            .fetch_watermarks(&self.topic, partition.cast_signed(), ANSWER);
        let (first, end) =
            ends.map_err(|error| engine_error(&error, self.connections(), &doing))?;
        if let Some(held) = self.held.get_mut(&partition) {
            // Where all is removed, nothing will come.
            held.end = if first < end { end } else { held.given };
        }
        Ok(())
    }

    /// Partitions of which nothing more is there.
    pub(super) fn read_to_the_end(&self) -> Vec<u32> {
        let is_waiting = |partition: &u32| {
            self.arrivals
                .iter()
                .any(|one| matches!(one, Arriving::Frame { partition: of, .. } if of == partition))
        };
        let held = self.held.iter();
        held.filter(|(partition, held)| {
            held.at_end && held.given >= held.end && !is_waiting(partition)
        })
        .map(|(partition, _)| *partition)
        .collect()
    }

    pub(super) fn acknowledge(
        &mut self,
        partition: u32,
        places: &[FramePlace],
    ) -> Result<(), EngineError> {
        if let Some(held) = self.held.get_mut(&partition) {
            for place in places {
                held.open.remove(&place.1.cast_signed());
            }
        }
        self.commit(partition)
    }

    fn commit(&mut self, partition: u32) -> Result<(), EngineError> {
        let Some(held) = self.held.get(&partition) else {
            return Ok(());
        };
        let position = held.position();
        if position == held.committed || self.is_lost || self.is_deposed {
            return Ok(());
        }
        let offsets = self.offsets(&[partition])?;
        let committed = self.consumer.commit(&offsets, CommitMode::Sync);
        match committed {
            Ok(()) => {}
            // The group is lost, or about to be: what is stored says what is done.
            Err(error) if self.consumer.assignment_lost() || is_unknown(&error) => {
                tracing::debug!("committing without a group: {error}");
                return Ok(());
            }
            Err(error) => {
                let doing = "committing what is judged";
                return Err(engine_error(&error, self.connections(), doing));
            }
        }
        if let Some(held) = self.held.get_mut(&partition) {
            held.committed = position;
        }
        Ok(())
    }

    pub(super) fn release(&mut self, partition: u32) -> Result<(), EngineError> {
        self.commit(partition)?;
        if let Some(held) = self.held.remove(&partition)
            && !held.is_wanted
            && !self.is_lost
        {
            let mut list = TopicPartitionList::new();
            list.add_partition(&self.topic, partition.cast_signed());
            let paused = self.consumer.pause(&list);
            paused.map_err(|error| {
                engine_error(&error, self.connections(), "giving a partition up")
            })?;
        }
        self.drop_frames(partition);
        self.give_up()
    }

    /// What shows the brokers that this process reads these partitions. None if there are none.
    pub(super) fn claim(&self, partitions: &[u32]) -> Result<Option<Claim>, EngineError> {
        if partitions.is_empty() {
            return Ok(None);
        }
        self.check_not_deposed()?;
        // In this order: who has lost the group after this is refused by the brokers.
        let member = self.consumer.group_metadata();
        if self.is_lost || self.consumer.assignment_lost() {
            return Err(EngineError::Unanswered(
                "kafka: keeping the state: the group is lost, and is being looked for".into(),
            ));
        }
        let offsets = self.offsets(partitions)?;
        let Some(member) = member else {
            return Err(EngineError::Unanswered(
                "kafka: keeping the state: this process is in no group".into(),
            ));
        };
        Ok(Some(Claim { offsets, member }))
    }

    fn offsets(&self, partitions: &[u32]) -> Result<TopicPartitionList, EngineError> {
        let mut offsets = TopicPartitionList::new();
        for partition in partitions {
            let Some(held) = self.held.get(partition) else {
                return Err(EngineError::Deposed(format!(
                    "others took over partition {partition}, which this process held"
                )));
            };
            let mut place = offsets.add_partition(&self.topic, partition.cast_signed());
            // It is not negative.
            let _ = place.set_offset(Offset::Offset(held.position()));
            place.set_metadata(self.process.to_string());
        }
        Ok(offsets)
    }

    fn pause(&mut self, wanted: bool) -> Result<(), EngineError> {
        if self.is_paused == wanted {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for (partition, _) in self.held.iter().filter(|(_, held)| !held.is_wanted) {
            list.add_partition(&self.topic, partition.cast_signed());
        }
        let done = match wanted {
            true => self.consumer.pause(&list),
            false => self.consumer.resume(&list),
        };
        done.map_err(|error| engine_error(&error, self.connections(), "pausing"))?;
        self.is_paused = wanted;
        Ok(())
    }

    /// Leaves the group, because this process gives no sign of life.
    pub(super) fn let_go(&mut self) {
        if !self.is_deposed {
            self.is_deposed = true;
            self.end();
            self.consumer.unsubscribe();
            // The library asks for what it has assigned.
            let until = Instant::now() + GOODBYE;
            let has_some = || {
                self.consumer
                    .assignment()
                    .is_ok_and(|list| list.count() > 0)
            };
            while has_some() && Instant::now() < until {
                let _ = self.consumer.poll(Duration::from_millis(10));
            }
        }
    }

    /// Answers all that the group waits for; from now on the client answers by itself.
    fn end(&mut self) {
        self.consumer.context().is_ending.store(true, Relaxed);
        if let Some(list) = self.wanted.take() {
            let _ = self.consumer.incremental_unassign(&list);
        }
        while let Some(decision) = self.next_decision() {
            let _ = match decision {
                Decision::Assigned(list) => self.consumer.incremental_assign(&list),
                Decision::Revoked(list) => self.consumer.incremental_unassign(&list),
            };
        }
    }

    fn check_not_deposed(&self) -> Result<(), EngineError> {
        match self.is_deposed {
            true => Err(EngineError::Deposed(DEPOSED.into())),
            false => Ok(()),
        }
    }

    fn connections(&self) -> &Connections {
        &self.consumer.context().connections
    }
}

impl Drop for Member {
    /// The client ends after this, and waits for nobody.
    fn drop(&mut self) {
        self.end();
    }
}

fn is_unknown(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownMemberId)
}

fn is_frame(one: &Arriving) -> bool {
    matches!(one, Arriving::Frame { .. })
}
