//! What became of a service's snapshots, counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What became of snapshots since the start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64,)* }

        impl Counters {
            pub(crate) fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Relaxed),)* }
            }
        }

        impl Counts {
            /// Each with its name.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

counts! {
    filed,
    /// A second request had the id of a snapshot.
    collided,
    /// The queue to the store was full.
    dropped,
    /// The store did not take it.
    failed,
    too_large,
    /// A value could not be encoded.
    not_encoded,
    /// Calls had not ended, and are listed without what they gave.
    unfinished,
    /// No rule named the request.
    no_id,
    hit,
    late,
    missing,
    unavailable,
    /// A read that production had not done.
    not_recorded,
    writes_recorded,
    writes_refused,
    /// What a replayed request read and would have written.
    effects_filed,
    /// The store did not take it.
    effects_failed,
}

impl Counters {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }
}
