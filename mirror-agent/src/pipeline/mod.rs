//! The way of a request, from the kernel's ring to the verdict: the only place that knows the order of the stages.
//!
//! ```text
//! a thread for each ring:  RingReader → Dissector → identity → policy ─┐   capture_side
//!                                                             transport (bounded, sheds)
//! one thread:         report ← compare ← replay ← schedule ← gate ───────┘   mirror_side
//! ```
//!
//! In a fleet the two sides are processes of their own: `capture` ends with a transport to another host, and `replay_fleet` begins with
//! one.
//!
//! `run` starts, drains and stops the two sides, `replay_file` does the same with files in the place of the rings, and `record` with
//! `record_side` in the place of the mirror side. All have a `beginning` in common; `running` answers those who ask meanwhile, and `attended` is who they are, and the end.

mod attended;
mod beginning;
mod capture;
mod capture_side;
mod descriptors;
mod ending;
mod engine_thread;
mod feed;
mod host;
mod keep_side;
mod look_back;
mod metadata;
mod mirror_side;
mod pinned;
mod preflight;
mod progress;
mod record;
mod record_side;
mod relief;
mod replay_file;
mod replay_fleet;
mod run;
mod running;
mod schedule;

pub use capture::capture;
pub use ending::Ending;
pub use look_back::{Taken, look_back};
pub use pinned::{PinnedSet, replay_pinned};
pub use preflight::check_own;
pub use progress::{Event, Progress};
pub use record::{RecordReport, record};
pub use replay_file::replay_file;
pub use replay_fleet::replay_fleet;
pub use run::run;
