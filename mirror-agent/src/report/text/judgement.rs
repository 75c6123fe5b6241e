//! The decision, what fails the run, what is open and what is missing.

use std::fmt::{self, Write};

use mirror_core::compare::excerpt;

use super::super::examples::DifferenceExample;
use super::super::judgement::{
    COVERAGE_COLUMNS, Entries, Part, ROUTE_COLUMNS, ShownFinding, parts,
};
use super::super::status::Results;
use super::super::table::table;
use super::{Extent, MAX_LINE};

/// Longest of the two answers in an example.
const MAX_ANSWER: usize = 160;

impl Extent {
    /// Entries of each part; all are in report.json.
    fn most_entries(self) -> usize {
        match self {
            Self::Screen => 3,
            Self::Details => 50,
        }
    }
}

/// The decision of a run that has ended.
pub(super) fn decision(out: &mut String, results: &Results) -> fmt::Result {
    let verdict = &results.verdict;
    let (name, code) = (verdict.decision.name(), verdict.decision.exit_code());
    let reason = excerpt(&verdict.reason, MAX_LINE);
    writeln!(out, "{name}: {reason} (exit code {code})")
}

/// What the decision would be now.
pub(super) fn decision_so_far(out: &mut String, results: &Results) -> fmt::Result {
    let verdict = &results.verdict;
    let reason = excerpt(&verdict.reason, MAX_LINE);
    writeln!(out, "{} so far: {reason}", verdict.decision.name())
}

/// All that the decision rests on but what has a table of its own.
pub(super) fn judgement(
    out: &mut String,
    results: &Results,
    extent: Extent,
    width: Option<u16>,
) -> fmt::Result {
    for part in parts(&results.verdict, extent.most_entries()) {
        match (&part.entries, extent) {
            (Entries::Coverage(_), _) | (Entries::Routes(_), Extent::Screen) => {}
            _ => told(out, part, results, width)?,
        }
    }
    Ok(())
}

/// The routes of which nothing was judged.
pub(super) fn coverage(
    out: &mut String,
    results: &Results,
    extent: Extent,
    width: Option<u16>,
) -> fmt::Result {
    let parts = parts(&results.verdict, extent.most_entries()).into_iter();
    for part in parts.filter(|part| matches!(part.entries, Entries::Coverage(_))) {
        told(out, part, results, width)?;
    }
    Ok(())
}

fn told(out: &mut String, part: Part, results: &Results, width: Option<u16>) -> fmt::Result {
    writeln!(out, "\n{}", part.title)?;
    match part.entries {
        Entries::Lines(lines) => {
            for line in lines {
                writeln!(out, "  {}", excerpt(&line, MAX_LINE))?;
            }
        }
        Entries::Findings(findings) => {
            for one in findings {
                finding(out, &one, results)?;
            }
        }
        Entries::Routes(rows) => out.write_str(&table(width, ROUTE_COLUMNS, rows))?,
        Entries::Coverage(rows) => out.write_str(&table(width, COVERAGE_COLUMNS, rows))?,
    }
    if part.more > 0 {
        writeln!(out, "  and {} more", part.more)?;
    }
    Ok(())
}

/// With its first example.
fn finding(out: &mut String, finding: &ShownFinding, results: &Results) -> fmt::Result {
    let at = format!("{} {} ({})", finding.route, finding.place, finding.kind);
    writeln!(out, "  {}", excerpt(&at, MAX_LINE))?;
    writeln!(out, "    {}", finding.sentence())?;
    let mut groups = results.differences.iter();
    let group = groups.find(|group| finding.is_of(group));
    match group.and_then(|group| group.examples.first()) {
        Some(first) => example(out, first),
        None => Ok(()),
    }
}

/// What the two sides answered to one request.
pub(super) fn example(out: &mut String, example: &DifferenceExample) -> fmt::Result {
    writeln!(out, "    {}", excerpt(&example.request, MAX_ANSWER))?;
    writeln!(out, "    - {}", excerpt(&example.production, MAX_ANSWER))?;
    writeln!(out, "    + {}", excerpt(&example.mirror, MAX_ANSWER))
}

#[cfg(test)]
mod tests {
    use mirror_core::compare::{CompareOptions, compare};
    use mirror_core::exchange::Response;
    use mirror_core::noise::Source;
    use mirror_core::time::Timestamp;
    use mirror_core::verdict::Basis;

    use super::super::super::judgement::tests;
    use super::super::super::pair::tests::pair;
    use super::super::super::request::tests::label;
    use super::super::super::{CaptureCounters, End, JudgedRepeat, Recorder, RunInfo};
    use super::super::{Extent, report_text};
    use super::*;

    fn results() -> Results {
        let mut results = Recorder::new(RunInfo::default()).results(CaptureCounters::default());
        results.verdict = tests::judgement();
        results
    }

    fn shown(results: &Results, width: Option<u16>) -> String {
        let mut text = String::new();
        judgement(&mut text, results, Extent::Details, width).unwrap();
        coverage(&mut text, results, Extent::Details, width).unwrap();
        text
    }

    #[test]
    fn what_fails_what_is_open_and_what_is_shown_are_told() {
        let text = shown(&results(), None);
        for line in [
            "what fails the run",
            "  GET /orders/{id} body /total (missing, breaking)",
            "    412 of 8,120 answers differ; in 38 of 40 that tell the versions apart, the candidate is the odd one; at least 2.1 % of the requests",
            "not decided",
            "  GET /orders/{id} body /items/*/stock (value)",
            "  method POST: 81 % of 1,000 requests were judged, and 99 % of the others",
            "  p99 > +10%: the p99 of GET /orders/{id} is 140.0 ms, and the control's 100.0 ms: at least 18 % more",
            "GET /orders/{id}     80 %   8,120       0    5.9 %  0.1 %  not yet               3",
            "DELETE /orders/{id}       230    2.2 %  filtered: method",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let mut results = results();
        let one = results.verdict.findings[0].clone();
        results.verdict.findings = vec![one; 25];
        let mut text = String::new();
        judgement(&mut text, &results, Extent::Screen, None).unwrap();
        assert_eq!(text.matches("body /total (missing").count(), 3);
        assert!(text.contains("\n  and 22 more\n"), "{text}");
    }

    #[test]
    fn nothing_of_the_traffic_moves_the_cursor_or_widens_a_table() {
        let mut results = results();
        let verdict = &mut results.verdict;
        for scope in [
            &mut verdict.findings[0].route,
            &mut verdict.routes[0].scope,
            &mut verdict.coverage[0].route,
        ] {
            *scope = format!("GET /\u{1b}[2J{}", "/long".repeat(30));
        }
        let text = shown(&results, Some(80));
        assert!(!text.contains('\u{1b}'), "{text}");
        let rows = text
            .split("share of requests that really differ")
            .nth(1)
            .unwrap();
        let rows = rows.split("advice").next().unwrap();
        let most = rows.lines().map(|line| line.chars().count()).max();
        assert!(most <= Some(80), "{text}");
    }

    #[test]
    fn the_first_line_of_a_report_is_the_decision() {
        let mut report = Recorder::new(RunInfo::default()).finish(CaptureCounters::default());
        report.results.verdict = tests::judgement();
        let text = report_text(&report, Extent::Screen, None);
        let first = text.lines().next().unwrap();
        assert!(
            first.starts_with("FAIL: 412 answers really differ"),
            "{first}"
        );
        assert!(first.ends_with("; and 2 more (exit code 1)"), "{first}");
    }

    #[test]
    fn a_member_that_is_gone_from_every_answer_is_told_from_the_answers_on() {
        let answer = |body: &'static str| Response {
            body: bytes::Bytes::from(body).into(),
            ..Response::new(200)
        };
        let (old, new) = (answer(r#"{"id":1,"total":2}"#), answer(r#"{"id":1}"#));
        let compared = |ours, theirs| compare(&CompareOptions::default(), ours, theirs);
        let recorder = Recorder::new(RunInfo::default());
        for _ in 0..40 {
            let repeat = JudgedRepeat {
                at: Timestamp(2_000_000_000),
                source: Source::Recheck,
                to_mirror: compared(&new, &new),
                to_production: compared(&old, &new),
            };
            let pair = pair(Basis::NotGated, compared(&old, &new)).beside(None, Some(repeat));
            recorder.saw();
            recorder.ended(&label("GET", "/orders"), None, &End::judged(pair));
        }
        let report = recorder.finish(CaptureCounters::default());
        let text = report_text(&report, Extent::Screen, None);
        let (_, part) = text.split_once("\nwhat fails the run\n").expect(&text);
        let mut lines = part.lines();
        assert_eq!(
            lines.next(),
            Some("  GET /orders body /total (missing, breaking)")
        );
        let sentence = lines.next().unwrap();
        let expect = "    40 of 40 answers differ; in 40 of 40 that tell the versions apart, the candidate is the odd one; at least ";
        assert!(sentence.starts_with(expect), "{text}");
        let example = ["    GET /a?b=c", "    - 2", "    + (absent)"];
        for (line, expect) in lines.zip(example) {
            assert_eq!(line, expect, "{text}");
        }
        assert!(
            part.contains("\nGET /orders    100 %        40      40    100 %"),
            "{text}"
        );
        assert!(text.starts_with("FAIL: 40 answers really differ"), "{text}");
    }
}
