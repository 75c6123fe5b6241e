//! Services with much that varies by nature, and with planted changes of which route, place and rate are known: [`run`] takes their
//! answers through the whole core, and [`Score`] says how often the verdict is right, beside the rules of others.
//!
//! The [`SHOP`] is what the product was mended on. The [`BANK`] is of another style, and was written before it was looked at.
//! Nothing here reads a clock or the system's random numbers: the same seed gives the same run.

mod bank;
pub mod changes;
mod random;
mod rivals;
mod run;
mod score;
pub mod service;
mod shop;
pub mod simulation;
mod write;

pub use bank::BANK;
pub use random::Random;
pub use rivals::Rivals;
pub use run::{Ended, Plan, Way, policy, run};
pub use score::{Counts, ENOUGH, Found, STRICT, Score, TIMED, found, scored};
pub use shop::SHOP;
