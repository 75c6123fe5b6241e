//! How the wait for production's data ended.

use std::time::Duration;

use mirror_snapshot::{EffectsDocument, RequestId, Waited};
use tokio::time::Instant;

use super::replica::Position;
use mirror_core::attribution::{Claim, Doubt};

const OF_ANOTHER: &str = "the snapshot that was there is another request's";

#[derive(Debug)]
pub enum SnapshotOutcome {
    /// No store was given.
    Off,
    /// The route's answers do not depend on data.
    NotRequired,
    Found(FoundSnapshot),
    /// The mirror's replica has replayed past production's position.
    Caught {
        waited: Duration,
        at_once: bool,
        /// The snapshot that told production's position, if one did.
        told_by: Option<Box<FoundSnapshot>>,
    },
    Missing {
        waited: Duration,
        /// There was one of another request.
        refused: bool,
        /// What else is known of it, with what to do.
        why: Option<String>,
    },
    /// The exchange was older than a snapshot lives.
    Expired,
    Collided,
    /// Identical requests have the id, and no snapshot is proven to be this one's.
    Unproven {
        why: Doubt,
    },
    /// No rule yielded an id.
    NoId,
    Unavailable {
        error: String,
    },
}

impl SnapshotOutcome {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::NotRequired => "not required",
            Self::Found(FoundSnapshot { at_once: true, .. })
            | Self::Caught { at_once: true, .. } => "hit",
            Self::Found(_) | Self::Caught { .. } => "late",
            Self::Missing { .. } => "missing",
            Self::Expired => "expired",
            Self::Collided => "collided",
            Self::Unproven { .. } => "unproven",
            Self::NoId => "no id",
            Self::Unavailable { .. } => "store unavailable",
        }
    }

    /// How a wait ended that found nothing.
    pub(super) fn of_wait(waited: Waited) -> Self {
        match waited {
            Waited::Unavailable(error) => Self::Unavailable {
                error: error.to_string(),
            },
            Waited::Missing { waited, refused } => Self::Missing {
                waited,
                refused,
                why: refused.then(|| OF_ANOTHER.into()),
            },
            Waited::Hit(hit) => Self::Missing {
                waited: hit.waited,
                refused: true,
                why: Some(OF_ANOTHER.into()),
            },
        }
    }

    /// The same, with the whole time since `began` as the time that was waited.
    pub(super) fn waited_since(mut self, began: Instant) -> Self {
        match &mut self {
            Self::Found(FoundSnapshot { waited, .. }) | Self::Missing { waited, .. } => {
                *waited = began.elapsed();
            }
            _ => {}
        }
        self
    }
}

/// A snapshot that is there.
#[derive(Debug)]
pub struct FoundSnapshot {
    pub id: RequestId,
    pub waited: Duration,
    /// By the first look.
    pub at_once: bool,
    /// When production says that it received the request, milliseconds since the epoch. Only a stamp says so, and
    /// that the snapshot is this request's.
    pub at: Option<u64>,
    pub ttl: Option<Duration>,
    /// How far production's database was.
    pub position: Option<Position>,
    /// What production read and wrote, where a stamp says whose it is.
    pub effects: Option<EffectsDocument>,
    /// Where it was copied to.
    pub namespace: Option<String>,
    /// Until when another request could turn up that makes it doubtful.
    pub settles_at: Instant,
    pub(super) expires: Option<Instant>,
    pub(super) claims: Vec<Claim>,
    /// What another request makes of it: doubtful for this reason, or a collision.
    pub(super) doubt: Option<Doubt>,
}

impl FoundSnapshot {
    /// Whether another request turned out to have its id.
    pub fn is_collided(&self) -> bool {
        self.claims.iter().any(Claim::is_doubtful)
    }

    /// Why it is not proven after all, if it is a numbered one and another request turned up.
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt.filter(|_| self.is_collided())
    }

    /// Bytes that it takes in memory, beyond those of a few names.
    pub fn held_bytes(&self) -> usize {
        self.effects.as_ref().map_or(0, EffectsDocument::size)
    }

    /// Whether it has lived its time.
    pub fn is_expired(&self) -> bool {
        self.expires.is_some_and(|at| at <= Instant::now())
    }
}
