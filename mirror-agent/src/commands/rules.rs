//! rules: suggests rules of the comparison from a finished run.

use std::process::ExitCode;

use mirror_agent::report::{
    KnownNoise, RunPath, known_noise_beside, read, suggest_rules, suggested_text,
};

use crate::terminal;

pub(super) fn suggest(run: &RunPath, json: bool) -> anyhow::Result<ExitCode> {
    let report = read(run)?;
    let known = known_noise_beside(run.path())?;
    if known.is_none() {
        terminal::note(
            "note: there is no noise.json beside the report, so that places which vary are not known",
        );
    }
    let known: KnownNoise = known.unwrap_or_default();
    let rules = suggest_rules(&report, &known.noise);
    if rules.is_empty() {
        terminal::note("nothing to suggest: nothing varies, and nothing is noted or undecided");
    }
    match json {
        true => terminal::print_json(&rules)?,
        false => terminal::print(&suggested_text(&rules))?,
    }
    Ok(ExitCode::SUCCESS)
}
