//! Output of test programs → the tests that failed, each with its message. A log may be cut in its middle, so its end says both
//! again.

use std::path::Path;

use crate::tally::{Counts, SKIPPED, closing};

/// Messages that the end of a log repeats. Further tests are only named.
const MAX_MESSAGES: usize = 10;
/// Lines of one message.
const MAX_LINES: usize = 20;

/// A test that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) test: String,
    /// At most [`MAX_LINES`].
    pub(crate) message: Vec<String>,
}

impl Failure {
    fn new(test: &str, message: Vec<String>) -> Self {
        Self {
            test: test.to_owned(),
            message,
        }
    }
}

impl Counts {
    /// The tests that failed, in the order of the output. Empty where the output names none.
    pub(crate) fn failures(self, output: &str) -> Vec<Failure> {
        let lines: Vec<&str> = output.lines().collect();
        let find: fn(&[&str], usize) -> Option<Failure> = match self {
            Self::Cargo => |lines, at| cargo(lines, at).or_else(|| died(lines[at])),
            Self::Maven => maven,
            Self::Closing => check,
            Self::Exit | Self::Nothing => return Vec::new(),
        };
        (0..lines.len()).filter_map(|at| find(&lines, at)).collect()
    }
}

/// What stands for the message of a part that failed and named no test: the end of its output.
pub(crate) fn last_lines(output: &str) -> Vec<String> {
    last(output.lines().collect())
}

/// The end of a log: a line for each test, then the messages of the first ones.
pub(crate) fn summary<'a>(failures: impl Iterator<Item = (&'a str, &'a Failure)>) -> String {
    let (mut names, mut messages) = (String::new(), String::new());
    for (index, (part, failure)) in failures.enumerate() {
        let name = format!("{part}: {}", failure.test);
        names += &format!("failed test: {name}\n");
        if index < MAX_MESSAGES && !failure.message.is_empty() {
            messages += &format!("\n{name}\n    {}\n", failure.message.join("\n    "));
        }
    }
    names + &messages
}

/// Of libtest (`---- a::test stdout ----`) and of libtest-mimic (`---- a::test ----`).
fn cargo(lines: &[&str], at: usize) -> Option<Failure> {
    let title = lines[at].strip_prefix("---- ")?.strip_suffix(" ----")?;
    let test = title.strip_suffix(" stdout").unwrap_or(title);
    let ends = |line: &&&str| {
        line.starts_with("---- ")
            || **line == "failures:"
            || line.to_ascii_lowercase().starts_with("stack backtrace:")
    };
    let message = lines[at + 1..].iter().take_while(|line| !ends(line));
    // A panic comes after what the test printed.
    Some(Failure::new(test, last(message.copied().collect())))
}

/// A test program that a signal ended tells nothing about its tests.
fn died(line: &str) -> Option<Failure> {
    let rest = line.strip_prefix("  process didn't exit successfully: `")?;
    let (command, how) = rest.split_once("` (")?;
    let program = Path::new(command.split(' ').next()?).file_name()?;
    let how = format!("the test program ended early ({how}");
    Some(Failure::new(&program.to_string_lossy(), vec![how]))
}

/// Of Surefire: `[ERROR] a.Class.test -- Time elapsed: 0.1 s <<< FAILURE!`
fn maven(lines: &[&str], at: usize) -> Option<Failure> {
    let (test, rest) = lines[at]
        .strip_prefix("[ERROR] ")?
        .split_once(" -- Time elapsed: ")?;
    if !rest.ends_with("<<< FAILURE!") && !rest.ends_with("<<< ERROR!") {
        return None;
    }
    let ends = |line: &&&str| {
        ["[INFO]", "[ERROR]", "[WARNING]"]
            .iter()
            .any(|level| line.starts_with(level))
    };
    let foreign = |line: &&str| {
        let frame = line.trim_start().strip_prefix("at ");
        frame
            .is_some_and(|frame| frame.starts_with("java.base/") || frame.starts_with("org.junit."))
    };
    let message = lines[at + 1..].iter().take_while(|line| !ends(line));
    let own = message.copied().filter(|line| !foreign(line));
    Some(Failure::new(test, first(own.collect())))
}

/// Of a task of this program: `name: FAILED: why`
fn check(lines: &[&str], at: usize) -> Option<Failure> {
    let (test, why) = lines[at].split_once(FAILED)?;
    let ends = |line: &&&str| {
        line.starts_with("+ ")
            || line.starts_with(SKIPPED)
            || line.ends_with(": clean")
            || line.contains(FAILED)
            || closing(line).is_some()
    };
    let more = lines[at + 1..].iter().take_while(|line| !ends(line));
    let message = std::iter::once(why).chain(more.copied());
    Some(Failure::new(test, first(message.collect())))
}

const FAILED: &str = ": FAILED: ";

fn first(lines: Vec<&str>) -> Vec<String> {
    let lines = trimmed(&lines);
    let kept = lines.iter().take(MAX_LINES);
    kept.map(|line| (*line).to_owned()).collect()
}

fn last(lines: Vec<&str>) -> Vec<String> {
    let lines = trimmed(&lines);
    let kept = lines.iter().skip(lines.len().saturating_sub(MAX_LINES));
    kept.map(|line| (*line).to_owned()).collect()
}

/// Without the empty lines at both ends.
fn trimmed<'a, 'b>(lines: &'b [&'a str]) -> &'b [&'a str] {
    let is_text = |line: &&str| !line.trim().is_empty();
    let from = lines.iter().position(is_text).unwrap_or(lines.len());
    let to = lines.iter().rposition(is_text).map_or(from, |at| at + 1);
    &lines[from..to]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(counts: Counts, output: &str, expect: &[(&str, &[&str])]) {
        let found = counts.failures(output);
        let found: Vec<(&str, Vec<&str>)> = found
            .iter()
            .map(|one| {
                let message = one.message.iter().map(String::as_str).collect();
                (one.test.as_str(), message)
            })
            .collect();
        let expect: Vec<(&str, Vec<&str>)> = expect
            .iter()
            .map(|(test, message)| (*test, message.to_vec()))
            .collect();
        assert_eq!(found, expect);
    }

    const LIBTEST: &str = "\
running 5 tests
test deep::should - should panic ... FAILED
test deep::skipped ... ignored, needs root
test differs ... FAILED

failures:

---- deep::should stdout ----
note: test did not panic as expected at t.rs:5:28
---- differs stdout ----
said before

thread 'differs' (14047) panicked at t.rs:2:49:
assertion `left == right` failed: what it is
  left: 1
 right: 2
stack backtrace:
   0: __rustc::rust_begin_unwind


failures:
    deep::should
    differs

test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.22s
";

    #[test]
    fn libtest_names_a_test_above_its_message() {
        let differs = [
            "said before",
            "",
            "thread 'differs' (14047) panicked at t.rs:2:49:",
            "assertion `left == right` failed: what it is",
            "  left: 1",
            " right: 2",
        ];
        let expect: [(&str, &[&str]); 2] = [
            (
                "deep::should",
                &["note: test did not panic as expected at t.rs:5:28"],
            ),
            ("differs", &differs),
        ];
        check(Counts::Cargo, LIBTEST, &expect);
    }

    #[test]
    fn libtest_mimic_does_too() {
        let output = "\nfailures:\n\n---- report::a_test ----\nno report\n\nCaused by:\n    no file\n\n\nfailures:\n    report::a_test\n";
        check(
            Counts::Cargo,
            output,
            &[(
                "report::a_test",
                &["no report", "", "Caused by:", "    no file"],
            )],
        );
    }

    #[test]
    fn doc_tests_have_a_place_for_a_name() {
        let output = "failures:\n\n---- src/lib.rs - documented (line 2) stdout ----\nTest executable failed (exit status: 101).\n\n\nfailures:\n    src/lib.rs - documented (line 2)\n";
        check(
            Counts::Cargo,
            output,
            &[(
                "src/lib.rs - documented (line 2)",
                &["Test executable failed (exit status: 101)."],
            )],
        );
    }

    #[test]
    fn a_test_program_that_dies_is_named() {
        let output = "running 1 test\nerror: test failed, to rerun pass `--lib`\n\nCaused by:\n  process didn't exit successfully: \
            `/x/target/debug/deps/cmini-d0022ccf7e216b5a` (signal: 6, SIGABRT: process abort signal)\n   Doc-tests cmini\n";
        check(
            Counts::Cargo,
            output,
            &[(
                "cmini-d0022ccf7e216b5a",
                &["the test program ended early (signal: 6, SIGABRT: process abort signal)"],
            )],
        );
    }

    const SUREFIRE: &str = "\
[INFO] Running m.BeforeTest
[ERROR] Tests run: 1, Failures: 0, Errors: 1, Skipped: 0, Time elapsed: 0.111 s <<< FAILURE! -- in m.BeforeTest
[ERROR] m.BeforeTest -- Time elapsed: 0.111 s <<< ERROR!
java.lang.IllegalStateException: no server
\tat m.BeforeTest.start(BeforeTest.java:4)
\tat java.base/java.lang.reflect.Method.invoke(Method.java:569)

[INFO] Running m.FirstTest
[ERROR] Tests run: 6, Failures: 3, Errors: 1, Skipped: 1, Time elapsed: 0.002 s <<< FAILURE! -- in m.FirstTest
[ERROR] m.FirstTest.with_argument(Path) -- Time elapsed: 0.029 s <<< FAILURE!
org.opentest4j.AssertionFailedError: 
what it is ==> expected: <a
b> but was: <a
c>
\tat org.junit.jupiter.api.AssertionUtils.fail(AssertionUtils.java:38)
\tat m.FirstTest.with_argument(FirstTest.java:8)
\tat java.base/java.util.ArrayList.forEach(ArrayList.java:1511)

[INFO] 
[INFO] Results:
[INFO] 
[ERROR] Failures: 
[ERROR]   FirstTest.with_argument:8 what it is ==> expected: <a
b> but was: <a
c>
[ERROR] Errors: 
[ERROR]   BeforeTest.start:4 IllegalState no server
[INFO] 
[ERROR] Tests run: 7, Failures: 1, Errors: 1, Skipped: 1
";

    #[test]
    fn surefire_names_class_and_method_above_the_message() {
        let before = [
            "java.lang.IllegalStateException: no server",
            "\tat m.BeforeTest.start(BeforeTest.java:4)",
        ];
        let with_argument = [
            "org.opentest4j.AssertionFailedError: ",
            "what it is ==> expected: <a",
            "b> but was: <a",
            "c>",
            "\tat m.FirstTest.with_argument(FirstTest.java:8)",
        ];
        let expect: [(&str, &[&str]); 2] = [
            ("m.BeforeTest", &before),
            ("m.FirstTest.with_argument(Path)", &with_argument),
        ];
        check(Counts::Maven, SUREFIRE, &expect);
    }

    #[test]
    fn a_task_names_its_checks() {
        let output = "format: clean\n+ cargo clippy\nclippy: FAILED: cargo clippy: exit status: 101\nmodule circles: FAILED: circles:\na: b, c\n\
            harness: clean\n7 passed, 2 failed, 0 skipped\nerror: not all checks passed\n";
        check(
            Counts::Closing,
            output,
            &[
                ("clippy", &["cargo clippy: exit status: 101"]),
                ("module circles", &["circles:", "a: b, c"]),
            ],
        );
    }

    #[test]
    fn a_program_that_passes_names_nothing() {
        let output = "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 1.00s\n\
            [WARNING] Tests run: 4, Failures: 0, Errors: 0, Skipped: 1, Time elapsed: 0.2 s -- in m.A\n";
        for counts in [
            Counts::Cargo,
            Counts::Maven,
            Counts::Closing,
            Counts::Exit,
            Counts::Nothing,
        ] {
            check(counts, output, &[]);
        }
    }

    #[test]
    fn a_long_message_keeps_the_end_that_matters() {
        let lines: String = (0..50).map(|n| format!("line {n}\n")).collect();
        let rust = Counts::Cargo.failures(&format!("---- a stdout ----\n{lines}\nfailures:\n"));
        assert_eq!(rust[0].message.len(), MAX_LINES);
        assert_eq!(rust[0].message[MAX_LINES - 1], "line 49");
        let java = Counts::Maven.failures(&format!(
            "[ERROR] m.A.b -- Time elapsed: 1 s <<< ERROR!\n{lines}\n"
        ));
        assert_eq!(java[0].message.len(), MAX_LINES);
        assert_eq!(java[0].message[0], "line 0");
        assert_eq!(last_lines(&lines)[0], "line 30");
    }

    #[test]
    fn the_end_names_all_and_repeats_ten_messages() {
        let failures: Vec<Failure> = (0..12)
            .map(|n| {
                Failure::new(
                    &format!("test{n}."),
                    vec![format!("why {n}."), "more".into()],
                )
            })
            .collect();
        let text = summary(failures.iter().map(|failure| ("java", failure)));
        for n in 0..12 {
            assert!(
                text.contains(&format!("failed test: java: test{n}.\n")),
                "{text}"
            );
            assert_eq!(
                text.contains(&format!("\njava: test{n}.\n    why {n}.\n    more\n")),
                n < MAX_MESSAGES,
                "{text}"
            );
        }
    }
}
