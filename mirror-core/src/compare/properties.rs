//! What holds for any two documents, tried with random ones. Seeds are fixed, and printed where one fails.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::options::FromText;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn scalar(&mut self) -> Value {
        match self.below(7) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(self.below(5)),
            3 => json!(self.below(1000) as f64 / 8.0),
            4 => json!(["a", "b", "\u{e9}\n", "x\"y"][self.below(4)]),
            5 => json!(format!("t{}", self.below(1000))),
            _ => json!(u64::MAX - self.below(3) as u64),
        }
    }

    fn document(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 1 } else { 3 }) {
            1 => {
                let count = self.below(5);
                (0..count).map(|_| self.document(depth - 1)).collect()
            }
            2 => {
                let count = self.below(5);
                let names = ["a", "b", "id", "x/y", "4711", "name"];
                let member = |random: &mut Self| {
                    (
                        names[random.below(names.len())].to_owned(),
                        random.document(depth - 1),
                    )
                };
                Value::Object((0..count).map(|_| member(self)).collect())
            }
            _ => self.scalar(),
        }
    }

    /// The document with its members in any order and with any white space.
    fn written(&mut self, document: &Value) -> String {
        let space = ["", " ", "\n\t"][self.below(3)];
        match document {
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.written(item)).collect();
                format!("[{space}{}]", items.join(&format!(",{space}")))
            }
            Value::Object(members) => {
                let mut parts: Vec<String> = Vec::new();
                for (name, value) in members {
                    let part = format!("{}:{space}{}", json!(name), self.written(value));
                    parts.insert(self.below(parts.len() + 1), part);
                }
                format!("{{{}{space}}}", parts.join(","))
            }
            other => other.to_string(),
        }
    }
}

fn compared(rules: &[String], ours: &str, theirs: &str) -> Comparison {
    let options = CompareOptions {
        rules: rules
            .iter()
            .map(|rule| CompareRule::from_text(rule).unwrap())
            .collect(),
        ..CompareOptions::default()
    };
    let answer = |body: &str| Response {
        body: Bytes::copy_from_slice(body.as_bytes()).into(),
        ..Response::new(200)
    };
    compare(&options, &answer(ours), &answer(theirs))
}

/// The pointers of all values that hold no other, and what a rule calls them.
fn leaves(document: &Value, at: &str, rule: &str, found: &mut Vec<(String, String)>) {
    match document {
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, &format!("{at}/{index}"), &format!("{rule}/*"), found);
            }
        }
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                let step = name.replace('~', "~0").replace('/', "~1");
                leaves(
                    value,
                    &format!("{at}/{step}"),
                    &format!("{rule}/{step}"),
                    found,
                );
            }
        }
        _ => found.push((at.into(), rule.into())),
    }
}

const RULES: [&str; 12] = [
    "ignore /**/a",
    "ignore body",
    "tolerance 1 /**",
    "tolerance 50% /**/b",
    "pattern .* /**/b",
    "normalise s/[0-9]/n/g /**",
    "unordered /**",
    "unordered by id /**",
    "key name /**",
    "map /**",
    "expect value /**",
    "rename /**/a -> /**/z/y",
];

#[test]
fn a_document_is_equal_to_itself_under_every_rule_however_it_is_written() {
    for seed in 0..3000 {
        let mut random = Random(seed);
        let document = json!([random.document(4)]);
        let (ours, theirs) = (random.written(&document), random.written(&document));
        let rules: Vec<String> = (0..random.below(3))
            .map(|_| RULES[random.below(RULES.len())].to_owned())
            .collect();
        let comparison = compared(&rules, &ours, &theirs);
        assert!(
            !comparison.differs(),
            "{seed} {rules:?}\n{ours}\n{theirs}\n{comparison:?}"
        );
        assert_eq!(comparison.expected, [], "{seed} {rules:?} {ours}");
    }
}

#[test]
fn a_planted_change_is_found_unless_a_rule_covers_exactly_it() {
    let mut tried = 0;
    for seed in 0..5000 {
        let mut random = Random(seed);
        let document = json!([random.document(4)]);
        let mut all = Vec::new();
        leaves(&document, "", "", &mut all);
        let (pointer, rule) = all.swap_remove(random.below(all.len()));
        let mut changed = document.clone();
        let planted = random.scalar();
        let place = changed.pointer_mut(&pointer).unwrap();
        if *place == planted
            || place
                .as_f64()
                .zip(planted.as_f64())
                .is_some_and(|(a, b)| a == b)
        {
            continue;
        }
        *place = planted;
        tried += 1;
        let (ours, theirs) = (random.written(&document), random.written(&changed));
        let told = || format!("{seed} {pointer}\n{ours}\n{theirs}");
        for (ours, theirs) in [(&ours, &theirs), (&theirs, &ours)] {
            let found = compared(&[], ours, theirs);
            assert_eq!(found.different.total(), 1, "{}\n{found:?}", told());
            let others = [
                "ignore /elsewhere".into(),
                "tolerance 0.1 /elsewhere/**".into(),
            ];
            assert!(compared(&others, ours, theirs).differs(), "{}", told());
            let covered = compared(&[format!("ignore {rule}")], ours, theirs);
            assert!(!covered.differs(), "{}\n{covered:?}", told());
            assert_eq!(covered.rules[0].hits, 1, "{}", told());
            let intended = compared(&[format!("expect {rule}")], ours, theirs);
            assert!(
                !intended.differs() && intended.expected.len() == 1,
                "{}",
                told()
            );
        }
    }
    assert!(tried > 3000, "{tried}");
}

#[test]
fn whether_two_documents_differ_does_not_depend_on_which_comes_first() {
    for seed in 0..3000 {
        let mut random = Random(seed);
        let [ours, theirs] = [0, 1].map(|_| json!([random.document(3)]).to_string());
        let (there, back) = (compared(&[], &ours, &theirs), compared(&[], &theirs, &ours));
        assert_eq!(there.differs(), back.differs(), "{seed} {ours} {theirs}");
        let is_equal: Value = serde_json::from_str(&ours).unwrap();
        let is_equal = is_equal == serde_json::from_str::<Value>(&theirs).unwrap();
        assert!(!is_equal || !there.differs(), "{seed} {ours} {theirs}");
        let counted: u64 = there.observations.iter().map(|o| o.count).sum();
        let cosmetic = there
            .observations
            .iter()
            .filter(|o| o.kind == Kind::Cosmetic)
            .count() as u64;
        assert_eq!(
            counted - cosmetic + there.untold,
            there.different.total(),
            "{seed}"
        );
    }
}

#[test]
fn lists_and_objects_of_any_size_are_compared_within_bounds() {
    let list = |from: usize, item: fn(usize) -> String| {
        let items: Vec<String> = (from..from + 100_000).map(item).collect();
        format!("[{}]", items.join(","))
    };
    let numbers = |from| list(from, |n| n.to_string());
    let comparison = compared(&[], &numbers(0), &numbers(1_000_000));
    assert_eq!(comparison.observations.len(), 1);
    assert_eq!(comparison.observations[0].count, 100_000);
    // Half of each is the other's, and stands elsewhere.
    let comparison = compared(&[], &numbers(0), &numbers(50_000));
    assert_eq!(comparison.different.json, 100_000);

    let objects = |from| list(from, |n| format!(r#"{{"a":{n},"b":{}}}"#, n % 3));
    let comparison = compared(&[], &objects(0), &objects(1_000_000));
    assert!(comparison.differs() && comparison.extent == Extent::Whole);

    let members = |from: usize| {
        let members: Vec<String> = (from..from + 100_000)
            .map(|n| format!("\"k{n}k\":{n}"))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    let comparison = compared(&[], &members(0), &members(100_000));
    assert_eq!(
        comparison.observations.len(),
        2,
        "one for what is missing, one for what is added"
    );
    let comparison = compared(&[], &members(0), &members(1));
    assert_eq!(comparison.different.json, 2);
}

#[test]
fn a_hundred_thousand_brackets_are_compared() {
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(!compared(&[], &deep("1"), &deep("1.0")).differs());
    assert!(compared(&[], &deep("1"), &deep("2")).differs());
    let objects = |inner: &str| {
        format!(
            "{}{inner}{}",
            "{\"a\":".repeat(100_000),
            "}".repeat(100_000)
        )
    };
    assert!(!compared(&[], &objects("1"), &objects(" 1")).differs());
    let comparison = compared(&["ignore /**/b".into()], &objects("1"), &objects("2"));
    assert_eq!(comparison.observations[0].kind, Kind::Value);
    assert!(compared(&[], &deep(""), &objects("1")).differs());
    // One side alone, and a body that is not JSON.
    assert!(compared(&[], &deep(""), &"[".repeat(100_000)).differs());
}
