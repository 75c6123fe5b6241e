//! How one place varies: in which A/A pairs it differed, and what values it takes.
//!
//! Values come from production and from A/A pairs, never from the candidate. All of it is counts and bounds, so that it adds
//! up in any order.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::class::Class;
use super::classes::{Classes, FewValues};
use super::form::{Family, ValueType};
use super::pairs::{Pairs, Source};
use super::sample::Sample;
use super::shape::{Extremes, Shape};
use super::turns::Turns;
use super::{AnswerTimes, Explained};
use crate::compare::{Kind, Observation, Place};

/// What stands for the lesser and the greater of two numbers that are too many to be told apart.
pub const LOWER: &str = "(lower)";
pub const HIGHER: &str = "(higher)";
/// One number that rose by one between two answers may be a stock or a count of views.
const MIN_TICKS: u64 = 2;
/// Forms of one place; where there are more, it has none.
const MAX_SHAPES: usize = 12;
/// Values before a weak form, or a distance from the answer's time, is expected of more of them.
const MIN_VALUES: u64 = 8;
/// Numbers before their range is known.
const MIN_NUMBERS: u64 = 20;
/// Two instances that are equal in one of so many pairs do not stay apart.
const EQUAL: u64 = 8;
/// Milliseconds by which a clock may always be off: answers take time, and clocks have seconds.
const MIN_CLOCK_SLACK: i64 = 5_000;

/// How a place varies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Variation {
    /// A/A pairs in which it differed.
    pub differed: Pairs,
    /// How it differed in them, sorted.
    kinds: Vec<Kind>,
    /// Sorted by type and family.
    shapes: Vec<Shape>,
    /// It takes too many forms.
    is_formless: bool,
    classes: Classes,
    numbers: Option<Extremes<f64>>,
    /// Milliseconds after the answers' own times.
    offsets: Option<Extremes<i64>>,
    /// Of production and the control, and of production's own repeats.
    turns: Turns,
    /// How far the two numbers of such a pair are apart.
    gaps: FewValues,
    /// Pairs of two numbers, and those of them in which the number went on as a clock does.
    numbers_differed: u64,
    ticks: u64,
    /// Of the candidate and its repeats, where nothing chose them.
    repeat_turns: Turns,
}

/// How one difference at a place is made, for the question what has shown it before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Value,
    Presence,
    Other(Kind),
}

impl Manner {
    /// An element of a list that is another one is found as another value, or as a missing and an added one.
    fn of(kind: Kind, place: &Place) -> Self {
        match kind {
            Kind::Bytes | Kind::Order | Kind::Cosmetic => Self::Other(kind),
            Kind::Missing | Kind::Added if !place.is_element() => Self::Presence,
            _ => Self::Value,
        }
    }
}

impl Variation {
    /// Learns from a pair of equal programs' answers in which it differed.
    pub(super) fn learn(&mut self, source: Source, times: AnswerTimes, found: &Observation) {
        self.differed.count(source);
        if let Err(at) = self.kinds.binary_search(&found.kind) {
            self.kinds.insert(at, found.kind);
        }
        if matches!(Manner::of(found.kind, &found.place), Manner::Other(_)) {
            return;
        }
        let [first, second] = samples(found, times);
        if let (Some(a), Some(b)) = (first.number, second.number) {
            self.numbers_differed += 1;
            self.ticks += u64::from(is_tick(a, b, times));
        }
        match source {
            Source::Control | Source::Production => {
                self.turns.count(&first, &second);
                if let (Some(a), Some(b)) = (first.number, second.number) {
                    self.gaps.add((b - a).to_bits(), 1);
                }
                self.take(&first);
                self.take(&second);
            }
            Source::Repeat => self.repeat_turns.count(&first, &second),
            Source::Recheck => {}
        }
    }

    pub(super) fn take(&mut self, sample: &Sample<'_>) {
        self.classes.add(&sample.class);
        if let Some(form) = sample.form {
            self.add_shape(Shape::new(form));
        }
        if let Some(number) = sample.number {
            Extremes::take(&mut self.numbers, number);
        }
        if let Some(offset) = sample.offset {
            Extremes::take(&mut self.offsets, offset);
        }
    }

    fn add_shape(&mut self, shape: Shape) {
        if self.is_formless {
            return;
        }
        let by = |known: &Shape| (known.of, known.family);
        match self.shapes.binary_search_by_key(&by(&shape), by) {
            Ok(at) => self.shapes[at].merge(&shape),
            Err(at) => self.shapes.insert(at, shape),
        }
        if self.shapes.len() > MAX_SHAPES {
            self.shapes = Vec::new();
            self.is_formless = true;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.differed += other.differed;
        self.kinds.extend(&other.kinds);
        self.kinds.sort_unstable();
        self.kinds.dedup();
        if other.is_formless {
            self.shapes = Vec::new();
            self.is_formless = true;
        }
        for shape in &other.shapes {
            self.add_shape(*shape);
        }
        self.classes.merge(&other.classes);
        Extremes::merge(&mut self.numbers, other.numbers);
        Extremes::merge(&mut self.offsets, other.offsets);
        self.turns += other.turns;
        self.gaps.merge(&other.gaps);
        self.numbers_differed += other.numbers_differed;
        self.ticks += other.ticks;
        self.repeat_turns += other.repeat_turns;
    }

    /// Judges a difference between production and the candidate; `pairs` are all A/A pairs of the route.
    pub(super) fn judge(
        &self,
        times: AnswerTimes,
        pairs: Pairs,
        found: &Observation,
        out: &mut Explained,
    ) {
        let manner = Manner::of(found.kind, &found.place);
        if !self.has_shown(manner, &found.place) {
            if let Some(kind) = exchanged(found.kind) {
                out.against.push(derived(found, kind));
            }
            out.left.push(found.clone());
            return;
        }
        if matches!(manner, Manner::Other(_)) {
            out.varying.push(found.clone());
            return;
        }
        let [ours, theirs] = samples(found, times);
        match (self.oddity(&ours), self.oddity(&theirs)) {
            (None, Some(Kind::Type)) => {
                out.left.push(derived(found, Kind::Type));
                return;
            }
            (None, Some(kind)) => out.left.push(derived(found, kind)),
            (Some(kind), None) => out.against.push(derived(found, kind)),
            (Some(_), Some(_)) => {}
            (None, None) => self.judge_classes(found, pairs, [&ours, &theirs], out),
        }
        out.varying.push(found.clone());
    }

    /// Judges the classes of two values of which neither is odd by itself.
    fn judge_classes(
        &self,
        found: &Observation,
        pairs: Pairs,
        sides: [&Sample<'_>; 2],
        out: &mut Explained,
    ) {
        let [ours, theirs] = sides;
        let is_controlled = self.differed.control > 0 || found.place == Place::Status;
        let is_new = |sample: &Sample<'_>| self.is_new(sample, is_controlled);
        let (is_ours, is_theirs) = (is_new(ours), is_new(theirs));
        let named = |[production, mirror]: [String; 2]| Observation {
            production,
            mirror,
            ..derived(found, Kind::Distribution)
        };
        let names = || sides.map(|side| self.class(&side.class).name());
        match self.shift(pairs, ours, theirs) {
            Some((a, b)) => out.left.push(named([a, b])),
            None if is_theirs && !is_ours => out.left.push(named(names())),
            None => {}
        }
        match (is_ours, is_theirs) {
            (true, false) => out.against.push(named(names())),
            (false, true) => out.novel.push(found.place.clone()),
            _ => {}
        }
    }

    /// Whether production never showed its class, and its classes are known. Which numbers there are may depend on the instance: of those only a
    /// control tells.
    fn is_new(&self, sample: &Sample<'_>, is_controlled: bool) -> bool {
        let class = self.class(&sample.class);
        let is_known = match class {
            Class::Text(_) => self.classes.knows_texts(),
            Class::Number(_) => is_controlled && self.classes.knows_numbers(),
            _ => false,
        };
        is_known && !self.classes.has(&class)
    }

    /// Whether an A/A pair differed in this manner.
    fn has_shown(&self, manner: Manner, place: &Place) -> bool {
        let mut kinds = self.kinds.iter();
        kinds.any(|kind| Manner::of(*kind, place) == manner)
    }

    /// What of a value production never showed.
    fn oddity(&self, sample: &Sample<'_>) -> Option<Kind> {
        let form = sample.form.filter(|_| !self.shapes.is_empty())?;
        let alike = || self.shapes.iter().filter(|shape| shape.of == form.of);
        if alike().next().is_none() {
            return Some(Kind::Type);
        }
        let Some(shape) = self.shape(sample) else {
            let seen: u64 = alike().map(|shape| shape.count).sum();
            let are_strong = alike().all(|shape| shape.family.is_strong());
            return (are_strong || seen >= MIN_VALUES).then_some(Kind::Format);
        };
        if !shape.fits(form.measure) {
            return Some(Kind::Format);
        }
        if sample
            .offset
            .is_some_and(|offset| self.is_other_clock(offset))
        {
            return Some(Kind::Clock);
        }
        let is_out = sample
            .number
            .is_some_and(|number| self.is_out_of_range(number));
        is_out.then_some(Kind::Range)
    }

    /// The form that was seen of such values: the same, or else the most general one of those that cover it.
    fn shape(&self, sample: &Sample<'_>) -> Option<&Shape> {
        let form = sample.form?;
        let alike = || self.shapes.iter().filter(|shape| shape.of == form.of);
        let same = alike().find(|shape| shape.family == form.family);
        let is_any_text =
            |shape: &&Shape| shape.family == Family::Text && self.classes.has_many_texts();
        same.or_else(|| self.general(Some(form.of), form.family))
            .or_else(|| alike().find(is_any_text))
    }

    fn general(&self, of: Option<ValueType>, family: Family) -> Option<&Shape> {
        let covering = self
            .shapes
            .iter()
            .filter(|shape| of.is_none_or(|of| shape.of == of) && shape.family.covers(family));
        covering.reduce(|best, next| match next.family.covers(best.family) {
            true => next,
            false => best,
        })
    }

    /// Whether its numbers go on with the time, as an age in seconds does. Then the answer that came first is the odd one, whoever gave it.
    pub(super) const fn is_ticking(&self) -> bool {
        self.ticks >= MIN_TICKS && self.ticks * 4 >= self.numbers_differed * 3
    }

    /// A range is known by 20 numbers, and a value may lie outside of it by its width: a counter grows, and rare values come
    /// late. What each instance counts for itself has no range, as long as no A/A pair of two instances was seen: neither its own
    /// repeats nor production's say what another instance counts.
    fn is_out_of_range(&self, number: f64) -> bool {
        let is_fair = self.repeat_turns.are_enough() && !self.repeat_turns.is_skewed();
        let counts_alone = self.differed.control == 0 && !is_fair;
        self.numbers.is_some_and(|known| {
            let slack = known.bounds.most - known.bounds.least;
            let is_within =
                number >= known.bounds.least - slack && number <= known.bounds.most + slack;
            known.count >= MIN_NUMBERS && !is_within && !counts_alone
        })
    }

    fn is_other_clock(&self, offset: i64) -> bool {
        self.offsets.is_some_and(|known| {
            let (least, most) = (known.bounds.least, known.bounds.most);
            let slack = most.saturating_sub(least).max(MIN_CLOCK_SLACK);
            let is_within =
                offset >= least.saturating_sub(slack) && offset <= most.saturating_add(slack);
            known.count >= MIN_VALUES && !is_within
        })
    }

    /// What each side has, where the share of such values can tell the two apart: the value itself where they are few, else
    /// which side has the greater number.
    fn shift(
        &self,
        pairs: Pairs,
        ours: &Sample<'_>,
        theirs: &Sample<'_>,
    ) -> Option<(String, String)> {
        if self.turns.is_skewed() || self.repeat_turns.is_skewed() {
            return None;
        }
        // How long a queue is depends on the instance: without a control, shares of numbers say nothing of the code.
        let are_numbers = ours.number.is_some() && theirs.number.is_some();
        if are_numbers && self.differed.control == 0 {
            return None;
        }
        if let (Some(a), Some(b)) = (ours.number, theirs.number)
            && !self.classes.knows_numbers()
        {
            let named = |is_lower| if is_lower { LOWER } else { HIGHER }.to_owned();
            // Two instances that stay as far apart as they are, like two counters, say nothing of the code.
            let are_alike = self.gaps.are_many() || self.are_often_equal(pairs);
            let tells = self.turns.are_enough() && are_alike && a != b;
            return tells.then(|| (named(a < b), named(b < a)));
        }
        let (a, b) = (self.class(&ours.class), self.class(&theirs.class));
        if a == b {
            return None;
        }
        let is_new =
            |class: &Class<'_>| matches!(class, Class::Text(_)) && !self.classes.has(class);
        let is_known = if is_new(&a) || is_new(&b) {
            self.classes.knows_texts()
        } else {
            let mut turns = self.turns;
            turns += self.repeat_turns;
            turns.are_enough() && self.classes.is_settled()
        };
        is_known.then(|| (a.name(), b.name()))
    }

    /// Whether production and the control have the same number now and then, and neither is ahead of the other in many pairs: a number that
    /// varies by few steps. Two counters, or ages of two caches, stay apart.
    fn are_often_equal(&self, pairs: Pairs) -> bool {
        let equal = pairs.control.saturating_sub(self.differed.control);
        self.turns.are_many() && !self.is_ticking() && equal * EQUAL >= pairs.control
    }

    /// What stands for a class where values are too many to be told apart, or where another form writes such values as well.
    fn class<'a>(&self, class: &'a Class<'a>) -> Class<'a> {
        match class {
            Class::Number(_) if self.classes.has_many_numbers() => Class::AnyNumber,
            Class::Text(_) if self.classes.has_many_texts() => Class::AnyText,
            Class::Text(mask) => Class::Text(Cow::Borrowed(mask)),
            Class::Family(family) => {
                let general = self.general(None, *family);
                Class::Family(general.map_or(*family, |shape| shape.family))
            }
            other => other.clone(),
        }
    }

    /// Values that production and A/A pairs showed where they differed.
    pub fn seen(&self) -> u64 {
        self.classes.seen()
    }

    /// In which ways A/A pairs differed there, sorted.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// The form of all its values, where they have only one.
    pub fn only_form(&self) -> Option<Family> {
        match self.shapes.as_slice() {
            [one] => Some(one.family),
            _ => None,
        }
    }

    /// What is known of the place, for people: its forms, and what bounds its values.
    pub fn describe(&self) -> String {
        let mut out: Vec<String> = self
            .shapes
            .iter()
            .map(|shape| shape.family.name().into())
            .collect();
        out.dedup();
        if let Some(known) = self.numbers {
            out.push(format!(
                "from {} to {}",
                known.bounds.least, known.bounds.most
            ));
        }
        if let Some(known) = self.offsets {
            let (least, most) = (known.bounds.least, known.bounds.most);
            out.push(format!("{least} to {most} ms after its answer"));
        }
        let others = self
            .kinds
            .iter()
            .filter(|kind| !matches!(kind, Kind::Value));
        out.extend(others.map(|kind| format!("differs by {}", kind.name())));
        out.join(", ")
    }
}

/// Whether a number went on by as many seconds as the second answer came later, or by one more, because they are whole.
fn is_tick(first: f64, second: f64, times: AnswerTimes) -> bool {
    let apart = times.mirror.nanos_since(times.production) / 1_000_000_000 + 1;
    second > first && second - first <= apart as f64 && (second - first).fract() == 0.0
}

/// Production's value in an observation, if that shows one.
pub(super) fn production(times: AnswerTimes, found: &Observation) -> Option<Sample<'_>> {
    let is_shown = !matches!(Manner::of(found.kind, &found.place), Manner::Other(_));
    is_shown.then(|| ours(found, times))
}

fn ours(found: &Observation, times: AnswerTimes) -> Sample<'_> {
    match found.kind {
        Kind::Added => Sample::absent(),
        _ => Sample::of(&found.production, times.production),
    }
}

/// The two values of an observation.
fn samples(found: &Observation, times: AnswerTimes) -> [Sample<'_>; 2] {
    let theirs = match found.kind {
        Kind::Missing => Sample::absent(),
        _ => Sample::of(&found.mirror, times.mirror),
    };
    [ours(found, times), theirs]
}

/// The same difference, seen from the other side, where that is another kind.
const fn exchanged(kind: Kind) -> Option<Kind> {
    match kind {
        Kind::Missing => Some(Kind::Added),
        Kind::Added => Some(Kind::Missing),
        _ => None,
    }
}

fn derived(found: &Observation, kind: Kind) -> Observation {
    Observation {
        kind,
        ..found.clone()
    }
}
