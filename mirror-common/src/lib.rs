//! The ABI between the kernel program and the agent: what a ring record looks like, what the
//! program is told, and what it counts.

#![no_std]

mod config;
mod counter;
mod flow;
mod record;

pub use config::{
    CaptureConfig, Endpoint, FILTER_ALLOW, FILTER_DENY, FILTER_EXCLUDE, FILTER_SAMPLE, NetworkRule,
};
pub use counter::{COUNTERS, Counter, CounterSlot, SLOTS};
pub use flow::{flow_hash, mapped};
pub use record::{
    CLASSES, HEAD_AREA, HEADER_LEN, LARGEST_CLASS, LINK_ETHERNET, LINK_IP, MAX_RECORDS,
    RECORD_VERSION, RecordHeader, RecordKind, UnknownRecord,
};

/// Rings of the object; an agent uses 1, 2 or all 4.
pub const RINGS: usize = 4;
