//! The end of a process that replays.

use std::collections::BTreeMap;

use super::super::engine::{
    Arriving, EngineError, Fetching, FramePlace, ProcessState, StateChange, Store,
};
use super::super::fleet::FleetOptions;
use super::super::parcel::ProcessId;
use super::address::Address;
use super::member::Member;
use super::sender::Sender;
use super::table::Table;
use super::worker::Worker;
use super::writer::Writer;
use super::{MAX_STATE, forget, topics};

pub struct Inbound {
    worker: Worker<Receiving>,
    partitions: u32,
    /// Partitions that the last call of `next` gave all of.
    read: Vec<u32>,
}

struct Receiving {
    member: Member,
    /// Writes where the state ends, for those who read it.
    ends: Sender,
    writer: Writer,
    table: Table,
}

/// What comes, and the partitions that nothing more is there of.
type Arrived = (Vec<Arriving>, Vec<u32>);

impl Inbound {
    pub(super) async fn open(
        address: Address,
        process: ProcessId,
        options: &FleetOptions,
    ) -> Result<Self, EngineError> {
        let (partitions, takeover_after) = (options.partitions, options.takeover_after);
        let group = options.group.clone();
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let open = move || {
            let table = Table::new(&address)?;
            let partitions = topics::ensure_frames(&address, table.client(), partitions)?;
            topics::ensure_state(&address, table.client())?;
            table.begin()?;
            // There is room for one, and somebody who waits.
            let _ = tell.send(partitions);
            Ok(Receiving {
                member: Member::join(&address, process, &group, takeover_after)?,
                ends: Sender::new(&address, MAX_STATE)?,
                writer: Writer::new(&address, process, Some(group)),
                table,
            })
        };
        let let_go = |receiving: &mut Receiving| receiving.member.let_go();
        let worker = Worker::watched(open, takeover_after, let_go).await?;
        let partitions = told.try_recv().unwrap_or_default();
        Ok(Self {
            worker,
            partitions,
            read: Vec::new(),
        })
    }
}

impl Fetching for Inbound {
    fn partitions(&self) -> u32 {
        self.partitions
    }

    async fn next(&mut self, most: usize) -> Result<Vec<Arriving>, EngineError> {
        self.read.clear();
        let work = move |receiving: &mut Receiving| -> Result<Arrived, EngineError> {
            let arrived = receiving.member.next(most)?;
            Ok((arrived, receiving.member.read_to_the_end()))
        };
        let take_back =
            |receiving: &mut Receiving, (arrived, _): Arrived| receiving.member.take_back(arrived);
        let (arrived, read) = self.worker.ask(work, take_back).await?;
        self.read = read;
        Ok(arrived)
    }

    async fn shipped(&mut self, partition: u32) -> Result<BTreeMap<ProcessId, u64>, EngineError> {
        self.read.clear();
        let work = move |receiving: &mut Receiving| {
            receiving.ends.renew_if_broken()?;
            receiving.table.catch_up(&receiving.ends)?;
            // After the numbers were read: all that they count is before this end.
            receiving.member.note_end(partition)?;
            Ok(receiving.table.shipped(partition))
        };
        self.worker.ask(work, forget).await
    }

    fn is_read_to_its_end(&self, partition: u32) -> bool {
        self.read.contains(&partition)
    }

    async fn acknowledge(
        &mut self,
        partition: u32,
        places: &[FramePlace],
    ) -> Result<(), EngineError> {
        let places = places.to_vec();
        let work =
            move |receiving: &mut Receiving| receiving.member.acknowledge(partition, &places);
        self.worker.ask(work, forget).await
    }

    async fn release(&mut self, partition: u32) -> Result<(), EngineError> {
        let work = move |receiving: &mut Receiving| receiving.member.release(partition);
        self.worker.ask(work, forget).await
    }
}

impl Store for Inbound {
    async fn store(&mut self, change: &StateChange) -> Result<(), EngineError> {
        let change = change.clone();
        let work = move |receiving: &mut Receiving| {
            let claim = receiving.member.claim(&change.holds)?;
            receiving.writer.store(&change, claim.as_ref())
        };
        self.worker.ask(work, forget).await
    }

    async fn states(&mut self, group: Option<&str>) -> Result<Vec<ProcessState>, EngineError> {
        let group = group.map(str::to_owned);
        let work = move |receiving: &mut Receiving| {
            receiving.ends.renew_if_broken()?;
            let now = receiving.table.catch_up(&receiving.ends)?;
            Ok(receiving.table.states(group.as_deref(), now))
        };
        self.worker.ask(work, forget).await
    }
}
