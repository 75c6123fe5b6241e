//! What the program counts, per CPU and interface.

/// Interfaces are counted in the slot `ifindex % SLOTS`.
pub const SLOTS: u32 = 1024;

/// A count for each [`Counter`], with room for more.
pub type CounterSlot = [u64; 16];

/// The position in a [`CounterSlot`]. Every packet counts as `Seen`, and as one of those below it up to `Copied`;
/// one that should have been copied counts as `RingFull` or `LoadError` instead when a record of it was lost.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    Seen,
    NotTcp,
    Fragment,
    NotParsable,
    OtherPort,
    Filtered,
    SampledOut,
    Excluded,
    NoPayload,
    Copied,
    RingFull,
    LoadError,
    Truncated,
    /// Packets among those of `RingFull` and `LoadError` that begin with an HTTP request.
    LostRequests,
}

/// Every counter with the name that reports show.
pub const COUNTERS: [(Counter, &str); 14] = [
    (Counter::Seen, "packets_seen"),
    (Counter::NotTcp, "not_tcp"),
    (Counter::Fragment, "fragment"),
    (Counter::NotParsable, "not_parsable"),
    (Counter::OtherPort, "other_port"),
    (Counter::Filtered, "filtered"),
    (Counter::SampledOut, "sampled_out"),
    (Counter::Excluded, "excluded"),
    (Counter::NoPayload, "no_payload"),
    (Counter::Copied, "copied"),
    (Counter::RingFull, "ring_full"),
    (Counter::LoadError, "load_error"),
    (Counter::Truncated, "truncated"),
    (Counter::LostRequests, "lost_requests"),
];

const _: () = assert!(COUNTERS.len() <= size_of::<CounterSlot>() / 8);
