//! Tells which calls are made while another call of the same request is done. A mirror, which answers that one from its snapshot,
//! never comes to them.

use std::{cell::RefCell, future::poll_fn, pin::pin};

thread_local! {
    /// The requests that this thread does a call of just now, by their addresses.
    static DOING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Does the work of a call. What it hands to other tasks is not seen as a part of it.
pub(super) async fn inside<T>(request: usize, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        let _doing = Doing::begin(request);
        work.as_mut().poll(context)
    })
    .await
}

/// Whether this thread does a call of the request just now.
pub(super) fn is_inside(request: usize) -> bool {
    DOING.with_borrow(|doing| doing.contains(&request))
}

struct Doing;

impl Doing {
    fn begin(request: usize) -> Self {
        DOING.with_borrow_mut(|doing| doing.push(request));
        Self
    }
}

/// Also where the work panics.
impl Drop for Doing {
    fn drop(&mut self) {
        DOING.with_borrow_mut(|doing| doing.pop());
    }
}
