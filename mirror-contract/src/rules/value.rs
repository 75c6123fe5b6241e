//! The canonical text of what a rule reads: JSON, query and form, cookies, path segments, host. CONTRACT.md, "Values".

use std::{borrow::Cow, fmt};

use percent_encoding::percent_decode;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::{RequestTarget, canonical::canonical_json};

/// The steps to a value in a JSON document, from `name`, `a.b` or `/a/0/b`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JsonPath {
    steps: Vec<String>,
    /// A JSON pointer steps into arrays too.
    is_pointer: bool,
}

impl JsonPath {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some(pointer) = text.strip_prefix('/') else {
            let steps: Vec<String> = text.split('.').map(Into::into).collect();
            if steps.iter().any(String::is_empty) {
                return Err(format!("`{text}` has an empty step"));
            }
            return Ok(Self {
                steps,
                is_pointer: false,
            });
        };
        let unescaped = |step: &str| -> Result<String, String> {
            let rest = step.replace("~0", "").replace("~1", "");
            if rest.contains('~') {
                return Err(format!("`{text}`: in a JSON pointer `~` is written ~0"));
            }
            Ok(step.replace("~1", "/").replace("~0", "~"))
        };
        let steps = pointer
            .split('/')
            .map(unescaped)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            steps,
            is_pointer: true,
        })
    }

    /// The canonical text of the value there; none when it is missing, null or the body is no JSON.
    pub(super) fn read(&self, body: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(body).ok()?;
        let mut json = serde_json::Deserializer::from_str(text);
        let find = Find {
            steps: &self.steps,
            is_pointer: self.is_pointer,
        };
        let found = find.deserialize(&mut json).ok()?;
        json.end().ok()?;
        if has_lone_surrogate(text) {
            return None;
        }
        scalar(found?.get())
    }
}

struct Find<'p> {
    steps: &'p [String],
    is_pointer: bool,
}

impl<'de> DeserializeSeed<'de> for Find<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        let raw: &RawValue = serde::Deserialize::deserialize(json)?;
        if self.steps.is_empty() {
            return Ok(Some(raw));
        }
        // Nothing else has an inside, and a number may be larger than any type is.
        if !raw.get().starts_with(['{', '[']) {
            return Ok(None);
        }
        let mut inside = serde_json::Deserializer::from_str(raw.get());
        inside.deserialize_any(self).map_err(Error::custom)
    }
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if name == self.steps[0] {
                // Of members with one name the last counts.
                found = map.next_value_seed(Find {
                    steps: &self.steps[1..],
                    ..self
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let step = self.steps[0].as_str();
        let is_index =
            step == "0" || (!step.starts_with('0') && step.bytes().all(|b| b.is_ascii_digit()));
        let wanted = step
            .parse::<usize>()
            .ok()
            .filter(|_| self.is_pointer && is_index);
        let mut found = None;
        let mut index = 0;
        loop {
            if wanted == Some(index) {
                let seed = Find {
                    steps: &self.steps[1..],
                    ..self
                };
                match items.next_element_seed(seed)? {
                    Some(value) => found = value,
                    None => return Ok(found),
                }
            } else if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(found);
            }
            index += 1;
        }
    }
}

/// Whether an escape in a JSON text is half of a surrogate pair without the other half.
fn has_lone_surrogate(json: &str) -> bool {
    let code = |at: usize| {
        let digits = json.get(at..)?.strip_prefix("\\u")?.get(..4)?;
        u32::from_str_radix(digits, 16).ok()
    };
    let mut from = 0;
    while let Some(at) = json[from..].find('\\').map(|at| from + at) {
        from = at
            + match (code(at), code(at + 6)) {
                (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
                (Some(0xd800..=0xdfff), _) => return true,
                (Some(_), _) => 6,
                // Any other escape is of one letter.
                (None, _) => 2,
            };
    }
    false
}

/// A string without its quotes, anything else as [`canonical_json`] writes it; null is none.
fn scalar(raw: &str) -> Option<String> {
    match raw.as_bytes().first()? {
        b'n' => None,
        b'"' => serde_json::from_str(raw).ok(),
        _ => canonical_json(raw),
    }
}

/// Segments of a path that are not empty.
pub(super) fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|s| !s.is_empty())
}

/// A percent-decoded segment.
pub(super) fn segment(bytes: &[u8]) -> Option<String> {
    Some(percent_decode(bytes).decode_utf8().ok()?.into_owned())
}

pub(super) fn query(target: &RequestTarget, name: &str) -> Option<String> {
    pair(target.query()?, name)
}

pub(super) fn form(content_type: &str, body: &[u8], name: &str) -> Option<String> {
    let media_type = content_type.split(';').next()?.trim_matches([' ', '\t']);
    if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return None;
    }
    let text = std::str::from_utf8(body).ok()?;
    pair(text.as_bytes(), name)
}

/// The first value of `name` in a form-encoded text, decoded.
fn pair(encoded: &[u8], name: &str) -> Option<String> {
    let decode = |part: &[u8]| -> Option<String> {
        let space = |byte: &u8| if *byte == b'+' { b' ' } else { *byte };
        let spaced: Vec<u8> = part.iter().map(space).collect();
        Some(percent_decode(&spaced).decode_utf8().ok()?.into_owned())
    };
    let pairs = encoded.split(|byte| *byte == b'&');
    let mut pairs = pairs.filter(|pair| !pair.is_empty()).map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=');
        equals.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]))
    });
    let (_, value) = pairs.find(|(key, _)| decode(key).is_some_and(|key| key == name))?;
    decode(value)
}

/// A field line's text: visible ASCII, spaces and tabs, trimmed.
pub(super) fn header(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    let fits = text
        .bytes()
        .all(|b| b == b'\t' || (b' '..=b'~').contains(&b));
    fits.then(|| text.trim_matches([' ', '\t']))
}

/// The value of a cookie in one field line.
pub(super) fn cookie<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let trim = |text: &'a str| text.trim_matches([' ', '\t']);
    let mut pairs = line.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| trim(key) == name)?;
    Some(trim(value))
}

/// A host in lower case, without its port.
pub(super) fn host(authority: &str) -> Option<String> {
    let authority = authority.rsplit('@').next()?;
    let end = match authority.find(']') {
        Some(bracket) if authority.starts_with('[') => bracket + 1,
        _ => authority.find(':').unwrap_or(authority.len()),
    };
    let host = authority[..end].to_ascii_lowercase();
    (!host.is_empty()).then_some(host)
}

/// The part of a W3C traceparent that names one call: `<trace-id>-<parent-id>`.
pub(super) fn traceparent(value: &str) -> Option<String> {
    trace_parts(value).map(|(trace, parent)| format!("{trace}-{parent}"))
}

/// Trace and parent of a W3C traceparent, if it is one.
pub fn trace_parts(value: &str) -> Option<(&str, &str)> {
    let mut parts = value.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, len: usize| {
        text.len() == len
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let not_zero = |text: &str| text.bytes().any(|b| b != b'0');
    let ends = version != "00" || parts.next().is_none();
    let valid = hex(version, 2) && version != "ff" && hex(flags, 2) && ends;
    let named = hex(trace, 32) && not_zero(trace) && hex(parent, 16) && not_zero(parent);
    (valid && named).then_some((trace, parent))
}
