//! How a request is named: by the service's rules in production, by the agent's headers in the mirror.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{
    Fields, HEADER_CAPTURED_AT, HEADER_NAMESPACE, HEADER_REQUEST_ID, HEADER_SEND, RequestId,
    SendId, SnapshotNumber,
};

/// How a request is named, and what else the agent said of it.
#[derive(Default)]
pub(crate) struct Naming {
    pub(crate) id: Option<RequestId>,
    /// Of a numbered id: where it is listed.
    pub(crate) listing: Option<Listing>,
    pub(crate) told_in: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) captured_at: Option<Duration>,
    /// Which sending of the request this is.
    pub(crate) send: Option<SendId>,
}

/// A derived id that many requests have, and the number of one of them.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    pub(crate) derived: RequestId,
    pub(crate) number: SnapshotNumber,
}

impl Naming {
    /// Draws a number for one of the requests that have this derived id.
    pub(crate) fn numbered(derived: RequestId) -> Self {
        // Each half has bits that are not random, at other places than the other half.
        let (one, other) = uuid::Uuid::new_v4().as_u64_pair();
        let number = SnapshotNumber(one ^ other);
        let id = derived.numbered(number);
        Self {
            listing: id.as_ref().map(|_| Listing { derived, number }),
            id,
            ..Self::default()
        }
    }

    /// As the agent says.
    pub(crate) fn given(request: &dyn Fields) -> Self {
        let text = |name| std::str::from_utf8(request.header(name, 0)?).ok();
        Self {
            id: text(HEADER_REQUEST_ID).and_then(RequestId::new),
            told_in: None,
            listing: None,
            namespace: text(HEADER_NAMESPACE).map(Into::into),
            captured_at: text(HEADER_CAPTURED_AT)
                .and_then(|text| text.parse().ok())
                .map(Duration::from_millis),
            send: text(HEADER_SEND).and_then(SendId::new),
        }
    }
}

pub(crate) fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

pub(crate) fn millis(since_epoch: Duration) -> u64 {
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
