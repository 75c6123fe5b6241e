//! What is said of a request's snapshot besides the document itself: that it has become doubtful, and why none is proven.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether a request's snapshot turned out to be doubtful after it was found.
#[derive(Clone, Debug, Default)]
pub struct Claim(Arc<AtomicBool>);

impl Claim {
    pub fn is_doubtful(&self) -> bool {
        self.0.load(Relaxed)
    }

    pub fn doubt(&self) {
        self.0.store(true, Relaxed);
    }
}

/// Why no document is proven to be a request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A request like it was under way on its connection.
    Overlap,
    /// Documents without the client's address, and a request like it at the same time.
    Shared,
    /// Several documents fit.
    SeveralFit,
    /// The clocks of production and capture are not known well enough.
    Clocks,
    /// The end of its response was not seen.
    NoEnd,
}

impl Doubt {
    /// For people, with what to do where there is something.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Overlap => {
                "an identical request was under way on the same connection (pipelined or multiplexed)"
            }
            Self::Shared => {
                "an identical request was under way at the same time, and production does not tell the client's address: have its SDK file the `peer`"
            }
            Self::SeveralFit => "several snapshots fit this request",
            Self::Clocks => {
                "the offset between the clocks of production and capture is not known well enough yet for a request as short as this"
            }
            Self::NoEnd => "the end of production's response was not captured",
        }
    }
}
