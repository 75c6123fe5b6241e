//! The page of a run that goes on.

use super::super::ReportData;

/// What a reader of the live page may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveMode {
    Watch,
    /// Pause and resume too.
    Control,
}

/// The page of the run so far. It says in `data-live` what its reader may do; a page in a file has no such attribute.
pub fn live_page(report: &ReportData, mode: LiveMode) -> String {
    let live = match mode {
        LiveMode::Watch => "<html data-live=watch",
        LiveMode::Control => "<html data-live=control",
    };
    super::page(report).replacen("<html", live, 1)
}
