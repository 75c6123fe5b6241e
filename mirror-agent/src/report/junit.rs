//! The report as JUnit XML, for build servers that show tests: the decision is one test, and each route is one.

use std::collections::BTreeMap;

use anyhow::Context;
use mirror_core::verdict::words::percent;
use mirror_core::verdict::{Decision, Judgement, RouteFigures};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::facts;
use super::judgement::{ShownFinding, rule_met};
use super::status::ReportData;

/// Reasons in the text of a test.
const MAX_REASONS: usize = 20;

pub fn junit(report: &ReportData) -> anyhow::Result<String> {
    let verdict = &report.results.verdict;
    let mut suite = TestSuite::new("verdict");
    for [name, value] in facts::of_report(report) {
        suite.add_property((name.as_str(), value.as_str()));
    }
    suite.add_test_case(decision(verdict));
    let mut routes = TestSuite::new("routes");
    routes.add_test_cases(cases(verdict));
    let mut all = Report::new("mirror");
    all.add_test_suites([suite, routes]);
    all.to_string().context("writing the report as JUnit XML")
}

/// A build is green for a PASS alone.
fn decision(verdict: &Judgement) -> TestCase {
    let status = match verdict.decision {
        Decision::Pass => TestCaseStatus::success(),
        Decision::Fail => not_passed(NonSuccessKind::Failure, "FAIL", &verdict.reason),
        Decision::Hold => not_passed(NonSuccessKind::Error, "HOLD", &verdict.reason),
        Decision::Invalid => not_passed(NonSuccessKind::Error, "INVALID", &verdict.reason),
    };
    let mut case = TestCase::new("decision", status);
    case.set_classname("mirror");
    case.set_system_out(format!("{}: {}", verdict.decision.name(), verdict.reason));
    case
}

fn not_passed(kind: NonSuccessKind, name: &str, reason: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(name).set_message(reason);
    status
}

/// One for each route with figures, and for each other one on which the run fails.
fn cases(verdict: &Judgement) -> Vec<TestCase> {
    let mut failing = failing(verdict);
    let routes = verdict.routes.iter();
    let mut cases: Vec<_> = routes
        .map(|route| match failing.remove(route.scope.as_str()) {
            Some(why) => failed(&route.scope, &why),
            None => case(&route.scope, passed_or_skipped(route)),
        })
        .collect();
    cases.extend(failing.iter().map(|(route, why)| failed(route, why)));
    cases
}

/// By route, a line for each of its reasons.
fn failing(verdict: &Judgement) -> BTreeMap<&str, Vec<String>> {
    let mut routes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for finding in &verdict.findings {
        let shown = ShownFinding::new(finding, false);
        let line = format!("{} ({}): {}", shown.place, shown.kind, shown.sentence());
        routes.entry(&finding.route).or_default().push(line);
    }
    for met in &verdict.rules_met {
        routes.entry(&met.scope).or_default().push(rule_met(met));
    }
    routes
}

fn failed(route: &str, why: &[String]) -> TestCase {
    let reason = why.first().map(String::as_str).unwrap_or_default();
    let mut status = not_passed(NonSuccessKind::Failure, "FAIL", reason);
    status.set_description(why[..why.len().min(MAX_REASONS)].join("\n"));
    case(route, status)
}

fn passed_or_skipped(route: &RouteFigures) -> TestCaseStatus {
    if route.is_shown() {
        return TestCaseStatus::success();
    }
    let mut status = TestCaseStatus::skipped();
    status.set_message(format!(
        "not enough was judged: at most {} of its requests really differ, and {} are allowed",
        percent(route.at_most),
        percent(route.limit)
    ));
    status
}

fn case(route: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(route, status);
    case.set_classname("mirror.routes");
    case
}

#[cfg(test)]
mod tests {
    use super::super::judgement::tests::judgement;
    use super::super::{CaptureCounters, Recorder, RunInfo};
    use super::*;

    fn shown(verdict: Judgement) -> String {
        let mut report = Recorder::new(RunInfo::default()).finish(CaptureCounters::default());
        report.results.verdict = verdict;
        junit(&report).unwrap()
    }

    #[test]
    fn a_route_that_differs_is_a_test_that_fails_and_says_why() {
        let xml = shown(judgement());
        for part in [
            r#"<testsuites name="mirror" tests="4" skipped="1" failures="2" errors="0">"#,
            r#"<property name="builds" value="candidate shop &lt;1.5&gt;, production shop 1.4"/>"#,
            r#"<failure message="412 answers really differ at GET /orders/{id} body /total (missing, breaking)"#,
            r#"<testcase name="GET /orders/{id}" classname="mirror.routes">"#,
            "\nbody /name&lt;b&gt; (value): 170 of 8,120 answers differ;",
            "\np99 &gt; +10%: the p99 of GET /orders/{id} is 140.0 ms",
            r#"<skipped message="not enough was judged: at most 0.21 % of its requests really differ, and 0.1 % are allowed"/>"#,
        ] {
            assert!(xml.contains(part), "{part}\n{xml}");
        }
    }

    #[test]
    fn only_a_pass_is_green() {
        for decision in Decision::ALL {
            let verdict = Judgement {
                decision,
                findings: Vec::new(),
                rules_met: Vec::new(),
                ..judgement()
            };
            let xml = shown(verdict);
            let is_green = xml.contains(r#"failures="0" errors="0""#) && !xml.contains("<error ");
            assert_eq!(is_green, decision == Decision::Pass, "{xml}");
        }
    }

    #[test]
    fn no_traffic_breaks_the_xml() {
        let mut verdict = judgement();
        verdict.findings[0].route = "GET /\u{1b}\u{0}]]><x a=\"\u{fffe}".into();
        let xml = shown(verdict);
        assert!(!xml.contains('\u{1b}') && !xml.contains("<x"), "{xml}");
        assert!(xml.contains(r#"<testcase name="GET /"#), "{xml}");
    }
}
