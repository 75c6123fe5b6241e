//! The end of a process that captures.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::super::engine::{EngineError, ProcessState, Shipping, StateChange, Store};
use super::super::fleet::FleetOptions;
use super::super::parcel::ProcessId;
use super::address::Address;
use super::sender::Sender;
use super::table::{Table, shipped_key};
use super::worker::Worker;
use super::writer::Writer;
use super::{MAX_STATE, forget, topics};

/// What a batch has besides a frame: its own head, and the record's.
const AROUND: usize = 1024;

pub struct Outbound {
    worker: Worker<Sending>,
    partitions: u32,
    max_frame: usize,
}

struct Sending {
    address: Address,
    process: ProcessId,
    frames: Sender,
    state: Sender,
    writer: Writer,
    table: Table,
    /// Of partitions, the number after the last parcel that the brokers have, where it is not certain that the fleet knows it.
    unsaid: BTreeMap<u32, u64>,
}

impl Outbound {
    pub(super) async fn open(
        address: Address,
        process: ProcessId,
        options: &FleetOptions,
    ) -> Result<Self, EngineError> {
        let partitions = options.partitions;
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let open = move || {
            let table = Table::new(&address)?;
            let partitions = topics::ensure_frames(&address, table.client(), partitions)?;
            topics::ensure_state(&address, table.client())?;
            table.begin()?;
            let max_bytes = topics::max_bytes(&address)?;
            // There is room for one, and somebody who waits.
            let _ = tell.send((partitions, max_bytes.saturating_sub(AROUND)));
            Ok(Sending {
                frames: Sender::new(&address, max_bytes)?,
                state: Sender::new(&address, MAX_STATE)?,
                writer: Writer::new(&address, process, None),
                table,
                unsaid: BTreeMap::new(),
                process,
                address,
            })
        };
        let worker = Worker::start(open).await?;
        let (partitions, max_frame) = told.try_recv().unwrap_or_default();
        Ok(Self {
            worker,
            partitions,
            max_frame,
        })
    }
}

impl Shipping for Outbound {
    fn partitions(&self) -> u32 {
        self.partitions
    }

    fn max_frame(&self) -> usize {
        self.max_frame
    }

    async fn ship(
        &mut self,
        partition: u32,
        next: u64,
        frames: &[Bytes],
    ) -> Result<(), EngineError> {
        let frames = frames.to_vec();
        let work = move |sending: &mut Sending| sending.ship(partition, next, &frames);
        self.worker.ask(work, forget).await
    }
}

impl Sending {
    /// The number follows its frames and nobody waits for it: until it is there, readers know a little less than came.
    fn ship(&mut self, partition: u32, next: u64, frames: &[Bytes]) -> Result<(), EngineError> {
        self.frames.renew_if_broken()?;
        let number = i32::try_from(partition).unwrap_or(i32::MAX);
        self.frames
            .send_frames(&self.address.topic, number, frames)?;
        self.unsaid.insert(partition, next);
        // The frames are there, whatever comes of this: `store` says it once more.
        let _ = self.state.send_all(
            &self.address.state_topic(),
            &[self.said(partition, next)],
            false,
        );
        Ok(())
    }

    fn said(&self, partition: u32, next: u64) -> (String, String) {
        (shipped_key(self.process, partition), next.to_string())
    }

    fn store(&mut self, change: &StateChange) -> Result<(), EngineError> {
        self.state.renew_if_broken()?;
        let unsaid = self.unsaid.iter();
        let said: Vec<_> = unsaid
            .map(|(partition, next)| self.said(*partition, *next))
            .collect();
        self.state
            .send_all(&self.address.state_topic(), &said, true)?;
        self.unsaid.clear();
        self.writer.store(change, None)
    }
}

impl Store for Outbound {
    async fn store(&mut self, change: &StateChange) -> Result<(), EngineError> {
        let change = change.clone();
        let work = move |sending: &mut Sending| sending.store(&change);
        self.worker.ask(work, forget).await
    }

    async fn states(&mut self, group: Option<&str>) -> Result<Vec<ProcessState>, EngineError> {
        let group = group.map(str::to_owned);
        let work = move |sending: &mut Sending| {
            let now = sending.table.glance(&sending.state)?;
            Ok(sending.table.states(group.as_deref(), now))
        };
        self.worker.ask(work, forget).await
    }
}
