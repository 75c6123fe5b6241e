//! The request id of an exchange, by the rules that the service uses too.

use std::{borrow::Cow, cell::OnceCell, net::IpAddr};

use mirror_contract::{Candidates, Fields, IdRules};

use crate::exchange::{Body, Exchange, Headers, RequestTarget};
use crate::http::coding::decoded;

/// The ids that production may have filed its snapshot under, most likely first.
pub fn candidates(rules: &IdRules, exchange: &Exchange, skew_seconds: u64) -> Candidates {
    let request = View {
        method: &exchange.request.method,
        target: Some(&exchange.request.target),
        client: Some(exchange.client.ip()),
        ..View::new(&exchange.request.headers, &exchange.request.body)
    };
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
    target: Option<&'a RequestTarget>,
    client: Option<IpAddr>,
    headers: &'a Headers,
    body: &'a Body,
    /// Its content-coding is undone at most once, and only when a rule asks.
    decoded: OnceCell<Option<Cow<'a, [u8]>>>,
}

impl<'a> View<'a> {
    fn new(headers: &'a Headers, body: &'a Body) -> Self {
        Self {
            method: "",
            target: None,
            client: None,
            headers,
            body,
            decoded: OnceCell::new(),
        }
    }
}

impl Fields for View<'_> {
    fn method(&self) -> &str {
        self.method
    }

    fn target(&self) -> Option<&RequestTarget> {
        self.target
    }

    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        self.headers.all(name).nth(nth)
    }

    fn body(&self) -> Option<&[u8]> {
        let decode = || decoded(self.headers, self.body).ok();
        self.decoded.get_or_init(decode).as_deref()
    }

    fn client(&self) -> Option<IpAddr> {
        self.client
    }
}
