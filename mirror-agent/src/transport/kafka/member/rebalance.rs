//! Partitions that come and go.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::Offset;

use super::super::client::{ANSWER, engine_error};
use super::group::Decision;
use super::held::Held;
use super::{Arriving, EngineError, Member, is_frame};

impl Member {
    /// Carries out what the group has decided; false if there was nothing.
    pub(super) fn decide(&mut self) -> Result<bool, EngineError> {
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

    pub(super) fn next_decision(&self) -> Option<Decision> {
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

    pub(super) fn drop_frames(&mut self, partition: u32) {
        self.arrivals.retain(
            |one| !matches!(one, Arriving::Frame { partition: of, .. } if *of == partition),
        );
    }

    /// Lets the group go on, when all that it wanted is released.
    pub(super) fn give_up(&mut self) -> Result<(), EngineError> {
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
}
