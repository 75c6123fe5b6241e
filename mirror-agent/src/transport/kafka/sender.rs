//! Sends records that belong to no transaction, and waits until the brokers have them: idempotent, and acknowledged by all
//! copies that are in step.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use super::super::engine::EngineError;
use super::address::Address;
use super::client::{ANSWER, Connections, PARTITION, engine_error, error_of};

/// Longest wait for room among what is on its way.
const ROOM: Duration = Duration::from_millis(5);

pub(super) struct Sender {
    address: Address,
    max_bytes: usize,
    producer: ThreadedProducer<Deliveries>,
}

/// What is on its way together.
#[derive(Default)]
struct Batch {
    state: Mutex<BatchState>,
    changed: Condvar,
}

#[derive(Default)]
struct BatchState {
    under_way: usize,
    failed: Option<RDKafkaErrorCode>,
    last: Place,
}

/// Where a record stands, and when the brokers had it by their clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) offset: i64,
    pub(super) time: i64,
}

impl Batch {
    fn state(&self) -> MutexGuard<'_, BatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all of it is with the brokers.
    fn wait(&self) -> Result<Place, RDKafkaErrorCode> {
        let until = Instant::now() + 2 * ANSWER;
        let mut state = self.state();
        while state.under_way > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(RDKafkaErrorCode::MessageTimedOut);
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.failed.map_or(Ok(state.last), Err)
    }
}

struct Deliveries(Connections);

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, subject: &str, words: &str) {
        self.0.log(level, subject, words);
    }

    fn error(&self, error: KafkaError, words: &str) {
        self.0.error(error, words);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Batch>;

    fn delivery(&self, result: &DeliveryResult<'_>, batch: Arc<Batch>) {
        let mut state = batch.state();
        state.under_way -= 1;
        match result {
            Ok(message) => {
                state.last = Place {
                    offset: message.offset(),
                    time: message.timestamp().to_millis().unwrap_or(0),
                };
            }
            Err((error, _)) => {
                let code = error.rdkafka_error_code();
                state.failed = state.failed.or(code).or(Some(RDKafkaErrorCode::Fail));
            }
        }
        if state.under_way == 0 {
            batch.changed.notify_all();
        }
    }
}

impl Sender {
    /// `max_bytes` is the topic's limit of a batch.
    pub(super) fn new(address: &Address, max_bytes: usize) -> Result<Self, EngineError> {
        Ok(Self {
            address: address.clone(),
            max_bytes,
            producer: producer(address, max_bytes)?,
        })
    }

    /// One record, and where it stands.
    pub(super) fn send_one(
        &self,
        topic: &str,
        key: &str,
        value: Option<&[u8]>,
    ) -> Result<Place, EngineError> {
        let batch = Arc::default();
        self.enqueue(topic, PARTITION, Some(key.as_bytes()), value, &batch)?;
        self.wait(&batch, topic)
    }

    /// Records with their keys. Nobody need wait for them.
    pub(super) fn send_all(
        &self,
        topic: &str,
        records: &[(String, String)],
        waits: bool,
    ) -> Result<(), EngineError> {
        let batch = Arc::default();
        for (key, value) in records {
            let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
            self.enqueue(topic, PARTITION, key, value, &batch)?;
        }
        match waits {
            true => self.wait(&batch, topic).map(drop),
            false => Ok(()),
        }
    }

    /// Frames in their order.
    pub(super) fn send_frames(
        &self,
        topic: &str,
        partition: i32,
        frames: &[Bytes],
    ) -> Result<(), EngineError> {
        let batch = Arc::default();
        let sent = frames
            .iter()
            .try_for_each(|frame| self.enqueue(topic, partition, None, Some(frame), &batch));
        // What is on its way has to arrive or to fail, so that nothing of it comes after what is sent next.
        self.wait(&batch, topic).and(sent)
    }

    fn enqueue(
        &self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        batch: &Arc<Batch>,
    ) -> Result<(), EngineError> {
        let until = Instant::now() + ANSWER;
        loop {
            let mut record =
                BaseRecord::with_opaque_to(topic, Arc::clone(batch)).partition(partition);
            record.key = key;
            record.payload = value;
            batch.state().under_way += 1;
            let Err((error, _)) = self.producer.send::<[u8], [u8]>(record) else {
                return Ok(());
            };
            batch.state().under_way -= 1;
            let is_full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            if !is_full || Instant::now() > until {
                let doing = format!("writing to {topic}");
                return Err(engine_error(&error, &self.connections(), &doing));
            }
            std::thread::sleep(ROOM);
        }
    }

    fn wait(&self, batch: &Batch, topic: &str) -> Result<Place, EngineError> {
        batch.wait().map_err(|code| {
            let doing = format!("writing to {topic}");
            error_of(code, &self.connections(), &doing)
        })
    }

    /// A producer whose order is broken must be another one from then on.
    pub(super) fn renew_if_broken(&mut self) -> Result<(), EngineError> {
        if self.producer.client().fatal_error().is_some() {
            self.producer = producer(&self.address, self.max_bytes)?;
        }
        Ok(())
    }

    fn connections(&self) -> Connections {
        self.producer.context().0.clone()
    }
}

fn producer(
    address: &Address,
    max_bytes: usize,
) -> Result<ThreadedProducer<Deliveries>, EngineError> {
    let connections = Connections::default();
    address
        .client()
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("message.max.bytes", max_bytes.to_string())
        .set("message.timeout.ms", ANSWER.as_millis().to_string())
        .set("linger.ms", "1")
        .set("compression.type", "lz4")
        .create_with_context(Deliveries(connections.clone()))
        .map_err(|error| engine_error(&error, &connections, "starting a client"))
}
