//! What is kept of a request to name it in reports: no headers, no bodies, and no query, which may hold secrets.

use mirror_core::compare::excerpt;
use mirror_core::exchange::{Exchange, Method, RequestTarget};
use mirror_core::policy::Redactor;
use mirror_core::time::Timestamp;
use mirror_core::verdict;
use serde::{Deserialize, Serialize};

/// Longest method and path that reports show.
const MAX_METHOD: usize = 32;
const MAX_PATH: usize = 200;

/// A captured request, by what reports call it.
#[derive(Clone, Debug)]
pub struct RequestLabel {
    method: Method,
    target: RequestTarget,
    connection: u64,
    index: u32,
    at: Timestamp,
    /// Bytes of both bodies.
    size: u64,
    /// Production's own answer, where it was seen.
    status: Option<u16>,
}

/// A request as reports show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ShownRequest {
    /// Method and path.
    pub request: String,
    /// Number of its connection, and its place in it.
    pub connection: u64,
    pub index: u32,
}

impl RequestLabel {
    /// What `redactor` lets people see of a request.
    pub fn new(redactor: &Redactor, exchange: &Exchange) -> Self {
        let answer = exchange.response.as_deref();
        Self {
            method: exchange.request.method.clone(),
            target: redactor.shown_target(&exchange.request),
            connection: exchange.connection,
            index: exchange.index,
            at: exchange.captured_at(),
            size: (exchange.request.body.len() + answer.map_or(0, |answer| answer.body.len()))
                as u64,
            status: answer.map(|answer| answer.status),
        }
    }

    /// When production received it.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }

    /// Bytes of both bodies.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn status(&self) -> Option<u16> {
        self.status
    }

    /// What evidence is told of it.
    pub(super) fn admitted<'a>(&'a self, route: &'a str) -> verdict::Request<'a> {
        verdict::Request {
            route,
            method: &self.method,
            size: self.size,
            at: self.at,
        }
    }

    pub(super) fn method(&self) -> &str {
        &self.method
    }

    pub(super) fn target(&self) -> &RequestTarget {
        &self.target
    }

    pub(super) fn shown(&self) -> ShownRequest {
        let method = excerpt(&self.method, MAX_METHOD);
        let path = excerpt(&self.target.path_text(), MAX_PATH);
        ShownRequest {
            request: format!("{method} {path}"),
            connection: self.connection,
            index: self.index,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use mirror_core::exchange::{Request, Timing};
    use mirror_core::policy::Policy;

    pub(in crate::report) fn label(method: &str, target: &str) -> RequestLabel {
        label_at(method, target, Timestamp::default())
    }

    pub(in crate::report) fn label_at(method: &str, target: &str, at: Timestamp) -> RequestLabel {
        let address = "127.0.0.1:80".parse().unwrap();
        let redactor = Policy::default();
        RequestLabel::new(
            redactor.redactor(),
            &Exchange {
                connection: 3,
                index: 1,
                client: address,
                server: address,
                peer: address,
                one_sided: false,
                origin: 0,
                timing: Timing {
                    request_first: at,
                    ..Timing::default()
                },
                request: Request::new(method, target.to_owned()).into(),
                response: None,
            },
        )
    }

    #[test]
    fn what_is_known_to_be_a_credential_is_not_shown_in_a_path() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
        let shown = label("GET", &format!("/reset/{token}/a")).shown();
        assert_eq!(shown.request, "GET /reset/***/a");
    }

    #[test]
    fn a_query_and_control_characters_are_not_shown() {
        let shown = label("GET", "/a\u{1b}[2J?token=secret").shown();
        assert_eq!(shown.request, "GET /a\\u{1b}[2J");
        assert_eq!((shown.connection, shown.index), (3, 1));
    }
}
