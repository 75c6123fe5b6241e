//! What a distributed engine has to do, so that parcels travel through it and a fleet keeps its state in it. Redis Streams and
//! Kafka are two of them; one more is a file with these three traits, and an arm where its URL is read.
//!
//! ```text
//! capture host:  Shipping ── ship(frames) ─▶ partitions ── next() ─▶ Fetching :replayer
//!                       └─── store(state) ─▶   state   ◀─ store(state) ─┘ then acknowledge(places)
//!                                              state   ── states() ─▶ report --fleet
//! ```
//!
//! Numbering, cutting into frames, redelivery, gaps and the ledger are above these traits and the same for all engines. An
//! engine knows nothing of what frames and fields hold.
//!
//! All methods may wait for the engine, but at most some seconds: then they are an error, and whoever called tries again. No method
//! is called by a capture thread.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::parcel::ProcessId;

/// What a method says when the engine did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The engine answered that it did not: it is full, or may only be read, say. Nothing has changed in it.
    #[error("{0}")]
    Refused(String),
    /// The engine cannot be reached, and was not asked. Nothing has changed in it.
    #[error("{0}")]
    Unreached(String),
    /// No answer: it is not known whether the engine did it. Doing the same once more is right.
    #[error("{0}")]
    Unanswered(String),
    /// Others have taken over what this process held. What it has done since its last `store` is not counted, and will be done by
    /// them: it must end.
    #[error("{0}")]
    Deposed(String),
}

/// The end of a process that captures. Used by one task at a time.
#[expect(
    async_fn_in_trait,
    reason = "used with one type at a time, on one thread"
)]
pub trait Shipping: Store {
    /// How many partitions there are. It is fixed when the first process opens the stream, and the same for all.
    fn partitions(&self) -> u32;

    /// Longest frame that the engine takes, in bytes.
    fn max_frame(&self) -> usize;

    /// Appends frames to a partition, in their order, all or none of them. `next` is the sequence number after the last parcel in them; the
    /// engine keeps it for `shipped` as one with the frames.
    ///
    /// Ok means that the engine has them, as safely as it is set up to. After [`EngineError::Unanswered`] the same frames are shipped
    /// once more before any others: the engine's end must not append them twice if it can see that they are there. Where
    /// it cannot, a replayer sees by their numbers that they came twice.
    async fn ship(
        &mut self,
        partition: u32,
        next: u64,
        frames: &[Bytes],
    ) -> Result<(), EngineError>;
}

/// The end of a process that replays. Used by one task at a time.
#[expect(
    async_fn_in_trait,
    reason = "used with one type at a time, on one thread"
)]
pub trait Fetching: Store {
    /// How many partitions there are.
    fn partitions(&self) -> u32;

    /// What has come, at most about `most` frames of it. Waits a moment (some 100 ms) if nothing is there. `most` may be 0: then it only tells of
    /// partitions, and keeps this process's membership in its group alive.
    ///
    /// At every moment a partition is read by at most one process of the group, and its frames come in the order in which they were
    /// shipped. After [`Arriving::Assigned`] they begin with the first one that the group has not acknowledged, so that some come
    /// again that a process before this one had fetched. A frame comes once for each time that the partition is assigned.
    async fn next(&mut self, most: usize) -> Result<Vec<Arriving>, EngineError>;

    /// For each process that shipped to the partition, the sequence number after its last parcel there. What was shipped before this was asked, and
    /// has not come when `next` has nothing more of the partition, will never come: the engine has lost or removed it.
    async fn shipped(&mut self, partition: u32) -> Result<BTreeMap<ProcessId, u64>, EngineError>;

    /// Whether the last call of `next` looked at the partition, and gave all of it that was there then.
    fn is_read_to_its_end(&self, partition: u32) -> bool;

    /// Whether another process of the group was given this frame before; it may have sent what is in it. `None` where the engine
    /// cannot tell: then everything that had been shipped counts as given, if a process that read the partition has died.
    fn was_given_before(&self, _partition: u32, _place: FramePlace) -> Option<bool> {
        None
    }

    /// The group need not keep these frames any longer: they are judged, and `store` has said so. Called after `store` only.
    async fn acknowledge(
        &mut self,
        partition: u32,
        places: &[FramePlace],
    ) -> Result<(), EngineError>;

    /// Gives a partition up. Called when all of it that was fetched is judged, stored and acknowledged, or when this process ends.
    async fn release(&mut self, partition: u32) -> Result<(), EngineError>;
}

/// What comes from an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arriving {
    /// From now on this process reads the partition.
    Assigned(u32),
    /// Another process should read the partition: nothing more of it comes, and `release` is to be called when all of it that came is judged
    /// and stored.
    Wanted(u32),
    Frame {
        partition: u32,
        place: FramePlace,
        bytes: Bytes,
    },
}

/// Where a frame stands in its partition, as the engine names it. Later frames have larger ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FramePlace(pub u64, pub u64);

impl FramePlace {
    /// The first one that may stand after it.
    pub(super) fn next(self) -> Self {
        match self.1.checked_add(1) {
            Some(number) => Self(self.0, number),
            None => Self(self.0 + 1, 0),
        }
    }
}

/// Where the processes of a fleet keep what they have counted.
#[expect(
    async_fn_in_trait,
    reason = "used with one type at a time, on one thread"
)]
pub trait Store {
    /// Keeps the state of this process, all of it or nothing, and notes the time: its sign of life. A field replaces the one of the
    /// same name. It is called each second, with an empty change too.
    ///
    /// Only if this process still reads all partitions in `change.holds`: otherwise nothing is kept, and it is [`EngineError::Deposed`]. This check
    /// and the writing are one step, so that two processes never both count a parcel.
    async fn store(&mut self, change: &StateChange) -> Result<(), EngineError>;

    /// The state of all processes: those that capture, and those that replay in the group, if there is one.
    async fn states(&mut self, group: Option<&str>) -> Result<Vec<ProcessState>, EngineError>;
}

/// What has changed of a process's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateChange {
    /// These fields are all there are: others are removed.
    pub is_whole: bool,
    pub fields: Vec<(String, Bytes)>,
    /// Partitions of which something is done in these fields.
    pub holds: Vec<u32>,
    /// The process ends, and has said all that it has to say.
    pub ends: bool,
}

/// A process of a fleet, as it has said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessState {
    pub process: ProcessId,
    pub fields: BTreeMap<String, Bytes>,
    /// Since its last sign of life, by the engine's clock.
    pub silent_for: Duration,
    pub has_ended: bool,
    /// For one that captures: of each partition, the sequence number after the last parcel that the engine has of it.
    pub shipped: BTreeMap<u32, u64>,
}
