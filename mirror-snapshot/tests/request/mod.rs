//! A request as a service sees it: named by its path in production, and by headers in the mirror.

use mirror_snapshot::{Fields, HEADER_NAMESPACE, HEADER_REQUEST_ID, HEADER_SEND, RequestTarget};

pub(crate) struct Request<'a> {
    pub(crate) target: RequestTarget,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) send: Option<&'a str>,
}

impl Request<'_> {
    pub(crate) fn new(target: &'static str) -> Self {
        Self {
            target: RequestTarget::parse("GET", target),
            namespace: None,
            send: None,
        }
    }
}

impl Fields for Request<'_> {
    fn method(&self) -> &str {
        "GET"
    }
    fn target(&self) -> Option<&RequestTarget> {
        Some(&self.target)
    }
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        match (name, nth) {
            (HEADER_REQUEST_ID, 0) => Some(&self.target.path()[1..]),
            (HEADER_NAMESPACE, 0) => self.namespace.map(str::as_bytes),
            (HEADER_SEND, 0) => self.send.map(str::as_bytes),
            _ => None,
        }
    }
    fn body(&self) -> Option<&[u8]> {
        None
    }
}
