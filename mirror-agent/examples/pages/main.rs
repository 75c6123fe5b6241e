//! Writes report pages of runs that never were, one for each state that a page has: `cargo xtask pictures` takes pictures of them, and
//! `tests/tests/page.rs` reads them in a browser.
//!
//! They are made of the types of real reports, so that they change with them.

mod hostile;
mod large;
mod service;
mod shop;

use std::path::PathBuf;

use anyhow::{Context, Result};
use mirror_agent::report::{LiveMode, ReportData, StoredAnswers, live_page, page, page_data};

/// A state of a page, by the name of its file.
struct Sample {
    name: &'static str,
    report: ReportData,
    answers: Vec<StoredAnswers>,
}

fn main() -> Result<()> {
    let directory: PathBuf = std::env::args_os()
        .nth(1)
        .context("name the directory that the pages go to")?
        .into();
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("creating {}", directory.display()))?;
    for sample in samples() {
        let page = page(&sample.report, &sample.answers);
        write(&directory, &format!("{}.html", sample.name), &page)?;
    }
    let (now, later) = (shop::held(), shop::failed());
    write(
        &directory,
        "live.html",
        &live_page(&now.report, &[], LiveMode::Control),
    )?;
    let next = page_data(&later.report, &later.answers);
    write(&directory, "live.json", &next)?;
    let answers = serde_json::to_string(&later.answers).context("writing answers")?;
    write(&directory, "answers.json", &answers)
}

fn samples() -> [Sample; 7] {
    [
        shop::passed(),
        shop::failed(),
        shop::held(),
        shop::compared_nothing(),
        shop::invalid(),
        large::report(),
        hostile::report(),
    ]
}

fn write(directory: &std::path::Path, name: &str, text: &str) -> Result<()> {
    let path = directory.join(name);
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
}
