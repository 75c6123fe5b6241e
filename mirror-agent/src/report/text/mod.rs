//! The report on a terminal.

mod differences;
mod judgement;
mod ledger;
mod outcomes;
mod routes;

use std::fmt::{self, Write};

use mirror_core::compare::excerpt;
use mirror_core::schedule::ScheduleData;

use super::status::{ReportData, Results, Status};
use super::table;

/// The report of a run that has ended, for a terminal of `width` columns if it is one.
pub fn report_text(report: &ReportData, width: Option<u16>) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = first(&mut out, &report.results);
    let _ = results(&mut out, &report.results, width);
    let _ = judgement::decision(&mut out, &report.results);
    out
}

/// The state of a run in progress.
pub fn status_text(status: &Status, width: Option<u16>) -> String {
    let mut out = String::new();
    let _ = first(&mut out, &status.results);
    let _ = head(&mut out, status);
    let _ = results(&mut out, &status.results, width);
    let _ = judgement::decision_so_far(&mut out, &status.results);
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

/// What a reader must know before all numbers.
fn first(out: &mut String, results: &Results) -> fmt::Result {
    let lines = troubles(results);
    for line in &lines {
        writeln!(out, "{line}")?;
    }
    if !lines.is_empty() {
        out.push('\n');
    }
    Ok(())
}

/// What is wrong with the mirror, or keeps everything from being sent, and what to do about it.
pub(super) fn troubles(results: &Results) -> Vec<String> {
    let headline = results.headline.as_deref();
    let headline = headline.map(|headline| excerpt(headline, 1000));
    let mut lines: Vec<String> = headline.into_iter().collect();
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

fn head(out: &mut String, status: &Status) -> fmt::Result {
    writeln!(out, "pid {}", status.pid)?;
    for place in &status.attached {
        writeln!(out, "attached to {} ({})", place.interface, place.hook)?;
    }
    Ok(())
}

fn results(out: &mut String, results: &Results, width: Option<u16>) -> fmt::Result {
    ledger::ledger(out, results, width)?;
    outcomes::not_compared(out, results)?;
    routes::routes(out, results, width)?;
    differences::differences(out, results)?;
    judgement::judgement(out, results, width)
}

#[cfg(test)]
mod tests {
    use mirror_core::ledger::Outcome;
    use mirror_core::schedule::{BreakerData, BreakerState};

    use super::super::request::tests::label;
    use super::super::{CaptureCounters, End, Recorder, RunInfo};
    use super::*;

    #[test]
    fn every_reason_is_told_with_route_and_example() {
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
        let report = recorder.finish(CaptureCounters::default());
        let text = report_text(&report, Some(100));
        for line in [
            "3  requests seen",
            "replay: failed × 2: the request could not be sent, or its answer could not be read",
            "  2 × GET /a/{id}: 10.0.0.1:…: reset",
            "    for example GET /a/1 (connection 3, request 1): 10.0.0.1:40001: reset",
            "    for example POST /\\u{1b}c (connection 3, request 1)",
            "HOLD: nothing was compared that is evidence: 2 of 3 requests ended as `replay: failed`: the request could not be sent, or its answer could not be read (exit code 4)",
        ] {
            assert!(
                text.lines().any(|l| l.trim_start() == line.trim_start()),
                "{line}\n{text}"
            );
        }
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn what_is_wrong_comes_before_all_numbers() {
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
        let text = report_text(&report, None);
        let begins = "nobody is logged in\nhttp://a did not answer and was left alone once (20 connect failures in a row); its circuit breaker is open: see to the mirror";
        assert!(text.starts_with(begins), "{text}");
        assert!(!text.contains("http://b"), "{text}");
    }
}
