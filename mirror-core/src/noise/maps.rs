//! Objects that are used as maps: names of their members are data, such as names of people, which no form tells.
//!
//! A name that is like an id is `{*}` from the first, and two answers that share few names show a map (see `compare`). What is left
//! are names that are like those of fields, a few in each answer and others in the next. They are learnt here from the places that differ: an
//! object is a map when [`MIN_NAMES`] different members of it have differed, one by one and hardly any of them twice. Of a record with many fields
//! the same ones differ again and again, or all at once.
//!
//! Lines of a text that are told apart by what they begin with (`compare/label.rs`) are `*` from the moment on when so many of them have differed, but for
//! those that differ again and again.
//!
//! Then the names become `{*}`: in what is compared from now on, and in what is known so far ([`Maps::folded`]).
//!
//! **When it may be wrong.** A record of more than [`MIN_NAMES`] fields that each differ once in a while is taken for a map: its
//! differences count together. A map of which the same few members differ is not known as one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::RandomState;
use xxhash_rust::xxh3::xxh3_64;

use super::Noise;
use crate::compare::{Comparison, Observation, Place};

/// Members of an object that differed before it may be a map.
const MIN_NAMES: usize = 32;
/// Differences in them: each but few of them differed once.
const MAX_SEEN: usize = MIN_NAMES + MIN_NAMES / 2;
/// Members of an object that count in one answer, so that it takes [`MIN_NAMES`] / 3 answers at least.
const MAX_IN_ANSWER: usize = 3;
/// Objects of a route that are looked at, and how deep.
const MAX_OBJECTS: usize = 16;
const MAX_DEPTH: usize = 8;
/// Maps of a route.
const MAX_MAPS: usize = 64;
/// Routes that are looked at.
const MAX_ROUTES: usize = 4_096;
const ANY: &str = "{*}";
/// How the name of a line begins, and all of them together.
const LINE: &str = "*[";
const ANY_LINE: &str = "*";
/// Answers in which a line differed that keeps its label when others lose theirs.
const OFTEN: u8 = 3;

/// The maps in the answers of each route.
#[derive(Clone, Debug, Default)]
pub struct MapLearner {
    routes: HashMap<Box<str>, RouteMaps, RandomState>,
}

#[derive(Clone, Debug, Default)]
struct RouteMaps {
    known: Maps,
    /// By their pointers.
    objects: HashMap<Box<str>, Object, RandomState>,
}

/// What is known of an object whose members differ.
#[derive(Clone, Debug, Default)]
struct Object {
    /// Digests of names, sorted, and how often each was seen, up to [`OFTEN`].
    names: Vec<(u64, u8)>,
    /// Differences in its members.
    seen: usize,
}

/// Pointers of objects whose members are `{*}`, and of texts whose lines are `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maps {
    objects: BTreeSet<Box<str>>,
    /// Digests of the lines that keep their labels.
    kept: BTreeSet<u64>,
}

impl MapLearner {
    /// Takes the maps that an earlier run has learnt.
    pub fn of(noise: &Noise) -> Self {
        let mut learner = Self::default();
        for route in noise.routes() {
            for (place, _) in noise.places(route) {
                let Place::Json(pointer) = place else {
                    continue;
                };
                for (at, _) in pointer.match_indices("/{*}") {
                    learner.route(route).known.add(&pointer[..at]);
                }
            }
        }
        learner
            .routes
            .retain(|_, route| !route.known.objects.is_empty());
        learner
    }

    /// Takes what differs in an answer of a route. The maps of the route, if it shows that there is one more.
    pub fn learn(&mut self, route: &str, differing: &Comparison) -> Option<&Maps> {
        let is_known = self.routes.contains_key(route);
        let pointers = differing.observations.iter().filter_map(pointer);
        let mut pointers = pointers.peekable();
        if pointers.peek().is_none() || (!is_known && self.routes.len() >= MAX_ROUTES) {
            return None;
        }
        let route = self.route(route);
        let mut touched: BTreeMap<Box<str>, usize> = BTreeMap::new();
        for pointer in pointers {
            let pointer = route.known.pointer(pointer);
            for (at, _) in pointer.match_indices('/').take(MAX_DEPTH) {
                let (object, rest) = (&pointer[..at], &pointer[at + 1..]);
                let name = rest.split('/').next().unwrap_or_default();
                if name == "*" || name == ANY {
                    continue;
                }
                let in_answer = touched.get(object).copied().unwrap_or_default();
                if in_answer < MAX_IN_ANSWER && route.take(object, name) {
                    touched.insert(object.into(), in_answer + 1);
                }
            }
        }
        let before = route.known.objects.len();
        for object in touched.keys() {
            route.conclude(object);
        }
        (route.known.objects.len() > before).then_some(&route.known)
    }

    /// The comparison with the members of maps at one place; unchanged where there are none.
    pub fn folded<'c>(&self, route: &str, comparison: &'c Comparison) -> Cow<'c, Comparison> {
        let known = self.routes.get(route).map(|route| &route.known);
        let Some(known) = known.filter(|known| known.concern(comparison)) else {
            return Cow::Borrowed(comparison);
        };
        let mut folded = comparison.clone();
        let all = std::mem::take(&mut folded.observations);
        let mut observations: Vec<Observation> = Vec::with_capacity(all.len());
        for mut one in all {
            one.place = known.folded(&one.place).unwrap_or(one.place);
            let mut same = observations.iter_mut();
            match same.find(|known| known.kind == one.kind && known.place == one.place) {
                Some(same) => same.count += one.count,
                None => observations.push(one),
            }
        }
        observations.sort_by(|a, b| (&a.place, a.kind).cmp(&(&b.place, b.kind)));
        folded.observations = observations;
        Cow::Owned(folded)
    }

    /// The maps of a route.
    pub fn maps(&self, route: &str) -> Option<&Maps> {
        let maps = self.routes.get(route).map(|route| &route.known);
        maps.filter(|maps| !maps.objects.is_empty())
    }

    /// Puts the maps of the route `from` to that of `into`, as when routes were folded.
    pub fn fold(&mut self, from: &str, into: &str) {
        if from != into
            && let Some(gone) = self.routes.remove(from)
        {
            let route = self.route(into);
            let known = gone.known;
            known.objects.iter().for_each(|map| route.known.add(map));
            route.known.kept.extend(known.kept);
        }
    }

    fn route(&mut self, route: &str) -> &mut RouteMaps {
        if !self.routes.contains_key(route) {
            self.routes.insert(route.into(), RouteMaps::default());
        }
        self.routes.get_mut(route).expect("it is there")
    }
}

fn pointer(one: &Observation) -> Option<&str> {
    match &one.place {
        Place::Json(pointer) => Some(pointer),
        _ => None,
    }
}

impl RouteMaps {
    /// A member of an object differed; whether the object is looked at.
    fn take(&mut self, object: &str, name: &str) -> bool {
        if !self.objects.contains_key(object) {
            if self.objects.len() >= MAX_OBJECTS {
                return false;
            }
            self.objects.insert(object.into(), Object::default());
        }
        let object = self.objects.get_mut(object).expect("it is there");
        if object.seen > MAX_SEEN {
            return false;
        }
        let digest = xxh3_64(name.as_bytes());
        match object
            .names
            .binary_search_by_key(&digest, |(name, _)| *name)
        {
            Ok(at) => object.names[at].1 = (object.names[at].1 + 1).min(OFTEN),
            Err(at) => object.names.insert(at, (digest, 1)),
        }
        // A line that always varies does not say that the others are no data.
        object.seen += usize::from(!name.starts_with(LINE));
        if object.seen > MAX_SEEN && object.names.len() < MIN_NAMES {
            // A record: nothing more is to be learnt of it.
            object.names = Vec::new();
        }
        true
    }

    /// An answer is over in which members of the object differed.
    fn conclude(&mut self, at: &str) {
        let Some(object) = self.objects.get_mut(at) else {
            return;
        };
        if object.names.len() >= MIN_NAMES {
            let often = object.names.iter().filter(|(_, count)| *count >= OFTEN);
            self.known.kept.extend(often.map(|(name, _)| *name));
            self.known.add(at);
            // What is in its members is looked at anew, as one place.
            let prefix = format!("{at}/");
            let is_within = |object: &str| object == at || object.starts_with(&prefix);
            self.objects.retain(|object, _| !is_within(object));
        }
    }
}

impl Maps {
    fn add(&mut self, map: &str) {
        if self.objects.len() < MAX_MAPS {
            self.objects.insert(map.into());
        }
    }

    fn concern(&self, comparison: &Comparison) -> bool {
        let mut pointers = comparison.observations.iter().filter_map(pointer);
        !self.objects.is_empty() && pointers.any(|one| matches!(self.pointer(one), Cow::Owned(_)))
    }

    /// The place with `{*}` for members of maps, if it is in one.
    pub fn folded(&self, place: &Place) -> Option<Place> {
        match place {
            Place::Json(pointer) => match self.pointer(pointer) {
                Cow::Owned(pointer) => Some(Place::Json(pointer)),
                Cow::Borrowed(_) => None,
            },
            _ => None,
        }
    }

    fn pointer<'p>(&self, pointer: &'p str) -> Cow<'p, str> {
        if self.objects.is_empty() {
            return Cow::Borrowed(pointer);
        }
        let mut out = String::with_capacity(pointer.len());
        let mut is_changed = false;
        for name in pointer.split('/').skip(1) {
            let is_line = name.starts_with(LINE);
            let is_named = name != ANY && name != ANY_LINE;
            let is_kept = || is_line && self.kept.contains(&xxh3_64(name.as_bytes()));
            let is_map = is_named && self.objects.contains(out.as_str()) && !is_kept();
            is_changed |= is_map;
            out.push('/');
            out.push_str(match (is_map, is_line) {
                (false, _) => name,
                (true, false) => ANY,
                (true, true) => ANY_LINE,
            });
        }
        match is_changed {
            true => Cow::Owned(out),
            false => Cow::Borrowed(pointer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{CompareOptions, Kind, compare};
    use crate::exchange::Response;

    const ROUTE: &str = "GET /scores";

    fn differing(ours: &str, theirs: &str) -> Comparison {
        let answer = |body: &str| Response {
            body: bytes::Bytes::from(body.to_owned()).into(),
            ..Response::new(200)
        };
        compare(&CompareOptions::default(), &answer(ours), &answer(theirs))
    }

    /// Each answer has members of its own.
    fn scores(number: usize) -> Comparison {
        let names = ["ada", "bob", "eve"]
            .map(|name| format!("{name}{}", (b'a' + (number % 26) as u8) as char));
        let body = |points: usize| {
            let members = names
                .iter()
                .map(|name| format!(r#""{name}":{{"points":{points}}}"#));
            format!(
                r#"{{"scores":{{{}}},"n":1}}"#,
                members.collect::<Vec<_>>().join(",")
            )
        };
        differing(&body(number), &body(number + 1))
    }

    fn places(comparison: &Comparison) -> Vec<String> {
        let all = comparison.observations.iter();
        all.map(|one| one.place.to_string()).collect()
    }

    #[test]
    fn names_that_vary_between_answers_become_one_place() {
        let mut learner = MapLearner::default();
        let first = scores(0);
        assert_eq!(places(&learner.folded(ROUTE, &first)).len(), 3);
        let learnt = (0..20).filter(|n| learner.learn(ROUTE, &scores(*n)).is_some());
        assert_eq!(learnt.count(), 1);
        let folded = learner.folded(ROUTE, &first);
        assert_eq!(places(&folded), ["body /scores/{*}/points"]);
        assert_eq!(folded.observations[0].count, 3);
        let other = differing(r#"{"total":1,"n":1}"#, r#"{"total":2,"n":1}"#);
        assert!(matches!(learner.folded(ROUTE, &other), Cow::Borrowed(_)));
        assert!(learner.maps("GET /other").is_none());
        learner.fold(ROUTE, "GET /{any}");
        assert_eq!(places(&learner.folded("GET /{any}", &first)).len(), 1);
    }

    #[test]
    fn maps_with_many_members_in_each_answer_are_known_too() {
        let mut learner = MapLearner::default();
        let answer = |number: usize| {
            let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
            let body = |points: usize| {
                let members = (0..40).map(|n| {
                    let n = number * 40 + n;
                    let name: String = [letter(n / 676), letter(n / 26), letter(n)]
                        .iter()
                        .collect();
                    format!(r#""{name}":{points}"#)
                });
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            };
            differing(&body(1), &body(2))
        };
        let mut learnt = (0..20).filter(|n| learner.learn(ROUTE, &answer(*n)).is_some());
        assert_eq!(learnt.next(), Some(10));
        assert_eq!(places(&learner.folded(ROUTE, &answer(99))), ["body /{*}"]);
    }

    #[test]
    fn lines_of_data_become_one_place_and_one_that_always_varies_keeps_its_label() {
        let text = |number: usize, count: usize| -> Comparison {
            let city = |n: usize| {
                format!(
                    "{}{}",
                    (b'a' + (n / 8 % 8) as u8) as char,
                    (b'a' + (n % 8) as u8) as char
                )
            };
            let body = |by: usize| {
                format!(
                    "# made {by}\n{},{by}\n{},7\n",
                    city(number),
                    city(number + 1)
                )
            };
            let answer = |body: String| Response {
                headers: [("content-type", "text/csv")].into_iter().collect(),
                body: bytes::Bytes::from(body).into(),
                ..Response::new(200)
            };
            compare(
                &CompareOptions::default(),
                &answer(body(count)),
                &answer(body(count + 1)),
            )
        };
        let mut learner = MapLearner::default();
        let mut learnt = (0..60).filter(|n| learner.learn(ROUTE, &text(*n, *n)).is_some());
        assert_eq!(learnt.next(), Some(30));
        let folded = learner.folded(ROUTE, &text(61, 3)).into_owned();
        assert_eq!(places(&folded), ["body /*", "body /*[#_made]"]);
    }

    #[test]
    fn a_record_with_many_fields_is_no_map() {
        let record = |changed: &dyn Fn(usize) -> bool| {
            let body = |new: usize| {
                let fields = (0..60).map(|n| {
                    let name = format!(
                        "{}{}",
                        (b'a' + (n / 8) as u8) as char,
                        (b'a' + (n % 8) as u8) as char
                    );
                    format!(r#""{name}":{}"#, if changed(n) { new } else { 0 })
                });
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            };
            differing(&body(1), &body(2))
        };
        let mut learner = MapLearner::default();
        for _ in 0..50 {
            assert!(
                learner.learn(ROUTE, &record(&|_| true)).is_none(),
                "all at once"
            );
        }
        let mut learner = MapLearner::default();
        for answer in 0..200 {
            let some = record(&|n| n < 10 && n % 3 == answer % 3);
            assert!(learner.learn(ROUTE, &some).is_none(), "the same ones");
        }
    }

    #[test]
    fn tables_are_bounded() {
        let mut learner = MapLearner::default();
        for n in 0..2_000 {
            let body = |v: usize| format!(r#"{{"o{n}":{{"a":{{"b":{v}}}}}}}"#);
            learner.learn(&format!("GET /{n}"), &differing(&body(1), &body(2)));
            learner.learn(ROUTE, &differing(&body(1), &body(2)));
        }
        let objects = |route: &RouteMaps| route.objects.len();
        assert!(
            learner
                .routes
                .values()
                .all(|route| objects(route) <= MAX_OBJECTS)
        );
        assert!(learner.routes.len() <= MAX_ROUTES);
        let kind = differing(r#"{"a":1}"#, r#"{"a":2}"#).observations[0].kind;
        assert_eq!(kind, Kind::Value);
    }
}
