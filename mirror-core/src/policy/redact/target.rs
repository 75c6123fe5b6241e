//! The target of a request, and URLs in header fields.

use std::borrow::Cow;

use bytes::Bytes;

use crate::exchange::{Request, RequestTarget};

use super::pairs::{self, Pair, encoded};
use super::token::percent_decoded;
use super::{Mode, Redactor, Trace};

impl Redactor {
    /// Hides fields of the query, what detectors find in path and query, and a user and a password before a host.
    pub(super) fn target(&self, request: &mut Request, trace: &mut Trace) {
        if let Some(new) = self.new_target(&request.target, trace) {
            request.target = RequestTarget::parse(&request.method, Bytes::from(new));
        }
    }

    fn new_target(&self, target: &RequestTarget, trace: &mut Trace) -> Option<Vec<u8>> {
        let bytes = target.as_bytes();
        let has_user = target
            .authority()
            .is_some_and(|authority| authority.contains(&b'@'));
        if !has_user && self.queries.is_empty() && self.detectors.is_empty() {
            return None;
        }
        let authority_end = target.authority().map_or(0, |authority| {
            let at = authority.as_ptr() as usize - bytes.as_ptr() as usize;
            at + authority.len()
        });
        let authority = target.authority().filter(|_| has_user).map(|authority| {
            let host = authority
                .rsplit(|byte| *byte == b'@')
                .next()
                .unwrap_or_default();
            let user = &authority[..authority.len() - host.len()];
            let user = percent_decoded(user.strip_suffix(b"@").unwrap_or(user));
            let place = || "user of the target".into();
            trace.hide(Mode::Remove, &user, None, place);
            if let Some((_, password)) = user.split_once(':') {
                trace.remember(password, None, place);
            }
            let scheme = &bytes[..authority_end - authority.len()];
            [scheme, host].concat()
        });
        let local = self.url(&bytes[authority_end..], trace);
        if authority.is_none() && local.is_none() {
            return None;
        }
        let authority = authority.map_or(Cow::Borrowed(&bytes[..authority_end]), Cow::Owned);
        let local = local.map_or(Cow::Borrowed(&bytes[authority_end..]), Cow::Owned);
        Some([authority, local].concat())
    }

    /// Hides what is secret in a path, a query and a fragment. `None` when nothing changes.
    pub(super) fn url(&self, url: &[u8], trace: &mut Trace) -> Option<Vec<u8>> {
        let (before, fragment) = cut(url, b'#');
        let (path, query) = cut(before, b'?');
        let new_path = self.path(path, trace);
        let new_query = query.and_then(|query| self.query(query, trace));
        let new_fragment = fragment.and_then(|fragment| self.query(fragment, trace));
        if new_path.is_none() && new_query.is_none() && new_fragment.is_none() {
            return None;
        }
        let mut out = new_path.unwrap_or_else(|| path.to_vec());
        let mut push = |mark: u8, old: Option<&[u8]>, new: Option<Vec<u8>>| {
            let is_gone = new.as_ref().is_some_and(Vec::is_empty);
            if let Some(part) = new.as_deref().or(old).filter(|_| !is_gone) {
                out.push(mark);
                out.extend_from_slice(part);
            }
        };
        push(b'?', query, new_query);
        push(b'#', fragment, new_fragment);
        Some(out)
    }

    fn query(&self, raw: &[u8], trace: &mut Trace) -> Option<Vec<u8>> {
        pairs::query(raw, |name, value| {
            let rule = self.queries.iter().find(|(pattern, _)| pattern.fits(name));
            match rule {
                Some((_, mode)) => self.pair(*mode, value, trace, || {
                    format!("query {}", self.shown.masked(name))
                }),
                None => self.detected_pair(name, value, trace),
            }
        })
    }

    pub(super) fn form(&self, raw: &[u8], trace: &mut Trace) -> Option<Vec<u8>> {
        pairs::query(raw, |name, value| match self.form_mode(name) {
            Some(mode) => self.pair(mode, value, trace, || {
                format!("form {}", self.shown.masked(name))
            }),
            None => self.detected_pair(name, value, trace),
        })
    }

    pub(super) fn pair(
        &self,
        mode: Mode,
        value: &str,
        trace: &mut Trace,
        place: impl Fn() -> String,
    ) -> Pair {
        let new = self.hidden(mode, value);
        trace.hide(mode, value, new.as_deref(), place);
        match new {
            None => Pair::Removed,
            Some(new) if new == value => Pair::Stays,
            Some(new) => Pair::Becomes(new),
        }
    }

    /// A name that holds a secret is taken out.
    fn detected_pair(&self, name: &str, value: &str, trace: &mut Trace) -> Pair {
        match self.inner(value, trace, 1) {
            _ if self.detected(name, trace).is_some() => Pair::Removed,
            None => Pair::Stays,
            Some(new) => Pair::Becomes(new),
        }
    }

    /// Segments in which detectors find something.
    fn path(&self, path: &[u8], trace: &mut Trace) -> Option<Vec<u8>> {
        let segment = |segment: &[u8], trace: &mut Trace| {
            let new = self.detected(&percent_decoded(segment), trace)?;
            Some(encoded(&new).into_bytes())
        };
        if self.detectors.is_empty()
            || self
                .detectors
                .find(percent_decoded(path).as_bytes())
                .is_empty()
        {
            return None;
        }
        let segments = path.split(|byte| *byte == b'/');
        let new: Vec<Vec<u8>> = segments
            .map(|old| segment(old, trace).unwrap_or_else(|| old.to_vec()))
            .collect();
        Some(new.join(&b'/'))
    }

    /// The target as reports show it: its path alone, without secrets that are known by their form.
    pub fn shown_target(&self, request: &Request) -> RequestTarget {
        let path = request.target.path();
        let decoded = percent_decoded(path);
        match self.shown.masked(&decoded) {
            Cow::Borrowed(_) => request.target.clone(),
            Cow::Owned(masked) => RequestTarget::parse(&request.method, Bytes::from(masked)),
        }
    }
}

fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(at, text) {
        Some(found) => (&text[..found], Some(&text[found + 1..])),
        None => (text, None),
    }
}
