//! What production, the mirror and the agent must agree on, as pure code: no I/O, no clock.
//!
//! [`IdRules`] derives a request's id on every side, [`Keys`] says under which key its snapshot stands, [`Document`] is
//! what is filed there, and [`SnapshotState`] what a mirror says about it. [`RequestTarget`] splits a request's target
//! for all of them. CONTRACT.md says the same in words, and the vectors beside it are its test.
#![forbid(unsafe_code)]

mod canonical;
mod document;
mod effects;
mod filed;
mod hash;
mod key;
mod number;
mod proof;
mod rules;
mod stamp;
mod state;
mod target;
mod written;

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

pub use document::{Document, DocumentError, Encoded, Encoding, Read, Unfinished};
pub use effects::{Effect, EffectsDocument, MAX_EFFECTS_BYTES, SendId};
pub use filed::{COLLIDED, Filed};
pub use hash::hash;
pub use key::{Keys, NamespaceError};
pub use number::{ListEntry, SnapshotNumber};
pub use proof::{CapturedTime, Fit, HostOffset, OffsetRange};
pub use rules::{Candidates, Fields, IdRules, Route, RouteError, RuleError, trace_parts};
pub use stamp::{Stamp, VERSION, peer_text, request_hash};
pub use state::SnapshotState;
pub use target::{RequestTarget, TargetForm};
pub use written::Written;

/// Header that carries the id of a replayed request.
pub const HEADER_REQUEST_ID: &str = "x-mirror-request-id";
/// Header with the time of the original request, milliseconds since the epoch.
pub const HEADER_CAPTURED_AT: &str = "x-mirror-captured-at";
/// Header that marks a replayed request; its value is `1`.
pub const HEADER_REPLAY: &str = "x-mirror-replay";
/// Header of a replayed request: the namespace that its snapshot was copied to.
pub const HEADER_NAMESPACE: &str = "x-mirror-namespace";
/// Header of a mirror's answer: how its look for the snapshot ended.
pub const HEADER_SNAPSHOT: &str = "x-mirror-snapshot";
/// Header of a replayed request: which sending of it this is, for the effects that the mirror files.
pub const HEADER_SEND: &str = "x-mirror-send";
/// Header of a mirror's answer: `1` where it files what the request read and would have written.
pub const HEADER_EFFECTS: &str = "x-mirror-effects";

/// Header of production's answer: how far its database's log was, for mirrors that read a replica.
pub const HEADER_POSITION: &str = "x-mirror-position";

/// How long a snapshot lives.
pub const DEFAULT_TTL: Duration = Duration::from_secs(300);
/// How long a snapshot is waited for.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(2);
/// How often it is looked for meanwhile.
pub const DEFAULT_POLL: Duration = Duration::from_millis(100);
/// The largest document that is filed, in bytes.
pub const DEFAULT_MAX_BYTES: usize = 1 << 20;

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
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_and_printable() {
        assert!(RequestId::new("").is_none());
        assert!(RequestId::new("a b").is_none());
        assert!(RequestId::new(&"x".repeat(257)).is_none());
        assert!(RequestId::new("a-1").is_some());
        assert!(RequestId::new(&"x".repeat(256)).is_some());
    }
}
