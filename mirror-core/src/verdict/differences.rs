//! How two answers to one request differ, by what noise explains of it.

use crate::compare::{Comparison, Kind, Observation, Place, Severity};
use crate::noise::Explained;

use super::group::GroupKey;

/// How a second answer differs from a first one, as production's does from the candidate's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Differences<'a> {
    /// What counts: at places that are not known to vary, or beyond the way in which they vary.
    pub left: &'a [Observation],
    /// What only the first answer shows at places that vary, by the same rules.
    pub against: &'a [Observation],
    /// What noise explains.
    pub varying: &'a [Observation],
    /// What of it tosses no coin.
    pub restless: &'a [GroupKey],
    /// Places where the second answer has a class of values that production never showed.
    pub novel: &'a [Place],
    /// There are more than are told apart, so that what is not among them may differ or not.
    pub is_cut: bool,
}

impl<'a> From<&'a Comparison> for Differences<'a> {
    fn from(comparison: &'a Comparison) -> Self {
        Self {
            left: &comparison.observations,
            is_cut: comparison.untold > 0,
            ..Self::default()
        }
    }
}

impl<'a> From<&'a Explained> for Differences<'a> {
    fn from(explained: &'a Explained) -> Self {
        Self {
            left: &explained.left,
            against: &explained.against,
            varying: &explained.varying,
            restless: &explained.restless,
            novel: &explained.novel,
            is_cut: false,
        }
    }
}

impl<'a> Differences<'a> {
    /// All in which the second answer differs, explained or not.
    pub(super) fn all(&self) -> impl Iterator<Item = &'a Observation> {
        self.left.iter().chain(self.varying)
    }

    /// Those that toss a coin.
    pub(super) fn tossed(&self) -> impl Iterator<Item = &'a Observation> {
        let differences = *self;
        let varying = self.varying.iter();
        let varying = varying.filter(move |one| !differences.is_restless(one));
        let all = self.left.iter().chain(varying);
        all.filter(move |one| differences.is_tossed(one))
    }

    pub(super) fn is_restless(&self, one: &Observation) -> bool {
        let mut keys = self.restless.iter();
        keys.any(|(place, kind)| *kind == one.kind && *place == one.place)
    }

    /// Whether one of `left` tosses the coin of its group. Of a distribution only the shares of the values say something, but for a class that production never
    /// showed.
    pub(super) fn is_tossed(&self, one: &Observation) -> bool {
        one.kind != Kind::Distribution || self.novel.contains(&one.place)
    }

    pub(super) fn find(&self, key: &GroupKey) -> Option<&'a Observation> {
        self.all()
            .find(|one| one.kind == key.1 && one.place == key.0)
    }

    pub(super) fn has(&self, key: &GroupKey) -> Presence {
        let found = self.find(key);
        match found.filter(|one| self.is_tossed(one)) {
            Some(_) => Presence::There,
            None if self.is_cut => Presence::Unknown,
            None => Presence::Absent,
        }
    }

    /// Whichever of the two answers it is that shows it, or has what the other has not.
    pub(super) fn has_either_way(&self, key: &GroupKey) -> Presence {
        let is_against = self
            .against
            .iter()
            .any(|one| one.kind == key.1 && one.place == key.0);
        match (self.has(key), turned(key.1)) {
            (Presence::Absent, _) if is_against => Presence::There,
            (Presence::Absent, Some(kind)) => self.has(&(key.0.clone(), kind)),
            (presence, _) => presence,
        }
    }

    /// Of what differs more than the place is known to. A difference of distribution is none by itself: each pair of values that are
    /// not the same is one, and only their shares say something.
    pub(super) fn severities(&self) -> impl Iterator<Item = Severity> + 'a {
        let differing = self
            .left
            .iter()
            .filter(|one| one.kind != Kind::Distribution);
        differing.map(|one| one.severity())
    }

    pub(super) fn classes(&self, key: &GroupKey) -> Classes<'a> {
        let mut all = self
            .all()
            .filter(|one| one.kind == key.1 && one.place == key.0);
        match (all.next(), all.next()) {
            (None, _) if self.is_cut => Classes::Unknown,
            (None, _) => Classes::Productions,
            (Some(one), None) if has_classes(one) => Classes::Of(one),
            _ => Classes::Unknown,
        }
    }

    /// Whether they differ in more than what a reader ignores.
    pub(super) fn matters(&self) -> bool {
        let mut all = self.severities();
        all.any(|severity| severity <= Severity::Value)
    }
}

/// The class of values that an answer has at a place that varies.
pub(super) enum Classes<'a> {
    Of(&'a Observation),
    /// It has production's.
    Productions,
    Unknown,
}

/// Whether two answers differ in a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    There,
    Absent,
    Unknown,
}

pub(super) fn key(one: &Observation) -> GroupKey {
    (one.place.clone(), one.kind)
}

/// The same difference with the sides exchanged, where that is another kind.
pub(super) fn turned(kind: Kind) -> Option<Kind> {
    match kind {
        Kind::Missing => Some(Kind::Added),
        Kind::Added => Some(Kind::Missing),
        _ => None,
    }
}

/// Whether it names the class of values that each side has. Several values at one place (a list's elements) are shown by the first only.
pub(super) fn has_classes(one: &Observation) -> bool {
    one.count == 1 && one.kind == Kind::Distribution
}
