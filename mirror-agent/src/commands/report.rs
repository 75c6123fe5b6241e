//! report: what a run found, printed again; two runs beside each other, or several as one; schema: what its JSON says.

use std::process::ExitCode;

use mirror_agent::cli::{Document, ReportFormat};
use mirror_agent::report::table::terminal_width;
use mirror_agent::report::{
    self, Extent, ReportData, RunPath, StoredAnswers, comparison_text, report_text,
};
use mirror_agent::transport::{FleetUrl, read_fleet};

use super::live::{exit_code, single};
use crate::terminal;

pub(super) fn print(
    run: &RunPath,
    format: ReportFormat,
    details: bool,
) -> anyhow::Result<ExitCode> {
    let data = report::read(run)?;
    let answers = match format {
        ReportFormat::Html => report::answers_of(run, &data)?,
        _ => Vec::new(),
    };
    print_data(&data, &answers, format, details)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn merge(
    runs: &[RunPath],
    format: ReportFormat,
    details: bool,
) -> anyhow::Result<ExitCode> {
    let data = report::merge(runs)?;
    print_data(&data, &[], format, details)?;
    Ok(exit_code(&data))
}

/// What all processes have done that share a stream.
pub(super) fn fleet(
    url: &str,
    group: &str,
    format: ReportFormat,
    details: bool,
) -> anyhow::Result<ExitCode> {
    let url = FleetUrl::parse(url)?;
    let processes = single()?.block_on(read_fleet(&url, group))?;
    let data = report::fleet_report(processes)?;
    print_data(&data, &[], format, details)?;
    Ok(exit_code(&data))
}

pub(super) fn compare(a: &RunPath, b: &RunPath, json: bool) -> anyhow::Result<ExitCode> {
    let comparison = report::compare_runs(&report::read(a)?, &report::read(b)?);
    match json {
        true => terminal::print_json(&comparison)?,
        false => terminal::print(&comparison_text(&comparison, terminal_width()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print_data(
    data: &ReportData,
    answers: &[StoredAnswers],
    format: ReportFormat,
    details: bool,
) -> anyhow::Result<()> {
    let extent = match details {
        true => Extent::Details,
        false => Extent::Screen,
    };
    match format {
        ReportFormat::Text => terminal::print_report(&report_text(data, extent, terminal_width())),
        ReportFormat::Json => terminal::print_json(data),
        ReportFormat::Markdown => terminal::print(&report::markdown(data)),
        ReportFormat::Junit => terminal::print(&report::junit(data)?),
        ReportFormat::Html => terminal::print(&report::page(data, answers)),
    }
}

/// What programs may rely on.
pub(super) fn schema(document: Document) -> anyhow::Result<()> {
    terminal::print_json(&match document {
        Document::Report => report::report_schema(),
        Document::Status => report::status_schema(),
    })
}
