//! What version 2 changes: each change with its route, the places where it shows, and the rates at which it may be planted.

use crate::random::{Random, digest};
use crate::service::{Caches, Site, World};

/// One planted change. Effects that an answer does not show would be another [`Shows`].
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub name: &'static str,
    pub route: &'static str,
    pub shows: Shows,
    pub rates: Rates,
    pub needs: Needs,
}

/// Where a change shows.
#[derive(Clone, Copy, Debug)]
pub enum Shows {
    /// As places are written in a report.
    At(&'static [&'static str]),
    /// The whole answer is another one.
    Anywhere,
    /// As a rule of the policy that is met on its route, and perhaps in what answers say of it.
    Rule(&'static str, &'static [&'static str]),
}

/// At which share of the requests a change may be planted.
#[derive(Clone, Copy, Debug)]
pub enum Rates {
    /// From half a percent to all.
    Any,
    /// This one only: it is in the nature of the change.
    Only(f64),
}

/// What a run has to have beside production and the candidate for a change to be told from what the instance does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Repeats,
    Control,
}

/// Shares of the requests that a change concerns.
const FREQUENT: [f64; 5] = [0.05, 0.1, 0.3, 0.6, 1.0];
const RARE: [f64; 2] = [0.005, 0.01];
/// Of all changes this share is planted in a run.
const PLANTED: f64 = 0.7;
/// Of those, this share is rare.
const RARELY: f64 = 0.25;

pub(crate) const fn at(
    name: &'static str,
    route: &'static str,
    places: &'static [&'static str],
) -> Change {
    Change {
        name,
        route,
        shows: Shows::At(places),
        rates: Rates::Any,
        needs: Needs::Repeats,
    }
}

pub(crate) const fn only(rate: f64, change: Change) -> Change {
    Change {
        rates: Rates::Only(rate),
        ..change
    }
}

pub(crate) const fn controlled(change: Change) -> Change {
    Change {
        needs: Needs::Control,
        ..change
    }
}

pub(crate) const fn rule(
    name: &'static str,
    route: &'static str,
    rate: f64,
    shows: (&'static str, &'static [&'static str]),
) -> Change {
    let change = Change {
        shows: Shows::Rule(shows.0, shows.1),
        ..at(name, route, &[])
    };
    controlled(only(rate, change))
}

/// Which changes a run plants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    None,
    /// Some of all, and some of those rarely.
    Some,
    /// Some, and all of them rarely.
    Rare,
}

/// The world of a run.
pub fn world(site: &'static Site, seed: u64, planted: Planted, caches: Caches) -> World {
    let chosen = |change: &Change| {
        let mut random = Random::of(&[seed, digest(change.name), 7]);
        let is_planted = random.chance(PLANTED);
        let is_rare = planted == Planted::Rare || random.chance(RARELY);
        let rate = match (change.rates, is_rare) {
            (Rates::Any, true) => RARE[random.below(RARE.len() as u64) as usize],
            (Rates::Any, false) => FREQUENT[random.below(FREQUENT.len() as u64) as usize],
            (Rates::Only(_), _) if planted == Planted::Rare => return None,
            (Rates::Only(rate), _) => rate,
        };
        is_planted.then_some((change.name, rate))
    };
    let planted = match planted {
        Planted::None => Default::default(),
        _ => site.changes.iter().filter_map(chosen).collect(),
    };
    World {
        site,
        seed,
        planted,
        caches,
    }
}
