//! What became of changes, kept from run to run.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Mutant;

/// What became of a change.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) enum Summary {
    #[serde(rename = "CaughtMutant")]
    Caught,
    #[serde(rename = "MissedMutant")]
    Missed,
    /// The tests ran on and on.
    Timeout,
    /// It does not build.
    Unviable,
    /// Its build could not be tested.
    Failure,
    Success,
}

impl Summary {
    /// More tests cannot change it.
    pub(super) fn is_settled(self) -> bool {
        matches!(self, Self::Caught | Self::Timeout | Self::Unviable)
    }
}

/// By what is changed to what with the lines around it, wherever in the file that is now.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Record(BTreeMap<String, Summary>);

impl Record {
    /// Empty where there is none yet.
    pub(super) fn read(file: &Path) -> Result<Self> {
        match file.exists() {
            true => read(file),
            false => Ok(Self::default()),
        }
    }

    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_vec(self).context("writing down what became of changes")?;
        std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))
    }

    pub(super) fn of(&self, mutant: &Mutant) -> Option<Summary> {
        self.0.get(&key(mutant)).copied()
    }

    pub(super) fn forget(&mut self, mutants: &[&Mutant]) {
        for mutant in mutants {
            self.0.remove(&key(mutant));
        }
    }

    /// Adds what a run left in its folder, also if the run was interrupted.
    pub(super) fn learn(&mut self, folder: &Path) -> Result<()> {
        let (mutants, outcomes) = (folder.join("mutants.json"), folder.join("outcomes.json"));
        if !mutants.exists() || !outcomes.exists() {
            return Ok(());
        }
        let mutants: Vec<Mutant> = read(&mutants)?;
        let keys: BTreeMap<&str, String> = mutants
            .iter()
            .map(|mutant| (mutant.name.as_str(), key(mutant)))
            .collect();
        for outcome in read::<Run>(&outcomes)?.outcomes {
            if let Scenario::Mutant(Named { name }) = &outcome.scenario
                && let Some(key) = keys.get(name.as_str())
            {
                self.0.insert(key.clone(), outcome.summary);
            }
        }
        Ok(())
    }
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let text = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("reading {}", file.display()))
}

/// The diff without the line that says where it is.
fn key(mutant: &Mutant) -> String {
    let lines = mutant.diff.lines();
    let kept: Vec<_> = lines.filter(|line| !line.starts_with("@@ ")).collect();
    kept.join("\n")
}

/// The file that cargo mutants writes.
#[derive(Deserialize)]
struct Run {
    outcomes: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    scenario: Scenario,
    summary: Summary,
}

#[derive(Deserialize)]
enum Scenario {
    Baseline,
    Mutant(Named),
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[cfg(test)]
mod tests {
    use mirror_tests::scratch::Scratch;
    use serde_json::json;

    use super::*;

    fn mutant(line: u32, change: &str) -> Mutant {
        Mutant {
            name: format!("a.rs:{line}:1: {change}"),
            file: "a.rs".into(),
            diff: format!("--- a.rs\n+++ {change}\n@@ -{line},3 +{line},3 @@\n-a < b\n+a > b\n"),
        }
    }

    #[test]
    fn what_is_known_of_a_change_is_known_wherever_its_lines_move() {
        let scratch = Scratch::new().unwrap();
        let outcome = |mutant: &Mutant, summary: &str| {
            let named = json!({ "name": mutant.name, "file": mutant.file });
            json!({ "summary": summary, "scenario": { "Mutant": named } })
        };
        let (caught, missed) = (mutant(1, "one"), mutant(2, "two"));
        let run = json!({ "outcomes": [
            { "summary": "Success", "scenario": "Baseline" },
            outcome(&caught, "CaughtMutant"),
            outcome(&missed, "MissedMutant"),
        ] });
        let mutants = [caught, missed];
        let listed = serde_json::to_string(&mutants).unwrap();
        std::fs::write(scratch.join("mutants.json"), listed).unwrap();
        std::fs::write(scratch.join("outcomes.json"), run.to_string()).unwrap();
        let mut record = Record::default();
        record.learn(scratch.path()).unwrap();
        let file = scratch.join("record.json");
        record.write(&file).unwrap();
        let mut record = Record::read(&file).unwrap();
        assert_eq!(record.of(&mutant(70, "one")), Some(Summary::Caught));
        assert_eq!(record.of(&mutant(2, "two")), Some(Summary::Missed));
        assert_eq!(record.of(&mutant(2, "three")), None);
        record.forget(&mutants.each_ref());
        assert_eq!(record.of(&mutant(1, "one")), None);
        // Of a run that was ended before it began.
        record.learn(&scratch.join("nowhere")).unwrap();
    }
}
