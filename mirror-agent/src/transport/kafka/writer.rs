//! Writes one process's state: each change is a transaction, with the group's word that the process still reads its partitions.

use std::collections::HashSet;

use rdkafka::ClientContext;
use rdkafka::TopicPartitionList;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use super::super::engine::{EngineError, StateChange};
use super::super::parcel::ProcessId;
use super::MAX_STATE;
use super::address::Address;
use super::client::{ANSWER, Connections, PARTITION, engine_error};
use super::table::{Head, field_key, head_key};

/// The brokers end a transaction that stands open for longer: who reads waits for it.
const OPEN: &str = "5000";

pub(super) struct Writer {
    address: Address,
    process: ProcessId,
    group: Option<String>,
    /// None before the first change, and after a failure: a new one ends what an old one left open.
    producer: Option<ThreadedProducer<Transactions>>,
    /// Fields that are written, or may be.
    fields: HashSet<String>,
}

/// That this process reads these partitions, up to these places.
pub(super) struct Claim {
    pub(super) offsets: TopicPartitionList,
    pub(super) member: ConsumerGroupMetadata,
}

struct Transactions(Connections);

impl ClientContext for Transactions {
    fn log(&self, level: RDKafkaLogLevel, subject: &str, words: &str) {
        self.0.log(level, subject, words);
    }

    fn error(&self, error: KafkaError, words: &str) {
        self.0.error(error, words);
    }
}

impl ProducerContext for Transactions {
    type DeliveryOpaque = ();

    /// The end of the transaction says it.
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

impl Writer {
    pub(super) fn new(address: &Address, process: ProcessId, group: Option<String>) -> Self {
        Self {
            address: address.clone(),
            process,
            group,
            producer: None,
            fields: HashSet::new(),
        }
    }

    pub(super) fn store(
        &mut self,
        change: &StateChange,
        claim: Option<&Claim>,
    ) -> Result<(), EngineError> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => self.start()?,
        };
        let result = self.transact(&producer, change, claim);
        let names = change.fields.iter().map(|(name, _)| name.clone());
        if change.is_whole && result.is_ok() {
            self.fields.clear();
        }
        // After an error too: it may be that they are written.
        self.fields.extend(names);
        match result {
            Ok(()) => {
                self.producer = Some(producer);
                Ok(())
            }
            Err(error) => {
                let error = engine_error(&error, &producer.context().0, "keeping the state");
                // If this fails too, the next producer's start does it.
                if producer.abort_transaction(ANSWER).is_ok() {
                    self.producer = Some(producer);
                }
                Err(error)
            }
        }
    }

    fn start(&self) -> Result<ThreadedProducer<Transactions>, EngineError> {
        let connections = Connections::default();
        let error = |error| engine_error(&error, &connections, "keeping the state");
        let producer: ThreadedProducer<Transactions> = self
            .address
            .client()
            .set("transactional.id", format!("mirror-{}", self.process))
            .set("transaction.timeout.ms", OPEN)
            .set("message.timeout.ms", ANSWER.as_millis().to_string())
            .set("message.max.bytes", MAX_STATE.to_string())
            .set("linger.ms", "0")
            .create_with_context(Transactions(connections.clone()))
            .map_err(error)?;
        producer.init_transactions(ANSWER).map_err(error)?;
        Ok(producer)
    }

    fn transact(
        &self,
        producer: &ThreadedProducer<Transactions>,
        change: &StateChange,
        claim: Option<&Claim>,
    ) -> Result<(), KafkaError> {
        producer.begin_transaction()?;
        let topic = self.address.state_topic();
        let send = |key: String, value: Option<&[u8]>| {
            let mut record = BaseRecord::to(&topic).partition(PARTITION).key(&*key);
            record.payload = value;
            producer
                .send::<str, [u8]>(record)
                .map_err(|(error, _)| error)
        };
        for (name, value) in &change.fields {
            send(field_key(self.process, name), Some(value))?;
        }
        if change.is_whole {
            let stay: HashSet<&String> = change.fields.iter().map(|(name, _)| name).collect();
            for name in self.fields.iter().filter(|name| !stay.contains(name)) {
                send(field_key(self.process, name), None)?;
            }
        }
        let head = Head {
            group: self.group.clone(),
            ended: change.ends,
        };
        // A text and a truth value.
        let head = serde_json::to_vec(&head).unwrap_or_default();
        send(head_key(self.process), Some(&head))?;
        if let Some(claim) = claim {
            // The records come first: whoever reads the partitions after us finds an open transaction, and waits for its end.
            producer.flush(ANSWER)?;
            producer.send_offsets_to_transaction(&claim.offsets, &claim.member, ANSWER)?;
        }
        producer.commit_transaction(ANSWER)
    }
}
