//! The report on a terminal or in a log: one screen that begins with the decision, and below it, where asked for, all details.

mod differences;
mod judgement;
mod ledger;
mod outcomes;
mod paint;
mod routes;

use std::fmt::{self, Write};

use mirror_core::compare::excerpt;
use mirror_core::schedule::ScheduleData;

use super::facts::{self, Fact};
use super::status::{ReportData, Results, Status};
use super::table::{self, Align};

pub use paint::painted;

/// Longest line. A reason may name several routes and places.
const MAX_LINE: usize = 1000;

/// How much of a run is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// One screen.
    Screen,
    /// Every group, reason and example that a reader could want.
    Details,
}

pub(super) use ledger::snapshot_advice;

/// The report of a run that has ended, for a terminal of `width` columns if it is one.
pub fn report_text(report: &ReportData, extent: Extent, width: Option<u16>) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = headline(&mut out, &report.results);
    let _ = judgement::decision(&mut out, &report.results);
    let _ = facts_told(&mut out, facts::of_report(report), width);
    let _ = troubles_told(&mut out, &report.results);
    let _ = results(&mut out, &report.results, extent, width);
    if extent == Extent::Screen {
        let _ = writeln!(
            out,
            "\n`mirror-agent report --details` and report.html tell all groups, reasons and examples"
        );
    }
    out
}

/// The state of a run in progress.
pub fn status_text(status: &Status, width: Option<u16>) -> String {
    let mut out = String::new();
    let _ = headline(&mut out, &status.results);
    let _ = judgement::decision_so_far(&mut out, &status.results);
    let _ = facts_told(&mut out, facts::of_status(status), width);
    let _ = troubles_told(&mut out, &status.results);
    let _ = results(&mut out, &status.results, Extent::Screen, width);
    let counted = status.results.counters.capture.iter();
    let kernel = counted.filter(|(_, count)| **count > 0);
    let kernel: Vec<(&str, u64)> = kernel
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    if !kernel.is_empty() {
        let _ = write!(out, "\nkernel\n{}", table::counts(width, kernel));
    }
    out
}

fn facts_told(out: &mut String, facts: Vec<Fact>, width: Option<u16>) -> fmt::Result {
    let columns = [("", Align::Left), ("", Align::Left)];
    write!(out, "\n{}", table::table(width, columns, facts))
}

/// What a reader must know before the decision.
fn headline(out: &mut String, results: &Results) -> fmt::Result {
    match &results.headline {
        Some(headline) => writeln!(out, "{}\n", excerpt(headline, MAX_LINE)),
        None => Ok(()),
    }
}

fn troubles_told(out: &mut String, results: &Results) -> fmt::Result {
    let lines = troubles(results);
    if !lines.is_empty() {
        out.push('\n');
    }
    for line in &lines {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// What keeps requests from being sent or answered, and what to do about it.
pub(super) fn troubles(results: &Results) -> Vec<String> {
    let mut lines = Vec::new();
    let ScheduleData {
        paused,
        open,
        limit,
        lanes: _,
        breakers,
    } = &results.schedule;
    if *paused {
        lines.push("paused: `mirror-agent resume` goes on".into());
    }
    if !open && limit > &0 {
        lines.push("outside of the times of --schedule: nothing is replayed now".into());
    }
    let opened = breakers.iter().filter(|breaker| breaker.opened > 0);
    lines.extend(opened.map(|breaker| {
        let times = match breaker.opened {
            1 => "once".to_owned(),
            times => format!("{times} times"),
        };
        format!(
            "{} did not answer and was left alone {times} ({}); its circuit breaker is {}: see to the mirror, or raise --breaker-failures and --breaker-share",
            excerpt(&breaker.target, 200),
            excerpt(breaker.reason.as_deref().unwrap_or_default(), 200),
            breaker.state.name(),
        )
    }));
    lines
}

fn results(out: &mut String, results: &Results, extent: Extent, width: Option<u16>) -> fmt::Result {
    judgement::judgement(out, results, extent, width)?;
    differences::differences(out, results, extent)?;
    routes::routes(out, results, extent, width)?;
    judgement::coverage(out, results, extent, width)?;
    ledger::ledger(out, results, width)?;
    match extent {
        Extent::Screen => Ok(()),
        Extent::Details => outcomes::not_compared(out, results),
    }
}

#[cfg(test)]
mod tests {
    use mirror_core::ledger::Outcome;
    use mirror_core::schedule::{BreakerData, BreakerState};

    use super::super::request::tests::label;
    use super::super::{CaptureCounters, End, Recorder, RunInfo};
    use super::*;

    fn report() -> ReportData {
        let recorder = Recorder::new(RunInfo::default());
        for (path, reason) in [
            ("/a/1", "10.0.0.1:40001: reset"),
            ("/a/2", "10.0.0.1:40002: reset"),
        ] {
            recorder.saw();
            let end = End::because(Outcome::ReplayFailed, reason);
            recorder.ended(&label("GET", path), None, &end);
        }
        recorder.saw();
        recorder.ended(
            &label("POST", "/\u{1b}c"),
            None,
            &Outcome::FilteredMethod.into(),
        );
        recorder.finish(CaptureCounters::default())
    }

    fn has_lines(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(
                text.lines().any(|l| l.trim_start() == line.trim_start()),
                "{line}\n{text}"
            );
        }
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn details_tell_every_reason_with_route_and_example() {
        let text = report_text(&report(), Extent::Details, Some(100));
        has_lines(
            &text,
            &[
                "3  requests seen",
                "replay: failed × 2: the request could not be sent, or its answer could not be read",
                "  2 × GET /a/{id}: 10.0.0.1:…: reset",
                "    for example GET /a/1 (connection 3, request 1): 10.0.0.1:40001: reset",
                "    for example POST /\\u{1b}c (connection 3, request 1)",
            ],
        );
    }

    #[test]
    fn the_first_line_is_the_decision_and_the_screen_names_the_most_frequent_reason() {
        let text = report_text(&report(), Extent::Screen, Some(100));
        let first = text.lines().next().unwrap();
        assert_eq!(
            first,
            "HOLD: nothing was compared that is evidence: 2 of 3 requests ended as `replay: failed`: the request could not be sent, or its answer could not be read (exit code 4)"
        );
        has_lines(
            &text,
            &[
                "3  requests seen",
                "2  replay: failed    GET /a/{id}: 10.0.0.1:…: reset",
                "1  filtered: method  POST /\\u{1b}c",
            ],
        );
        assert!(!text.contains("for example"), "{text}");
    }

    #[test]
    fn what_is_wrong_comes_before_all_figures() {
        let mut report = Recorder::new(RunInfo::default()).finish(CaptureCounters::default());
        assert!(troubles(&report.results).is_empty());
        let breaker = |target: &str, opened, reason: Option<&str>| BreakerData {
            target: target.into(),
            state: BreakerState::Open,
            opened,
            reason: reason.map(Into::into),
        };
        report.results.schedule.breakers = vec![
            breaker("http://a", 1, Some("20 connect failures in a row")),
            breaker("http://b", 0, None),
        ];
        report.results.headline = Some("nobody is logged in".into());
        let text = report_text(&report, Extent::Screen, None);
        assert!(text.starts_with("nobody is logged in\n\nHOLD: "), "{text}");
        let trouble = "\n\nhttp://a did not answer and was left alone once (20 connect failures in a row); its circuit breaker is open: see to the mirror";
        let at = text.find(trouble).unwrap_or_else(|| panic!("{text}"));
        assert!(at < text.find("requests seen").unwrap(), "{text}");
        assert!(!text.contains("http://b"), "{text}");
    }
}
