//! Changes by file: how many were caught, and which were not.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use anyhow::{Result, ensure};

use super::Mutant;
use super::explained;
use super::record::Summary;
use crate::say::say;

/// Of the changes that build at most so many percent may survive.
const MOST_SURVIVE: f64 = 5.0;

#[derive(Debug, Default)]
pub(super) struct Table {
    files: BTreeMap<String, Count>,
    survivors: Vec<Survivor>,
}

#[derive(Debug)]
struct Survivor {
    name: String,
    /// Why no test can notice it, or none should.
    reason: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    caught: u32,
    timeout: u32,
    unviable: u32,
    missed: u32,
    untried: u32,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.caught += other.caught;
        self.timeout += other.timeout;
        self.unviable += other.unviable;
        self.missed += other.missed;
        self.untried += other.untried;
    }
}

impl Count {
    fn all(&self) -> u32 {
        self.caught + self.timeout + self.unviable + self.missed + self.untried
    }

    /// Percent of those that build. A test that runs on and on because of a change has noticed it.
    fn share(&self) -> f64 {
        let built = self.caught + self.timeout + self.missed;
        100.0 * f64::from(self.missed) / f64::from(built.max(1))
    }
}

impl Table {
    pub(super) fn add(&mut self, mutant: &Mutant, summary: Option<Summary>) {
        let count = self.files.entry(mutant.file.clone()).or_default();
        match summary {
            Some(Summary::Caught) => count.caught += 1,
            Some(Summary::Timeout) => count.timeout += 1,
            Some(Summary::Unviable) => count.unviable += 1,
            Some(Summary::Missed) => {
                count.missed += 1;
                self.survivors.push(Survivor {
                    name: mutant.name.clone(),
                    reason: explained::reason(mutant),
                });
            }
            Some(Summary::Failure | Summary::Success) | None => count.untried += 1,
        }
    }

    fn total(&self) -> Count {
        let mut total = Count::default();
        self.files.values().for_each(|count| total += *count);
        total
    }

    pub(super) fn show(&self) {
        let words = [
            "mutants", "caught", "unviable", "timeout", "missed", "share",
        ];
        let words: String = words.iter().map(|word| format!("{word:>10}")).collect();
        say!("\n{:<44}{words}", "file");
        for (file, count) in &self.files {
            row(file, count);
        }
        row("all", &self.total());
        for Survivor { name, reason } in &self.survivors {
            say!("missed: {name}: {}", reason.unwrap_or("NOT EXPLAINED"));
        }
    }

    /// Whether so many survived as may, and each for a reason.
    pub(super) fn judge(&self) -> Result<()> {
        let total = self.total();
        let unexplained = self.survivors.iter().filter(|one| one.reason.is_none());
        let unexplained = unexplained.count();
        ensure!(
            total.untried == 0,
            "{} changes were not tried: run it with --again",
            total.untried
        );
        ensure!(
            total.share() <= MOST_SURVIVE,
            "{:.1} % of the changes survive, and {MOST_SURVIVE} % may: write tests for their rules",
            total.share()
        );
        ensure!(
            unexplained == 0,
            "{unexplained} changes survive without a reason: write tests for their rules, make the code simpler, or \
             write the reason into xtask/src/mutants/explained.rs"
        );
        Ok(())
    }
}

fn row(file: &str, count: &Count) {
    let Count {
        caught,
        timeout,
        unviable,
        missed,
        untried,
    } = count;
    let (all, share) = (count.all(), count.share());
    let untried = match untried {
        0 => String::new(),
        untried => format!("  {untried} not tried"),
    };
    say!(
        "{file:<44}{all:>10}{caught:>10}{unviable:>10}{timeout:>10}{missed:>10}{share:>9.1}%{untried}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(outcomes: &[(u32, Option<Summary>)]) -> Table {
        let mut table = Table::default();
        for (count, summary) in outcomes {
            let mutant = Mutant {
                name: "a.rs:1:1: replace < with > in f".into(),
                file: "a.rs".into(),
                diff: String::new(),
            };
            (0..*count).for_each(|_| table.add(&mutant, *summary));
        }
        table
    }

    #[test]
    fn the_share_is_of_changes_that_build() {
        let table = table(&[
            (17, Some(Summary::Caught)),
            (2, Some(Summary::Timeout)),
            (1, Some(Summary::Missed)),
            (80, Some(Summary::Unviable)),
        ]);
        let total = table.total();
        assert_eq!((total.all(), total.share()), (100, 5.0));
    }

    #[test]
    fn too_many_survivors_and_those_without_a_reason_fail() {
        let wrong = |outcomes: &[(u32, Option<Summary>)]| {
            let judged = table(outcomes).judge();
            judged
                .err()
                .map_or(String::new(), |error| error.to_string())
        };
        assert_eq!(wrong(&[(1, Some(Summary::Caught))]), "");
        let few = [(19, Some(Summary::Caught)), (1, Some(Summary::Missed))];
        assert!(wrong(&few).contains("without a reason"));
        let many = [(18, Some(Summary::Caught)), (1, Some(Summary::Missed))];
        assert!(wrong(&many).contains("5.3 %"));
        let open = [(18, Some(Summary::Caught)), (1, None)];
        assert!(wrong(&open).contains("--again"));
    }
}
