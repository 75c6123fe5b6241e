//! A partition that is read here, and how it is known what others have done of it.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use super::done::Done;
use super::engine::{FramePlace, ProcessState};
use super::parcel::{Assembler, ProcessId};

/// The field with what is done of a partition.
const DONE: &str = "done ";

/// A partition that is read here.
#[derive(Default)]
pub(super) struct Partition {
    pub(super) assembler: Assembler,
    /// Parcels that have come, are done, or are lost.
    pub(super) seen: Done,
    /// Of a parcel that is not whole yet: where its frames stand.
    pub(super) parts: HashMap<ProcessId, Vec<FramePlace>, RandomState>,
    /// Frames that could not be read, and whose gaps have not been seen yet.
    pub(super) unreadable: u64,
    /// Acknowledged after the next change is kept.
    pub(super) counted: Vec<FramePlace>,
    /// To be acknowledged now.
    pub(super) kept: Vec<FramePlace>,
    /// How many parcels each process had shipped when it was asked.
    pub(super) shipped: Option<BTreeMap<ProcessId, u64>>,
    /// Of each process, the number after the last parcel that one which died may have been given.
    pub(super) given_to: BTreeMap<ProcessId, u64>,
    /// Parcels on their way to an outcome.
    pub(super) open: usize,
    pub(super) is_wanted: bool,
}

/// Parcels that end together.
pub(super) struct Mark {
    pub(super) partition: u32,
    pub(super) origin: ProcessId,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) places: Vec<FramePlace>,
}

/// The name of that field.
pub(super) fn done_field(partition: u32) -> String {
    format!("{DONE}{partition}")
}

/// What a process has done of a partition.
pub(super) fn done_of(state: &ProcessState, partition: u32) -> Done {
    let field = state.fields.get(&done_field(partition));
    let done = field.map(|text| serde_json::from_slice(text));
    // Nobody but an agent writes there.
    done.and_then(Result::ok).unwrap_or_default()
}

/// Of each partition, what a process has done of it.
pub(super) fn all_done(state: &ProcessState) -> impl Iterator<Item = (u32, Done)> {
    state.fields.iter().filter_map(|(name, text)| {
        let number = name.strip_prefix(DONE)?.parse().ok()?;
        Some((number, serde_json::from_slice(text).ok()?))
    })
}

/// Whether a field is not a record of the run.
pub(super) fn is_done_field(name: &str) -> bool {
    name.starts_with(DONE)
}
