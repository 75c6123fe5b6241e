//! The route of a request by its form alone, so that all recordings call it the same.

use std::hash::{BuildHasher, Hasher};

use crate::exchange::Request;
use crate::route::{Variable, variable};

/// Segments of a path that tell routes apart.
const MAX_SEGMENTS: usize = 8;
/// Most bytes of a segment, and of a method.
const MAX_SEGMENT: usize = 64;

/// `GET /users/{id}`: ids and dates are known by their form. What is long is cut.
pub fn route_of(request: &Request) -> String {
    let mut route = cut(request.method.as_bytes());
    route.push(' ');
    let path = request.target.path();
    let path = path.strip_prefix(b"/").unwrap_or(path);
    for (depth, segment) in path.split(|byte| *byte == b'/').enumerate() {
        route.push('/');
        if depth == MAX_SEGMENTS {
            route.push_str("{rest}");
            break;
        }
        match std::str::from_utf8(segment).ok().and_then(variable) {
            Some(Variable::Id) => route.push_str("{id}"),
            Some(Variable::Date) => route.push_str("{date}"),
            None => route.push_str(&cut(segment)),
        }
    }
    route
}

/// Equal for requests of one route, as far as [`route_of`] tells them apart.
pub(super) fn route_key(request: &Request, hasher: &impl BuildHasher) -> u64 {
    let mut key = hasher.build_hasher();
    key.write(head(request.method.as_bytes()));
    let path = request.target.path();
    let path = path.strip_prefix(b"/").unwrap_or(path);
    for (depth, segment) in path.split(|byte| *byte == b'/').enumerate() {
        let kind = match std::str::from_utf8(segment).ok().and_then(variable) {
            _ if depth == MAX_SEGMENTS => 3,
            Some(Variable::Id) => 1,
            Some(Variable::Date) => 2,
            None => 0,
        };
        key.write_u8(kind);
        if kind == 3 {
            break;
        }
        if kind == 0 {
            key.write_usize(segment.len().min(MAX_SEGMENT + 1));
            key.write(head(segment));
        }
    }
    key.finish()
}

fn head(text: &[u8]) -> &[u8] {
    &text[..text.len().min(MAX_SEGMENT)]
}

fn cut(text: &[u8]) -> String {
    let shown = String::from_utf8_lossy(head(text));
    match text.len() > MAX_SEGMENT {
        true => format!("{shown}{{…}}"),
        false => shown.into_owned(),
    }
}
