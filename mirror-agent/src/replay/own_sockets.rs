//! Who must know of the replays' own sockets, so that they are not captured.

use std::{net::SocketAddr, sync::Arc};

/// Told of each socket by its local address.
pub trait OwnSockets: Send + Sync {
    fn opened(&self, local: SocketAddr);
    fn closed(&self, local: SocketAddr);
}

/// A socket that was told, until this is dropped.
pub(super) struct OwnSocket {
    own: Arc<dyn OwnSockets>,
    local: SocketAddr,
}

impl OwnSocket {
    pub(super) fn opened(own: &Arc<dyn OwnSockets>, local: SocketAddr) -> Self {
        own.opened(local);
        Self {
            own: Arc::clone(own),
            local,
        }
    }
}

impl Drop for OwnSocket {
    fn drop(&mut self) {
        self.own.closed(self.local);
    }
}
