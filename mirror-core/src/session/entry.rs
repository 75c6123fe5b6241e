//! One value that production and mirror have each their own of.

use std::sync::Arc;

use super::pairs::Pair;
use super::place::CarryPlace;
use super::reach::{Reach, Use};
use crate::time::Timestamp;

/// What an entry or a name of a session takes beside its bytes.
pub(super) const OVERHEAD: usize = 150;

#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Production's.
    from: Box<[u8]>,
    /// The mirror's.
    to: Box<[u8]>,
    place: CarryPlace,
    reach: Reach,
    /// The answer that it is from, as `POST /orders/{id}`.
    answer: Arc<str>,
    at: Timestamp,
}

impl Entry {
    pub(super) fn new(pair: Pair, answer: Arc<str>, at: Timestamp) -> Self {
        Self {
            from: pair.production.into(),
            to: pair.mirror.into(),
            place: pair.place,
            reach: pair.reach,
            answer,
            at,
        }
    }

    pub(super) fn is_telling(&self) -> bool {
        self.reach.anywhere
    }

    /// Both are of the same value at the same place.
    pub(super) fn replaces(&self, other: &Self) -> bool {
        self.from == other.from && self.place == other.place && self.reach == other.reach
    }

    /// Whether it may stand for `value`: at its own place, or `anywhere`.
    pub(super) fn is_for(&self, value: &[u8], at: Use<'_>, anywhere: bool) -> bool {
        let is_condition = matches!(at, Use::Validator { .. });
        *self.from == *value
            && match anywhere {
                true => self.reach.anywhere && !is_condition,
                false => self.reach.fits(at),
            }
    }

    pub(super) fn is_younger(&self, age_nanos: u64, now: Timestamp) -> bool {
        now.nanos_since(self.at) <= age_nanos
    }

    pub(super) fn mirrors(&self) -> &[u8] {
        &self.to
    }

    /// As in `POST /login cookie:sid`.
    pub(super) fn learnt_from(&self) -> String {
        format!("{} {}", self.answer, self.place)
    }

    pub(super) fn bytes(&self) -> usize {
        self.from.len() + self.to.len() + self.reach.bytes() + OVERHEAD
    }
}
