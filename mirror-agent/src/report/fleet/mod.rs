//! A run that many processes share: those that capture, and those that replay. Each keeps what it counts in the engine that carries the requests, and
//! one report is made of all of it.

mod keeping;
mod read;

pub use keeping::{FleetChange, FleetKeeping};
pub use read::{FleetProcess, fleet_report};

/// The field that says what the process is; its records have the names that they have in a journal.
const HEAD: &str = "head";
/// Longest record of a process that is read.
const MAX_RECORD: u64 = 1 << 28;
