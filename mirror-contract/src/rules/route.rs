//! A route as people write it: `POST /orders`, `* /search`, `PUT /users/{user}/address`, `GET /static/**`.

use std::str::FromStr;

use crate::RequestTarget;

/// A method and a path pattern. `*` stands for any method or one whole segment, `{name}` for one segment
/// that a rule can read, `**` at the end for the rest of the path, which may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    method: String,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Text(String),
    Any,
    Named(String),
    Rest,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a route: write METHOD /path, for example 'POST /orders', 'PUT /users/*' or 'GET /static/**'"
)]
pub struct RouteError(String);

impl FromStr for Route {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        let error = || RouteError(text.into());
        let (method, path) = text
            .trim()
            .split_once(char::is_whitespace)
            .ok_or_else(error)?;
        let path = path.trim();
        let named = method == "*" || method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
        if !named || !path.starts_with('/') || path.contains(char::is_whitespace) {
            return Err(error());
        }
        let segments: Vec<_> = path
            .split('/')
            .skip(1)
            .map(segment)
            .collect::<Option<_>>()
            .ok_or_else(error)?;
        let inside = &segments[..segments.len() - 1];
        if inside.contains(&Segment::Rest) {
            return Err(error());
        }
        Ok(Self {
            method: method.into(),
            segments,
        })
    }
}

fn segment(text: &str) -> Option<Segment> {
    match (
        text,
        text.strip_prefix('{').and_then(|t| t.strip_suffix('}')),
    ) {
        ("*", _) => Some(Segment::Any),
        ("**", _) => Some(Segment::Rest),
        (_, Some(name)) if !name.is_empty() && !name.contains(['{', '}', '*']) => {
            Some(Segment::Named(name.into()))
        }
        _ if text.contains(['{', '}', '*']) => None,
        _ => Some(Segment::Text(text.into())),
    }
}

impl Route {
    /// Whether a request of `method` for this target is on this route. Its path counts, as sent.
    pub fn matches(&self, method: &str, target: &RequestTarget) -> bool {
        if self.method != "*" && self.method != method {
            return false;
        }
        let Some(path) = target.path().strip_prefix(b"/") else {
            return false;
        };
        let mut theirs = path.split(|byte| *byte == b'/');
        for ours in &self.segments {
            match (ours, theirs.next()) {
                (_, None) => return false,
                (Segment::Rest, _) => return true,
                (Segment::Text(text), Some(segment)) if text.as_bytes() != segment => return false,
                (Segment::Named(_), Some(b"")) => return false,
                _ => {}
            }
        }
        theirs.next().is_none()
    }

    /// The segment called `name` of a path on this route, as sent.
    pub fn segment<'p>(&self, path: &'p [u8], name: &str) -> Option<&'p [u8]> {
        let at = self.place(name)?;
        path.strip_prefix(b"/")?.split(|byte| *byte == b'/').nth(at)
    }

    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.segments
            .iter()
            .position(|s| matches!(s, Segment::Named(n) if n == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_route_is_refused_with_an_example() {
        for bad in [
            "",
            "POST",
            "/orders",
            "post /orders",
            "POST orders",
            "POST /a b",
            "GET /a**",
            "GET /**/a",
            "GET /{}",
        ] {
            let error = bad.parse::<Route>().unwrap_err().to_string();
            assert!(error.contains("for example"), "{bad}: {error}");
        }
    }

    #[test]
    fn patterns_match_whole_segments() {
        let check = |route: &str, method: &str, path: &str, expect: bool| {
            let route: Route = route.parse().unwrap();
            assert_eq!(
                route.matches(method, &RequestTarget::parse(method, path.to_owned())),
                expect,
                "{route:?} {method} {path}"
            );
        };
        check("PUT /users/*/address", "PUT", "/users/7/address", true);
        check("PUT /users/*/address", "PUT", "/users/7/8/address", false);
        check("PUT /users/*/address", "PUT", "/users/address", false);
        check("* /users/{user}", "GET", "/users/7", true);
        check("* /users/{user}", "GET", "/users/", false);
        check("GET /static/**", "GET", "/static/a/b.css", true);
        check("GET /static/**", "GET", "/static", false);
        check("GET /**", "GET", "/", true);
        check("GET /", "GET", "/", true);
        check("GET /", "GET", "/a", false);
    }

    #[test]
    fn a_named_segment_can_be_read() {
        let route: Route = "GET /users/{user}/orders/{order}".parse().unwrap();
        assert_eq!(
            route.segment(b"/users/7/orders/b", "order"),
            Some(&b"b"[..])
        );
        assert_eq!(route.segment(b"/users/7/orders/b", "shop"), None);
    }
}
