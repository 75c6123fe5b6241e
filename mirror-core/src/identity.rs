//! What names an exchange on all sides: the ids that production may have used, and whose snapshot is its own.
//!
//! It is made before anything is redacted, so that redaction can break neither the ids nor the proof of ownership.

use std::{borrow::Cow, cell::OnceCell, net::IpAddr, time::Duration};

use mirror_contract::{
    Candidates, CapturedTime, Fields, IdRules, Stamp, hash, peer_text, request_hash,
};
use serde::{Deserialize, Serialize};

use crate::exchange::{Body, Exchange, Headers, RequestTarget};
use crate::http::coding::decoded;
use crate::time::Timestamp;

crate::options! {
    /// How requests are named.
    #[derive(Clone, Debug)]
    pub struct Identifier("Request ids") {
        /// Rule for the request id, tried in order (repeatable)
        #[option("rule", "RULE", default = "header:x-request-id")]
        pub rules: IdRules,
        /// Most by which production's clock may differ from the capture's, in whole seconds
        #[option("clock-skew", "TIME", default = "1s")]
        pub clock_skew: Duration,
    }
}

/// An exchange's ids, and what a snapshot must say to be its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Most likely first.
    pub candidates: Candidates,
    pub owner: Owner,
}

impl Identifier {
    /// Seconds around the captured one in which production may have computed the id.
    pub fn skew_seconds(&self) -> u64 {
        let seconds = self.clock_skew.as_millis().div_ceil(1000);
        u64::try_from(seconds).unwrap_or(u64::MAX)
    }

    pub fn identify(&self, exchange: &Exchange) -> Identity {
        let request = View {
            method: &exchange.request.method,
            target: Some(&exchange.request.target),
            client: Some(exchange.client.ip()),
            ..View::new(&exchange.request.headers, &exchange.request.body)
        };
        let response = exchange
            .response
            .as_ref()
            .map(|response| View::new(&response.headers, &response.body));
        let response = response.as_ref().map(|view| view as &dyn Fields);
        let second = exchange.captured_at().as_secs();
        Identity {
            candidates: self
                .rules
                .candidates(&request, response, second, self.skew_seconds()),
            owner: Owner::new(exchange, request.body()),
        }
    }
}

/// What the stamp of a request's own snapshot must say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// [`request_hash`] of the request.
    pub request: String,
    /// Hash of the body without its content-coding; `None` for a request without one, or if it cannot be decoded.
    pub body: Option<String>,
    /// The client's address.
    pub peer: String,
    /// When the first byte of the request was captured.
    pub began: Timestamp,
    /// When the last byte of the exchange was captured.
    pub ended: Timestamp,
}

impl Owner {
    fn new(exchange: &Exchange, body: Option<&[u8]>) -> Self {
        let request = &exchange.request;
        let timing = &exchange.timing;
        Self {
            request: request_hash(&request.method, Some(&request.target)),
            body: body.filter(|body| !body.is_empty()).map(hash),
            peer: peer_text(exchange.peer),
            began: timing.request_first,
            ended: timing.response_last.unwrap_or(timing.request_last),
        }
    }

    /// When it was captured, as far as it was.
    pub fn time(&self) -> CapturedTime {
        CapturedTime {
            first: self.began.0,
            last: self.ended.0,
        }
    }

    /// Whether a stamp says the same of the request, apart from the time. What one of the two does not say cannot speak
    /// against it.
    pub fn agrees(&self, stamp: &Stamp) -> bool {
        let same = |theirs: &Option<String>, ours: Option<&String>| match (theirs, ours) {
            (Some(theirs), Some(ours)) => theirs == ours,
            _ => true,
        };
        stamp.request == self.request
            && same(&stamp.body, self.body.as_ref())
            && same(&stamp.peer, Some(&self.peer))
    }
}

/// A message in the form that rules read.
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
