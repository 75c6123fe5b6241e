//! Compares two responses: status, chosen headers, body. What is found are typed [`Observation`]s, and counts of what
//! was the same.
//!
//! JSON is compared as data, other bodies as bytes. The memory of a comparison is bounded by [`BodyLimits`]: bodies over
//! them are read side by side as a stream, and the comparison says so in its [`Extent`].

mod body;
mod media;
mod number;
mod place;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::detect::{CREDENTIALS, is_secret_header};
use crate::exchange::{Fault, Response};
use crate::json::{NotRead, Value, same_text};
use body::{Bodies, same_codings};
use media::same_media_type;
use number::same_number;
use place::Ignored;

pub use body::BodyLimits;
pub use place::{Place, PlaceTotals, excerpt};
pub(crate) use place::{Step, pointer};

/// Longest value that an observation shows.
const MAX_SHOWN: usize = 200;
/// Different places of one pair that are told apart. Status and headers come first, so that no body pushes them out.
const MAX_OBSERVATIONS: usize = 100;

crate::options! {
    /// What of two answers must agree.
    #[derive(Clone, Debug)]
    pub struct CompareOptions("Comparison") {
        /// Response header that must agree; `none` for none (repeatable)
        #[option("compare-header", "NAME", default = "content-type", live)]
        pub headers: Vec<String>,
        /// JSON pointer to leave out, with `*` for any step (repeatable)
        #[option("ignore", "POINTER", live)]
        pub ignore: Vec<String>,
    }
}

impl CompareOptions {
    /// Refuses pointers that are none: they would leave out everything, or nothing.
    pub fn check(&self) -> Result<(), String> {
        let is_pointer =
            |text: &str| text.starts_with('/') && text.split('/').all(|step| step != "**");
        match self.ignore.iter().find(|text| !is_pointer(text)) {
            Some(text) => Err(format!(
                "--ignore `{text}` is not a JSON pointer: write it as in '/id' or '/items/*/price', each step with its `/`; `*` is one step"
            )),
            None => Ok(()),
        }
    }
}

/// What the two answers to one request have in common, and what not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// One for each place and kind, in the order of places.
    pub observations: Vec<Observation>,
    /// Places that were equal. A body that is equal byte for byte counts once.
    pub same: PlaceTotals,
    pub different: PlaceTotals,
    /// Differences beyond those that are told apart.
    pub untold: u64,
    pub extent: Extent,
}

impl Comparison {
    pub fn differs(&self) -> bool {
        self.different.total() > 0
    }
}

/// How the two sides differ at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    pub place: Place,
    pub kind: Kind,
    /// How often in this pair, as for each element of a list.
    pub count: u64,
    /// The first of them.
    pub production: String,
    pub mirror: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Another value.
    Value,
    /// A value of another type.
    Type,
    /// The mirror does not have it.
    Missing,
    /// Production does not have it.
    Added,
    /// Other bytes in bodies that were not compared as data.
    Bytes,
    /// The same elements in another order.
    Order,
    /// The same meaning, written in another way.
    Cosmetic,
    /// A value of another format, where the format is known.
    Format,
    /// Other shares of the values that a place takes.
    Distribution,
    /// A number outside of the range that a place takes.
    Range,
    /// A time at another distance from its own answer's.
    Clock,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Type => "type",
            Self::Missing => "missing",
            Self::Added => "added",
            Self::Bytes => "bytes",
            Self::Order => "order",
            Self::Cosmetic => "cosmetic",
            Self::Format => "format",
            Self::Distribution => "distribution",
            Self::Range => "range",
            Self::Clock => "clock",
        }
    }
}

/// How much of the two answers was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    #[default]
    Whole,
    /// The bodies are over the limits for data: they were read side by side, and byte for byte.
    Stream,
    /// The bodies are over the cap, and were never held: by their length and the digest of all their bytes.
    Digest,
    /// Status and headers only.
    Head(NotWhole),
}

/// Why bodies were not compared, not even by their digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotWhole {
    ProductionTooLarge,
    MirrorTooLarge,
    /// Even as a stream.
    DecodedTooLarge,
    /// Production's was not captured whole.
    ProductionDamaged,
}

/// Compares within [`BodyLimits::FULL`].
pub fn compare(options: &CompareOptions, production: &Response, mirror: &Response) -> Comparison {
    Comparer::new(options).compare(production, mirror, BodyLimits::FULL)
}

/// Compares within [`BodyLimits::LIGHT`]; `None` when that is not enough. Any number of these may run at once.
pub fn compare_light(
    options: &CompareOptions,
    production: &Response,
    mirror: &Response,
) -> Option<Comparison> {
    let comparison = Comparer::new(options).compare(production, mirror, BodyLimits::LIGHT);
    let is_over = matches!(
        comparison.extent,
        Extent::Stream | Extent::Head(NotWhole::DecodedTooLarge)
    );
    (!is_over).then_some(comparison)
}

/// Compares one pair.
struct Comparer<'o> {
    options: &'o CompareOptions,
    ignored: Ignored,
    found: BTreeMap<(Place, Kind), Observation>,
    result: Comparison,
}

impl<'o> Comparer<'o> {
    fn new(options: &'o CompareOptions) -> Self {
        Self {
            options,
            ignored: Ignored::new(&options.ignore),
            found: BTreeMap::new(),
            result: Comparison::default(),
        }
    }

    fn compare(
        mut self,
        production: &Response,
        mirror: &Response,
        limits: BodyLimits,
    ) -> Comparison {
        self.heads(production, mirror);
        match not_whole(production, mirror) {
            Some(why) => self.digests(production, mirror, why),
            None => self.bodies(production, mirror, limits),
        }
        self.result.observations = self.found.into_values().collect();
        self.result
    }

    fn heads(&mut self, production: &Response, mirror: &Response) {
        if production.status == mirror.status {
            self.result.same.count(&Place::Status);
        } else {
            let (ours, theirs) = (production.status.to_string(), mirror.status.to_string());
            self.differ(Place::Status, Kind::Value, &ours, &theirs);
        }
        for name in &self.options.headers {
            self.header(name, production, mirror);
        }
    }

    fn header(&mut self, name: &str, production: &Response, mirror: &Response) {
        let (ours, theirs) = (production.headers.first(name), mirror.headers.first(name));
        let is_same = match (ours, theirs) {
            (Some(ours), Some(theirs)) => same_header(name, ours, theirs),
            (ours, theirs) => ours == theirs,
        };
        let place = Place::Header(name.to_owned());
        if is_same {
            return self.result.same.count(&place);
        }
        let shown = |value: Option<&[u8]>| match value {
            None => absent(),
            Some(_) if is_secret_header(name) => "(not shown)".into(),
            Some(value) => String::from_utf8_lossy(value.trim_ascii()).into_owned(),
        };
        let kind = kind_of(ours.is_some(), theirs.is_some());
        self.differ(place, kind, &shown(ours), &shown(theirs));
    }

    fn bodies(&mut self, production: &Response, mirror: &Response, limits: BodyLimits) {
        match Bodies::of(production, mirror, limits) {
            Bodies::Same => self.result.same.count(&Place::Body),
            Bodies::Whole(ours, theirs) => match body::data(&ours, &theirs, limits) {
                Ok((ours, theirs)) => self.values(&mut Vec::new(), &ours, &theirs),
                Err(not_read) => {
                    if not_read == NotRead::TooLarge {
                        self.result.extent = Extent::Stream;
                    }
                    self.bytes(&body::parted(&ours, &theirs));
                }
            },
            Bodies::Stream(parted) => {
                self.result.extent = Extent::Stream;
                match parted {
                    None => self.result.same.count(&Place::Body),
                    Some(parted) => self.bytes(&parted),
                }
            }
            Bodies::TooLarge => {
                self.result.extent = Extent::Head(NotWhole::DecodedTooLarge);
            }
        }
    }

    /// Bodies that are over the cap, by length and digest; `why` they cannot be compared otherwise.
    fn digests(&mut self, production: &Response, mirror: &Response, why: NotWhole) {
        let digests = (body::digest(production), body::digest(mirror));
        self.result.extent = match digests {
            // Two codings are other bytes for the same data.
            (Some(_), Some(_)) if !same_codings(production, mirror) => Extent::Head(why),
            (Some(ours), Some(theirs)) if ours == theirs => {
                self.result.same.count(&Place::Body);
                Extent::Digest
            }
            (Some(ours), Some(theirs)) => {
                self.bytes(&(body::digested(ours), body::digested(theirs)));
                Extent::Digest
            }
            _ => Extent::Head(why),
        };
    }

    fn bytes(&mut self, (ours, theirs): &(String, String)) {
        self.differ(Place::Body, Kind::Bytes, ours, theirs);
    }

    fn values<'v>(&mut self, at: &mut Vec<Step<'v>>, ours: &'v Value<'v>, theirs: &'v Value<'v>) {
        if self.ignored.contains(at) {
            return;
        }
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => self.objects(at, ours, theirs),
            (Value::Array(ours), Value::Array(theirs)) => {
                for index in 0..ours.len().max(theirs.len()) {
                    at.push(Step::Index(index));
                    self.members(at, ours.get(index), theirs.get(index));
                    at.pop();
                }
                if ours.is_empty() && theirs.is_empty() {
                    self.result.same.json += 1;
                }
            }
            _ if same_scalar(ours, theirs) => self.result.same.json += 1,
            _ => {
                let same_type = std::mem::discriminant(ours) == std::mem::discriminant(theirs);
                let kind = if same_type { Kind::Value } else { Kind::Type };
                self.differ_json(at, kind, Some(ours), Some(theirs));
            }
        }
    }

    fn objects<'v>(
        &mut self,
        at: &mut Vec<Step<'v>>,
        ours: &'v [(Cow<'v, str>, Value<'v>)],
        theirs: &'v [(Cow<'v, str>, Value<'v>)],
    ) {
        let in_order =
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| a.0 == b.0);
        if in_order {
            for ((name, ours), (_, theirs)) in ours.iter().zip(theirs) {
                at.push(Step::Member(name));
                self.members(at, Some(ours), Some(theirs));
                at.pop();
            }
        } else {
            // Of members with one name the last counts, as most parsers have it.
            let mut both: BTreeMap<&str, [Option<&Value<'_>>; 2]> = BTreeMap::new();
            for (side, members) in [ours, theirs].into_iter().enumerate() {
                for (name, value) in members {
                    both.entry(name).or_default()[side] = Some(value);
                }
            }
            for (name, [ours, theirs]) in both {
                at.push(Step::Member(name));
                self.members(at, ours, theirs);
                at.pop();
            }
        }
        if ours.is_empty() && theirs.is_empty() {
            self.result.same.json += 1;
        }
    }

    fn members<'v>(
        &mut self,
        at: &mut Vec<Step<'v>>,
        ours: Option<&'v Value<'v>>,
        theirs: Option<&'v Value<'v>>,
    ) {
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => self.values(at, ours, theirs),
            _ if self.ignored.contains(at) => {}
            _ => {
                let kind = kind_of(ours.is_some(), theirs.is_some());
                self.differ_json(at, kind, ours, theirs);
            }
        }
    }

    fn differ_json(
        &mut self,
        at: &[Step<'_>],
        kind: Kind,
        ours: Option<&Value<'_>>,
        theirs: Option<&Value<'_>>,
    ) {
        let shown = |value: Option<&Value<'_>>| value.map_or_else(absent, |v| v.shown(MAX_SHOWN));
        self.differ(Place::Json(pointer(at)), kind, &shown(ours), &shown(theirs));
    }

    fn differ(&mut self, place: Place, kind: Kind, production: &str, mirror: &str) {
        self.result.different.count(&place);
        let key = (place, kind);
        if let Some(known) = self.found.get_mut(&key) {
            known.count += 1;
        } else if self.found.len() < MAX_OBSERVATIONS {
            // What is known to be a secret by its form is not shown, whatever the rules say.
            let shown = |value: &str| excerpt(&CREDENTIALS.masked(value), MAX_SHOWN);
            let observation = Observation {
                place: key.0.clone(),
                kind,
                count: 1,
                production: shown(production),
                mirror: shown(mirror),
            };
            self.found.insert(key, observation);
        } else {
            self.result.untold += 1;
        }
    }
}

/// Why the bodies must not be compared. Production's comes first: without it there is nothing to compare with.
fn not_whole(production: &Response, mirror: &Response) -> Option<NotWhole> {
    match (production.fault, mirror.fault) {
        (Some(Fault::TooLarge), _) => Some(NotWhole::ProductionTooLarge),
        (Some(_), _) => Some(NotWhole::ProductionDamaged),
        (None, Some(_)) => Some(NotWhole::MirrorTooLarge),
        (None, None) => None,
    }
}

fn same_header(name: &str, ours: &[u8], theirs: &[u8]) -> bool {
    let (ours, theirs) = (ours.trim_ascii(), theirs.trim_ascii());
    ours == theirs || (name.eq_ignore_ascii_case("content-type") && same_media_type(ours, theirs))
}

fn same_scalar(ours: &Value<'_>, theirs: &Value<'_>) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => same_number(ours, theirs),
        (Value::Text(ours), Value::Text(theirs)) => same_text(ours, theirs),
        _ => ours == theirs,
    }
}

fn kind_of(in_production: bool, in_mirror: bool) -> Kind {
    match (in_production, in_mirror) {
        (true, false) => Kind::Missing,
        (false, true) => Kind::Added,
        _ => Kind::Value,
    }
}

fn absent() -> String {
    "(absent)".into()
}

#[cfg(test)]
mod tests;
