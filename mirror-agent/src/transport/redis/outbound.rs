//! What a capture host writes: frames to streams, in transactions, and its state.

use std::sync::Arc;

use bytes::Bytes;
use mirror_snapshot::store::Link;
use redis::{cmd, pipe};

use super::super::engine::{EngineError, ProcessState, Shipping, StateChange, Store};
use super::super::fleet::FleetOptions;
use super::super::parcel::ProcessId;
use super::engine_error;
use super::keys::Keys;
use super::state::{Own, Reader};

/// Longest frame. Redis takes longer ones, but answers nobody while it copies them.
const MAX_FRAME: usize = 512 << 10;
/// An entry's only field.
pub(super) const FRAME: &str = "f";

pub struct Outbound {
    link: Arc<Link>,
    keys: Keys,
    own: Own,
    partitions: u32,
    /// Most entries of one stream.
    length: u64,
    /// The last batch may be there: its partition, and the number after its last parcel.
    unsure: Option<(u32, u64)>,
}

impl Outbound {
    pub(super) fn new(
        link: Arc<Link>,
        keys: Keys,
        process: ProcessId,
        partitions: u32,
        options: &FleetOptions,
    ) -> Self {
        Self {
            own: Own::new(Arc::clone(&link), keys.clone(), None, process, partitions),
            link,
            keys,
            partitions,
            length: (options.length / u64::from(partitions)).max(1),
            unsure: None,
        }
    }

    /// Whether the batch that had no answer is there all the same: it was one transaction.
    async fn is_there(&self, partition: u32, next: u64) -> Result<bool, EngineError> {
        let mut command = cmd("HGET");
        command.arg(self.keys.shipped(partition));
        command.arg(self.own.process.to_string());
        let known: Option<u64> = self.link.query(&command).await.map_err(engine_error)?;
        Ok(known.is_some_and(|known| known >= next))
    }
}

impl Shipping for Outbound {
    fn partitions(&self) -> u32 {
        self.partitions
    }

    fn max_frame(&self) -> usize {
        MAX_FRAME
    }

    async fn ship(
        &mut self,
        partition: u32,
        next: u64,
        frames: &[Bytes],
    ) -> Result<(), EngineError> {
        if self.unsure == Some((partition, next)) && self.is_there(partition, next).await? {
            self.unsure = None;
            return Ok(());
        }
        let mut commands = pipe();
        commands.atomic();
        let stream = self.keys.stream(partition);
        for frame in frames {
            commands.cmd("XADD").arg(&stream);
            commands.arg("MAXLEN").arg("~").arg(self.length).arg("*");
            commands.arg(FRAME).arg(&**frame).ignore();
        }
        commands.cmd("HSET").arg(self.keys.shipped(partition));
        commands
            .arg(self.own.process.to_string())
            .arg(next)
            .ignore();
        let shipped: Result<(), _> = self.link.query_together(&commands).await;
        let shipped = shipped.map_err(engine_error);
        match &shipped {
            Err(EngineError::Unanswered(_)) => self.unsure = Some((partition, next)),
            Err(EngineError::Unreached(_)) => {}
            _ => self.unsure = None,
        }
        shipped
    }
}

impl Store for Outbound {
    async fn store(&mut self, change: &StateChange) -> Result<(), EngineError> {
        self.own.store(change).await
    }

    async fn states(&mut self, group: Option<&str>) -> Result<Vec<ProcessState>, EngineError> {
        let reader = Reader::new(Arc::clone(&self.link), self.keys.clone(), self.partitions);
        reader.read(group).await
    }
}
