//! Compares two responses: status, headers, body. What is found are typed [`Observation`]s, each with a [`Kind`] and its
//! [`Severity`], and counts of what was the same. [`CompareRule`]s say which differences count.
//!
//! Bodies that have structure are compared as data (`document/`), others as bytes. The memory of a comparison is bounded by
//! [`BodyLimits`]: bodies over them are read side by side as a stream, and the comparison says so in its [`Extent`].

mod align;
mod alike;
mod body;
mod cookie;
mod differ;
mod document;
mod effects;
mod found;
mod header;
mod keys;
mod kind;
mod label;
mod lists;
mod media;
mod number;
mod place;
mod rules;
mod scalar;
mod token;

use serde::{Deserialize, Serialize};

use crate::exchange::{Fault, Request, Response};
use crate::json::{NotRead, Value};
use crate::options::FromText;
use body::{Bodies, same_codings};
use differ::Differ;
use document::{Content, ContentPair, ReadPair};
use header::Hosts;
use place::{At, Tree};
use rules::Active;

pub use body::BodyLimits;
pub use document::{BodyFormat, body_as_json};
pub use effects::compare_effects;
pub use kind::{Kind, Severity};
pub use place::{Place, PlaceTotals, excerpt};
pub(crate) use place::{Step, pointer};
pub use rules::{CompareRule, IgnoredPointer, RuleCount, RuleTally, RuleUse};

crate::options! {
    /// What of two answers must agree.
    #[derive(Clone, Debug)]
    pub struct CompareOptions("Comparison") {
        /// Response header that must agree: `all` for all but those that differ by nature (date, etag, x-request-id, server, …),
        /// a name for one more, names alone for these only, `none` for none (repeatable)
        #[option("compare-header", "NAME", default = "all", live)]
        pub headers: Vec<String>,
        /// JSON pointer to leave out, with `*` for any step and `**` for any number of them (repeatable)
        #[option("ignore", "POINTER", live)]
        pub ignore: Vec<IgnoredPointer>,
        /// Which differences count, as in 'GET /orders/{id} => ignore /items/*/updated_at', 'tolerance 0.1% /**/price',
        /// 'unordered by id /items', 'expect added /currency', 'rename /price -> /pricing/amount' or
        /// 'ignore effects:/writes/audit' (repeatable)
        #[option("compare-rule", "RULE", live)]
        pub rules: Vec<CompareRule>,
    }
}

impl CompareOptions {
    /// Refuses rules that can never match.
    pub fn check(&self) -> Result<(), String> {
        rules::check(&self.rules, &self.ignore)
            .map_err(|error| format!("--compare-rule: {error}"))?;
        let is_named = |name: &str| {
            self.headers
                .iter()
                .any(|named| named.eq_ignore_ascii_case(name))
        };
        let is_compared =
            |name: &str| is_named(name) || (is_named(header::ALL) && !header::is_left_out(name));
        for rule in &self.rules {
            if let Some(name) = rule.header().filter(|name| !is_compared(name)) {
                return Err(format!(
                    "--compare-rule: the rule `{rule}` can never match, because the header is not compared: leave the rule out, or add --compare-header {name}"
                ));
            }
        }
        Ok(())
    }

    /// Leaves a header out that differs by nature, unless it is not compared or a rule says otherwise.
    pub fn leave_out_header(&mut self, name: &str) {
        let Ok(rule) = CompareRule::from_text(&format!("ignore header:{name}")) else {
            return;
        };
        self.rules.push(rule);
        if self.check().is_err() {
            self.rules.pop();
        }
    }

    /// In the order by which a [`RuleUse`] counts them.
    pub fn all_rules(&self) -> impl Iterator<Item = &CompareRule> {
        let ignored = self.ignore.iter().map(IgnoredPointer::rule);
        self.rules.iter().chain(ignored)
    }
}

/// The request that both answers are for, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// As captured. Without it only rules for all routes apply.
    pub request: Option<&'a Request>,
    /// The host of the mirror, as in `orders:8080`: its answers may name it where production's name their own.
    pub mirror_authority: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn hosts(self) -> Hosts<'a> {
        let of_request = |request: &'a Request| {
            let host = request.target.authority();
            host.or_else(|| request.headers.first("host"))
        };
        Hosts {
            production: self.request.and_then(of_request),
            mirror: self.mirror_authority.map(str::as_bytes),
        }
    }
}

/// What the two answers to one request have in common, and what not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// One for each place and kind, in the order of places. Those that are cosmetic are no differences.
    pub observations: Vec<Observation>,
    /// Places that were equal. A body that is equal byte for byte counts once.
    pub same: PlaceTotals,
    pub different: PlaceTotals,
    /// Differences beyond those that are told apart.
    pub untold: u64,
    /// Differences that a rule expects. They are not among the others.
    pub expected: Vec<Observation>,
    /// One for each rule that is on the route of the pair.
    pub rules: Vec<RuleUse>,
    pub extent: Extent,
}

impl Comparison {
    /// Whether anything but the way of writing differs.
    pub fn differs(&self) -> bool {
        self.different.total() > 0
    }

    /// Bytes that it takes in memory, about.
    pub fn held_bytes(&self) -> usize {
        let all = self.observations.iter().chain(&self.expected);
        all.map(Observation::held_bytes).sum::<usize>() + size_of_val(&*self.rules)
    }

    /// Adds what was found in the effects of the same request.
    pub fn add_effects(&mut self, effects: Self) {
        // Their places come after all others.
        self.observations.extend(effects.observations);
        self.same += effects.same;
        self.different += effects.different;
        self.untold += effects.untold;
        self.expected.extend(effects.expected);
        self.rules.extend(effects.rules);
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

impl Observation {
    fn held_bytes(&self) -> usize {
        let name = match &self.place {
            Place::Header(name) | Place::Json(name) | Place::Effects(name) => name.len(),
            Place::Status | Place::Body => 0,
        };
        size_of::<Self>() + name + self.production.len() + self.mirror.len()
    }

    pub fn severity(&self) -> Severity {
        self.kind.severity_at(&self.place)
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

/// Compares within [`BodyLimits::FULL`], without knowing what was asked.
pub fn compare(options: &CompareOptions, production: &Response, mirror: &Response) -> Comparison {
    compare_full(options, Asked::default(), production, mirror)
}

/// Compares within [`BodyLimits::FULL`].
pub fn compare_full(
    options: &CompareOptions,
    asked: Asked<'_>,
    production: &Response,
    mirror: &Response,
) -> Comparison {
    Comparer::new(options, asked).compare(production, mirror, BodyLimits::FULL)
}

/// Compares within [`BodyLimits::LIGHT`]; `None` when that is not enough. Any number of these may run at once.
pub fn compare_light(
    options: &CompareOptions,
    asked: Asked<'_>,
    production: &Response,
    mirror: &Response,
) -> Option<Comparison> {
    let comparison = Comparer::new(options, asked).compare(production, mirror, BodyLimits::LIGHT);
    let is_over = matches!(
        comparison.extent,
        Extent::Stream | Extent::Head(NotWhole::DecodedTooLarge)
    );
    (!is_over).then_some(comparison)
}

/// Compares one pair.
struct Comparer<'o> {
    options: &'o CompareOptions,
    hosts: Hosts<'o>,
    differ: Differ<'o>,
    extent: Extent,
}

impl<'o> Comparer<'o> {
    fn new(options: &'o CompareOptions, asked: Asked<'o>) -> Self {
        Self {
            options,
            hosts: asked.hosts(),
            differ: Differ::new(
                Active::new(options.all_rules(), asked.request, Tree::Body),
                Tree::Body,
            ),
            extent: Extent::Whole,
        }
    }

    fn compare(
        mut self,
        production: &Response,
        mirror: &Response,
        limits: BodyLimits,
    ) -> Comparison {
        self.status(production.status, mirror.status);
        header::headers(
            &mut self.differ,
            &self.options.headers,
            self.hosts,
            production,
            mirror,
        );
        match not_whole(production, mirror) {
            Some(why) => self.digests(production, mirror, why),
            None => self.bodies(production, mirror, limits),
        }
        Comparison {
            extent: self.extent,
            ..self.differ.finish()
        }
    }

    fn status(&mut self, ours: u16, theirs: u16) {
        if ours == theirs {
            self.differ.found.same.status += 1;
            return;
        }
        let kind = Kind::of_statuses(ours, theirs);
        let shown = || [ours, theirs].map(|status| status.to_string());
        self.differ.differ(At::Status, kind, None, shown);
    }

    fn bodies(&mut self, production: &Response, mirror: &Response, limits: BodyLimits) {
        match Bodies::of(production, mirror, limits) {
            Bodies::Same => self.differ.found.same.bodies += 1,
            Bodies::Whole(ours, theirs) => {
                let is_json = is_json(production) || is_json(mirror);
                let is_small = ours.len().max(theirs.len()) <= limits.bytes;
                let equal = || alike::equal_values(&ours, &theirs, limits.nodes);
                if let Some(count) = (is_json && is_small).then(equal).flatten() {
                    self.differ.found.same.json += count;
                    return self.written_otherwise("the same data in other bytes");
                }
                let (p, m) = (Content::of(production, &ours), Content::of(mirror, &theirs));
                match ContentPair::new(p, m, limits).read() {
                    Ok(ReadPair::Documents(ours, theirs)) => self.documents(ours, theirs),
                    Ok(ReadPair::Lines(ours, theirs)) => {
                        self.differ.has_labels = label::are_few([&ours, &theirs]);
                        self.documents(ours, theirs);
                    }
                    Ok(ReadPair::Records(ours, theirs)) => {
                        self.differ.has_records = true;
                        self.documents(ours, theirs);
                    }
                    Ok(ReadPair::Digests(ours, theirs)) => {
                        self.bytes(|| (body::known_by(ours), body::known_by(theirs)));
                    }
                    Err(not_read) => {
                        if not_read == NotRead::TooLarge {
                            self.extent = Extent::Stream;
                        }
                        self.bytes(|| body::parted(&ours, &theirs));
                    }
                }
            }
            Bodies::Stream(parted) => {
                self.extent = Extent::Stream;
                match parted {
                    None => self.differ.found.same.bodies += 1,
                    Some(parted) => self.bytes(|| parted),
                }
            }
            Bodies::TooLarge => {
                self.extent = Extent::Head(NotWhole::DecodedTooLarge);
            }
        }
    }

    /// Documents that are not the same bytes.
    fn documents(&mut self, mut ours: Value<'_>, mut theirs: Value<'_>) {
        self.differ.rules.rename(&mut ours, &mut theirs);
        let covered = self.differ.covered;
        self.differ.values(&mut Vec::new(), &ours, &theirs);
        let is_same = self.differ.found.different.json == 0 && self.differ.covered == covered;
        let how = match self.differ.has_other_member_order {
            true => "the same members in another order",
            false if is_same => "the same data in other bytes",
            false => return,
        };
        self.written_otherwise(how);
    }

    fn written_otherwise(&mut self, how: &str) {
        let shown = || ["as it was written".into(), how.into()];
        self.differ.found.add(At::Body, Kind::Cosmetic, shown);
    }

    /// Bodies that are over the cap, by length and digest; `why` they cannot be compared otherwise.
    fn digests(&mut self, production: &Response, mirror: &Response, why: NotWhole) {
        let digests = (body::digest(production), body::digest(mirror));
        self.extent = match digests {
            // Two codings are other bytes for the same data.
            (Some(_), Some(_)) if !same_codings(production, mirror) => Extent::Head(why),
            (Some(ours), Some(theirs)) if ours == theirs => {
                self.differ.found.same.bodies += 1;
                Extent::Digest
            }
            (Some(ours), Some(theirs)) => {
                self.bytes(|| (body::digested(ours), body::digested(theirs)));
                Extent::Digest
            }
            _ => Extent::Head(why),
        };
    }

    fn bytes(&mut self, parted: impl FnOnce() -> (String, String)) {
        self.differ
            .differ(At::Body, Kind::Bytes, None, || parted().into());
    }
}

fn is_json(response: &Response) -> bool {
    response
        .headers
        .first("content-type")
        .is_some_and(media::is_json)
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

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
