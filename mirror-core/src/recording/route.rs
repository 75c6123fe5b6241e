//! The route of a request by its form alone, so that all recordings call it the same.

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

fn cut(text: &[u8]) -> String {
    let shown = String::from_utf8_lossy(&text[..text.len().min(MAX_SEGMENT)]);
    match text.len() > MAX_SEGMENT {
        true => format!("{shown}{{…}}"),
        false => shown.into_owned(),
    }
}
