//! How envelopes get from the capture side to the mirror side. A transport is a file here and an arm of both enums.
//!
//! The sending side never waits: draining the kernel's ring must not be held up by a slow mirror. What a transport has no
//! room for is handed back with its ticket, and counted as shed. A transport inside this process carries the ticket along;
//! one to another process hands it over where the envelope leaves, and takes it over where it arrives.

mod address;
pub mod done;
pub mod engine;
mod fetch;
pub mod file;
mod fleet;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod memory;
mod options;
pub mod parcel;
mod partition;
pub mod redis;
mod roles;
mod ship;

use std::time::Instant;

use mirror_core::policy::Envelope;

use crate::report::Ticket;

pub use address::{EngineAddress, FleetUrl};
pub use fetch::{Admit, FetchParts, Fetcher, Unpacked};
pub use fleet::FleetOptions;
pub use memory::Arrival;
pub use options::TransportOptions;
pub use roles::{Ready, ShipParts, fetch, read_fleet, ship};
pub use ship::{Shipper, Trouble};

/// An envelope, and the ticket that says in the ledger how it ends.
pub struct Delivery {
    pub envelope: Envelope,
    pub ticket: Ticket,
    /// When it should be sent: when it was captured whole, or at its place in the time of a file.
    pub due: Instant,
}

/// The capture side's end.
pub enum Sender {
    Memory(memory::Sender),
}

impl Sender {
    /// Sends an envelope on, or gives it back if there is no room or nobody receives. The receiver may not look for it
    /// before `flush`.
    pub fn offer(&self, delivery: Box<Delivery>) -> Result<(), Box<Delivery>> {
        match self {
            Self::Memory(sender) => sender.offer(delivery),
        }
    }

    /// Whether the next one may be given back. A sender that can wait, because it reads a file, waits until it is not.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Memory(sender) => sender.is_full(),
        }
    }

    /// Wakes the receiver, if anything was offered since the last time.
    pub fn flush(&self) {
        match self {
            Self::Memory(sender) => sender.flush(),
        }
    }
}

/// The mirror side's end.
pub enum Receiver {
    Memory(memory::Receiver),
}

impl Receiver {
    /// Waits for deliveries, and appends all that are there to `batch`; false when no more will come.
    pub async fn take(&mut self, batch: &mut Vec<Arrival>) -> bool {
        match self {
            Self::Memory(receiver) => receiver.take(batch).await,
        }
    }
}
