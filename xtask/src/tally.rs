//! Counts tests by what test programs print: cargo, Maven, and our own closing lines.

use std::fmt;
use std::ops::AddAssign;

/// How many tests passed, failed, and were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The closing line, which other programs read.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// Which lines of an output count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; …`, one for each test program
    Cargo,
    /// `Tests run: 4, Failures: 0, Errors: 0, Skipped: 1`, one for each module
    Maven,
    /// The last line of the form of [`Tally`].
    Closing,
    /// It counts as one test, which passes with the program.
    Exit,
    /// It is no test, but a failure is one.
    Nothing,
}

impl Counts {
    /// The tests that an output tells of, of a program that succeeded or not.
    pub(crate) fn read(self, output: &str, succeeded: bool) -> Tally {
        let mut tally = Tally::default();
        match self {
            Self::Cargo => output
                .lines()
                .filter_map(cargo)
                .for_each(|one| tally += one),
            Self::Maven => output
                .lines()
                .filter_map(maven)
                .for_each(|one| tally += one),
            Self::Closing => tally = output.lines().rev().find_map(closing).unwrap_or_default(),
            Self::Exit => tally.passed = u64::from(succeeded),
            Self::Nothing => {}
        }
        // One that does not build, or that dies, has no line about it.
        if !succeeded && tally.failed == 0 {
            tally.failed = 1;
        }
        tally
    }

    /// The tests that were skipped, with the reason where there is one.
    pub(crate) fn skipped(self, output: &str) -> Vec<String> {
        let ignored = |line: &str| {
            let rest = line.strip_prefix("test ")?;
            let (name, reason) = rest.split_once(" ... ignored")?;
            Some(format!("{}{reason}", name.trim_end()))
        };
        match self {
            Self::Cargo => output.lines().filter_map(ignored).collect(),
            Self::Maven | Self::Exit | Self::Nothing => Vec::new(),
            Self::Closing => {
                let named = output
                    .lines()
                    .filter_map(|line| line.strip_prefix(SKIPPED))
                    .map(str::to_owned);
                named.collect()
            }
        }
    }
}

/// Begins a line that names a skipped test.
pub(crate) const SKIPPED: &str = "skipped: ";

fn cargo(line: &str) -> Option<Tally> {
    let rest = line.strip_prefix("test result: ")?;
    Some(Tally {
        passed: before(rest, " passed")?,
        failed: before(rest, " failed")?,
        skipped: before(rest, " ignored")?,
    })
}

fn maven(line: &str) -> Option<Tally> {
    // With a time it is a class of a module, whose own line follows.
    if line.contains("Time elapsed") {
        return None;
    }
    let rest = line.split_once("Tests run: ")?.1;
    let number = |name: &str| -> Option<u64> { after(rest, name) };
    let run: u64 = rest.split(',').next()?.trim().parse().ok()?;
    let failed = number("Failures: ")? + number("Errors: ")?;
    let skipped = number("Skipped: ")?;
    Some(Tally {
        passed: run.checked_sub(failed + skipped)?,
        failed,
        skipped,
    })
}

/// A line of the form of [`Tally`].
pub(crate) fn closing(line: &str) -> Option<Tally> {
    let tally = Tally {
        passed: before(line, " passed")?,
        failed: before(line, " failed")?,
        skipped: before(line, " skipped")?,
    };
    (line.trim() == tally.to_string()).then_some(tally)
}

/// The number in front of `word`.
fn before(text: &str, word: &str) -> Option<u64> {
    let (head, _) = text.split_once(word)?;
    head.rsplit(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// The number behind `word`.
fn after(text: &str, word: &str) -> Option<u64> {
    let rest = text.split_once(word)?.1;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(counts: Counts, output: &str, succeeded: bool, expect: [u64; 3]) {
        let tally = counts.read(output, succeeded);
        let found = [tally.passed, tally.failed, tally.skipped];
        assert_eq!(found, expect, "{counts:?} of {output}");
    }

    #[test]
    fn test_programs_of_cargo_are_added_up() {
        let line = "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 1.00s";
        check(
            Counts::Cargo,
            &format!("{line}\n\n{line}\n"),
            true,
            [24, 0, 6],
        );
        let failed = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured";
        check(
            Counts::Cargo,
            &format!("{failed}\n{line}"),
            false,
            [13, 2, 3],
        );
    }

    #[test]
    fn what_does_not_build_is_a_failure() {
        for counts in [
            Counts::Cargo,
            Counts::Maven,
            Counts::Closing,
            Counts::Exit,
            Counts::Nothing,
        ] {
            check(counts, "error: could not compile", false, [0, 1, 0]);
        }
        check(Counts::Exit, "", true, [1, 0, 0]);
        check(Counts::Nothing, "", true, [0, 0, 0]);
    }

    #[test]
    fn modules_of_maven_are_added_up_and_their_classes_are_not() {
        let output = "[INFO] Tests run: 4, Failures: 0, Errors: 0, Skipped: 1, Time elapsed: 0.2 s -- in A\n\
            [WARNING] Tests run: 4, Failures: 0, Errors: 0, Skipped: 1\n\
            [ERROR] Tests run: 9, Failures: 1, Errors: 2, Skipped: 0\n";
        check(Counts::Maven, output, false, [9, 3, 1]);
    }

    #[test]
    fn the_last_closing_line_counts() {
        let output =
            "1 passed, 0 failed, 0 skipped\n7 passed, 1 failed, 2 skipped\nerror: failed\n";
        check(Counts::Closing, output, false, [7, 1, 2]);
        check(
            Counts::Closing,
            "said 3 passed, 0 failed, 0 skipped",
            true,
            [0, 0, 0],
        );
        let tally = Counts::Closing.read("5 passed, 0 failed, 2 skipped", true);
        assert_eq!(tally.to_string(), "5 passed, 0 failed, 2 skipped");
    }

    #[test]
    fn skipped_tests_are_named_with_their_reason() {
        let output = "test a::b ... ok\ntest a::c ... ignored, needs root\ntest d ... ignored\n";
        assert_eq!(Counts::Cargo.skipped(output), ["a::c, needs root", "d"]);
        let output = "skipped: the kernel object: no tool chain\nother\n";
        assert_eq!(
            Counts::Closing.skipped(output),
            ["the kernel object: no tool chain"]
        );
    }
}
