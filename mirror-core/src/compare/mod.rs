//! Judges two responses: status, chosen headers, body. JSON is compared as data, other bodies as bytes.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{exchange::Response, http::coding::decoded};

/// Longest value that a difference shows.
const SHOWN: usize = 200;
/// Most differences of one pair; what is beyond adds nothing for a reader.
const MOST: usize = 100;

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

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub differences: Vec<Difference>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub place: Place,
    pub production: String,
    pub mirror: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Status,
    Header(String),
    /// A JSON pointer; empty for the whole document.
    Json(String),
    Body,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Json(pointer) => write!(f, "body {pointer}"),
            Self::Body => f.write_str("body"),
        }
    }
}

pub fn compare(options: &CompareOptions, production: &Response, mirror: &Response) -> Verdict {
    let mut differences = Differences {
        ignore: &options.ignore,
        found: Vec::new(),
    };
    if production.status != mirror.status {
        differences.add(Place::Status, &production.status, &mirror.status);
    }
    for name in &options.headers {
        let value = |response: &Response| {
            let first = response.headers.first(name);
            first.map_or_else(absent, |v| String::from_utf8_lossy(v).trim().to_owned())
        };
        let (ours, theirs) = (value(production), value(mirror));
        if ours != theirs {
            differences.add(Place::Header(name.clone()), &ours, &theirs);
        }
    }
    if production.body != mirror.body || codings_differ(production, mirror) {
        let (ours, theirs) = both(production, mirror);
        match (json(&ours), json(&theirs)) {
            (Some(ours), Some(theirs)) => differences.values("", &ours, &theirs),
            _ if ours == theirs => {}
            _ => differences.bytes(&ours, &theirs),
        }
    }
    Verdict {
        differences: differences.found,
    }
}

/// The bodies without their content-codings; as they were sent when one of these cannot be undone.
fn both<'a>(production: &'a Response, mirror: &'a Response) -> (Cow<'a, [u8]>, Cow<'a, [u8]>) {
    let data = |response: &'a Response| decoded(&response.headers, &response.body);
    match (data(production), data(mirror)) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        _ => (Cow::Borrowed(&production.body), Cow::Borrowed(&mirror.body)),
    }
}

fn codings_differ(production: &Response, mirror: &Response) -> bool {
    let coding = |response: &Response| {
        response
            .headers
            .first("content-encoding")
            .map(<[u8]>::to_vec)
    };
    coding(production) != coding(mirror)
}

fn json(body: &[u8]) -> Option<Value> {
    let first = body.iter().find(|b| !b.is_ascii_whitespace())?;
    matches!(first, b'{' | b'[').then(|| serde_json::from_slice(body).ok())?
}

fn absent() -> String {
    "(absent)".into()
}

struct Differences<'a> {
    ignore: &'a [String],
    found: Vec<Difference>,
}

impl Differences<'_> {
    fn add(&mut self, place: Place, production: &impl ToString, mirror: &impl ToString) {
        if self.found.len() < MOST {
            self.found.push(Difference {
                place,
                production: shown(&production.to_string()),
                mirror: shown(&mirror.to_string()),
            });
        }
    }

    fn values(&mut self, pointer: &str, production: &Value, mirror: &Value) {
        if self.ignore.iter().any(|pattern| matches(pattern, pointer)) {
            return;
        }
        match (production, mirror) {
            (Value::Object(ours), Value::Object(theirs)) => self.objects(pointer, ours, theirs),
            (Value::Array(ours), Value::Array(theirs)) => {
                for index in 0..ours.len().max(theirs.len()) {
                    let at = format!("{pointer}/{index}");
                    self.members(&at, ours.get(index), theirs.get(index));
                }
            }
            (ours, theirs) if same(ours, theirs) => {}
            (ours, theirs) => self.add(Place::Json(pointer.into()), ours, theirs),
        }
    }

    fn objects(&mut self, pointer: &str, ours: &Map<String, Value>, theirs: &Map<String, Value>) {
        let added = theirs.keys().filter(|name| !ours.contains_key(*name));
        for name in ours.keys().chain(added) {
            let step = name.replace('~', "~0").replace('/', "~1");
            self.members(
                &format!("{pointer}/{step}"),
                ours.get(name),
                theirs.get(name),
            );
        }
    }

    fn members(&mut self, pointer: &str, ours: Option<&Value>, theirs: Option<&Value>) {
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => self.values(pointer, ours, theirs),
            _ if self.ignore.iter().any(|pattern| matches(pattern, pointer)) => {}
            _ => {
                let text = |value: Option<&Value>| value.map_or_else(absent, Value::to_string);
                self.add(Place::Json(pointer.into()), &text(ours), &text(theirs));
            }
        }
    }

    fn bytes(&mut self, production: &[u8], mirror: &[u8]) {
        let first = production
            .iter()
            .zip(mirror)
            .take_while(|(a, b)| a == b)
            .count();
        let around = |body: &[u8]| {
            let from = first.saturating_sub(20);
            let to = body.len().min(first + 60);
            let excerpt = String::from_utf8_lossy(body.get(from..to).unwrap_or_default());
            format!("{} bytes, from byte {from}: {excerpt:?}", body.len())
        };
        self.add(Place::Body, &around(production), &around(mirror));
    }
}

/// Equal values; numbers by value, so that 1 and 1.0 agree.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (!(a.is_i64() && b.is_i64()) && a.as_f64() == b.as_f64())
        }
        _ => ours == theirs,
    }
}

fn matches(pattern: &str, pointer: &str) -> bool {
    let mut steps = pointer.split('/');
    let all = pattern
        .split('/')
        .all(|ours| steps.next().is_some_and(|s| ours == "*" || ours == s));
    all && steps.next().is_none()
}

fn shown(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.into();
    }
    text.chars().take(SHOWN - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn content_codings_are_no_difference() {
        let options = CompareOptions {
            headers: Vec::new(),
            ..CompareOptions::default()
        };
        let coded = |coding: &str, body: &[u8]| Response {
            headers: [("content-encoding", coding)].into_iter().collect(),
            body: Bytes::copy_from_slice(body).into(),
            ..response(200, "")
        };
        // "abc" and "abd" as one uncompressed meta-block of Brotli each.
        let (abc, abd) = (b"\x0b\x01\x80abc\x03", b"\x0b\x01\x80abd\x03");
        let differs = |ours: &Response, theirs: &Response| {
            !compare(&options, ours, theirs).differences.is_empty()
        };
        assert!(!differs(&coded("br", abc), &response(200, "abc")));
        assert!(differs(&coded("br", abc), &coded("br", abd)));
        assert!(!differs(&coded("none", abc), &coded("none", abc)));
        // The same bytes that mean other data.
        assert!(differs(&coded("br", abc), &coded("identity", abc)));
    }

    fn response(status: u16, body: &str) -> Response {
        Response {
            body: Bytes::copy_from_slice(body.as_bytes()).into(),
            ..Response::new(status)
        }
    }

    fn check(ours: &str, theirs: &str, ignore: &[&str], expect: &[&str]) {
        let options = CompareOptions {
            ignore: ignore.iter().map(|i| i.to_string()).collect(),
            ..CompareOptions::default()
        };
        let verdict = compare(&options, &response(200, ours), &response(200, theirs));
        let lines: Vec<_> = verdict
            .differences
            .iter()
            .map(|d| format!("{}: {} | {}", d.place, d.production, d.mirror))
            .collect();
        assert_eq!(lines, expect, "{ours} and {theirs}");
    }

    #[test]
    fn json_is_compared_as_data() {
        check(r#"{"a":1,"b":2}"#, r#"{ "b": 2.0, "a": 1 }"#, &[], &[]);
        check(
            r#"{"a":[1,2]}"#,
            r#"{"a":[1,3]}"#,
            &[],
            &["body /a/1: 2 | 3"],
        );
        check(
            r#"{"a":1}"#,
            r#"{"b":1}"#,
            &[],
            &["body /a: 1 | (absent)", "body /b: (absent) | 1"],
        );
        check(r#"{"a":"1"}"#, r#"{"a":1}"#, &[], &["body /a: \"1\" | 1"]);
        check("[1]", "[1,null]", &[], &["body /1: (absent) | null"]);
    }

    #[test]
    fn large_integers_are_not_rounded_into_equality() {
        check(
            "[9007199254740993]",
            "[9007199254740992]",
            &[],
            &["body /0: 9007199254740993 | 9007199254740992"],
        );
    }

    #[test]
    fn ignored_places_do_not_count() {
        check(
            r#"{"i":[{"t":1},{"t":2}]}"#,
            r#"{"i":[{"t":3},{}]}"#,
            &["/i/*/t"],
            &[],
        );
    }

    #[test]
    fn other_bodies_are_compared_as_bytes() {
        check("abc", "abc", &[], &[]);
        check(
            "abc",
            "abd",
            &[],
            &["body: 3 bytes, from byte 0: \"abc\" | 3 bytes, from byte 0: \"abd\""],
        );
    }

    #[test]
    fn status_and_chosen_headers_count() {
        let mut mirror = response(500, "");
        mirror.headers = [("Content-Type", "text/plain")].into_iter().collect();
        let verdict = compare(&CompareOptions::default(), &response(200, ""), &mirror);
        let places: Vec<_> = verdict
            .differences
            .iter()
            .map(|d| d.place.to_string())
            .collect();
        assert_eq!(places, ["status", "header content-type"]);
    }
}
