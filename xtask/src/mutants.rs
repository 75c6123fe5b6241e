//! `cargo xtask mutants`: changes the code of the heuristics, one place at a time, and runs the tests that are meant to hold it
//! each time. A change that no test notices is a rule without a test.
//!
//! What became of each change is kept below `target/mutants`, so that `--again` tries only what was not caught before: after a
//! test was added, or after a run that was ended.

mod explained;
mod record;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use mirror_tests::scratch::Scratch;
use mirror_tests::workspace;
use serde::{Deserialize, Serialize};

use crate::install;
use crate::leave::Registered;
use crate::say::note;
use record::{Record, Summary};
use table::Table;

const CARGO_MUTANTS: &str = "27.1.0";

/// Seconds after which tests count as running for ever, at least.
const TEST_TIMEOUT: &str = "30";

/// Code whose rules are held by tests beside it, and these tests as cargo names them.
struct Area {
    name: &'static str,
    package: &'static str,
    /// Files, and folders with all that is in them.
    paths: &'static [&'static str],
    tests: &'static [&'static str],
}

/// What decides which answer belongs to which request, where a stream resynchronises, whose a snapshot is, and what is evidence.
const AREAS: [Area; 5] = [
    Area {
        name: "http",
        package: "mirror-core",
        paths: &["mirror-core/src/http/h1", "mirror-core/src/dissect"],
        tests: &["--lib", "--", "http::", "dissect::"],
    },
    Area {
        name: "attribution",
        package: "mirror-core",
        paths: &["mirror-core/src/attribution"],
        // The simulation takes seconds, and is no test of single rules.
        tests: &["--lib", "--", "attribution::", "--skip", "simulation"],
    },
    Area {
        name: "verdict",
        package: "mirror-core",
        paths: &["mirror-core/src/verdict"],
        // Without what takes ten seconds and tests no single rule.
        tests: &[
            "--lib",
            "--",
            "verdict::",
            "--skip",
            "the_same_version_of_an_ordinary_service",
        ],
    },
    Area {
        name: "gate",
        package: "mirror-agent",
        paths: &["mirror-agent/src/gate"],
        tests: &["--lib", "--test", "gate"],
    },
    Area {
        name: "snapshot",
        package: "mirror-snapshot",
        paths: &[
            "mirror-snapshot/src/source.rs",
            "mirror-snapshot/src/store/wait.rs",
        ],
        tests: &["--lib", "--test", "store", "--test", "waits"],
    },
];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Files or folders to change, from the root of the repository; by default all that has tests for it
    paths: Vec<String>,
    /// Try only changes that no run before has caught
    #[arg(long)]
    again: bool,
    /// Try only so many changes of each area, spread evenly over its files: an estimate, where all would take hours
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// How many changes are tried at once, each in a copy of the repository that is built from nothing
    #[arg(long, default_value_t = 1)]
    jobs: u32,
    /// Only list the changes
    #[arg(long)]
    list: bool,
}

/// One change of the code, as cargo mutants tells it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Mutant {
    /// Its place, and what is changed to what.
    name: String,
    file: String,
    diff: String,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let program = install::with_cargo("cargo-mutants", CARGO_MUTANTS)?;
    let folder = workspace::target_dir()?.join("mutants");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let mut table = Table::default();
    for (area, files) in chosen(&options.paths)? {
        let trial = Trial {
            program: &program,
            folder: &folder,
            area,
            files,
        };
        let all = trial.list()?;
        let mutants = spread(&all, options.sample.unwrap_or(all.len()));
        if options.list {
            mutants.iter().for_each(|mutant| note!("{}", mutant.name));
            continue;
        }
        if mutants.len() < all.len() {
            note!("{}: {} of {} changes", area.name, mutants.len(), all.len());
        }
        let record = trial.run(&all, &mutants, options)?;
        for mutant in mutants {
            table.add(mutant, record.of(mutant));
        }
    }
    if options.list {
        return Ok(());
    }
    table.show();
    note!(
        "the changes and the tests' output: below {}",
        folder.display()
    );
    table.judge()
}

/// At most `number` of them, at equal distances in the order of their files and lines.
fn spread(all: &[Mutant], number: usize) -> Vec<&Mutant> {
    let number = number.min(all.len());
    (0..number)
        .map(|index| &all[index * all.len() / number])
        .collect()
}

/// The areas that paths are in, and the globs of the files; without paths all of them.
fn chosen(paths: &[String]) -> Result<Vec<(&'static Area, Vec<String>)>> {
    if paths.is_empty() {
        let all = |area: &'static Area| (area, area.paths.iter().map(|path| glob(path)).collect());
        return Ok(AREAS.iter().map(all).collect());
    }
    let mut chosen: Vec<(&Area, Vec<String>)> = Vec::new();
    for path in paths {
        let path = path.trim_end_matches('/');
        ensure!(
            workspace::root().join(path).exists(),
            "{path} is not in the repository: name it from the root, as in {}",
            AREAS[0].paths[0]
        );
        let holds = |area: &&Area| {
            area.paths
                .iter()
                .any(|own| Path::new(path).starts_with(own))
        };
        let Some(area) = AREAS.iter().find(holds) else {
            let all: Vec<_> = AREAS.iter().flat_map(|area| area.paths).copied().collect();
            bail!(
                "{path} has no tests of its own: use one of {}",
                all.join(", ")
            );
        };
        match chosen.iter_mut().find(|(known, _)| known.name == area.name) {
            Some((_, files)) => files.push(glob(path)),
            None => chosen.push((area, vec![glob(path)])),
        }
    }
    Ok(chosen)
}

/// Of a file, or of all Rust files in a folder.
fn glob(path: &str) -> String {
    match Path::new(path).extension() {
        Some(_) => path.to_owned(),
        None => format!("{path}/**/*.rs"),
    }
}

/// Changes of one area, tried with its tests.
struct Trial<'a> {
    program: &'a Path,
    folder: &'a Path,
    area: &'static Area,
    files: Vec<String>,
}

impl Trial<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command
            .current_dir(workspace::root())
            .args(["mutants", "--package", self.area.package]);
        for file in &self.files {
            command.args(["--file", file]);
        }
        command
    }

    fn list(&self) -> Result<Vec<Mutant>> {
        let output = self
            .command()
            .args(["--list", "--json"])
            .stderr(Stdio::inherit())
            .output()
            .context("running cargo mutants")?;
        ensure!(output.status.success(), "cargo mutants: {}", output.status);
        serde_json::from_slice(&output.stdout).context("reading the list of changes")
    }

    fn output(&self) -> PathBuf {
        self.folder.join(self.area.name)
    }

    /// Tries the chosen changes among all; gives what is known of them after that.
    fn run(&self, all: &[Mutant], chosen: &[&Mutant], options: &Options) -> Result<Record> {
        let file = self.folder.join(format!("{}.json", self.area.name));
        let mut record = Record::read(&file)?;
        let left = self.output().join("mutants.out");
        record.learn(&left)?;
        if !options.again {
            record.forget(chosen);
        }
        let is_settled = |mutant: &&Mutant| record.of(mutant).is_some_and(Summary::is_settled);
        let open: Vec<&Mutant> = chosen
            .iter()
            .copied()
            .filter(|one| !is_settled(one))
            .collect();
        note!(
            "{}: {} changes to try, {} known from before",
            self.area.name,
            open.len(),
            chosen.len() - open.len()
        );
        if !open.is_empty() {
            record.write(&file)?;
            let is_open = |one: &&Mutant| open.contains(one);
            let passed: Vec<&Mutant> = all.iter().filter(|one| !is_open(one)).collect();
            self.pass_over(&passed)?;
            let ended = self.test(options);
            record.learn(&left)?;
            record.write(&file)?;
            ended?;
        }
        Ok(record)
    }

    /// `--iterate` leaves out what a run before this one is said to have caught.
    fn pass_over(&self, passed: &[&Mutant]) -> Result<()> {
        let folder = self.output().join("mutants.out");
        // What a run before left in it is in the record.
        if folder.exists() {
            std::fs::remove_dir_all(&folder).context("removing what a run before left")?;
        }
        std::fs::create_dir_all(&folder).context("making a folder for the run")?;
        let names: Vec<&str> = passed.iter().map(|mutant| mutant.name.as_str()).collect();
        std::fs::write(folder.join("caught.txt"), names.join("\n")).context("writing what is known")
    }

    fn test(&self, options: &Options) -> Result<()> {
        let mut command = self.command();
        command
            .args(["--iterate", "--minimum-test-timeout", TEST_TIMEOUT])
            .args(["--jobs", &options.jobs.max(1).to_string(), "--output"])
            .arg(self.output())
            .arg("--")
            .args(self.area.tests)
            // Half of the time is the linker's otherwise.
            .env("CARGO_PROFILE_DEV_DEBUG", "none");
        if options.jobs <= 1 {
            // What others depend on is compiled once for all areas.
            command.env("CARGO_TARGET_DIR", self.folder.join("build"));
        }
        // Tests that fail keep their logs: those of changes are of no use, and each caught one fails.
        let scratch = Scratch::new()?;
        command.env("TMPDIR", scratch.path());
        let mut child = command.spawn().context("running cargo mutants")?;
        let registered = Registered::new(&child, false);
        let status = child.wait().context("waiting for cargo mutants")?;
        drop(registered);
        // Some were missed, or ran too long.
        let is_tried = status.success() || matches!(status.code(), Some(2 | 3));
        ensure!(is_tried, "cargo mutants: {status}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(paths: &[&str], expect: &[(&str, &[&str])]) {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let chosen = chosen(&paths).unwrap();
        let names: Vec<_> = chosen
            .iter()
            .map(|(area, files)| (area.name, files.clone()))
            .collect();
        let expect: Vec<_> = expect
            .iter()
            .map(|(name, files)| (*name, files.iter().map(|file| (*file).to_owned()).collect()))
            .collect();
        assert_eq!(names, expect);
    }

    #[test]
    fn a_path_is_tried_with_the_tests_of_its_area() {
        check(
            &[
                "mirror-core/src/http/h1/queue.rs",
                "mirror-agent/src/gate/",
                "mirror-core/src/dissect",
            ],
            &[
                (
                    "http",
                    &[
                        "mirror-core/src/http/h1/queue.rs",
                        "mirror-core/src/dissect/**/*.rs",
                    ],
                ),
                ("gate", &["mirror-agent/src/gate/**/*.rs"]),
            ],
        );
        for path in ["mirror-core/src/time.rs", "mirror-core/src/nowhere"] {
            assert!(chosen(&[path.to_owned()]).is_err(), "{path}");
        }
    }

    #[test]
    fn a_sample_is_spread_over_all_changes() {
        let mutant = |number: usize| Mutant {
            name: number.to_string(),
            file: String::new(),
            diff: String::new(),
        };
        let all: Vec<Mutant> = (0..10).map(mutant).collect();
        let check = |number: usize, expect: &[&str]| {
            let names: Vec<_> = spread(&all, number).iter().map(|one| &one.name).collect();
            assert_eq!(names, expect, "{number}");
        };
        check(4, &["0", "2", "5", "7"]);
        check(1, &["0"]);
        check(0, &[]);
        assert_eq!(spread(&all, 11).len(), 10);
    }

    #[test]
    fn every_area_is_there() {
        let areas = chosen(&[]).unwrap();
        assert_eq!(areas.len(), AREAS.len());
        for path in AREAS.iter().flat_map(|area| area.paths) {
            assert!(workspace::root().join(path).exists(), "{path}");
        }
    }
}
