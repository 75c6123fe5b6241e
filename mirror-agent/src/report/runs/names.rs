//! The files of a run, beside those of its report.

/// What it is; locked while it goes on.
pub(super) const RUN_JSON: &str = "run.json";
/// Its state.
pub(super) const JOURNAL: &str = "journal";
/// The answers of its examples, in full.
pub(super) const ANSWERS: &str = "answers";
