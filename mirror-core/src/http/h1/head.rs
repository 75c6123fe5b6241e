//! A message's start line and header section.

use crate::exchange::Ambiguity;
use crate::http::Message;

/// Header fields of a message. Servers allow 100 to some 1,000 by default.
pub(super) const MAX_FIELDS: usize = 4096;

/// A head at the start of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// What the head says: a message without its body.
    pub message: Message,
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
