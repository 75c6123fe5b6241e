//! Does an answer come from a cache? By what it says of itself.
//!
//! The rule `cache-hit < -5%` compares candidate and control, request by request, as [`Paired`](super::Paired): its **null hypothesis** is that
//! the candidate's share of hits is at most five points below the control's, and the bounds are those of `rate`. **When it may be
//! wrong:** a cache in front of both serves them with each other's answers, and a side that gets repeats the other does not get is
//! warmer; so repeats never count, and the control gets as many. Against production there is only advice: its cache has other clients.

use crate::compare::BodyLimits;
use crate::exchange::{Headers, Response};
use crate::http::coding::decoded_within;
use crate::json::{Value, unescaped};
use crate::options::FromText;

/// Words of the field values that caches and CDNs write where they had the answer.
const HIT_WORDS: [&str; 4] = ["hit", "stale", "updating", "revalidated"];

crate::options! {
    /// What says that an answer came from a cache.
    #[derive(Clone, Debug)]
    pub struct CacheOptions("Verdict") {
        /// Response header that says whether the answer came from a cache, or NAME=WORD where its value holds WORD for a hit (repeatable);
        /// the usual ones are known: x-cache, x-cache-status, cf-cache-status, cache-status, age
        #[option("cache-header", "NAME", live)]
        pub headers: Vec<CacheHeader>,
        /// JSON pointer to what says in the answer's body whether it came from a cache, as in /meta/cached, or POINTER=WORD where its
        /// text holds WORD for a hit (repeatable); it comes before all headers
        #[option("cache-field", "POINTER", live)]
        pub fields: Vec<CacheField>,
    }
}

/// One header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheHeader {
    name: String,
    /// In lower case; none for the usual words.
    word: Option<String>,
}

impl FromText for CacheHeader {
    fn from_text(text: &str) -> Result<Self, String> {
        let (name, word) = match text.split_once('=') {
            Some((name, word)) => (name, Some(word.trim().to_ascii_lowercase())),
            None => (text, None),
        };
        let name = name.trim().to_ascii_lowercase();
        let is_name = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if !is_name(&name) || word.as_deref() == Some("") {
            return Err("use the name of a header, as in x-my-cache or x-my-cache=served".into());
        }
        Ok(Self { name, word })
    }
}

impl CacheHeader {
    fn hit(&self, headers: &Headers) -> Option<bool> {
        let value = headers.first(&self.name)?;
        let value = String::from_utf8_lossy(value).to_ascii_lowercase();
        Some(match &self.word {
            Some(word) => value.contains(word.as_str()),
            None => says_hit(&value),
        })
    }
}

/// One member of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheField {
    /// The names on the way.
    steps: Vec<String>,
    /// In lower case; none for true, a number above 0, and the usual words.
    word: Option<String>,
}

impl FromText for CacheField {
    fn from_text(text: &str) -> Result<Self, String> {
        let (pointer, word) = match text.split_once('=') {
            Some((pointer, word)) => (pointer, Some(word.trim().to_ascii_lowercase())),
            None => (text, None),
        };
        let steps = pointer.trim().strip_prefix('/');
        let steps = steps.filter(|_| word.as_deref() != Some(""));
        let steps = steps.ok_or("use a JSON pointer, as in /meta/cached or /meta/cache=served")?;
        Ok(Self {
            steps: steps
                .split('/')
                .map(|step| step.replace("~1", "/").replace("~0", "~"))
                .collect(),
            word,
        })
    }
}

impl CacheField {
    fn hit(&self, document: &Value<'_>) -> Option<bool> {
        let mut value = document;
        for step in &self.steps {
            value = match value {
                Value::Object(members) => &members.iter().rev().find(|(name, _)| name == step)?.1,
                Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        let text = match value {
            Value::Text(text) => unescaped(text).to_ascii_lowercase(),
            Value::Number(number) => (*number).into(),
            Value::Bool(is_hit) => is_hit.to_string(),
            _ => return None,
        };
        Some(match &self.word {
            Some(word) => text.contains(word.as_str()),
            None => {
                let number: Option<f64> = text.parse().ok();
                text == "true" || number.is_some_and(|n| n > 0.0) || says_hit(&text)
            }
        })
    }
}

fn says_hit(value: &str) -> bool {
    let mut words = value.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| HIT_WORDS.contains(&word))
}

impl CacheOptions {
    /// Whether the answer came from a cache; none if nothing says so. What was given comes first, members of the body before headers,
    /// and `age`, which any cache on the way adds, last.
    pub fn hit(&self, answer: &Response) -> Option<bool> {
        if let Some(is_hit) = self.hit_by_field(answer) {
            return Some(is_hit);
        }
        let headers = &answer.headers;
        let given = self.headers.iter().find_map(|header| header.hit(headers));
        let usual = || {
            let names = [
                "x-cache",
                "x-cache-status",
                "cf-cache-status",
                "cache-status",
            ];
            let value = names.iter().find_map(|name| headers.first(name))?;
            Some(says_hit(
                &String::from_utf8_lossy(value).to_ascii_lowercase(),
            ))
        };
        let age = || {
            let age = headers.first("age")?;
            let age: u64 = std::str::from_utf8(age).ok()?.trim().parse().ok()?;
            Some(age > 0)
        };
        given.or_else(usual).or_else(age)
    }

    /// Bodies that are not compared lightly are not read for it.
    fn hit_by_field(&self, answer: &Response) -> Option<bool> {
        if self.fields.is_empty() {
            return None;
        }
        let BodyLimits { bytes, nodes, .. } = BodyLimits::LIGHT;
        let body = decoded_within(&answer.headers, &answer.body, bytes).ok()?;
        if body.len() > bytes {
            return None;
        }
        let document = Value::parse(&body, nodes).ok()?;
        self.fields.iter().find_map(|field| field.hit(&document))
    }
}

/// Whether the answers to one request came from a cache, as far as they say so.
#[derive(Clone, Copy, Debug, Default)]
pub struct CacheHits {
    pub production: Option<bool>,
    pub candidate: Option<bool>,
    pub control: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &[&str], headers: &[(&str, &str)], expect: Option<bool>) {
        let options = CacheOptions {
            headers: given
                .iter()
                .map(|text| CacheHeader::from_text(text).unwrap())
                .collect(),
            ..CacheOptions::default()
        };
        let mut answer = Response::new(200);
        for (name, value) in headers {
            answer.headers.append(name, value.as_bytes());
        }
        assert_eq!(options.hit(&answer), expect, "{headers:?}");
    }

    #[test]
    fn the_usual_headers_are_read() {
        check(&[], &[], None);
        check(&[], &[("X-Cache", "HIT from edge-3")], Some(true));
        check(&[], &[("X-Cache", "Miss from cloudfront")], Some(false));
        check(&[], &[("CF-Cache-Status", "DYNAMIC")], Some(false));
        check(&[], &[("CF-Cache-Status", "REVALIDATED")], Some(true));
        check(
            &[],
            &[("Cache-Status", "ExampleCache; hit; ttl=30")],
            Some(true),
        );
        check(
            &[],
            &[("Cache-Status", "ExampleCache; fwd=uri-miss")],
            Some(false),
        );
        check(&[], &[("Age", "12")], Some(true));
        check(&[], &[("Age", "0")], Some(false));
        check(&[], &[("Age", "soon")], None);
        check(&[], &[("X-Cache", "MISS"), ("Age", "12")], Some(false));
    }

    #[test]
    fn a_header_that_was_given_comes_first() {
        check(
            &["x-mine"],
            &[("X-Mine", "hit"), ("X-Cache", "MISS")],
            Some(true),
        );
        check(
            &["x-mine=served"],
            &[("X-Mine", "Served locally")],
            Some(true),
        );
        check(
            &["x-mine=served"],
            &[("X-Mine", "fetched"), ("X-Cache", "HIT")],
            Some(false),
        );
        check(&["x-mine"], &[("X-Cache", "HIT")], Some(true));
    }

    #[test]
    fn a_member_of_the_body_comes_before_all_headers() {
        let check = |given: &str, body: &str, expect: Option<bool>| {
            let options = CacheOptions {
                fields: vec![CacheField::from_text(given).unwrap()],
                ..CacheOptions::default()
            };
            let mut answer = Response::new(200);
            answer.headers.append("x-cache", b"MISS");
            answer.body = bytes::Bytes::from(body.to_owned()).into();
            assert_eq!(options.hit(&answer), expect, "{given} {body}");
        };
        let body = r#"{"meta":{"cached":true,"age":0,"a/b":["Served locally"],"from":"HIT"}}"#;
        check("/meta/cached", body, Some(true));
        check("/meta/age", body, Some(false));
        check("/meta/from", body, Some(true));
        check("/meta/a~1b/0=served", body, Some(true));
        check("/meta/a~1b/0", body, Some(false));
        // What says nothing leaves it to the headers.
        check("/meta", body, Some(false));
        check("/cached", body, Some(false));
        check("/cached", "no JSON", Some(false));
        for text in ["", "meta", "=hit", "/meta="] {
            assert!(CacheField::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_compressed_body_is_read_too() {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(br#"{"hit":1}"#).unwrap();
        let options = CacheOptions {
            fields: vec![CacheField::from_text("/hit").unwrap()],
            ..CacheOptions::default()
        };
        let mut answer = Response::new(200);
        answer.headers.append("content-encoding", b"gzip");
        answer.body = bytes::Bytes::from(encoder.finish().unwrap()).into();
        assert_eq!(options.hit(&answer), Some(true));
    }

    #[test]
    fn what_is_not_a_header_is_refused() {
        for text in ["", "x cache", "=hit", "x-cache="] {
            assert!(CacheHeader::from_text(text).is_err(), "{text}");
        }
    }
}
