//! The request id of an exchange, by the rules that the service uses too.

use std::{borrow::Cow, cell::OnceCell};

use mirror_snapshot::{Fields, IdRules, RequestId};
use serde_json::Value;

use crate::exchange::{Body, Exchange, Headers};
use crate::http::coding::decoded;

/// The ids that production may have filed its snapshot under, most likely first.
pub fn candidates(rules: &IdRules, exchange: &Exchange, skew_seconds: u64) -> Vec<RequestId> {
    let request = View::new(&exchange.request.headers, &exchange.request.body)
        .of(&exchange.request.method, &exchange.request.target);
    let response = exchange
        .response
        .as_ref()
        .map(|r| View::new(&r.headers, &r.body));
    rules.candidates(
        &request,
        response.as_ref().map(|r| r as &dyn Fields),
        exchange.captured_at().as_secs(),
        skew_seconds,
    )
}

struct View<'a> {
    method: &'a str,
    target: &'a str,
    headers: &'a Headers,
    body: &'a Body,
    /// Parsed at most once, and only when a rule asks.
    json: OnceCell<Option<Value>>,
}

impl<'a> View<'a> {
    fn new(headers: &'a Headers, body: &'a Body) -> Self {
        Self {
            method: "",
            target: "",
            headers,
            body,
            json: OnceCell::new(),
        }
    }

    fn of(self, method: &'a str, target: &'a str) -> Self {
        Self {
            method,
            target,
            ..self
        }
    }
}

impl Fields for View<'_> {
    fn method(&self) -> &str {
        self.method
    }

    fn target(&self) -> &str {
        self.target
    }

    fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers
            .first(name)
            .map(|value| String::from_utf8_lossy(value))
    }

    fn json(&self) -> Option<&Value> {
        let parsed = self
            .json
            .get_or_init(|| serde_json::from_slice(&decoded(self.headers, self.body).ok()?).ok());
        parsed.as_ref()
    }
}
