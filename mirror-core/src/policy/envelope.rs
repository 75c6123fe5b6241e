//! What may leave the host: an exchange that was judged and redacted, with what names it.

use std::sync::Arc;

use bytes::Bytes;
use mirror_contract::RequestId;

use crate::exchange::{Exchange, Headers};
use crate::identity::Identity;
use crate::schedule::LaneKey;

use super::{HiddenValues, SAFE};

/// Whether a request only reads, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Its method is safe, or a rule says so.
    Read,
    Write,
}

impl Access {
    /// What a method says of itself.
    pub(super) fn of(method: &str) -> Self {
        if SAFE.contains(&method) {
            Self::Read
        } else {
            Self::Write
        }
    }
}

/// An exchange on its way to the mirror. Only [`Policy::admit`](super::Policy::admit) makes one from an exchange; a
/// transport reads one back that another host's policy made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub(super) host: Arc<str>,
    pub(super) exchange: Exchange,
    pub(super) identity: Identity,
    pub(super) access: Access,
    /// Headers that go to the mirror, and nowhere else, in lower case.
    pub(super) kept: Arc<[Box<str>]>,
    /// Whose order it keeps, if any.
    pub(super) lane: Option<LaneKey>,
    pub(super) snapshot: Option<Bytes>,
    /// Of this process's own policy, where it was to remember them.
    pub(super) hidden: Option<Box<HiddenValues>>,
}

impl Envelope {
    /// The host that captured it.
    pub fn host(&self) -> &Arc<str> {
        &self.host
    }

    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn access(&self) -> Access {
        self.access
    }

    /// Headers that go to the mirror, and nowhere else: what stores or shows the exchange leaves them out.
    pub fn kept(&self) -> &[Box<str>] {
        &self.kept
    }

    /// Whose order it keeps, if any. It is found before redaction, which may take away what names a session.
    pub fn lane(&self) -> Option<LaneKey> {
        self.lane
    }

    /// Production's data for this request, where a gate before the transport put it in.
    pub fn snapshot(&self) -> Option<&Bytes> {
        self.snapshot.as_ref()
    }

    /// What policy hid in it; `None` where nobody remembers that.
    pub fn hidden(&self) -> Option<&HiddenValues> {
        self.hidden.as_deref()
    }

    /// Says whose order it keeps.
    #[must_use]
    pub fn in_lane(self, lane: Option<LaneKey>) -> Self {
        Self { lane, ..self }
    }

    /// Takes production's data along, for a mirror side that cannot wait for it at the store.
    #[must_use]
    pub fn with_snapshot(self, snapshot: Bytes) -> Self {
        Self {
            snapshot: Some(snapshot),
            ..self
        }
    }

    /// Says that production filed its snapshot under this id: it has no other.
    #[must_use]
    pub fn filed_under(mut self, id: RequestId) -> Self {
        self.identity.candidates.ids = vec![id];
        self.identity.candidates.counted = false;
        self
    }

    /// Bytes of traffic that it holds in memory.
    pub fn held_bytes(&self) -> usize {
        let head = |headers: &Headers| -> usize {
            headers.iter().map(|(n, v)| n.len() + v.len() + 64).sum()
        };
        let request = &self.exchange.request;
        let response = self.exchange.response.as_ref();
        request.body.len()
            + head(&request.headers)
            + response.map_or(0, |r| r.body.len() + head(&r.headers))
            + self.snapshot.as_ref().map_or(0, Bytes::len)
            + self.hidden().map_or(0, HiddenValues::held_bytes)
    }
}
