//! report: what a run found, printed again; schema: what its JSON says.

use mirror_agent::cli::{Document, ReportFormat};
use mirror_agent::report::table::terminal_width;
use mirror_agent::report::{self, Extent, RunPath, report_text};

use crate::terminal;

pub(super) fn print(run: &RunPath, format: ReportFormat, details: bool) -> anyhow::Result<()> {
    let data = report::read(run)?;
    let extent = match details {
        true => Extent::Details,
        false => Extent::Screen,
    };
    match format {
        ReportFormat::Text => terminal::print_report(&report_text(&data, extent, terminal_width())),
        ReportFormat::Json => terminal::print_json(&data),
        ReportFormat::Markdown => terminal::print(&report::markdown(&data)),
        ReportFormat::Junit => terminal::print(&report::junit(&data)?),
        ReportFormat::Html => terminal::print(&report::page(&data, &[])),
    }
}

/// What programs may rely on.
pub(super) fn schema(document: Document) -> anyhow::Result<()> {
    terminal::print_json(&match document {
        Document::Report => report::report_schema(),
        Document::Status => report::status_schema(),
    })
}
