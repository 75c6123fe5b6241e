use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::compare::{CompareRule, Kind, Observation, Severity, compare};
use crate::exchange::Response;
use crate::options::FromText;

fn document(effects: impl IntoIterator<Item = Effect>) -> EffectsDocument {
    let mut document = EffectsDocument::default();
    effects.into_iter().for_each(|effect| document.push(effect));
    document
}

/// `read NAME KEY` or `write NAME KEY [JSON]`, one a line.
fn effects(text: &str) -> EffectsDocument {
    let effect = |line: &str| {
        let mut words = line.trim().splitn(4, ' ');
        let mut word = || words.next().map(str::to_owned);
        let (kind, name, key) = (word(), word().unwrap(), word().unwrap());
        match kind.as_deref() {
            Some("read") => Effect::Read { name, key },
            _ => Effect::Write {
                name,
                key,
                written: word().as_deref().and_then(Written::of_json),
            },
        }
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    document(lines.map(effect))
}

fn options(rules: &[&str]) -> CompareOptions {
    let rules = rules
        .iter()
        .map(|text| CompareRule::from_text(text).unwrap());
    CompareOptions {
        rules: rules.collect(),
        ..CompareOptions::default()
    }
}

fn compared(rules: &[&str], ours: &EffectsDocument, theirs: &EffectsDocument) -> Comparison {
    let options = options(rules);
    options.check().unwrap();
    compare_effects(&options, None, ours, theirs).unwrap()
}

/// `PLACE KIND SEVERITY COUNT`.
fn told(found: &[Observation]) -> Vec<String> {
    let told = |one: &Observation| {
        let (kind, severity) = (one.kind.name(), one.severity().name());
        format!("{} {kind} {severity} {}", one.place, one.count)
    };
    found.iter().map(told).collect()
}

fn check(ours: &str, theirs: &str, expect: &[&str]) {
    let comparison = compared(&[], &effects(ours), &effects(theirs));
    assert_eq!(told(&comparison.observations), expect, "{ours}\n{theirs}");
    assert_eq!(comparison.differs(), !expect.is_empty());
}

const ORDER: &str = r#"
    read product 7
    read stock 7
    write book 1 {"amount":1250,"sku":"a-1"}
    write mail ann
"#;

fn order(old: &str, new: &str) -> String {
    assert!(ORDER.contains(old), "{old}");
    ORDER.replacen(old, new, 1)
}

#[test]
fn a_write_that_differs_is_found_by_its_place() {
    check(ORDER, ORDER, &[]);
    check(
        ORDER,
        &order("1250", "1251"),
        &["effects /writes/book/*/amount value value 1"],
    );
    check(
        ORDER,
        &order("1250", "\"1250\""),
        &["effects /writes/book/*/amount type breaking 1"],
    );
    check(
        ORDER,
        &order(",\"sku\":\"a-1\"", ""),
        &["effects /writes/book/*/sku missing breaking 1"],
    );
    check(
        ORDER,
        &order("\"a-1\"", "\"a-1\",\"note\":1"),
        &["effects /writes/book/*/note added value 1"],
    );
    check(
        ORDER,
        &order("book 1", "book 2"),
        &["effects /writes/book/*/@key value value 1"],
    );
    check(
        "write count 1 5",
        "write count 1 6",
        &["effects /writes/count/*/@value value value 1"],
    );
    check("write count 1 {}", "write count 1 {}", &[]);
}

#[test]
fn writes_and_reads_that_are_omitted_or_new_are_told_apart() {
    check(
        ORDER,
        &order("write mail ann", ""),
        &["effects /writes/mail/* missing breaking 1"],
    );
    check(
        ORDER,
        &order("write mail ann", "write mail ann\nwrite audit 1 3"),
        &["effects /writes/audit/* added breaking 1"],
    );
    check(
        ORDER,
        &order("write mail ann", "write mail ann\nwrite mail bob"),
        &["effects /writes/mail/* added breaking 1"],
    );
    check(
        ORDER,
        &order("read stock 7", ""),
        &["effects /reads/stock/* missing added 1"],
    );
    check(
        ORDER,
        &order("read stock 7", "read stock 8"),
        &["effects /reads/stock/* value value 1"],
    );
    // A row more for each item.
    check(
        ORDER,
        &order("read stock 7", "read stock 7\nread stock 7\nread stock 7"),
        &["effects /reads/stock/* added value 2"],
    );
}

#[test]
fn another_order_is_one_difference() {
    let turned = order("read product 7", "read stock 7");
    let turned = turned.replacen("read stock 7\n    write", "read product 7\n    write", 1);
    check(ORDER, &turned, &["effects /order order order 1"]);
    let books = |first: u32, second: u32| {
        format!("write book {first} {{\"n\":{first}}}\nwrite book {second} {{\"n\":{second}}}")
    };
    check(
        &books(1, 2),
        &books(2, 1),
        &["effects /writes/book order order 1"],
    );
    check(
        "read a 1\nread a 2",
        "read a 2\nread a 1",
        &["effects /reads/a order order 1"],
    );
    // What one side does not do at all is not out of order.
    check(
        "read a 1\nread b 1",
        "read b 1",
        &["effects /reads/a/* missing added 1"],
    );
}

#[test]
fn writes_belong_together_by_their_key() {
    let ours = "write book 1 {\"n\":1,\"of\":\"x\"}\nwrite book 2 {\"n\":2,\"of\":\"y\"}";
    let theirs = "write book 2 {\"n\":3,\"of\":\"y\"}\nwrite book 1 {\"n\":1,\"of\":\"x\"}";
    let places = [
        "effects /writes/book order order 1",
        "effects /writes/book/*/n value value 1",
    ];
    check(ours, theirs, &places);
    let more = "write book 3 {\"n\":9,\"of\":\"z\"}";
    check(
        ours,
        &format!("{more}\n{ours}"),
        &["effects /writes/book/* added breaking 1"],
    );
}

#[test]
fn writes_are_compared_by_what_production_tells_of_them() {
    let long = |end: &str| format!("write page 1 \"{}{end}\"", "x".repeat(5000));
    check(&long("a"), &long("a"), &[]);
    check(
        &long("a"),
        &long("b"),
        &["effects /writes/page/*/@digest value value 1"],
    );
    check(
        &long("a"),
        "write page 1 5",
        &["effects /writes/page/*/@digest value value 1"],
    );
    check("write page 1", "write page 1 5", &[]);
    check("write page 1", &long("a"), &[]);
    check(
        "write page 1\nwrite other 1 5",
        "write page 1 5\nwrite other 1 6",
        &["effects /writes/other/*/@value value value 1"],
    );
}

#[test]
fn a_mirror_that_tells_less_of_a_write_than_production_differs() {
    let long = format!("write page 1 \"{}\"", "x".repeat(5000));
    check(
        "write page 1 5",
        "write page 1",
        &["effects /writes/page/*/@value missing breaking 1"],
    );
    check(
        "write page 1 {\"a\":5}",
        "write page 1 null",
        &["effects /writes/page/*/a missing breaking 1"],
    );
    check(
        &long,
        "write page 1",
        &["effects /writes/page/*/@digest missing breaking 1"],
    );
    check(
        "write page 1 5",
        &long,
        &[
            "effects /writes/page/*/@digest added value 1",
            "effects /writes/page/*/@value missing breaking 1",
        ],
    );
    // Of several writes only those differ of which it tells less.
    check(
        "write page 1 5\nwrite page 2 6",
        "write page 1 5\nwrite page 2",
        &["effects /writes/page/*/@value missing breaking 1"],
    );
    // The digest alone says the same as the value.
    let ours = effects("write page 1 {\"a\":5}");
    let mut theirs = ours.clone();
    theirs.edit(|effect| {
        if let Effect::Write { written, .. } = effect {
            written.as_mut().unwrap().value = None;
        }
    });
    assert_eq!(compared(&[], &ours, &theirs).observations, []);
}

#[test]
fn rules_about_effects_hold_here_and_others_do_not() {
    let (ours, theirs) = (effects(ORDER), effects(&order("1250", "1251")));
    let check = |rule: &str, left: usize, expected: usize, hits: &[u64]| {
        let comparison = compared(&[rule], &ours, &theirs);
        assert_eq!(comparison.observations.len(), left, "{rule}");
        assert_eq!(comparison.expected.len(), expected, "{rule}");
        let found: Vec<_> = comparison.rules.iter().map(|one| one.hits).collect();
        assert_eq!(found, hits, "{rule}");
    };
    check("ignore effects", 0, 0, &[1]);
    check("ignore effects:/writes/book", 0, 0, &[1]);
    check("ignore effects:/**/amount", 0, 0, &[1]);
    check("ignore effects:/writes/mail", 1, 0, &[0]);
    check("tolerance 0.1% effects:/writes/book/*/amount", 0, 0, &[1]);
    check("pattern [0-9]+ effects:/writes/book/*/amount", 0, 0, &[1]);
    check("expect value effects:/writes/book/*/amount", 0, 1, &[1]);
    check("ignore /**/amount", 1, 0, &[]);
    check("ignore body", 1, 0, &[]);
    // And those have no say about a body.
    let answer = |amount: u32| Response {
        headers: [("content-type", "application/json")].into_iter().collect(),
        body: bytes::Bytes::from(json!({ "writes": { "book": amount } }).to_string()).into(),
        ..Response::new(200)
    };
    let body = compare(
        &options(&["ignore effects:/writes/book"]),
        &answer(1),
        &answer(2),
    );
    assert_eq!((body.observations.len(), body.rules.len()), (1, 0));
    let hidden = options(&[
        "ignore effects",
        "tolerance 1% effects:/writes/book/*/amount",
    ]);
    assert!(hidden.check().unwrap_err().contains("can never match"));
    let (order, unordered) = ("read a 1\nread a 2", "read a 2\nread a 1");
    let comparison = compared(
        &["unordered effects:/reads/a"],
        &effects(order),
        &effects(unordered),
    );
    assert_eq!(comparison.observations, []);
}

/// So many reads that the last ones do not fit, between what `first` and `last` do.
fn cut(first: &str, reads: usize, last: &str) -> EffectsDocument {
    let name = "n".repeat(10_000);
    let read = |key: usize| Effect::Read {
        name: name.clone(),
        key: key.to_string(),
    };
    let effects = |text| effects(text).effects().to_vec();
    let reads = (0..reads).map(read);
    let cut = document(effects(first).into_iter().chain(reads).chain(effects(last)));
    assert!(cut.dropped() > 0);
    cut
}

#[test]
fn what_is_not_known_whole_is_compared_as_far_as_it_is_known() {
    let compared = |ours: &EffectsDocument, theirs: &EffectsDocument| {
        let mut told = told(&compared(&[], ours, theirs).observations);
        // The long name.
        told.retain(|one| !one.contains("/reads/nnn"));
        told
    };
    let booked = |amount: u32| format!("write book 1 {{\"amount\":{amount}}}");
    // Production's own fits, and the mirror's does not: what it did not do may be among the rest.
    let overflow = "effects /dropped added breaking 1";
    let amount = "effects /writes/book/*/amount value value 1";
    let whole = effects(&format!("{}\nwrite mail ann", booked(1)));
    assert_eq!(compared(&whole, &cut(&booked(1), 40, "")), [overflow]);
    assert_eq!(
        compared(&whole, &cut(&booked(2), 40, "")),
        [overflow, amount]
    );
    let new = format!("{}\nwrite audit 1", booked(1));
    let audit = "effects /writes/audit/* added breaking 1";
    assert_eq!(compared(&whole, &cut(&new, 40, "")), [overflow, audit]);
    // Neither fits: as many are as many, whatever comes at the end.
    let ours = cut(&booked(1), 40, "write mail ann");
    let theirs = cut(&booked(1), 40, "write mail bob");
    assert_eq!(compared(&ours, &theirs), [""; 0]);
    assert_eq!(
        compared(&ours, &cut(&booked(2), 40, "write mail ann")),
        [amount]
    );
    let total = "effects /total value value 1";
    assert_eq!(
        compared(&ours, &cut(&booked(1), 41, "write mail ann")),
        [total]
    );
    // Only production's does not fit: what the mirror does in addition may be among the rest, and what it omits is not there.
    let less = format!("{}\nwrite mail ann", booked(1));
    assert_eq!(compared(&ours, &effects(&less)), [total]);
    let missing = "effects /writes/book/* missing breaking 1";
    assert_eq!(
        compared(&ours, &effects("write mail ann")),
        [total, missing]
    );
}

#[test]
fn effects_stand_beside_what_the_answers_show() {
    let options = options(&["ignore /at", "ignore effects:/writes/audit"]);
    let (ours, theirs) = (Response::new(200), Response::new(500));
    let mut comparison = compare(&options, &ours, &theirs);
    let more = compare_effects(
        &options,
        None,
        &effects(ORDER),
        &effects(&order("1250", "1")),
    );
    comparison.add_effects(more.unwrap());
    let places = told(&comparison.observations);
    assert_eq!(places.len(), 2, "{places:?}");
    assert!(comparison.observations.is_sorted_by_key(|one| &one.place));
    assert_eq!(comparison.different.total(), 2);
    let rules: BTreeSet<_> = comparison.rules.iter().map(|used| used.rule).collect();
    assert_eq!(rules, [0, 1].into());
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        let step = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = step.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn effect(&mut self) -> Effect {
        let name = ["a", "b/c", "d~ \"", "4711"][self.below(4)].to_owned();
        let key = self.below(4).to_string();
        if self.below(2) == 0 {
            return Effect::Read { name, key };
        }
        let n = self.below(3);
        let value = match self.below(5) {
            0 => json!(n),
            1 => json!({ "amount": n, "id": format!("x{n}") }),
            2 => json!({ "list": [n, 1], "@key": "own" }),
            3 => json!("x".repeat(4096 + n)),
            _ => json!(null),
        };
        let written = Written::of(&value);
        Effect::Write { name, key, written }
    }

    fn effects(&mut self) -> Vec<Effect> {
        let count = self.below(12);
        (0..count).map(|_| self.effect()).collect()
    }
}

#[test]
fn effects_equal_themselves_and_a_planted_change_is_found() {
    let rules = [
        "unordered effects:/order",
        "key id effects:/writes/*",
        "map effects:/reads",
    ];
    for seed in 0..2_000 {
        let mut random = Random(seed);
        let ours = random.effects();
        let theirs = ours.clone();
        for rules in [&rules[..], &[]] {
            let same = compared(rules, &document(ours.clone()), &document(theirs.clone()));
            assert_eq!(same.observations, [], "seed {seed}");
        }
        let mut theirs = ours.clone();
        let extra = random.effect();
        let (is_read, at) = (
            matches!(extra, Effect::Read { .. }),
            random.below(ours.len() + 1),
        );
        theirs.insert(at, extra);
        let more = compared(&[], &document(ours.clone()), &document(theirs.clone()));
        let less = compared(&[], &document(theirs), &document(ours));
        let worst = |comparison: &Comparison| {
            let all = comparison.observations.iter();
            all.map(Observation::severity).min()
        };
        let expect = if is_read {
            Severity::Value
        } else {
            Severity::Breaking
        };
        assert!(
            worst(&more).is_some_and(|worst| worst <= expect),
            "seed {seed}: {more:#?}"
        );
        assert!(less.differs(), "seed {seed}");
        let kinds = |comparison: &Comparison, kind| {
            let all = comparison
                .observations
                .iter()
                .filter(move |one| one.kind == kind);
            all.map(|one| one.count).sum::<u64>()
        };
        let missing = kinds(&less, Kind::Missing);
        assert_eq!(kinds(&more, Kind::Added), missing, "seed {seed}");
    }
}
