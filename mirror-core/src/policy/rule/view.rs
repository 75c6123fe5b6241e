//! What rules read of an exchange.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::iter;

use crate::exchange::{Exchange, Request};
use crate::http::coding::decoded;
use crate::json::{Value, unescaped};
use crate::policy::redact::form_decoded;

use super::Sense;
use super::graphql::{self, Operation};
use super::spelling::Readings;

/// Values of a body that rules look through; a larger document is not understood.
const MAX_NODES: usize = 20_000;

/// Fields that ask for another method than the request's own.
const METHOD_FIELDS: [&str; 3] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];
/// The same in a query or a form.
const METHOD_PARAMETER: &str = "_method";

/// An exchange under the eyes of rules. The body's content-coding is undone at most once, and only when a rule asks.
pub(in crate::policy) struct View<'e> {
    exchange: &'e Exchange,
    body: OnceCell<Option<Cow<'e, [u8]>>>,
    paths: OnceCell<Readings>,
}

impl<'e> View<'e> {
    pub(in crate::policy) fn new(exchange: &'e Exchange) -> Self {
        Self {
            exchange,
            body: OnceCell::new(),
            paths: OnceCell::new(),
        }
    }

    pub(in crate::policy) fn exchange(&self) -> &'e Exchange {
        self.exchange
    }

    /// The path as it was sent, then as servers may read it besides.
    pub(super) fn paths(&self, sense: Sense) -> impl Iterator<Item = &[u8]> {
        let sent = self.exchange.request.target.path();
        let readings = self.paths.get_or_init(|| Readings::of(sent));
        let short = readings
            .short
            .iter()
            .filter(move |_| sense == Sense::KeepOut);
        let others = readings.usual.iter().chain(short).map(Vec::as_slice);
        iter::once(sent).chain(others)
    }

    fn body(&self) -> Option<&[u8]> {
        let request = &self.exchange.request;
        let decode = || decoded(&request.headers, &request.body).ok();
        self.body.get_or_init(decode).as_deref()
    }

    /// Of the target in absolute form, else of the field; in lower case.
    pub(super) fn host(&self) -> Option<Vec<u8>> {
        let request = &self.exchange.request;
        let authority = request.target.authority().map(|authority| {
            let host = authority.rsplit(|byte| *byte == b'@').next();
            host.unwrap_or_default()
        });
        let host = authority.or_else(|| request.headers.first("host"));
        host.map(<[u8]>::to_ascii_lowercase)
    }

    pub(in crate::policy) fn headers(&self, name: &str) -> Vec<Cow<'e, [u8]>> {
        let values = self.exchange.request.headers.all(name);
        values.map(|value| value.trim_ascii().into()).collect()
    }

    pub(in crate::policy) fn cookies(&self, name: &str) -> Vec<Cow<'e, [u8]>> {
        let fields = self.exchange.request.headers.all("cookie");
        let pairs = fields.flat_map(|field| field.split(|byte| *byte == b';'));
        let value = |pair: &'e [u8]| {
            let pair = pair.trim_ascii();
            let at = memchr::memchr(b'=', pair)?;
            (&pair[..at] == name.as_bytes()).then(|| pair[at + 1..].into())
        };
        pairs.filter_map(value).collect()
    }

    pub(in crate::policy) fn query(&self, name: &str) -> Vec<Cow<'e, [u8]>> {
        pairs(
            self.exchange.request.target.query().unwrap_or_default(),
            name,
        )
    }

    /// Methods that are asked for in the place of the request's own, in capitals, and where they stand. Of bodies only those of
    /// POST count, as everywhere.
    pub(in crate::policy) fn other_methods(&self) -> Vec<(String, &'static str)> {
        let request = &self.exchange.request;
        let mut found = methods_in_head(request);
        if request.method == "POST" {
            let form = self.form(METHOD_PARAMETER);
            let form = form.iter().map(|value| &**value);
            for value in form.chain(self.part(METHOD_PARAMETER)) {
                found.extend(another_method(request, value).map(|name| (name, METHOD_PARAMETER)));
            }
        }
        found
    }

    /// Fields of this name in a form of several parts.
    fn part(&self, name: &str) -> Vec<&[u8]> {
        let kind = self.exchange.request.headers.first("content-type");
        let kind = kind.unwrap_or_default().to_ascii_lowercase();
        if !kind.trim_ascii_start().starts_with(b"multipart/") {
            return Vec::new();
        }
        let body = self.body().unwrap_or_default();
        let value = |at: usize| {
            let after = &body[at + name.len()..];
            let begin = memchr::memmem::find(after, b"\n\r\n").map(|at| at + 3);
            let begin = begin.or_else(|| memchr::memmem::find(after, b"\n\n").map(|at| at + 2));
            let value = &after[begin?..];
            let end = memchr::memchr(b'\n', value).unwrap_or(value.len());
            Some(&value[..end])
        };
        let places = memchr::memmem::find_iter(body, name);
        places.filter_map(value).collect()
    }

    pub(super) fn form(&self, name: &str) -> Vec<Cow<'_, [u8]>> {
        let kind = self
            .exchange
            .request
            .headers
            .first("content-type")
            .unwrap_or_default();
        let kind = kind
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        if !kind.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            return Vec::new();
        }
        pairs(self.body().unwrap_or_default(), name)
    }

    /// Every value at a place of the body's JSON: a name may stand there several times.
    pub(in crate::policy) fn json(&self, steps: &[String]) -> Vec<Cow<'_, [u8]>> {
        let mut found = Vec::new();
        if let Some(Ok(document)) = self.body().map(|body| Value::parse(body, MAX_NODES)) {
            collect(&document, steps, &mut found);
        }
        found
    }

    /// What a GraphQL request asks for: in its body, or in the query of its target.
    pub(super) fn operation(&self) -> Option<Operation> {
        let request = &self.exchange.request;
        if request.body.is_empty() {
            let text = |name: &str| match self.query(name).as_slice() {
                [] => Some(None),
                [one] => String::from_utf8(one.to_vec()).ok().map(Some),
                _ => None,
            };
            return graphql::in_document(&text("query")??, text("operationName")?.as_deref());
        }
        // What stands in the target beside a body, some servers prefer.
        if !self.query("query").is_empty() || !self.query("operationName").is_empty() {
            return None;
        }
        let kind = request.headers.first("content-type").unwrap_or_default();
        match kind
            .to_ascii_lowercase()
            .starts_with(b"application/graphql")
            && !kind.ends_with(b"json")
        {
            true => graphql::in_document(std::str::from_utf8(self.body()?).ok()?, None),
            false => graphql::in_json(self.body()?),
        }
    }
}

/// Whether a field or the query asks for another method than the request's own, so that it may do what that method does.
pub fn asks_for_another_method(request: &Request) -> bool {
    !methods_in_head(request).is_empty()
}

fn methods_in_head(request: &Request) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    for (name, value) in request.headers.iter() {
        let mut fields = METHOD_FIELDS.iter();
        if let Some(field) = fields.find(|field| field.eq_ignore_ascii_case(name)) {
            found.extend(another_method(request, value).map(|name| (name, *field)));
        }
    }
    if let Some(query) = request.target.query() {
        for value in pairs(query, METHOD_PARAMETER) {
            found.extend(another_method(request, &value).map(|name| (name, METHOD_PARAMETER)));
        }
    }
    found
}

/// The method that a value names, in capitals, unless it is the request's own.
fn another_method(request: &Request, value: &[u8]) -> Option<String> {
    let method = String::from_utf8_lossy(value.trim_ascii()).to_ascii_uppercase();
    (!method.is_empty() && method != request.method.as_str()).then_some(method)
}

fn collect(value: &Value<'_>, steps: &[String], found: &mut Vec<Cow<'_, [u8]>>) {
    let Some((step, rest)) = steps.split_first() else {
        let text = match value {
            Value::Text(text) => unescaped(text).into_owned(),
            other => other.shown(usize::MAX),
        };
        return found.push(text.into_bytes().into());
    };
    match value {
        Value::Object(members) => {
            let named = members
                .iter()
                .filter(|(name, _)| step == "*" || name == step);
            named.for_each(|(_, value)| collect(value, rest, found));
        }
        Value::Array(items) => {
            let index = step.parse::<usize>().ok();
            let wanted = items
                .iter()
                .enumerate()
                .filter(|(at, _)| step == "*" || Some(*at) == index);
            wanted.for_each(|(_, value)| collect(value, rest, found));
        }
        _ => {}
    }
}

/// Every value of a name, as it is meant.
fn pairs<'b>(raw: &[u8], name: &str) -> Vec<Cow<'b, [u8]>> {
    if raw.is_empty() {
        return Vec::new();
    }
    let mut values = Vec::new();
    for pair in raw.split(|byte| *byte == b'&') {
        let at = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        if form_decoded(&pair[..at]) == name {
            let value = pair.get(at + 1..).unwrap_or_default();
            values.push(form_decoded(value).into_owned().into_bytes().into());
        }
    }
    values
}
