//! Two answers to one request → the values that stand at the same place of both.

use std::borrow::Cow;

use super::html;
use super::place::CarryPlace;
use super::reach::{Reach, is_telling};
use crate::compare::{Step, pointer};
use crate::exchange::{Request, RequestTarget, Response};
use crate::http::coding::decoded_within;
use crate::json::{Value, unescaped};

/// Longest value that is carried.
pub(super) const MAX_VALUE: usize = 4096;
/// Bytes of a body that is read, without its content-coding.
const MAX_BODY: usize = 1 << 20;
/// Values of a JSON document.
const MAX_NODES: usize = 20_000;
/// Pairs of one answer.
const MAX_PAIRS: usize = 1000;

/// Headers that say nothing which a client repeats.
const NEVER_REPEATED: [&str; 20] = [
    "age",
    "alt-svc",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "content-security-policy",
    "date",
    "etag",
    "expires",
    "keep-alive",
    "last-modified",
    "location",
    "server",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "via",
];

/// A place with the values of both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) place: CarryPlace,
    pub(super) production: Vec<u8>,
    pub(super) mirror: Vec<u8>,
    pub(super) reach: Reach,
}

/// What answers to `request` have at the same places. Equal values are among them.
pub(super) fn pairs(request: &Request, production: &Response, mirror: &Response) -> Vec<Pair> {
    let mut found = Finder {
        path: request.target.path(),
        target: request.target.as_bytes(),
        pairs: Vec::new(),
    };
    found.cookies(production, mirror);
    found.validators(production, mirror);
    found.headers(production, mirror);
    found.locations(production, mirror);
    if production.fault.is_none() && mirror.fault.is_none() {
        found.bodies(production, mirror);
    }
    found.pairs
}

struct Finder<'a> {
    path: &'a [u8],
    target: &'a [u8],
    pairs: Vec<Pair>,
}

impl Finder<'_> {
    fn add(&mut self, place: CarryPlace, production: &[u8], mirror: &[u8]) {
        let telling = is_telling(production) && is_telling(mirror);
        let reach = Reach::of(&place, self.path, production, telling);
        self.push(place, production, mirror, reach);
    }

    fn push(&mut self, place: CarryPlace, production: &[u8], mirror: &[u8], reach: Reach) {
        let fits = |value: &[u8]| !value.is_empty() && value.len() <= MAX_VALUE;
        if self.pairs.len() < MAX_PAIRS && fits(production) && fits(mirror) {
            self.pairs.push(Pair {
                place,
                production: production.into(),
                mirror: mirror.into(),
                reach,
            });
        }
    }

    /// Of cookies that are set twice the last counts, as in a client.
    fn cookies(&mut self, production: &Response, mirror: &Response) {
        let theirs: Vec<_> = set_cookies(mirror).collect();
        for ours in set_cookies(production) {
            let same = theirs.iter().rev().find(|theirs| theirs.name == ours.name);
            if let Some(theirs) = same {
                let place = CarryPlace::Cookie(ours.name.into());
                self.add(place, ours.value, theirs.value);
            }
        }
    }

    /// Kept where they are equal too: then they may stay in a condition.
    fn validators(&mut self, production: &Response, mirror: &Response) {
        for name in ["etag", "last-modified"] {
            let both = production
                .headers
                .first(name)
                .zip(mirror.headers.first(name));
            if let Some((ours, theirs)) = both {
                let reach = Reach::validator(self.target);
                self.push(CarryPlace::header(name), ours, theirs, reach);
            }
        }
    }

    fn headers(&mut self, production: &Response, mirror: &Response) {
        for (name, ours) in production.headers.iter() {
            let name = name.to_ascii_lowercase();
            if NEVER_REPEATED.contains(&name.as_str()) {
                continue;
            }
            if let Some(theirs) = mirror.headers.first(&name) {
                self.add(CarryPlace::Header(name), ours, theirs);
            }
        }
    }

    /// Segments and query values of `location`, where both have the same form.
    fn locations(&mut self, production: &Response, mirror: &Response) {
        let target = |response: &Response| {
            let value = response.headers.first("location")?;
            Some(RequestTarget::parse("GET", value.to_vec()))
        };
        let (Some(ours), Some(theirs)) = (target(production), target(mirror)) else {
            return;
        };
        let segments = |target: &RequestTarget| {
            let segments = target.path().split(|byte| *byte == b'/');
            segments.map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        let (our_segments, their_segments) = (segments(&ours), segments(&theirs));
        if our_segments.len() == their_segments.len() {
            let mut before = Vec::new();
            for (ours, theirs) in our_segments.iter().zip(&their_segments) {
                if ours != theirs {
                    let telling = is_telling(ours) && is_telling(theirs);
                    let reach = Reach::segment(&before, telling);
                    self.push(CarryPlace::Path, ours, theirs, reach);
                }
                before.extend_from_slice(ours);
                before.push(b'/');
            }
        }
        for (name, ours) in fields(ours.query().unwrap_or_default()) {
            let theirs = fields(theirs.query().unwrap_or_default());
            let theirs = theirs.into_iter().find(|(other, _)| *other == name);
            if let Some((_, theirs)) = theirs {
                self.add(CarryPlace::Query(name), &ours, &theirs);
            }
        }
    }

    fn bodies(&mut self, production: &Response, mirror: &Response) {
        let decoded = |response| -> Option<Cow<'_, [u8]>> {
            let response: &Response = response;
            let body = decoded_within(&response.headers, &response.body, MAX_BODY).ok()?;
            (body.len() <= MAX_BODY).then_some(body)
        };
        let (Some(ours), Some(theirs)) = (decoded(production), decoded(mirror)) else {
            return;
        };
        let is_html = |response: &Response| {
            let media = response.headers.first("content-type").unwrap_or_default();
            media.to_ascii_lowercase().starts_with(b"text/html")
        };
        if is_html(production) && is_html(mirror) {
            self.pages(
                &String::from_utf8_lossy(&ours),
                &String::from_utf8_lossy(&theirs),
            );
        } else if let Ok(ours) = Value::parse(&ours, MAX_NODES)
            && let Ok(theirs) = Value::parse(&theirs, MAX_NODES)
        {
            self.values(&mut Vec::new(), &ours, &theirs);
        }
    }

    /// The second of a name is the second on the other side too.
    fn pages(&mut self, ours: &str, theirs: &str) {
        let mut theirs = html::values(theirs);
        for (place, ours) in html::values(ours) {
            if let Some(at) = theirs.iter().position(|(other, _)| *other == place) {
                let (place, theirs) = theirs.remove(at);
                self.add(place, ours.as_bytes(), theirs.as_bytes());
            }
        }
    }

    fn values<'v>(&mut self, at: &mut Vec<Step<'v>>, ours: &'v Value<'v>, theirs: &Value<'_>) {
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => {
                for (name, value) in ours {
                    let theirs = theirs.iter().find(|(other, _)| other == name);
                    if let Some((_, theirs)) = theirs {
                        at.push(Step::Member(name));
                        self.values(at, value, theirs);
                        at.pop();
                    }
                }
            }
            (Value::Array(ours), Value::Array(theirs)) => {
                for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                    at.push(Step::Index(index));
                    self.values(at, ours, theirs);
                    at.pop();
                }
            }
            (Value::Number(ours), Value::Number(theirs)) => {
                self.add(
                    CarryPlace::Json(pointer(at)),
                    ours.as_bytes(),
                    theirs.as_bytes(),
                );
            }
            (Value::Text(ours), Value::Text(theirs)) => {
                let (ours, theirs) = (unescaped(ours), unescaped(theirs));
                self.add(
                    CarryPlace::Json(pointer(at)),
                    ours.as_bytes(),
                    theirs.as_bytes(),
                );
            }
            _ => {}
        }
    }
}

/// A cookie that an answer sets.
pub(super) struct SetCookie<'r> {
    pub(super) name: &'r str,
    pub(super) value: &'r [u8],
    /// Scripts do not see it, so it is the server's.
    pub(super) http_only: bool,
}

/// What an answer sets, without what it takes back.
pub(super) fn set_cookies(response: &Response) -> impl Iterator<Item = SetCookie<'_>> {
    response.headers.all("set-cookie").filter_map(|line| {
        let mut parts = line.split(|byte| *byte == b';');
        let first = parts.next()?;
        let (name, value) = split_at_byte(first, b'=')?;
        let value = value.trim_ascii();
        let http_only = parts.any(|part| part.trim_ascii().eq_ignore_ascii_case(b"httponly"));
        let name = std::str::from_utf8(name.trim_ascii()).ok()?;
        (!value.is_empty()).then_some(SetCookie {
            name,
            value,
            http_only,
        })
    })
}

pub(super) fn split_at_byte(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(at, bytes)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// Names and values of a query or a form, as they are meant.
pub(super) fn fields(query: &[u8]) -> Vec<(String, Vec<u8>)> {
    let parts = query.split(|byte| *byte == b'&');
    let field = |part| {
        let (name, value) = split_at_byte(part, b'=')?;
        Some((
            String::from_utf8_lossy(&meant(name)).into_owned(),
            meant(value),
        ))
    };
    parts.filter_map(field).collect()
}

/// A name or value of a form, without its encoding.
pub(super) fn meant(encoded: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = encoded
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_encoding::percent_decode(&spaced).collect()
}
