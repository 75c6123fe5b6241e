//! The way of a request, from the kernel's ring to the verdict: the only place that knows the order of the stages.
//!
//! ```text
//! a thread for each ring:  RingReader → Dissector → identity → policy ─┐   capture_side
//!                                                             transport (bounded, sheds)
//! tokio:                   report ← compare ← replay ← gate ───────────┘   mirror_side
//! ```
//!
//! `run` starts, drains and stops the two sides; `running` answers those who ask about them meanwhile.

mod capture_side;
mod descriptors;
mod mirror_side;
mod preflight;
mod progress;
mod run;
mod running;

pub use preflight::{check_own, reach};
pub use progress::{Event, Progress};
pub use run::{Ending, run};
