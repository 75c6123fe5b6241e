//! How envelopes get from the capture side to the mirror side. A transport is a file here and an arm of both enums.
//!
//! The sending side never waits: draining the kernel's ring must not be held up by a slow mirror. What a transport has no
//! room for is handed back with its ticket, and counted as shed. A transport inside this process carries the ticket along;
//! one to another process hands it over where the envelope leaves, and takes it over where it arrives.

pub mod memory;
mod options;

use mirror_core::policy::Envelope;

use crate::report::Ticket;

pub use options::TransportOptions;

/// An envelope, and the ticket that says in the ledger how it ends.
pub struct Delivery {
    pub envelope: Envelope,
    pub ticket: Ticket,
}

/// The capture side's end.
pub enum Sender {
    Memory(memory::Sender),
}

impl Sender {
    /// Sends an envelope on, or gives it back if there is no room or nobody receives.
    pub fn offer(&self, delivery: Delivery) -> Result<(), Box<Delivery>> {
        match self {
            Self::Memory(sender) => sender.offer(delivery),
        }
    }
}

/// The mirror side's end.
pub enum Receiver {
    Memory(memory::Receiver),
}

impl Receiver {
    /// The next delivery, and the room that it takes up until it is judged; `None` when no more will come.
    pub async fn next(&mut self) -> Option<(Delivery, memory::Room)> {
        match self {
            Self::Memory(receiver) => receiver.next().await,
        }
    }
}
