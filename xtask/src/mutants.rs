//! `cargo xtask mutants`: changes the code of the heuristics, one place at a time, and runs the tests of the crate each time. A change
//! that no test notices is a rule without a test.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use mirror_tests::workspace;
use serde_json::Value;

use crate::install;
use crate::leave::Registered;
use crate::say::{note, say};

const CARGO_MUTANTS: &str = "27.1.0";

/// Files and folders whose rules decide which answer belongs to which request, where a stream resynchronises, and what is
/// evidence. One that is not there is left out.
const HEURISTICS: [&str; 7] = [
    "mirror-core/src/http/h1",
    "mirror-core/src/dissect",
    "mirror-core/src/verdict",
    "mirror-agent/src/gate",
    "mirror-snapshot/src/source.rs",
    "mirror-snapshot/src/store/wait.rs",
    "mirror-agent/src/pipeline/ticket.rs",
];

/// Exit codes of cargo mutants for mutants that survived, and for tests that ran too long.
const SURVIVED: [i32; 2] = [2, 3];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Files or folders to change, from the root of the repository; by default the heuristics
    paths: Vec<String>,
    /// How many changes are tried at once, each in a copy of the repository
    #[arg(long, default_value_t = 2)]
    jobs: u32,
    /// Only list the changes
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let program = install::with_cargo("cargo-mutants", CARGO_MUTANTS)?;
    let output = workspace::target_dir()?;
    let mut command = Command::new(program);
    command
        .current_dir(workspace::root())
        .args(["mutants", "--no-shuffle"]);
    for path in chosen(&options.paths)? {
        command.args(["--file", &path]);
    }
    if options.list {
        command.arg("--list");
    } else {
        command
            .args(["--jobs", &options.jobs.max(1).to_string()])
            .args(["--minimum-test-timeout", "60", "--output"])
            .arg(&output);
    }
    let mut child = command.spawn().context("running cargo mutants")?;
    let registered = Registered::new(&child, false);
    let status = child.wait().context("waiting for cargo mutants")?;
    drop(registered);
    let survived = status.code().is_some_and(|code| SURVIVED.contains(&code));
    ensure!(status.success() || survived, "cargo mutants: {status}");
    if options.list {
        return Ok(());
    }
    let file = output.join("mutants.out/outcomes.json");
    let text =
        std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let outcomes = serde_json::from_str(&text).context("reading the outcomes")?;
    table(&counts(&outcomes)?);
    note!(
        "the changes and the tests' output: {}",
        output.join("mutants.out").display()
    );
    Ok(())
}

/// Globs of all Rust files at or below the paths.
fn chosen(paths: &[String]) -> Result<Vec<String>> {
    let is_there = |path: &str| workspace::root().join(path).exists();
    let paths: Vec<&str> = if paths.is_empty() {
        let there = HEURISTICS.into_iter().filter(|path| is_there(path));
        there.collect()
    } else {
        paths.iter().map(String::as_str).collect()
    };
    let glob = |path: &str| {
        if !is_there(path) {
            bail!(
                "{path} is not in the repository: name it from the root, as {}",
                HEURISTICS[0]
            );
        }
        let path = path.trim_end_matches('/');
        let is_file = Path::new(path).extension().is_some();
        Ok(if is_file {
            path.to_owned()
        } else {
            format!("{path}/**/*.rs")
        })
    };
    paths.into_iter().map(glob).collect()
}

/// The changes of one file that build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Count {
    caught: u32,
    /// Those that no test noticed.
    survivors: Vec<String>,
}

fn counts(outcomes: &Value) -> Result<BTreeMap<String, Count>> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let all = outcomes["outcomes"].as_array().context("outcomes")?;
    for outcome in all {
        let mutant = &outcome["scenario"]["Mutant"];
        let Some(file) = mutant["file"].as_str() else {
            continue;
        };
        let count = counts.entry(file.to_owned()).or_default();
        match outcome["summary"].as_str() {
            Some("CaughtMutant" | "Timeout") => count.caught += 1,
            Some("MissedMutant") => {
                let name = mutant["name"].as_str().unwrap_or("a change without a name");
                count.survivors.push(name.to_owned());
            }
            // It does not build.
            _ => {}
        }
    }
    Ok(counts)
}

fn table(counts: &BTreeMap<String, Count>) {
    say!(
        "\n{:<48}{:>9}{:>9}{:>10}{:>8}",
        "file",
        "mutants",
        "caught",
        "survived",
        "share"
    );
    let mut total = Count::default();
    for (file, count) in counts {
        row(file, count);
        total.caught += count.caught;
        total.survivors.extend_from_slice(&count.survivors);
    }
    row("all", &total);
    for survivor in &total.survivors {
        say!("survived: {survivor}");
    }
}

fn row(file: &str, count: &Count) {
    let survived = count.survivors.len();
    let mutants = count.caught as usize + survived;
    let share = 100.0 * survived as f64 / mutants.max(1) as f64;
    let caught = count.caught;
    say!("{file:<48}{mutants:>9}{caught:>9}{survived:>10}{share:>7.1}%");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_counted_by_file_and_those_that_do_not_build_are_left_out() {
        let outcome = |file: &str, summary: &str| json!({ "summary": summary, "scenario": { "Mutant": { "file": file, "name": format!("{file}: x") } } });
        let outcomes = json!({ "outcomes": [
            { "summary": "Success", "scenario": "Baseline" },
            outcome("a.rs", "CaughtMutant"), outcome("a.rs", "MissedMutant"),
            outcome("a.rs", "Timeout"), outcome("b.rs", "Unviable"),
        ] });
        let found = counts(&outcomes).unwrap();
        let expect = Count {
            caught: 2,
            survivors: vec!["a.rs: x".into()],
        };
        assert_eq!(found["a.rs"], expect);
        assert_eq!(found["b.rs"], Count::default());
    }
}
