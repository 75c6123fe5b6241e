//! What the group decides, as the client's library says it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use super::super::client::Connections;

/// What the group decides, kept until the thread has time for it.
#[derive(Default)]
pub(super) struct Group {
    pub(super) connections: Connections,
    pub(super) decisions: Mutex<VecDeque<Decision>>,
    /// The client ends: nobody has time any more.
    pub(super) is_ending: AtomicBool,
}

pub(super) enum Decision {
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
