//! `/events`: the run so far, told again and again (server-sent events).
//!
//! Each reader takes the newest state when it has room for it. A slow one misses states and holds nothing up: nothing is queued
//! for it, and all readers share one text.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

use super::deadline::Deadline;
use super::fresh::Fresh;

/// Readers at a time.
pub(super) const MAX_READERS: usize = 16;
/// Between two states; longer where a state takes long to make.
pub(super) const EVENT_INTERVAL: Duration = Duration::from_secs(1);
/// For a reader to take one state. One that needs longer is sent away, and comes back by itself.
const EVENT_TIMEOUT: Duration = Duration::from_secs(60);
/// Before a reader looks again whether there is a newer state.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

struct Reader {
    states: Arc<Fresh<Bytes>>,
    last: Option<Arc<Bytes>>,
    deadline: Arc<Deadline>,
    _place: OwnedSemaphorePermit,
}

/// A state as it is sent: JSON has no line ends.
pub(super) fn event(json: &str) -> Bytes {
    format!("data: {json}\n\n").into()
}

/// The body of an answer that has no end.
pub(super) fn body(
    states: Arc<Fresh<Bytes>>,
    deadline: Arc<Deadline>,
    place: OwnedSemaphorePermit,
) -> Body {
    let reader = Reader {
        states,
        last: None,
        deadline,
        _place: place,
    };
    Body::from_stream(stream::unfold(reader, |mut reader| async move {
        let state = reader.next().await?;
        Some((Ok::<_, Infallible>(state), reader))
    }))
}

impl Reader {
    /// Asked for when the state before has been written.
    async fn next(&mut self) -> Option<Bytes> {
        if self.last.is_some() {
            sleep(EVENT_INTERVAL).await;
        }
        loop {
            self.deadline.put_off(EVENT_TIMEOUT);
            let state = self.states.get().await.ok()?;
            let is_old = self
                .last
                .as_ref()
                .is_some_and(|last| Arc::ptr_eq(last, &state));
            if !is_old {
                let text = Bytes::clone(&state);
                self.last = Some(state);
                return Some(text);
            }
            sleep(LOOK_INTERVAL).await;
        }
    }
}
