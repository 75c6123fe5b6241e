//! Collects the differences of one pair: one observation for each place and kind, with a count. What is least severe gives
//! way when there are too many.

use std::hash::{BuildHasher, Hash, Hasher};

use super::place::{At, Place, PlaceTotals, excerpt, write_pointer};
use super::{Kind, Observation, Severity};
use crate::detect::CREDENTIALS;

/// Longest value that an observation shows.
pub(super) const MAX_SHOWN: usize = 200;
/// Different places and kinds of one pair that are told apart.
pub(super) const MAX_OBSERVATIONS: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Found {
    observations: Vec<Observation>,
    /// Of place and kind, in the same order.
    hashes: Vec<u64>,
    untold: u64,
    pub(super) same: PlaceTotals,
    pub(super) different: PlaceTotals,
    /// The pointer that is looked for; kept so that it is not made anew for each difference.
    pointer: String,
}

impl Found {
    /// Counts a difference. What is merely written in another way is told, and does not count as one.
    pub(super) fn add(&mut self, at: At<'_>, kind: Kind, shown: impl FnOnce() -> [String; 2]) {
        match (kind, at) {
            // Its data is counted.
            (Kind::Cosmetic, At::Body) => {}
            (Kind::Cosmetic, at) => self.same.count(at),
            (_, at) => self.different.count(at),
        }
        self.pointer.clear();
        if let At::Json(steps) | At::Effects(steps) = at {
            write_pointer(&mut self.pointer, steps);
        }
        let hash = self.hash_of(at, kind);
        let is_it = |(index, found): (usize, &u64)| {
            (*found == hash && self.is_at(&self.observations[index], at, kind)).then_some(index)
        };
        if let Some(known) = self.hashes.iter().enumerate().find_map(is_it) {
            self.observations[known].count += 1;
            return;
        }
        let place = self.place(at);
        if self.has_room_for(kind.severity_at(&place)) {
            let observation = observation(place, kind, shown());
            self.observations.push(observation);
            self.hashes.push(hash);
        } else {
            self.untold += u64::from(kind != Kind::Cosmetic);
        }
    }

    fn hash_of(&self, at: At<'_>, kind: Kind) -> u64 {
        let mut hasher = foldhash::fast::FixedState::default().build_hasher();
        kind.hash(&mut hasher);
        match at {
            At::Status | At::Body => std::mem::discriminant(&at).hash(&mut hasher),
            At::Header(name) => hasher.write(name.as_bytes()),
            At::Json(_) | At::Effects(_) => hasher.write(self.pointer.as_bytes()),
        }
        hasher.finish()
    }

    fn is_at(&self, known: &Observation, at: At<'_>, kind: Kind) -> bool {
        known.kind == kind
            && match (&known.place, at) {
                (Place::Status, At::Status) | (Place::Body, At::Body) => true,
                (Place::Header(known), At::Header(name)) => known == name,
                (Place::Json(known), At::Json(_)) | (Place::Effects(known), At::Effects(_)) => {
                    *known == self.pointer
                }
                _ => false,
            }
    }

    fn place(&self, at: At<'_>) -> Place {
        match at {
            At::Status => Place::Status,
            At::Header(name) => Place::Header(name.into()),
            At::Body => Place::Body,
            At::Json(_) => Place::Json(self.pointer.clone()),
            At::Effects(_) => Place::Effects(self.pointer.clone()),
        }
    }

    /// Takes the least severe one out if this one is more severe; of equal ones the last that was found.
    fn has_room_for(&mut self, new: Severity) -> bool {
        if self.observations.len() < MAX_OBSERVATIONS {
            return true;
        }
        let severity = |index: &usize| self.observations[*index].severity();
        let least = (0..self.observations.len()).max_by_key(severity);
        match least {
            Some(least) if severity(&least) > new => {
                self.hashes.remove(least);
                let gone = self.observations.remove(least);
                if gone.kind != Kind::Cosmetic {
                    self.untold += gone.count;
                }
                true
            }
            _ => false,
        }
    }

    /// In the order of places, and how many more there were.
    pub(super) fn finish(mut self) -> (Vec<Observation>, u64) {
        self.observations
            .sort_unstable_by(|a, b| (&a.place, a.kind).cmp(&(&b.place, b.kind)));
        (self.observations, self.untold)
    }
}

fn observation(place: Place, kind: Kind, values: [String; 2]) -> Observation {
    // What is known to be a secret by its form is not shown, whatever the rules say.
    let [production, mirror] = values.map(|value| excerpt(&CREDENTIALS.masked(&value), MAX_SHOWN));
    Observation {
        place,
        kind,
        count: 1,
        production,
        mirror,
    }
}

/// What stands where a side has nothing.
pub(super) fn absent() -> String {
    "(absent)".into()
}
