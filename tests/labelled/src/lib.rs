//! A service of 30 routes with much that varies by nature, and with planted changes of which route, place and rate are known:
//! [`run`] takes its answers through the whole core, and [`Score`] says how often the verdict is right, beside the rules of others.
//!
//! Nothing here reads a clock or the system's random numbers: the same seed gives the same run.

pub mod changes;
mod random;
mod rivals;
mod run;
mod score;
pub mod service;
pub mod simulation;

pub use random::Random;
pub use rivals::Rivals;
pub use run::{Ended, Plan, Way, policy, run};
pub use score::{Counts, ENOUGH, Found, STRICT, Score, TIMED, found, scored};
