//! Segments → the bytes of each side in order, and where bytes are missing.
//!
//! A hole becomes a [`StreamEvent::Gap`] only when waiting for it is hopeless; see [`TcpConnection`] for the rule.

mod connection;
mod reassembler;
mod table;

pub use connection::{Events, TcpConnection, TcpLimits};
pub use reassembler::{Insert, Piece, Reassembler};
pub use table::{FlowTable, Slot};

use bytes::Bytes;

use crate::packet::Seq;
use crate::time::Timestamp;

/// What happened to one side's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// The next bytes, never empty.
    Data(Bytes),
    /// So many bytes were never captured; with 0, the stream's beginning was not seen and anything may be missing.
    Gap { len: u64 },
    /// No more comes from this side.
    Close { reason: CloseReason },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The side said so, and everything before was seen or given up.
    Fin,
    Reset,
    /// No packet for too long.
    Idle,
    /// Room was needed for other connections.
    Evicted,
    /// The same addresses began a new connection.
    Reused,
    /// The capture ended.
    EndOfCapture,
}

/// When an event's bytes were seen, and where they stand in both streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    pub at: Timestamp,
    /// Of the event's first byte.
    pub seq: Seq,
    /// What the sender had received of the other side by then; `None` when its packet did not say.
    pub ack: Option<Seq>,
    /// Its packet brought urgent data: the receiver may not read these bytes in their place.
    pub urgent: bool,
}
