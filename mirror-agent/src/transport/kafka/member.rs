//! One member of a group of consumers, used by one thread.
//!
//! A partition that is to go elsewhere is given up when it is released, which is when all that came of it is judged. Until then librdkafka
//! fetches nothing more, of the other partitions neither; members that give nothing up go on.

mod group;
mod held;
mod offsets;
mod rebalance;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;

use super::super::engine::{Arriving, EngineError, FramePlace};
use super::super::parcel::ProcessId;
use super::address::Address;
use super::client::{ANSWER, Connections, DEPOSED, engine_error};
use group::{Decision, Group};
use held::Held;

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
