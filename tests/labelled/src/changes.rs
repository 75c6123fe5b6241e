//! What version 2 changes: each change with its route, the places where it shows, and the rates at which it may be planted.

use crate::random::{Random, digest};
use crate::service::{Caches, World};

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

const fn at(name: &'static str, route: &'static str, places: &'static [&'static str]) -> Change {
    Change {
        name,
        route,
        shows: Shows::At(places),
        rates: Rates::Any,
        needs: Needs::Repeats,
    }
}

const fn only(rate: f64, change: Change) -> Change {
    Change {
        rates: Rates::Only(rate),
        ..change
    }
}

const fn controlled(change: Change) -> Change {
    Change {
        needs: Needs::Control,
        ..change
    }
}

const fn rule(
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

pub const CHANGES: [Change; 57] = [
    at(
        "field removed",
        "GET /orders/{id}",
        &["body /customer/email"],
    ),
    at(
        "null is missing",
        "GET /orders/{id}",
        &["body /customer/middle_name"],
    ),
    at("field added", "GET /orders/{id}", &["body /currency"]),
    at(
        "64 bits through a float",
        "GET /users/{id}",
        &["body /account"],
    ),
    only(
        1.0,
        at("another normal form", "GET /users/{id}", &["body /name"]),
    ),
    at("order of a list", "GET /users/{id}", &["body /roles"]),
    at("rounding", "GET /products/{id}", &["body /price"]),
    at(
        "element of a shuffled list lost",
        "GET /products/{id}",
        &["body /tags/*"],
    ),
    at("flag turned", "GET /products/{id}", &["body /active"]),
    at(
        "value deep in lists",
        "GET /carts/{id}",
        &["body /items/*/discounts/*/percent"],
    ),
    at("number as text", "GET /carts/{id}", &["body /total"]),
    at(
        "expires an hour later",
        "GET /carts/{id}",
        &["body /expires"],
    ),
    at("format of a date", "GET /invoices/{id}", &["body /due"]),
    at("time zone", "GET /invoices/{id}", &["body /issued"]),
    at("longer token", "GET /invoices/{id}", &["body /pdf"]),
    only(
        0.555,
        at("distribution", "GET /profiles/{id}", &["body /tier"]),
    ),
    at("letter case", "GET /profiles/{id}", &["body /bio"]),
    at("word amid noise", "GET /tickets/{id}", &["body /summary"]),
    at(
        "empty list is null",
        "GET /tickets/{id}",
        &["body /watchers"],
    ),
    at("case of an id", "GET /payments/{id}", &["body /reference"]),
    at("sign", "GET /payments/{id}", &["body /fee"]),
    at(
        "member renamed",
        "GET /payments/{id}",
        &["body /card_type", "body /cardType"],
    ),
    at(
        "attribute of a cookie",
        "GET /sessions/{id}",
        &["header set-cookie sid"],
    ),
    at("value in a list", "GET /sessions/{id}", &["body /scopes/*"]),
    only(
        1.0,
        at(
            "flag of a cached document",
            "GET /flags",
            &["body /flags/new_checkout"],
        ),
    ),
    at("value in a map", "GET /prices/{id}", &["body /prices/{*}"]),
    rule(
        "cache ratio",
        "GET /prices/{id}",
        0.5,
        ("cache-hit < -5%", &[]),
    ),
    at("range of a number", "GET /metrics/{id}", &["body /load"]),
    controlled(only(
        0.1,
        at(
            "member missing now and then",
            "GET /metrics/{id}",
            &["body /unit"],
        ),
    )),
    at(
        "last element missing",
        "GET /search/{id}",
        &["body /hits/*"],
    ),
    at("count off by one", "GET /search/{id}", &["body /total"]),
    at(
        "value beside a random list",
        "GET /recommendations/{id}",
        &["body /reason"],
    ),
    at("value in one line", "GET /events/{id}", &["body /*/level"]),
    at("one line more", "GET /events/{id}", &["body /*"]),
    at(
        "word deep in lists",
        "GET /groups/{id}",
        &["body /groups/*/members/*/roles/*"],
    ),
    at(
        "value in a shuffled list",
        "GET /inventory/{id}",
        &["body /shelves/*/quantity"],
    ),
    at("unit", "GET /inventory/{id}", &["body /unit"]),
    at(
        "value in an event",
        "GET /audit/{id}",
        &["body /*/data/who"],
    ),
    at(
        "word in a page",
        "GET /pages/{id}",
        &["body /html/body/p/*/#text"],
    ),
    at(
        "attribute of a link",
        "GET /pages/{id}",
        &["body /html/body/p/*/a/@rel"],
    ),
    at(
        "cell of a table",
        "GET /tables/{id}",
        &["body /html/body/table/tr/*/td/*"],
    ),
    at(
        "row of a table missing",
        "GET /tables/{id}",
        &["body /html/body/table/tr/*"],
    ),
    at("attribute in XML", "GET /feeds/{id}", &["body /feed/@lang"]),
    at(
        "text in XML",
        "GET /feeds/{id}",
        &["body /feed/item/*/title"],
    ),
    at(
        "element missing in XML",
        "GET /sitemaps/{id}",
        &["body /urlset/url/*/priority"],
    ),
    at("column in a line", "GET /reports/{id}", &["body /*"]),
    at("one extra line", "GET /reports/{id}", &["body /*"]),
    only(
        1.0,
        at("line of a static text", "GET /robots", &["body /*"]),
    ),
    at("path of a redirect", "GET /go/{id}", &["header location"]),
    at("status of a redirect", "GET /go/{id}", &["status"]),
    at("message of an error", "GET /missing/{id}", &["body /title"]),
    at("status of an error", "GET /missing/{id}", &["status"]),
    at(
        "directive of a header",
        "GET /downloads/{id}",
        &["header cache-control"],
    ),
    at(
        "header removed",
        "GET /downloads/{id}",
        &["header x-api-version"],
    ),
    rule(
        "slower by 40 %",
        "GET /slow/{id}",
        1.0,
        ("p50 > +5%", &["body /took_ms"]),
    ),
    rule(
        "slower in the tail",
        "GET /tails/{id}",
        0.2,
        ("p95 > +10%", &["body /took_ms"]),
    ),
    Change {
        shows: Shows::Anywhere,
        ..at("status of some requests", "GET /flaky/{id}", &[])
    },
];

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
pub fn world(seed: u64, planted: Planted, caches: Caches) -> World {
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
        _ => CHANGES.iter().filter_map(chosen).collect(),
    };
    World {
        seed,
        planted,
        caches,
    }
}
