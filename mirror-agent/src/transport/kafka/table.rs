//! What all processes have written into `TOPIC.fleet`, read to its end whenever somebody asks.
//!
//! The topic is compacted: of each key the newest record stays. Its one partition has all of them, in one order.
//!
//! | key | value |
//! |---|---|
//! | `process/ID` | who that is, as JSON; its time is the process's sign of life |
//! | `field/ID/NAME` | a field of its state |
//! | `shipped/ID/PARTITION` | of one that captures: the number after its last parcel there |
//! | `end` | nothing: whoever reads writes one, and has read all that was before it |

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::Offset;
use serde::{Deserialize, Serialize};

use super::super::engine::{EngineError, ProcessState};
use super::super::parcel::ProcessId;
use super::address::Address;
use super::client::{ANSWER, Connections, PARTITION, engine_error};
use super::sender::Sender;

const END: &str = "end";
/// Longest wait of a glance for the end.
const GLANCE: Duration = Duration::from_secs(1);
/// Processes are forgotten so long after their last sign of life.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

impl ConsumerContext for Connections {}

pub(super) struct Table {
    consumer: BaseConsumer<Connections>,
    topic: String,
    processes: BTreeMap<ProcessId, Process>,
    shipped: HashMap<ProcessId, BTreeMap<u32, u64>>,
}

#[derive(Default)]
struct Process {
    head: Option<(Head, i64)>,
    fields: BTreeMap<String, Bytes>,
}

/// Who a process is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// None of one that captures.
    pub(super) group: Option<String>,
    pub(super) ended: bool,
}

impl Table {
    pub(super) fn new(address: &Address) -> Result<Self, EngineError> {
        let connections = Connections::default();
        let topic = address.state_topic();
        let consumer: BaseConsumer<Connections> = address
            .client()
            // The library wants a name; nothing is ever committed under it.
            .set("group.id", &topic)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("fetch.wait.max.ms", "20")
            .set("queued.max.messages.kbytes", "4096")
            .create_with_context(connections.clone())
            .map_err(|error| engine_error(&error, &connections, "starting a client"))?;
        Ok(Self {
            consumer,
            topic,
            processes: BTreeMap::new(),
            shipped: HashMap::new(),
        })
    }

    /// A client for questions about topics.
    pub(super) fn client(&self) -> &BaseConsumer<Connections> {
        &self.consumer
    }

    pub(super) fn begin(&self) -> Result<(), EngineError> {
        let mut all = TopicPartitionList::new();
        let added = all.add_partition_offset(&self.topic, PARTITION, Offset::Beginning);
        added
            .and_then(|()| self.consumer.assign(&all))
            .map_err(|error| self.error(&error))
    }

    /// Reads all that was there when this began, and says when that was by the brokers' clock. Behind what belongs to an open
    /// transaction nothing can be read: of a process that was killed in the middle, the brokers end it after some seconds.
    pub(super) fn catch_up(&mut self, sender: &Sender) -> Result<i64, EngineError> {
        let end = sender.send_one(&self.topic, END, None)?;
        match self.read(end.offset, 2 * ANSWER)? {
            true => Ok(end.time),
            false => Err(EngineError::Unanswered(format!(
                "kafka: reading {}: its end did not come",
                self.topic
            ))),
        }
    }

    /// The same for a glance: what stands behind an open transaction is left for the next one. What was read is how it all was at
    /// some moment.
    pub(super) fn glance(&mut self, sender: &Sender) -> Result<i64, EngineError> {
        let end = sender.send_one(&self.topic, END, None)?;
        self.read(end.offset, GLANCE)?;
        Ok(end.time)
    }

    /// Whether it came to that place.
    fn read(&mut self, end: i64, most: Duration) -> Result<bool, EngineError> {
        let until = Instant::now() + most;
        let mut trouble = None;
        loop {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let (offset, time) = (message.offset(), message.timestamp().to_millis());
                    let record = Record::read(&message);
                    drop(message);
                    self.take(record, time.unwrap_or(0));
                    if offset >= end {
                        return Ok(true);
                    }
                    // Much to read is no open transaction.
                    continue;
                }
                Some(Err(error)) => match self.error(&error) {
                    // The client tries again by itself, and may speak of what is over.
                    error @ EngineError::Unanswered(_) => trouble = Some(error),
                    refused => return Err(refused),
                },
                None => {}
            }
            if Instant::now() > until {
                return trouble.map_or(Ok(false), Err);
            }
        }
    }

    fn take(&mut self, record: Option<Record>, time: i64) {
        match record {
            Some(Record::Head(process, Some(head))) => {
                self.processes.entry(process).or_default().head = Some((head, time));
            }
            Some(Record::Head(process, None)) => {
                self.processes.remove(&process);
                self.shipped.remove(&process);
            }
            Some(Record::Field(process, name, Some(value))) => {
                let process = self.processes.entry(process).or_default();
                process.fields.insert(name, value);
            }
            Some(Record::Field(process, name, None)) => {
                if let Some(process) = self.processes.get_mut(&process) {
                    process.fields.remove(&name);
                }
            }
            Some(Record::Shipped(process, partition, next)) => {
                let known = self.shipped.entry(process).or_default();
                let known = known.entry(partition).or_default();
                *known = next.max(*known);
            }
            // Of a later release, or somebody else's.
            None => {}
        }
    }

    /// Of those that capture, and of those in the group; `now` is the time by the broker's clock.
    pub(super) fn states(&self, group: Option<&str>, now: i64) -> Vec<ProcessState> {
        let states = self.processes.iter().filter_map(|(process, known)| {
            let (head, at) = known.head.as_ref()?;
            let silent = u64::try_from(now - at).unwrap_or(0);
            let silent_for = Duration::from_millis(silent);
            let is_wanted = head.group.is_none() || head.group.as_deref() == group;
            (is_wanted && silent_for < KEPT).then(|| ProcessState {
                process: *process,
                fields: known.fields.clone(),
                silent_for,
                has_ended: head.ended,
                shipped: self.shipped.get(process).cloned().unwrap_or_default(),
            })
        });
        states.collect()
    }

    pub(super) fn shipped(&self, partition: u32) -> BTreeMap<ProcessId, u64> {
        let all = self.shipped.iter();
        all.filter_map(|(process, shipped)| Some((*process, *shipped.get(&partition)?)))
            .collect()
    }

    fn error(&self, error: &KafkaError) -> EngineError {
        let doing = format!("reading {}", self.topic);
        engine_error(error, self.consumer.context(), &doing)
    }
}

/// What a record says.
#[derive(Debug, PartialEq, Eq)]
enum Record {
    Head(ProcessId, Option<Head>),
    Field(ProcessId, String, Option<Bytes>),
    Shipped(ProcessId, u32, u64),
}

pub(super) fn head_key(process: ProcessId) -> String {
    format!("process/{process}")
}

pub(super) fn field_key(process: ProcessId, name: &str) -> String {
    format!("field/{process}/{name}")
}

pub(super) fn shipped_key(process: ProcessId, partition: u32) -> String {
    format!("shipped/{process}/{partition}")
}

impl Record {
    fn read(message: &BorrowedMessage<'_>) -> Option<Self> {
        let key = std::str::from_utf8(message.key()?).ok()?;
        Self::parse(key, message.payload())
    }

    fn parse(key: &str, value: Option<&[u8]>) -> Option<Self> {
        let mut words = key.splitn(3, '/');
        let (kind, process) = (words.next()?, words.next()?.parse().ok()?);
        match (kind, words.next()) {
            ("process", None) => {
                let head = value.map(serde_json::from_slice).transpose().ok()?;
                Some(Self::Head(process, head))
            }
            ("field", Some(name)) => {
                let value = value.map(Bytes::copy_from_slice);
                Some(Self::Field(process, name.to_owned(), value))
            }
            ("shipped", Some(partition)) => {
                let next = std::str::from_utf8(value?).ok()?;
                let (partition, next) = (partition.parse().ok()?, next.parse().ok()?);
                Some(Self::Shipped(process, partition, next))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let process = ProcessId::random().unwrap();
        let check = |key: String, value: Option<&[u8]>, expect| {
            assert_eq!(Record::parse(&key, value), expect, "{key}");
        };
        let head = Head {
            group: Some("g".into()),
            ended: true,
        };
        let text = serde_json::to_vec(&head).unwrap();
        let read = Some(Record::Head(process, Some(head)));
        check(head_key(process), Some(&text), read);
        check(head_key(process), None, Some(Record::Head(process, None)));
        let name = "route/GET /a/b";
        let field = |value| Some(Record::Field(process, name.into(), value));
        check(
            field_key(process, name),
            Some(b"v"),
            field(Some(Bytes::from("v"))),
        );
        check(field_key(process, name), None, field(None));
        let shipped = Some(Record::Shipped(process, 3, 17));
        check(shipped_key(process, 3), Some(b"17"), shipped);
        check(END.into(), None, None);
        check("later/1/2".into(), Some(b""), None);
    }
}
