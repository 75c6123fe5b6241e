//! What became of a pinned set: a verdict for each request, without statistics.

use std::fmt::Write;

use anyhow::Context;
use mirror_core::verdict::Decision;
use mirror_core::verdict::words::count;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use crate::printable::printable;

/// Requests that a text names.
const MAX_SHOWN: usize = 50;

/// How one request of a pinned set ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PinnedOutcome {
    /// It was answered as is expected.
    Passed,
    /// It was answered otherwise, or not at all.
    Failed,
    /// It was not sent, or there is nothing to hold its answer against.
    Skipped,
}

/// One request of a pinned set.
#[derive(Clone, Debug, Serialize)]
pub struct PinnedCase {
    /// The name that it was given, else method and target.
    pub name: String,
    pub request: String,
    pub id: Option<String>,
    pub outcome: PinnedOutcome,
    /// Why it failed without an answer, or was skipped.
    pub reason: Option<String>,
    pub expected_status: Option<u16>,
    pub status: Option<u16>,
    pub milliseconds: Option<f64>,
    pub differences: Vec<PinnedDifference>,
}

#[derive(Clone, Debug, Serialize)]
pub struct PinnedDifference {
    pub place: String,
    /// With its severity, as in `missing, breaking`.
    pub kind: String,
    pub expected: String,
    pub answered: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct PinnedReport {
    pub decision: Decision,
    pub reason: String,
    pub target: String,
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
    pub seconds: f64,
    /// In the order of the set.
    pub cases: Vec<PinnedCase>,
}

impl PinnedReport {
    /// PASS if all that could be judged are as expected, HOLD if nothing could be.
    pub fn new(target: String, seconds: f64, cases: Vec<PinnedCase>) -> Self {
        let all = |outcome| cases.iter().filter(|case| case.outcome == outcome).count() as u64;
        let [passed, failed, skipped] = [
            PinnedOutcome::Passed,
            PinnedOutcome::Failed,
            PinnedOutcome::Skipped,
        ]
        .map(all);
        let judged = match passed + failed {
            1 => "1 request".to_owned(),
            several => format!("{} requests", count(several)),
        };
        let (decision, reason) = match (passed, failed) {
            (0, 0) => (Decision::Hold, "no request could be judged".to_owned()),
            (_, 0) => (Decision::Pass, format!("{judged} answered as is expected")),
            _ => (
                Decision::Fail,
                format!("{failed} of {judged} answered otherwise than is expected"),
            ),
        };
        Self {
            decision,
            reason,
            target,
            passed,
            failed,
            skipped,
            seconds,
            cases,
        }
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut named = 0;
        for case in &self.cases {
            if case.outcome == PinnedOutcome::Passed {
                continue;
            }
            named += 1;
            if named > MAX_SHOWN {
                continue;
            }
            let word = match case.outcome {
                PinnedOutcome::Skipped => "skipped",
                _ => "FAILED",
            };
            let _ = writeln!(text, "{word}  {}", printable(&case.title()));
            for line in case.lines() {
                let _ = writeln!(text, "    {}", printable(&line));
            }
        }
        if named > MAX_SHOWN {
            let _ = writeln!(text, "and {} more: --json has all", named - MAX_SHOWN);
        }
        let decision = self.decision.name().to_uppercase();
        let _ = writeln!(
            text,
            "{decision} (exit code {}): {}; {} skipped, {:.1} s, against {}",
            self.decision.exit_code(),
            self.reason,
            self.skipped,
            self.seconds,
            self.target
        );
        text
    }

    /// Each request is a test.
    pub fn junit(&self) -> anyhow::Result<String> {
        let mut suite = TestSuite::new("pinned");
        suite.add_property(("target", self.target.as_str()));
        suite.add_test_cases(self.cases.iter().map(PinnedCase::test));
        let mut report = Report::new("mirror");
        report.add_test_suite(suite);
        report
            .to_string()
            .context("writing the report as JUnit XML")
    }
}

impl PinnedCase {
    /// With what names the request, where it has a name of its own.
    fn title(&self) -> String {
        let id = self.id.as_ref().map(|id| format!(" ({id})"));
        let request = format!("{}{}", self.request, id.unwrap_or_default());
        match self.name == self.request {
            true => request,
            false => format!("{}: {request}", self.name),
        }
    }

    fn lines(&self) -> Vec<String> {
        let reason = self.reason.iter().cloned();
        let differences = self.differences.iter().map(|one| {
            format!(
                "{} ({}): expected {}, answered {}",
                one.place, one.kind, one.expected, one.answered
            )
        });
        reason.chain(differences).collect()
    }

    fn test(&self) -> TestCase {
        let lines = self.lines();
        let first = lines.first().cloned().unwrap_or_default();
        let status = match self.outcome {
            PinnedOutcome::Passed => TestCaseStatus::success(),
            PinnedOutcome::Skipped => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(first);
                status
            }
            PinnedOutcome::Failed => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_type("FAIL").set_message(first);
                status.set_description(lines.join("\n"));
                status
            }
        };
        let mut case = TestCase::new(self.title(), status);
        case.set_classname("mirror.pinned");
        if let Some(millis) = self.milliseconds {
            case.set_time(std::time::Duration::from_secs_f64(millis / 1e3));
        }
        case
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(outcome: PinnedOutcome) -> PinnedCase {
        PinnedCase {
            name: "GET /\u{1b}[2J<a>".into(),
            request: "GET /\u{1b}[2J<a>".into(),
            id: None,
            outcome,
            reason: Some("a \"reason\"".into()),
            expected_status: None,
            status: None,
            milliseconds: None,
            differences: Vec::new(),
        }
    }

    #[test]
    fn a_set_passes_by_what_was_judged_and_holds_where_nothing_was() {
        use PinnedOutcome::{Failed, Passed, Skipped};
        let check = |outcomes: &[PinnedOutcome], expect: Decision| {
            let cases = outcomes.iter().copied().map(case).collect();
            let report = PinnedReport::new("http://m".into(), 1.0, cases);
            assert_eq!(report.decision, expect, "{outcomes:?}");
        };
        check(&[], Decision::Hold);
        check(&[Skipped], Decision::Hold);
        check(&[Passed, Skipped], Decision::Pass);
        check(&[Passed, Failed], Decision::Fail);
        check(&[Failed], Decision::Fail);
    }

    #[test]
    fn nothing_of_the_traffic_speaks_to_the_terminal_or_breaks_the_xml() {
        let cases = vec![case(PinnedOutcome::Failed), case(PinnedOutcome::Skipped)];
        let report = PinnedReport::new("http://m".into(), 1.0, cases);
        assert!(!report.text().contains('\u{1b}'), "{}", report.text());
        let xml = report.junit().unwrap();
        assert!(
            !xml.contains('\u{1b}') && xml.contains("&lt;a&gt;"),
            "{xml}"
        );
    }
}
