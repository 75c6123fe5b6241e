//! How far a partition has been read, given and acknowledged.

use std::collections::BTreeSet;

/// A partition that this process reads.
pub(super) struct Held {
    /// What comes next is not before this.
    pub(super) given: i64,
    /// Given, and not acknowledged.
    pub(super) open: BTreeSet<i64>,
    pub(super) committed: i64,
    /// Nothing more is there.
    pub(super) at_end: bool,
    /// The end when somebody asked for it.
    pub(super) end: i64,
    pub(super) is_wanted: bool,
}

impl Held {
    pub(super) fn from(offset: i64) -> Self {
        Self {
            given: offset,
            open: BTreeSet::new(),
            committed: offset,
            at_end: false,
            end: 0,
            is_wanted: false,
        }
    }

    /// All before it is acknowledged.
    pub(super) fn position(&self) -> i64 {
        self.open.first().copied().unwrap_or(self.given)
    }
}
