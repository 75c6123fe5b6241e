//! Puts other values in the places of a request: cookies, headers, path, query, form and JSON. What is not replaced keeps its
//! bytes.

use std::borrow::Cow;
use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

use super::pairs::{meant, split_at_byte};
use super::place::CarryPlace;
use super::reach::Use;
use crate::edits::Edits;
use crate::exchange::{Request, RequestTarget};
use crate::json::{Value, unescaped};

/// Bytes of a body that values are looked for in.
const MAX_BODY: usize = 1 << 20;
const MAX_NODES: usize = 20_000;

/// What stands for itself in a path and in a query (RFC 3986 §2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Headers whose value is never a value of the application's.
const NOT_EDITED: [&str; 14] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "range",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Conditions whose values are validators (RFC 9110 §13.1).
const CONDITIONS: [&str; 5] = [
    "if-match",
    "if-none-match",
    "if-range",
    "if-modified-since",
    "if-unmodified-since",
];

/// Gives another value for one at a place, or none.
pub(super) type Look<'l> = dyn FnMut(Use<'_>, CarryPlace, &[u8]) -> Option<Vec<u8>> + 'l;

/// Replaces in all of the request what `look` has another value for.
pub(super) fn edit(request: &mut Request, look: &mut Look<'_>) {
    headers(request, look);
    if let Some(target) = target(&request.target, look) {
        request.target = RequestTarget::parse(&request.method, target);
    }
    if let Some(body) = body(request, look) {
        request.set_body(body.into());
    }
}

fn headers(request: &mut Request, look: &mut Look<'_>) {
    let target = request.target.as_bytes().clone();
    request.headers.edit(|name, value| {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "cookie" => cookies(value, look),
            name if CONDITIONS.contains(&name) => validators(name, value, &target, look),
            name if NOT_EDITED.contains(&name) => None,
            name => header(name, value, look),
        }
    });
}

/// A value as a whole, or what follows a scheme as in `Bearer …`.
fn header(name: &str, value: &[u8], look: &mut Look<'_>) -> Option<Vec<u8>> {
    let mut ask = |value| look(Use::Header, CarryPlace::header(name), value);
    let value = value.trim_ascii();
    if let Some(whole) = ask(value) {
        return Some(whole);
    }
    let (scheme, credential) = split_at_byte(value, b' ')?;
    let other = ask(credential.trim_ascii())?;
    Some([scheme, b" ", &other].concat())
}

fn cookies(line: &[u8], look: &mut Look<'_>) -> Option<Vec<u8>> {
    pieces(line, b';', |piece| {
        let (name, value) = split_at_byte(piece, b'=')?;
        let shown = std::str::from_utf8(name.trim_ascii()).ok()?;
        let place = CarryPlace::Cookie(shown.into());
        let other = look(Use::Cookie(shown), place, value.trim_ascii())?;
        Some([name, b"=", &other].concat())
    })
}

/// Entity tags in a list, or one date.
fn validators(name: &str, value: &[u8], target: &[u8], look: &mut Look<'_>) -> Option<Vec<u8>> {
    let mut ask = |value: &[u8]| {
        look(
            Use::Validator { target },
            CarryPlace::header(name),
            value.trim_ascii(),
        )
    };
    if name.ends_with("since") {
        return ask(value);
    }
    // A comma may stand in a tag and in a date; then there is no other value for the piece.
    ask(value).or_else(|| {
        pieces(value, b',', |piece| {
            let space = piece.len() - piece.trim_ascii_start().len();
            let other = ask(piece)?;
            Some([&piece[..space], &other].concat())
        })
    })
}

/// Replaces pieces between separators; none when no piece is another.
fn pieces(
    text: &[u8],
    separator: u8,
    mut edit: impl FnMut(&[u8]) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let mut is_changed = false;
    let edited: Vec<Cow<'_, [u8]>> = text
        .split(|byte| *byte == separator)
        .map(|piece| match edit(piece) {
            Some(edited) => {
                is_changed = true;
                Cow::Owned(edited)
            }
            None => Cow::Borrowed(piece),
        })
        .collect();
    is_changed.then(|| edited.join(&separator))
}

fn target(target: &RequestTarget, look: &mut Look<'_>) -> Option<Vec<u8>> {
    let whole = target.as_bytes();
    let (mut before, query) = match target.query() {
        None => (target.path(), None),
        Some(query) => (target.path(), Some(query)),
    };
    // An absolute target without a path has none to edit.
    let path_at = range_of(whole, before)?;
    let path = path(before, look);
    let query_at = query.and_then(|query| range_of(whole, query));
    let query = query.and_then(|query| form(query, CarryPlace::Query, look));
    if path.is_none() && query.is_none() {
        return None;
    }
    before = &whole[..path_at.start];
    let path = path.unwrap_or_else(|| whole[path_at.clone()].to_vec());
    let rest = &whole[path_at.end..];
    Some(match (query_at, query) {
        (Some(at), Some(query)) => [before, &path, b"?", &query, &whole[at.end..]].concat(),
        _ => [before, &path, rest].concat(),
    })
}

/// Where `part` lies in `whole`, which it is a slice of.
fn range_of(whole: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let at = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let end = at.checked_add(part.len())?;
    (end <= whole.len()).then_some(at..end)
}

fn path(path: &[u8], look: &mut Look<'_>) -> Option<Vec<u8>> {
    let mut at = 0;
    pieces(path, b'/', |segment| {
        let before = &path[..at];
        at += segment.len() + 1;
        if segment.is_empty() {
            return None;
        }
        let mut ask = |value: &[u8]| look(Use::Segment { before }, CarryPlace::Path, value);
        let value: Vec<u8> = percent_decode(segment).collect();
        let other = ask(segment).or_else(|| (value != segment).then(|| ask(&value)).flatten())?;
        Some(encoded(&other))
    })
}

fn encoded(value: &[u8]) -> Vec<u8> {
    percent_encode(value, ENCODED).to_string().into_bytes()
}

/// A query or a form.
fn form(
    fields: &[u8],
    place: impl Fn(String) -> CarryPlace,
    look: &mut Look<'_>,
) -> Option<Vec<u8>> {
    pieces(fields, b'&', |field| {
        let (name, value) = split_at_byte(field, b'=')?;
        let shown = String::from_utf8_lossy(&meant(name)).into_owned();
        let other = look(Use::Field(&shown), place(shown.clone()), &meant(value))?;
        Some([name, b"=", &encoded(&other)].concat())
    })
}

fn body(request: &Request, look: &mut Look<'_>) -> Option<Vec<u8>> {
    let is_coded = request.headers.first("content-encoding").is_some();
    if request.body.is_empty() || request.body.len() > MAX_BODY || is_coded {
        return None;
    }
    let media = request.headers.first("content-type").unwrap_or_default();
    let body = request.body.bytes();
    if media
        .to_ascii_lowercase()
        .starts_with(b"application/x-www-form-urlencoded")
    {
        return form(body, CarryPlace::Form, look);
    }
    let value = Value::parse(body, MAX_NODES).ok()?;
    let mut document = Document {
        body,
        at: String::new(),
        edits: Edits::default(),
    };
    document.value(&value, "", look);
    document.edits.apply(body)
}

/// A JSON document and what is put in the places of its values.
struct Document<'b> {
    body: &'b [u8],
    /// The pointer of the value that is looked at, with `*` for elements.
    at: String,
    edits: Edits,
}

impl Document<'_> {
    fn value(&mut self, value: &Value<'_>, name: &str, look: &mut Look<'_>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    self.inside(name, value, name, look);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.inside("*", item, name, look);
                }
            }
            Value::Number(number) => {
                let place = CarryPlace::Json(self.at.clone());
                if let Some(other) = look(Use::Field(name), place, number.as_bytes()) {
                    self.put(number, other, false);
                }
            }
            Value::Text(text) => {
                let place = CarryPlace::Json(self.at.clone());
                if let Some(other) = look(Use::Field(name), place, unescaped(text).as_bytes()) {
                    self.put(text, other, true);
                }
            }
            Value::Null | Value::Bool(_) | Value::Deep(_) => {}
        }
    }

    fn inside(&mut self, step: &str, value: &Value<'_>, name: &str, look: &mut Look<'_>) {
        let len = self.at.len();
        self.at.push('/');
        self.at
            .push_str(&step.replace('~', "~0").replace('/', "~1"));
        self.value(value, name, look);
        self.at.truncate(len);
    }

    /// A number stays one where the other value is a number too.
    fn put(&mut self, old: &str, other: Vec<u8>, is_text: bool) {
        let Some(at) = range_of(self.body, old.as_bytes()) else {
            return;
        };
        let other = String::from_utf8_lossy(&other);
        let quoted = serde_json::Value::from(other.as_ref()).to_string();
        let is_number = other.parse::<serde_json::Number>().is_ok();
        let put = match is_text {
            true => quoted[1..quoted.len() - 1].to_owned(),
            false if is_number => other.into_owned(),
            false => quoted,
        };
        self.edits.replace(at, put);
    }
}
