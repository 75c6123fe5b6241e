//! `mirror-agent rules suggest` and `--noise` as a user runs them, over reports written here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mirror_agent::report::{CaptureCounters, Recorder, ReportDir, RunInfo};
use mirror_core::compare::{Kind, Place, Severity};
use mirror_core::verdict::Finding;
use serde_json::Value;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("mirror-rules-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A report that notes a new member, and nothing that varies.
fn write_report(directory: &Path, with_noise: bool) {
    let recorder = Recorder::new(RunInfo::default());
    let mut report = recorder.finish(CaptureCounters::default());
    report.results.verdict.noted.push(Finding {
        route: "GET /orders/{id}".into(),
        place: Place::Json("/currency".into()),
        kind: Kind::Added,
        severity: Severity::Added,
        differed: 8_000,
        judged: 8_000,
        informative: 20,
        candidate_odd: 20,
        e_value: 1e6,
        at_least: 0.99,
        needed: None,
        varies: false,
        is_unsteady: false,
        is_by_chance: false,
    });
    let written = ReportDir::open(directory).unwrap();
    written.write(&report, &[]).unwrap();
    if with_noise {
        written
            .write_noise(&recorder.noise_text().unwrap())
            .unwrap();
    }
}

fn agent(args: &[&str], path: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mirror-agent"));
    command.args(args).arg(path).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn rules_are_suggested_from_a_report_or_its_directory() {
    let scratch = Scratch::new("suggest");
    let directory = scratch.0.join("run");
    write_report(&directory, true);
    let expect = "# 8,000 of 8,000 requests of GET /orders/{id}\n\
                  GET /orders/{id} => expect added /currency\n";
    for run in [directory.clone(), directory.join("report.json")] {
        let output = agent(&["rules", "suggest"], &run);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(text(&output.stdout), expect);
        assert_eq!(text(&output.stderr), "");
    }
    let output = agent(&["rules", "suggest", "--json"], &directory);
    let rules: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rule = "GET /orders/{id} => expect added /currency";
    assert_eq!(rules[0]["rule"], rule);
    assert_eq!(rules.as_array().unwrap().len(), 1);
}

#[test]
fn without_noise_beside_the_report_that_is_said_and_without_a_report_nothing_is_printed() {
    let scratch = Scratch::new("bare");
    write_report(&scratch.0.join("run"), false);
    let output = agent(&["rules", "suggest"], &scratch.0.join("run"));
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("no noise.json"));
    let output = agent(&["rules", "suggest"], &scratch.0);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout), "");
    assert!(text(&output.stderr).contains("report.json"));
}

#[test]
fn a_run_does_not_start_from_what_is_no_noise_file() {
    let scratch = Scratch::new("noise");
    let report = scratch.0.join("report");
    let foreign = scratch.0.join("foreign.json");
    fs::write(&foreign, "{}").unwrap();
    let missing = scratch.0.join("missing.json");
    for (file, why) in [(missing, "No such file"), (foreign, "not a noise file")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mirror-agent"));
        command.args(["replay", "none.pcap", "--target", "http://127.0.0.1:9"]);
        command.arg("--report").arg(&report);
        let output = command.arg("--noise").arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let errors = text(&output.stderr);
        assert!(errors.contains(why), "{errors}");
        assert!(errors.contains(file.to_str().unwrap()), "{errors}");
        assert!(!report.exists(), "nothing was started");
    }
}
