//! What a captured request becomes for the mirror: rules of `--rewrite`, and conditions that only production's instance can
//! judge ([`Conditions`]). A change keeps every byte that it is not about.

mod conditional;
mod json;
mod rule;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode, percent_encode};

use crate::exchange::{Request, RequestTarget};
use rule::Change;

pub use conditional::Conditions;
pub use rule::{RewriteRule, changeable_header};

/// What cannot stand in a query's name or value.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'<')
    .add(b'=')
    .add(b'>');

crate::options! {
    /// How requests are changed for the mirror.
    #[derive(Clone, Debug)]
    pub struct Rewrite("Replay") {
        /// Change of requests on a route, as in '* /api/** => path prefix /api -> /v2', '* /** => host target',
        /// '* /** => header set x-env: mirror', 'GET /search => query remove utm_source' or
        /// 'POST /orders => json set /dry_run true'; in the order given (repeatable)
        #[option("rewrite", "RULE", live)]
        pub rules: Vec<RewriteRule>,
    }
}

impl Rewrite {
    /// Changes a request by every rule whose route it was captured on. Returns what was done, in that order.
    pub fn apply(&self, request: &mut Request, target_authority: &str) -> Vec<String> {
        let (method, captured) = (request.method.clone(), request.target.clone());
        let rules = self.rules.iter();
        let rules = rules.filter(|rule| rule.route.matches(&method, &captured));
        rules
            .filter(|rule| change(&rule.change, request, target_authority))
            .map(RewriteRule::summary)
            .collect()
    }
}

/// A JSON document with another value at the place that a pointer names, and with all its other bytes; none when it is no
/// document, or the place is in nothing that it has.
pub fn with_json_value(body: &[u8], pointer: &str, value: &str) -> Option<Vec<u8>> {
    let edit = json::Edit::Set(value.into());
    json::edited(body, &json::Steps::parse(pointer)?, &edit)
}

/// Whether there was something to change.
fn change(change: &Change, request: &mut Request, target_authority: &str) -> bool {
    let headers = &mut request.headers;
    match change {
        Change::HostOfTarget => headers.set("Host", target_authority.as_bytes()),
        Change::Host(name) => headers.set("Host", name.as_bytes()),
        Change::HeaderSet { name, value } => headers.set(name, value.as_bytes()),
        Change::HeaderAppend { name, value } => headers.append(name, value.as_bytes()),
        Change::HeaderRemove(name) => {
            let is_there = headers.first(name).is_some();
            headers.remove(name);
            return is_there;
        }
        Change::PathPrefix { old, new } => {
            let path = request.target.path();
            let Some(rest) = after_prefix(path, old.as_bytes()) else {
                return false;
            };
            let path = [new.trim_end_matches('/').as_bytes(), rest].concat();
            set_path(request, &path);
        }
        Change::PathPattern { pattern, new } => {
            let path = request.target.path();
            if !pattern.is_match(path) {
                return false;
            }
            let path = pattern.replace(path, new.as_bytes()).into_owned();
            set_path(request, &path);
        }
        Change::QuerySet { name, value } => {
            let query = query_set(request.target.query(), name, value);
            set_query(request, Some(query));
        }
        Change::QueryRemove(name) => {
            let Some(query) = request.target.query() else {
                return false;
            };
            let kept: Vec<&[u8]> = fields(query).filter(|f| !is_named(f, name)).collect();
            if kept.len() == fields(query).count() {
                return false;
            }
            let query = (!kept.is_empty()).then(|| kept.join(&b'&'));
            set_query(request, query);
        }
        Change::QueryRename { old, new } => {
            let Some(query) = request.target.query() else {
                return false;
            };
            if !fields(query).any(|field| is_named(field, old)) {
                return false;
            }
            let renamed: Vec<Vec<u8>> = fields(query)
                .map(|field| match is_named(field, old) {
                    true => [&encoded(new), &field[name_len(field)..]].concat(),
                    false => field.to_vec(),
                })
                .collect();
            set_query(request, Some(renamed.join(&b'&')));
        }
        Change::Json { at, edit } => return change_json(request, at, edit),
    }
    true
}

/// A coded body stays: it would have to be coded anew, to other bytes.
fn change_json(request: &mut Request, at: &json::Steps, edit: &json::Edit) -> bool {
    if request.headers.first("content-encoding").is_some() {
        return false;
    }
    let body = json::edited(request.body.bytes(), at, edit);
    let is_changed = body.is_some();
    if let Some(body) = body {
        request.set_body(body.into());
    }
    is_changed
}

/// Whole segments: `/api` is before `/api/a` and `/api`, and not before `/apis`.
fn after_prefix<'p>(path: &'p [u8], prefix: &[u8]) -> Option<&'p [u8]> {
    let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
    let rest = path.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with(b"/")).then_some(rest)
}

/// Gives the target another path, which begins with `/` in any case.
fn set_path(request: &mut Request, path: &[u8]) {
    let slash: &[u8] = match path.first() {
        Some(b'/') => b"",
        _ => b"/",
    };
    let path = [slash, path].concat();
    set_target(request, &path, None);
}

fn set_query(request: &mut Request, query: Option<Vec<u8>>) {
    let path = request.target.path().to_vec();
    set_target(request, &path, Some(query));
}

/// `query` is the other one, if it gets another. A target in absolute form loses its host, which no replay keeps.
fn set_target(request: &mut Request, path: &[u8], query: Option<Option<Vec<u8>>>) {
    let target = &request.target;
    let query = query.unwrap_or_else(|| target.query().map(<[u8]>::to_vec));
    let fragment = memchr::memchr(b'#', target.as_bytes());
    let fragment = fragment.map_or(&b""[..], |at| &target.as_bytes()[at..]);
    let query = query.map(|query| [b"?", &query[..]].concat());
    let target = [path, &query.unwrap_or_default(), fragment].concat();
    request.target = RequestTarget::parse(&request.method, target);
}

fn query_set(query: Option<&[u8]>, name: &str, value: &str) -> Vec<u8> {
    let field = [&encoded(name)[..], b"=", &encoded(value)].concat();
    let mut is_set = false;
    let mut out: Vec<&[u8]> = Vec::new();
    for old in fields(query.unwrap_or_default()) {
        if !is_named(old, name) {
            out.push(old);
        } else if !std::mem::replace(&mut is_set, true) {
            out.push(&field);
        }
    }
    if !is_set {
        out.retain(|old| !old.is_empty() || query.is_some_and(|query| !query.is_empty()));
        out.push(&field);
    }
    out.join(&b'&')
}

fn fields(query: &[u8]) -> impl Iterator<Item = &[u8]> {
    query.split(|byte| *byte == b'&')
}

fn name_len(field: &[u8]) -> usize {
    memchr::memchr(b'=', field).unwrap_or(field.len())
}

/// By what the name means, however it is encoded.
fn is_named(field: &[u8], name: &str) -> bool {
    let sent = &field[..name_len(field)];
    let spaced: Vec<u8> = sent
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decode(&spaced).eq(name.bytes())
}

fn encoded(text: &str) -> Vec<u8> {
    percent_encode(text.as_bytes(), ENCODED)
        .to_string()
        .into_bytes()
}

#[cfg(test)]
mod tests;
