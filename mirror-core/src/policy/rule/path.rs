//! `POST /orders/*`: a method and a path pattern, as routes are written everywhere, with `**` in any place and `*` inside of
//! a segment too.
//!
//! A rule that keeps something out must not be evaded by another spelling of the path, and one that lets something in must
//! not be widened by one. So a path is judged in every way that a server may read it: as sent, and decoded, without dot
//! segments and doubled slashes; for rules that keep out also without matrix parameters and a slash at its end.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::exchange::RequestTarget;
use crate::policy::redact::fits;

use super::Sense;

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

    pub(super) fn has_method(&self, method: &str) -> bool {
        self.method == "*" || self.method == method
    }

    pub(super) fn has_path(&self, target: &RequestTarget, sense: Sense) -> bool {
        let sent = target.path();
        let matches = |path: &[u8]| {
            let path = path.strip_prefix(b"/");
            path.is_some_and(|path| fit(&self.segments, &mut path.split(|byte| *byte == b'/')))
        };
        match sense {
            Sense::LetIn => matches(sent) && (is_plain(sent) || matches(&normal(sent, false))),
            Sense::KeepOut => {
                matches(sent)
                    || (!is_plain(sent) && matches(&normal(sent, false)))
                    || (!is_bare(sent) && matches(&normal(sent, true)))
            }
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

/// At its end `**` stands for at least one segment, which may be empty; inside for any number, or none.
fn fit<'p>(pattern: &[Segment], path: &mut (impl Iterator<Item = &'p [u8]> + Clone)) -> bool {
    let Some((first, rest)) = pattern.split_first() else {
        return path.next().is_none();
    };
    match first {
        Segment::Rest if rest.is_empty() => path.next().is_some(),
        Segment::Rest => loop {
            if fit(rest, &mut path.clone()) {
                return true;
            }
            if path.next().is_none() {
                return false;
            }
        },
        Segment::Named => path.next().is_some_and(|segment| !segment.is_empty()) && fit(rest, path),
        Segment::Text(text) => {
            path.next()
                .is_some_and(|segment| fits(text.as_bytes(), segment))
                && fit(rest, path)
        }
    }
}

/// Whether there is only one way of reading a path.
fn is_plain(path: &[u8]) -> bool {
    let is_odd = |pair: &[u8]| pair == b"//" || pair == b"/.";
    memchr::memchr2(b'%', b'\\', path).is_none() && !path.windows(2).any(is_odd)
}

/// Whether nothing stands behind the names of a path.
fn is_bare(path: &[u8]) -> bool {
    is_plain(path)
        && memchr::memchr(b';', path).is_none()
        && (path.len() == 1 || !path.ends_with(b"/"))
}

/// The path as a server may read it: decoded, without dot segments and empty ones; `bare` also without matrix parameters and
/// the slash at its end.
pub(super) fn normal(path: &[u8], bare: bool) -> Vec<u8> {
    let mut decoded: Vec<u8> = percent_decode(path).collect();
    for byte in &mut decoded {
        if *byte == b'\\' {
            *byte = b'/';
        }
    }
    let ends_open =
        decoded.ends_with(b"/") || decoded.ends_with(b"/.") || decoded.ends_with(b"/..");
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in decoded.split(|byte| *byte == b'/') {
        let segment = match memchr::memchr(b';', segment) {
            Some(end) if bare => &segment[..end],
            _ => segment,
        };
        match segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut out = Vec::with_capacity(decoded.len());
    for segment in &segments {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    if out.is_empty() || (ends_open && !bare) {
        out.push(b'/');
    }
    out
}

/// The path as it is compared with a glob or a regular expression.
pub(super) fn spellings(target: &RequestTarget, sense: Sense) -> Vec<Cow<'_, [u8]>> {
    let sent = target.path();
    let mut all = vec![Cow::Borrowed(sent)];
    if !is_plain(sent) {
        all.push(normal(sent, false).into());
    }
    if sense == Sense::KeepOut && !is_bare(sent) {
        all.push(normal(sent, true).into());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(route: &str, request: &str, keeps_out: bool, lets_in: bool) {
        let pattern = RoutePattern::parse(route).unwrap();
        let (method, path) = request.split_once(' ').unwrap();
        let target = RequestTarget::parse(method, path.to_owned());
        let has = |sense| pattern.has_method(method) && pattern.has_path(&target, sense);
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
        ] {
            let path = path.replace('\\', "/\\");
            check("GET /logout", &format!("GET {path}"), true, false);
        }
        check("POST /orders/*", "POST /orders/..%2fadmin", true, false);
        check("POST /orders/*", "POST /orders/..", true, false);
        check("POST /orders/**", "POST /orders/../admin", true, false);
        check("POST /orders/*", "POST /orders/a%20b", true, true);
        check("POST /orders/", "POST /orders/", true, true);
        check("GET /logoutx", "GET /logout", false, false);
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
