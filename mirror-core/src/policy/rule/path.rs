//! `POST /orders/*`: a method and a path pattern, as routes are written everywhere, with `**` in any place and `*` inside of
//! a segment too.
//!
//! A rule that keeps something out must not be evaded by another spelling of the path, and one that lets something in must
//! not be widened by one. So a path is judged in every way that a server may read it, and for rules that keep out in any case.

use crate::policy::redact::{fits, fits_any_case};

use super::{Sense, View};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoutePattern {
    /// `*` for any.
    method: String,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// Bytes in which `*` stands for any.
    Text(String),
    /// One segment that is not empty, as `{name}`.
    Named,
    /// Any number of segments.
    Rest,
}

impl RoutePattern {
    /// The pattern, or what to write instead.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!(
                "`{text}` is not a route: {why}. Write METHOD /path, as in 'POST /orders', 'PUT /users/*' or 'GET /**/delete'"
            )
        };
        let (method, path) = text
            .trim()
            .split_once(char::is_whitespace)
            .ok_or_else(|| wrong("it needs a method and a path"))?;
        let path = path.trim();
        let is_method =
            method == "*" || method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
        if !is_method {
            return Err(wrong("a method is in capitals, or *"));
        }
        if !path.starts_with('/') {
            return Err(wrong("a path begins with /"));
        }
        if path.contains(char::is_whitespace) {
            return Err(wrong("a path has no spaces; conditions begin with `where`"));
        }
        if path.contains(['?', '#']) {
            return Err(wrong("a path has no query: write where query:NAME = VALUE"));
        }
        let segments = path
            .split('/')
            .skip(1)
            .map(|text| segment(text).ok_or_else(|| wrong("`**` and `{name}` are whole segments")));
        Ok(Self {
            method: method.into(),
            segments: segments.collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn method(&self) -> &str {
        &self.method
    }

    /// What keeps out does so in any case: some servers do not tell `get` from `GET`.
    pub(super) fn has_method(&self, method: &str, sense: Sense) -> bool {
        self.method == "*"
            || self.method == method
            || (sense == Sense::KeepOut && self.method.eq_ignore_ascii_case(method))
    }

    pub(super) fn has_path(&self, view: &View<'_>, sense: Sense) -> bool {
        let matches = |path: &[u8], fits| {
            let path = path.strip_prefix(b"/");
            path.is_some_and(|path| fit(&self.segments, path.split(|byte| *byte == b'/'), fits))
        };
        match sense {
            Sense::LetIn => view.paths(sense).all(|path| matches(path, fits)),
            Sense::KeepOut => view.paths(sense).any(|path| matches(path, fits_any_case)),
        }
    }

    /// Whether this pattern is on every route that `other` is on, as far as that is easily seen.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let has_method = self.method == "*" || self.method == other.method;
        has_method && covers(&self.segments, &other.segments)
    }
}

fn covers(ours: &[Segment], theirs: &[Segment]) -> bool {
    match (ours, theirs) {
        ([], []) | ([Segment::Rest], [_, ..]) => true,
        ([Segment::Text(any), ours @ ..], [Segment::Text(_) | Segment::Named, theirs @ ..])
            if any == "*" =>
        {
            covers(ours, theirs)
        }
        ([our, ours @ ..], [their, theirs @ ..]) => our == their && covers(ours, theirs),
        _ => false,
    }
}

fn segment(text: &str) -> Option<Segment> {
    let named = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    match (text, named) {
        ("**", _) => Some(Segment::Rest),
        (_, Some(name)) if !name.is_empty() && !name.contains(['{', '}', '*']) => {
            Some(Segment::Named)
        }
        _ if text.contains(['{', '}']) || text.contains("**") => None,
        _ => Some(Segment::Text(text.into())),
    }
}

/// At its end `**` stands for at least one segment, which may be empty; inside for any number, or none. As only the last
/// `**` that was met ever takes more, no path takes long.
fn fit<'p>(
    pattern: &[Segment],
    path: impl Iterator<Item = &'p [u8]> + Clone,
    fits: fn(&[u8], &[u8]) -> bool,
) -> bool {
    let (mut at, mut path) = (0, path);
    let mut last_rest = None;
    loop {
        let mut ahead = path.clone();
        let is_fit = match (pattern.get(at), ahead.next()) {
            (None, None) => return true,
            (Some(Segment::Rest), next) if at + 1 == pattern.len() => return next.is_some(),
            (Some(Segment::Rest), _) => {
                at += 1;
                last_rest = Some((at, path.clone()));
                continue;
            }
            (Some(Segment::Named), Some(segment)) => !segment.is_empty(),
            (Some(Segment::Text(text)), Some(segment)) => fits(text.as_bytes(), segment),
            _ => false,
        };
        if is_fit {
            (at, path) = (at + 1, ahead);
            continue;
        }
        let Some((after, from)) = &mut last_rest else {
            return false;
        };
        if from.next().is_none() {
            return false;
        }
        (at, path) = (*after, from.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Exchange, Request};

    fn check(route: &str, request: &str, keeps_out: bool, lets_in: bool) {
        let pattern = RoutePattern::parse(route).unwrap();
        let (method, path) = request.split_once(' ').unwrap();
        let sent = Request::new(method, path.to_owned());
        let end = "10.0.0.9:80".parse().unwrap();
        let exchange = Exchange::new(end, end, sent);
        let view = View::new(&exchange);
        let has = |sense| pattern.has_method(method, sense) && pattern.has_path(&view, sense);
        assert_eq!(
            has(Sense::KeepOut),
            keeps_out,
            "{route} keeps {request} out"
        );
        assert_eq!(has(Sense::LetIn), lets_in, "{route} lets {request} in");
    }

    #[test]
    fn patterns_match_as_routes_do_everywhere() {
        check("PUT /users/*/address", "PUT /users/7/address", true, true);
        check(
            "PUT /users/*/address",
            "PUT /users/7/8/address",
            false,
            false,
        );
        check("* /users/{user}", "GET /users/7", true, true);
        check("* /users/{user}", "GET /users/", false, false);
        check("GET /static/**", "GET /static/a/b.css", true, true);
        check("GET /static/**", "GET /static", false, false);
        check("GET /**", "GET /", true, true);
        check("GET /", "GET /a", false, false);
        check("GET /a", "HEAD /a", false, false);
        check("GET /a", "GET /a?x=1", true, true);
    }

    #[test]
    fn stars_stand_in_any_place() {
        check("GET /**/delete", "GET /delete", true, true);
        check("GET /**/delete", "GET /a/b/delete", true, true);
        check("GET /**/delete", "GET /a/delete/b", false, false);
        check("GET /a/**/b/**", "GET /a/x/b/y/z", true, true);
        check("GET /a/**/b/**", "GET /a/x/b", false, false);
        check("GET /static/*.css", "GET /static/site.css", true, true);
        check("GET /static/*.css", "GET /static/a/site.css", false, false);
    }

    #[test]
    fn another_spelling_neither_evades_nor_widens() {
        for path in [
            "/%6cogout",
            "//logout",
            "/a/../logout",
            "/./logout",
            "/logout;s=1",
            "/logout/",
            "/a/%2e%2e/logout",
            "\\logout",
            "/Logout",
            "/%256cogout",
            "/a%2fb/../logout",
            "//shop.example/logout",
            "\\shop.example/logout",
            "///shop.example/logout",
            "/logout%00.css",
            "/logout%3Fx",
            "/logout%20",
            "/logout.",
            "/x/..;/logout",
            "/x/%252e%252e/logout",
        ] {
            let path = path.replace('\\', "/\\");
            check("GET /logout", &format!("GET {path}"), true, false);
        }
        check("POST /orders/*", "POST /orders/..%2fadmin", true, false);
        check("POST /orders/*", "POST /orders/..", true, false);
        check("POST /orders/**", "POST /orders/../admin", true, false);
        check("POST /orders/**", "POST /orders/..;/admin", true, false);
        check(
            "POST /orders/**",
            "POST /orders/a%2fb/../../admin",
            true,
            false,
        );
        check(
            "POST /orders/**",
            "POST /orders/%252e%252e/admin",
            true,
            false,
        );
        check("POST /orders/**", "POST /orders/a//../b", true, true);
        check("GET /a/logout", "GET /a//../logout", true, false);
        check("DELETE /a", "delete /a", true, false);
        check("POST /orders/*", "POST /orders/a%20b", true, true);
        check("POST /orders/*", "POST /orders/a%3Bb;v=1", true, true);
        check("POST /orders/", "POST /orders/", true, true);
        check("GET /logoutx", "GET /logout", false, false);
    }

    #[test]
    fn a_long_path_is_judged_once() {
        let path = format!("GET /{}", "a/".repeat(50_000));
        check("GET /**/a/**/a/**/a/**/a/**/b", &path, false, false);
        check("GET /**/a/**/a/**/a/**/a/**", &path, true, true);
    }

    #[test]
    fn what_is_no_route_says_how_to_write_one() {
        for bad in [
            "",
            "POST",
            "/orders",
            "post /orders",
            "POST orders",
            "POST /a b",
            "GET /a**",
            "GET /{}",
            "GET /a?b=1",
        ] {
            let error = RoutePattern::parse(bad).unwrap_err();
            assert!(error.contains("as in 'POST /orders'"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_wider_pattern_covers_a_narrower_one() {
        let check = |wide: &str, narrow: &str, expect: bool| {
            let [wide, narrow] = [wide, narrow].map(|text| RoutePattern::parse(text).unwrap());
            assert_eq!(wide.covers(&narrow), expect, "{wide:?} {narrow:?}");
        };
        check("POST /orders", "POST /orders", true);
        check("* /**", "POST /orders/7", true);
        check("* /orders/*", "POST /orders/7", true);
        check("POST /orders/7", "POST /orders/*", false);
        check("GET /**", "POST /a", false);
        check("POST /a/**", "POST /a", false);
    }
}
