//! Request ids and snapshots: what production, the mirror and the agent must agree on.
//!
//! Production files what it read for a request under `snapshot:<id>`; the mirror reads it back instead of
//! its database. [`IdRules`] derives the id on every side, [`RedisStore`] holds the snapshots, and
//! [`Snapshots`] is the seam in a service's code. CONTRACT.md says the same in words.

mod rules;
mod store;
mod strategy;

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

pub use rules::{Fields, IdRules, RuleError};
pub use store::{RedisStore, StoreError, WaitOptions, Waited};
pub use strategy::{LoadError, Loaded, OnMiss, Profile, Snapshots, Source};

/// Header that carries the id of a replayed request.
pub const HEADER_REQUEST_ID: &str = "x-mirror-request-id";
/// Header with the time of the original request, milliseconds since the epoch.
pub const HEADER_CAPTURED_AT: &str = "x-mirror-captured-at";
/// Header that marks a replayed request; its value is `1`.
pub const HEADER_REPLAY: &str = "x-mirror-replay";

/// How long a snapshot lives.
pub const DEFAULT_TTL: Duration = Duration::from_secs(300);
/// How long a snapshot is waited for.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(2);
/// How often it is looked for meanwhile.
pub const DEFAULT_POLL: Duration = Duration::from_millis(100);

/// Names one request on all sides.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestId(String);

impl RequestId {
    /// An id from a header or a field: 1 to 256 visible ASCII characters, or it is none.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of its snapshot.
    pub fn key(&self) -> String {
        format!("snapshot:{}", self.0)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
