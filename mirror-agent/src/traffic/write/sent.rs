//! A request as programs send it that make its framing themselves.

use mirror_core::exchange::{Exchange, Request};
use serde_json::Value;

use crate::traffic::format::WriteError;

/// Fields that concern the connection or the framing.
const FRAMING: [&str; 8] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

pub(super) struct Sent<'a> {
    pub(super) method: &'a str,
    /// Path and query, in printable ASCII.
    pub(super) target: String,
    pub(super) headers: Vec<(&'a str, &'a str)>,
    pub(super) body: &'a [u8],
}

impl<'a> Sent<'a> {
    pub(super) fn new(exchange: &'a Exchange) -> Result<Self, WriteError> {
        let request: &Request = &exchange.request;
        let target = request.target.local_part();
        if !target.starts_with(b"/") {
            return Err(WriteError::Unfit("its target has no path"));
        }
        if !request.trailers.is_empty() {
            return Err(WriteError::Unfit("it has fields after its body"));
        }
        let mut headers = Vec::with_capacity(request.headers.len());
        for (name, value) in request.headers.iter() {
            let is_framing = FRAMING.iter().any(|other| other.eq_ignore_ascii_case(name));
            if is_framing || name.is_empty() {
                continue;
            }
            match std::str::from_utf8(value) {
                Ok(value) if !value.contains(char::is_control) => headers.push((name, value)),
                _ => return Err(WriteError::Unfit("a header field is not text")),
            }
        }
        Ok(Self {
            method: request.method.as_str(),
            target: escaped(&target),
            headers,
            body: &request.body,
        })
    }

    /// One value for each name, as RFC 9110 §5.2 and RFC 9113 §8.2.3 combine several.
    pub(super) fn combined_headers(&self) -> serde_json::Map<String, Value> {
        let mut combined: Vec<(&str, String)> = Vec::new();
        for (name, value) in &self.headers {
            let known = combined
                .iter_mut()
                .find(|(known, _)| known.eq_ignore_ascii_case(name));
            match known {
                Some((_, all)) => {
                    let between = match name.eq_ignore_ascii_case("cookie") {
                        true => "; ",
                        false => ", ",
                    };
                    all.push_str(between);
                    all.push_str(value);
                }
                None => combined.push((name, (*value).to_owned())),
            }
        }
        let pair = |(name, value): (&str, String)| (name.to_owned(), Value::String(value));
        combined.into_iter().map(pair).collect()
    }

    /// The body, where it is text.
    pub(super) fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.body).ok()
    }
}

fn escaped(target: &[u8]) -> String {
    let mut escaped = String::with_capacity(target.len());
    for byte in target {
        match byte {
            b'!'..=b'~' if *byte != b'#' => escaped.push(char::from(*byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
