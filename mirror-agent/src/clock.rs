//! The time of day, for the cores, which have no clock.

use std::time::{SystemTime, UNIX_EPOCH};

use mirror_core::time::Timestamp;

/// 1970 where the clock stands before it.
pub(crate) fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::default().after(since.unwrap_or_default())
}
