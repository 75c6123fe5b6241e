//! Kafka as a transport: brokers from 2.5 on, with ZooKeeper or without.
//!
//! | topic | what it is |
//! |---|---|
//! | `TOPIC` | a record is a frame |
//! | `TOPIC.fleet` | the state of all processes, compacted: see `table.rs` |
//!
//! The first agent makes them. Whoever runs the brokers may do it before, and decides about partitions, copies and retention then.
//!
//! Frames are sent idempotently and acknowledged by all copies in step, without a transaction: those would cost each capture host a
//! round trip more, and one that hangs would hold up all readers. State is written in transactions. One of a replayer also commits
//! where its partitions stand, as the member that it is in its group. The brokers refuse that when the group has given the
//! partitions to others, and readers do not see what a transaction has written before its end. So two processes never both
//! count a parcel.
//!
//! Partitions move by cooperative rebalancing: a replayer keeps those that it may keep, and gives one up when all that it had read of
//! it is judged. A replayer that has lost its group, because brokers were away, goes on where it was if nobody else has had
//! the partition meanwhile: each commit has the process's name in it.
//!
//! librdkafka's calls block. So each client is used by a thread of its own (`worker.rs`).

mod address;
mod client;
mod inbound;
mod member;
mod outbound;
mod sender;
mod table;
mod topics;
mod worker;
mod writer;

use super::engine::{EngineError, ProcessState, StateChange, Store};
use super::fleet::FleetOptions;
use super::parcel::ProcessId;
use sender::Sender;
use table::Table;
use worker::Worker;

pub use address::Address;
pub use inbound::Inbound;
pub use outbound::Outbound;

/// Largest record of a process's state.
const MAX_STATE: usize = 16 << 20;

impl Address {
    pub async fn outbound(
        &self,
        process: ProcessId,
        options: &FleetOptions,
    ) -> Result<Outbound, EngineError> {
        Outbound::open(self.clone(), process, options).await
    }

    pub async fn inbound(
        &self,
        process: ProcessId,
        options: &FleetOptions,
    ) -> Result<Inbound, EngineError> {
        Inbound::open(self.clone(), process, options).await
    }

    /// For those who only look.
    pub async fn reader(&self) -> Result<Reader, EngineError> {
        let address = self.clone();
        let open = move || {
            let table = Table::new(&address)?;
            topics::expect_state(&address, table.client())?;
            table.begin()?;
            let sender = Sender::new(&address, MAX_STATE)?;
            Ok(Looking { table, sender })
        };
        Ok(Reader {
            worker: Worker::start(open).await?,
        })
    }
}

struct Looking {
    table: Table,
    sender: Sender,
}

/// Reads the state of all processes.
pub struct Reader {
    worker: Worker<Looking>,
}

impl Store for Reader {
    async fn store(&mut self, _: &StateChange) -> Result<(), EngineError> {
        Err(EngineError::Refused("a reader has no state".into()))
    }

    async fn states(&mut self, group: Option<&str>) -> Result<Vec<ProcessState>, EngineError> {
        let group = group.map(str::to_owned);
        let work = move |looking: &mut Looking| {
            let now = looking.table.glance(&looking.sender)?;
            Ok(looking.table.states(group.as_deref(), now))
        };
        self.worker.ask(work, forget).await
    }
}

/// What nobody waits for any longer can be asked for once more.
fn forget<T, R>(_: &mut T, _: R) {}
