//! The folder of runs: each run has a directory of its own there, which keeps what the run decided, grouped and counted as it comes.
//!
//! `DIR/20261127T051821Z-shop/` holds run.json (what it is, written at the start, and locked while the run goes on), `journal` (its state, see
//! [`mirror_core::journal`]), `answers` (of its examples, in full), and at the end report.json, report.html and noise.json. [`NewRun`] makes one, its [`Keeper`] writes it, and
//! whoever shows runs reads them by [`RunPath`].

mod answers_file;
mod compare;
mod folder;
mod head;
mod journal_file;
mod keeper;
mod list;
mod merge;
mod names;
mod reader;
mod time;
mod trouble;

pub use answers_file::{answers, answers_of};
pub use compare::{
    ComparedGroup, ComparedRun, GroupStanding, RunComparison, Standing, compare_runs,
    comparison_text,
};
pub use folder::{RunPath, RunsFolder};
pub(in crate::report) use head::RunHead;
pub use keeper::{Keeper, NewRun};
pub use list::{KnownSummary, RunSummary, list_text};
pub use merge::merge;
pub(in crate::report) use merge::{info, joined};
pub use reader::read;

#[cfg(test)]
mod tests;
