//! What of the partitions is judged, and kept by the group.

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::topic_partition_list::Offset;

use super::super::client::engine_error;
use super::super::writer::Claim;
use super::{EngineError, FramePlace, Member, is_unknown};

impl Member {
    pub(in super::super) fn acknowledge(
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

    pub(in super::super) fn release(&mut self, partition: u32) -> Result<(), EngineError> {
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
    pub(in super::super) fn claim(&self, partitions: &[u32]) -> Result<Option<Claim>, EngineError> {
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
}
