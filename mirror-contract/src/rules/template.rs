//! Templates: text with fields in braces, filled in from a request, and the digest that is made of it.

use std::fmt::Write;

use md5::Md5;
use sha2::{Digest as _, Sha256};

use super::{Fields, Route, value};
use crate::RequestTarget;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    Md5,
    Sha256,
    Xxh3,
    None,
}

impl Digest {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "md5" => Some(Self::Md5),
            "sha256" => Some(Self::Sha256),
            "xxh3" => Some(Self::Xxh3),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    /// In lower-case hex.
    pub(super) fn of(self, text: String) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
            Self::Xxh3 => format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes())),
            Self::None => text,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field {
        field: Field,
        /// Empty where the field is missing.
        optional: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    Json(value::JsonPath),
    Query(String),
    Form(String),
    Header(String),
    Cookie(String),
    /// Segment of the path, from 1.
    Segment(usize),
    /// Segment by its name in the rule's route.
    NamedSegment(String),
    Path,
    Method,
    Host,
    Client,
    /// Number of the time bucket of so many seconds.
    Time(u64),
}

impl Template {
    /// `{{` and `}}` stand for braces.
    pub(super) fn parse(template: &str, route: Option<&Route>) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                text.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err("a `}` is not opened; as text it is written }}".into());
            }
            let (field, after) = after
                .split_once('}')
                .ok_or("a `{` is not closed; as text it is written {{")?;
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(Part::parse(field, route)?);
            rest = after;
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        if parts.iter().any(|part| matches!(part, Part::Field { .. })) {
            Ok(Self(parts))
        } else {
            Err("the template reads nothing of the request".into())
        }
    }

    /// The text at `seconds` since the epoch; none where a field is missing.
    pub(super) fn fill(
        &self,
        request: &dyn Fields,
        seconds: u64,
        route: Option<&Route>,
    ) -> Option<String> {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Field { field, optional } => match field.read(request, seconds, route) {
                    Some(value) => filled.push_str(&value),
                    None if *optional => {}
                    None => return None,
                },
            }
        }
        Some(filled)
    }

    pub(super) fn reads_body(&self) -> bool {
        self.fields()
            .any(|f| matches!(f, Field::Json(_) | Field::Form(_)))
    }

    /// Of the longest bucket; 0 for none.
    pub(super) fn bucket_seconds(&self) -> u64 {
        let buckets = self.fields().filter_map(|field| match field {
            Field::Time(seconds) => Some(*seconds),
            _ => None,
        });
        buckets.max().unwrap_or(0)
    }

    fn fields(&self) -> impl Iterator<Item = &Field> {
        self.0.iter().filter_map(|part| match part {
            Part::Field { field, .. } => Some(field),
            Part::Text(_) => None,
        })
    }
}

impl Part {
    fn parse(text: &str, route: Option<&Route>) -> Result<Self, String> {
        let (field, optional) = match text.strip_prefix('?') {
            Some(field) => (field, true),
            None => (text, false),
        };
        let field = Field::parse(field, route)?;
        Ok(Self::Field { field, optional })
    }
}

impl Field {
    fn parse(text: &str, route: Option<&Route>) -> Result<Self, String> {
        let Some((kind, name)) = text.split_once(':') else {
            return match text {
                "method" => Ok(Self::Method),
                "path" => Ok(Self::Path),
                "host" => Ok(Self::Host),
                "client" => Ok(Self::Client),
                "json" | "query" | "form" | "header" | "cookie" | "time" => {
                    Err(format!("`{{{text}}}` names nothing: write {{{text}:…}}"))
                }
                _ => Err(format!("`{{{text}}}` is unknown")),
            };
        };
        if name.is_empty() {
            return Err(format!("`{{{text}}}` names nothing"));
        }
        match kind {
            "json" => Ok(Self::Json(value::JsonPath::parse(name)?)),
            "query" => Ok(Self::Query(name.into())),
            "form" => Ok(Self::Form(name.into())),
            "header" => Ok(Self::Header(name.to_ascii_lowercase())),
            "cookie" => Ok(Self::Cookie(name.into())),
            "path" if name.bytes().all(|b| b.is_ascii_digit()) => match name.parse() {
                Ok(n) if n > 0 => Ok(Self::Segment(n)),
                _ => Err(format!("`{name}` is no path segment: they count from 1")),
            },
            "path" if route.is_some_and(|route| route.place(name).is_some()) => {
                Ok(Self::NamedSegment(name.into()))
            }
            "path" => Err(format!(
                "the rule's route has no segment {{{name}}}: write `METHOD /path/{{{name}}} => …` before the rule"
            )),
            "time" => bucket(name).map(Self::Time),
            _ => Err(format!("`{{{text}}}` is unknown")),
        }
    }

    fn read(&self, request: &dyn Fields, seconds: u64, route: Option<&Route>) -> Option<String> {
        let target = || request.target();
        let header = |name, nth| request.header(name, nth);
        match self {
            Self::Json(path) => path.read(request.body()?),
            Self::Query(name) => value::query(target()?, name),
            Self::Form(name) => value::form(
                value::header(header("content-type", 0)?)?,
                request.body()?,
                name,
            ),
            Self::Header(name) => Some(value::header(header(name, 0)?)?.into()),
            Self::Cookie(name) => {
                let lines = (0..).map_while(|nth| header("cookie", nth));
                let mut lines = lines.filter_map(value::header);
                lines.find_map(|line| Some(value::cookie(line, name)?.into()))
            }
            Self::Segment(n) => value::segment(value::segments(target()?.path()).nth(n - 1)?),
            Self::NamedSegment(name) => value::segment(route?.segment(target()?.path(), name)?),
            Self::Path => Some(std::str::from_utf8(target()?.path()).ok()?.into()),
            Self::Method => Some(request.method().into()),
            Self::Host => match target().and_then(RequestTarget::authority) {
                Some(authority) => value::host(std::str::from_utf8(authority).ok()?),
                None => value::host(value::header(header("host", 0)?)?),
            },
            Self::Client => request.client().map(|ip| ip.to_canonical().to_string()),
            Self::Time(bucket) => Some((seconds / bucket).to_string()),
        }
    }
}

/// Seconds of a bucket as in `s`, `5s`, `2m` or `1h`.
fn bucket(text: &str) -> Result<u64, String> {
    let error = || format!("`{text}` is no time bucket: write s, 5s, 1m or 1h, at most 24h");
    let unit = match text.as_bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3600,
        _ => return Err(error()),
    };
    let number = &text[..text.len() - 1];
    let number: u64 = match number {
        "" => 1,
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().map_err(|_| error())?
        }
        _ => return Err(error()),
    };
    let seconds = number.checked_mul(unit).ok_or_else(error)?;
    (1..=86_400)
        .contains(&seconds)
        .then_some(seconds)
        .ok_or_else(error)
}
