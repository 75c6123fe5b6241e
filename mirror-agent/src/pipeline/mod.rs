//! The way of a request, from the kernel's ring to the verdict: the only place that knows the order of the stages.
//!
//! ```text
//! a thread for each ring:  RingReader → Dissector → identity → policy ─┐   capture_side
//!                                                             transport (bounded, sheds)
//! one thread:         report ← compare ← replay ← schedule ← gate ───────┘   mirror_side
//! ```
//!
//! `run` starts, drains and stops the two sides, `replay_file` does the same with files in the place of the rings, and `record` with
//! `record_side` in the place of the mirror side. All have a `beginning` in common; `running` answers those who ask meanwhile, and `attended` is who they are, and the end.

mod attended;
mod beginning;
mod capture_side;
mod descriptors;
mod ending;
mod feed;
mod host;
mod keep_side;
mod look_back;
mod metadata;
mod mirror_side;
mod preflight;
mod progress;
mod record;
mod record_side;
mod relief;
mod replay_file;
mod run;
mod running;
mod schedule;

pub use ending::Ending;
pub use look_back::{Taken, look_back};
pub use preflight::check_own;
pub use progress::{Event, Progress};
pub use record::{RecordReport, record};
pub use replay_file::replay_file;
pub use run::run;
