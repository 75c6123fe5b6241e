//! A message's start line and header section.

use crate::exchange::{Ambiguity, Headers, RequestTarget, Version};

/// Header fields of a message. Servers allow 100 to some 1,000 by default.
pub(super) const MAX_FIELDS: usize = 4096;

/// A parsed head: a message without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    Request {
        method: String,
        target: RequestTarget,
        version: Version,
        headers: Headers,
    },
    Response {
        status: u16,
        version: Version,
        headers: Headers,
    },
}

/// A head at the start of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedHead {
    pub head: Head,
    /// Bytes of it, the empty line included.
    pub length: usize,
    /// Why another parser could read it differently, or refuse it.
    pub ambiguity: Option<Ambiguity>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    #[error("not an HTTP/1 head")]
    NotHttp,
    #[error("a head of more than {MAX_FIELDS} fields")]
    TooManyFields,
}

impl Head {
    pub fn version(&self) -> Version {
        match self {
            Self::Request { version, .. } | Self::Response { version, .. } => *version,
        }
    }

    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request { headers, .. } | Self::Response { headers, .. } => headers,
        }
    }

    /// 0 for a request.
    pub fn status(&self) -> u16 {
        match self {
            Self::Request { .. } => 0,
            Self::Response { status, .. } => *status,
        }
    }
}
