//! The report on a terminal.

use std::fmt::{self, Write};

use mirror_common::Counter;
use mirror_core::compare::excerpt;
use mirror_core::ledger::Outcome;
use mirror_core::schedule::ScheduleData;

use super::differences::DifferenceGroup;
use super::latency::LatencyData;
use super::outcomes::{OutcomeData, OutcomeGroup};
use super::status::{CarriedData, ControlData, ReportData, Results, Status};
use super::table::{self, Align, number, table};

/// Groups of an outcome that are shown; all are in report.json.
const MAX_SHOWN_GROUPS: usize = 5;
const MAX_SHOWN_DIFFERENCES: usize = 50;
const MAX_SHOWN_BELOW_HEADLINE: usize = 3;

/// Outcomes that need no explanation: the answers were compared.
const COMPARED: [Outcome; 4] = [
    Outcome::Matched,
    Outcome::Differed,
    Outcome::MatchedWithoutSnapshot,
    Outcome::DifferedWithoutSnapshot,
];

/// The report of a run that has ended, for a terminal of `width` columns if it is one.
pub fn report_text(report: &ReportData, width: Option<u16>) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = first(&mut out, &report.results);
    let _ = results(&mut out, &report.results, width);
    let _ = verdict(&mut out, &report.results);
    out
}

/// The state of a run in progress.
pub fn status_text(status: &Status, width: Option<u16>) -> String {
    let mut out = String::new();
    let _ = first(&mut out, &status.results);
    let _ = head(&mut out, status);
    let _ = results(&mut out, &status.results, width);
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

/// Why a group of differences decides nothing.
pub(super) fn no_evidence(group: &DifferenceGroup, results: &Results) -> Option<&'static str> {
    match (group.is_evidence, &results.control) {
        (true, _) => None,
        (false, None) => Some("no evidence: there was no snapshot"),
        (false, Some(_)) => {
            Some("no evidence: the control differs there too, or there was no snapshot")
        }
    }
}

fn head(out: &mut String, status: &Status) -> fmt::Result {
    writeln!(out, "pid {}", status.pid)?;
    for place in &status.attached {
        writeln!(out, "attached to {} ({})", place.interface, place.hook)?;
    }
    Ok(())
}

fn results(out: &mut String, results: &Results, width: Option<u16>) -> fmt::Result {
    ledger(out, results, width)?;
    not_compared(out, results)?;
    routes(out, results, width)?;
    differences(out, results)
}

fn verdict(out: &mut String, results: &Results) -> fmt::Result {
    let verdict = &results.verdict;
    let decision = verdict.decision;
    let (name, code) = (decision.name(), decision.exit_code());
    let reason = excerpt(&verdict.reason, 1000);
    writeln!(out, "\n{name}: {reason} (exit code {code})")
}

fn ledger(out: &mut String, results: &Results, width: Option<u16>) -> fmt::Result {
    let outcomes = results.outcomes.iter();
    let outcomes = outcomes.map(|outcome| (outcome.outcome.as_str(), outcome.count));
    let seen = [("requests seen", results.ledger.seen)];
    out.write_str(&table::counts(width, seen.into_iter().chain(outcomes)))?;
    schedule(out, results)?;
    snapshots(out, results)?;
    carried(out, results)?;
    control(out, results)?;
    snapshot_advice(out, results)?;
    let ring_full = results.counters.kernel(Counter::RingFull);
    if ring_full > 0 {
        writeln!(out, "packets lost in the kernel's ring: {ring_full}")?;
    }
    for advice in &results.counters.advice {
        writeln!(out, "{}", excerpt(advice, 1000))?;
    }
    Ok(())
}

/// What the control answered.
fn control(out: &mut String, results: &Results) -> fmt::Result {
    let Some(ControlData {
        equal,
        alike,
        apart,
        failed,
        failure,
        latency_ms,
    }) = &results.control
    else {
        return Ok(());
    };
    writeln!(
        out,
        "control: {equal} answers equal to production's, {alike} differed where the mirror's did, {apart} differed elsewhere; p50 {:.1} ms, p99 {:.1} ms",
        latency_ms.p50, latency_ms.p99
    )?;
    if let Some(reason) = failure {
        let reason = excerpt(reason, 300);
        writeln!(
            out,
            "control: {failed} requests were not answered: {reason}"
        )?;
    }
    Ok(())
}

/// When it was sent, and what waits.
fn schedule(out: &mut String, results: &Results) -> fmt::Result {
    let ScheduleData { limit, lanes, .. } = &results.schedule;
    let lag = &results.timing.send_lag_ms;
    if lag.count > 0 {
        writeln!(
            out,
            "sent late by: p50 {:.1} ms, p99 {:.1} ms, at most {:.1} ms",
            lag.p50, lag.p99, lag.max
        )?;
    }
    if lanes.active > 0 {
        writeln!(
            out,
            "lanes: {} active, {} requests wait in them; at most {limit} replays at once",
            lanes.active, lanes.waiting
        )?;
    }
    Ok(())
}

fn snapshots(out: &mut String, results: &Results) -> fmt::Result {
    if results.snapshots.keys().all(|name| name == "off") {
        return Ok(());
    }
    let counts = results.snapshots.iter();
    let counts: Vec<_> = counts
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let waits = &results.snapshot_wait_ms;
    writeln!(
        out,
        "snapshots: {}; wait p50 {:.1} ms, p99 {:.1} ms",
        counts.join(", "),
        waits.p50,
        waits.p99
    )?;
    let left = &results.snapshot_ttl_ms;
    if left.count > 0 {
        writeln!(
            out,
            "time left to live when found: p50 {:.0} s, shortest 1% {:.0} s",
            left.p50 / 1000.0,
            left.p99 / 1000.0
        )?;
    }
    Ok(())
}

fn carried(out: &mut String, results: &Results) -> fmt::Result {
    let carried = &results.carried;
    if carried == &CarriedData::default() {
        return Ok(());
    }
    writeln!(
        out,
        "carried: {} values in {} requests; {} values are kept for {} sessions, connections and addresses",
        carried.replaced, carried.requests, carried.values, carried.sessions
    )?;
    for (place, count) in &carried.places {
        writeln!(out, "  {count} × {}", excerpt(place, 500))?;
    }
    if carried.evicted > 0 {
        writeln!(
            out,
            "  {} values and sessions gave way to others: what they were needed for may have failed",
            carried.evicted
        )?;
    }
    Ok(())
}

/// What can be done about snapshots that were not found.
fn snapshot_advice(out: &mut String, results: &Results) -> fmt::Result {
    const ADVICE: [(&str, &str); 5] = [
        (
            "collided",
            "requests had an id that others had too: add a field to the rule that tells them apart",
        ),
        (
            "unproven",
            "requests were like others, and no snapshot is proven to be theirs: the reasons stand with the outcome `snapshot: unproven`",
        ),
        (
            "of another request",
            "requests found another request's snapshot only: rule or clocks differ between production and agent, or a proxy between them hides who asks (then production must leave out `peer`)",
        ),
        (
            "unverified",
            "snapshots carry no stamp, so whose they are cannot be told: file documents as CONTRACT.md says",
        ),
        (
            "no id",
            "requests got no id: no --rule found its fields in them; give the rule by which production names them",
        ),
    ];
    for (name, what) in ADVICE {
        let count = results.snapshots.get(name).copied().unwrap_or(0);
        if count > 0 {
            writeln!(out, "{count} {what}")?;
        }
    }
    let sent_twice = results.timing.sent_twice;
    if sent_twice > 0 {
        writeln!(
            out,
            "{sent_twice} requests were sent a second time, because the mirror had closed an idle connection: --target-idle-timeout is the limit"
        )?;
    }
    for (state, count) in &results.mirror_snapshots {
        if !["hit", "late", "unread"].contains(&state.as_str()) {
            let state = excerpt(state, 100);
            writeln!(
                out,
                "{count} answers of the mirror say of their snapshot: {state}"
            )?;
        }
    }
    Ok(())
}

/// Why requests were not compared: routes, reasons and examples.
fn not_compared(out: &mut String, results: &Results) -> fmt::Result {
    let is_compared = |name: &str| COMPARED.iter().any(|outcome| outcome.name() == name);
    let outcomes = results.outcomes.iter();
    for outcome in outcomes.filter(|outcome| !is_compared(&outcome.outcome)) {
        let OutcomeData {
            outcome,
            count,
            meaning,
            groups,
        } = outcome;
        writeln!(out, "\n{outcome} × {count}: {meaning}")?;
        for group in groups.iter().take(MAX_SHOWN_GROUPS) {
            outcome_group(out, group)?;
        }
        if groups.len() > MAX_SHOWN_GROUPS {
            let more = groups.len() - MAX_SHOWN_GROUPS;
            writeln!(out, "  and {more} more groups of routes and reasons")?;
        }
    }
    Ok(())
}

fn outcome_group(out: &mut String, group: &OutcomeGroup) -> fmt::Result {
    write!(out, "  {} × {}", group.count, excerpt(&group.route, 500))?;
    if let Some(reason) = &group.reason {
        write!(out, ": {}", excerpt(reason, 500))?;
    }
    out.push('\n');
    let Some(example) = group.examples.first() else {
        return Ok(());
    };
    let request = &example.request;
    let shown = excerpt(&request.request, 500);
    write!(
        out,
        "    for example {shown} (connection {}, request {})",
        request.connection, request.index
    )?;
    if let Some(reason) = &example.reason {
        write!(out, ": {}", excerpt(reason, 500))?;
    }
    out.push('\n');
    Ok(())
}

fn routes(out: &mut String, results: &Results, width: Option<u16>) -> fmt::Result {
    if results.routes.is_empty() {
        return Ok(());
    }
    let pair = |latency: &LatencyData| format!("{:.2} / {:.2}", latency.p50, latency.p99);
    let rows = results.routes.iter().map(|route| {
        [
            route.route.clone(),
            number(route.compared),
            number(route.differed),
            pair(&route.production_ms),
            pair(&route.mirror_ms),
        ]
    });
    let columns = [
        ("route", Align::Left),
        ("compared", Align::Right),
        ("differed", Align::Right),
        ("production p50/p99 ms", Align::Right),
        ("mirror p50/p99 ms", Align::Right),
    ];
    write!(out, "\n{}", table(width, columns, rows))?;
    let streamed: u64 = results.routes.iter().map(|route| route.streamed).sum();
    if streamed > 0 {
        writeln!(
            out,
            "{streamed} pairs of bodies are too large to be compared as data: they were compared byte for byte, those over --max-body by length and digest"
        )?;
    }
    Ok(())
}

fn differences(out: &mut String, results: &Results) -> fmt::Result {
    // What the headline explains need not be told a thousand times.
    let most = match results.headline {
        Some(_) => MAX_SHOWN_BELOW_HEADLINE,
        None => MAX_SHOWN_DIFFERENCES,
    };
    for group in results.differences.iter().take(most) {
        let remark = no_evidence(group, results).map(|why| format!(" ({why})"));
        let remark = remark.unwrap_or_default();
        writeln!(
            out,
            "\n{} × {} {} ({}){remark}",
            group.count,
            excerpt(&group.route, 500),
            excerpt(&group.place, 500),
            group.kind.name()
        )?;
        for example in group.distinct_examples() {
            writeln!(out, "  {}", excerpt(&example.request, 500))?;
            writeln!(out, "  - {}", excerpt(&example.production, 500))?;
            writeln!(out, "  + {}", excerpt(&example.mirror, 500))?;
        }
    }
    let more = results.differences.len().saturating_sub(most);
    if more > 0 {
        writeln!(
            out,
            "\nand {more} more groups of differences in report.json"
        )?;
    }
    if results.differences_dropped > 0 {
        writeln!(
            out,
            "\n{} differences of the least significant groups are in no group: there were too many",
            results.differences_dropped
        )?;
    }
    if results.differences.is_empty() && results.routes.iter().any(|r| r.compared > 0) {
        writeln!(out, "\nno differences")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mirror_core::compare::Kind;
    use mirror_core::schedule::{BreakerData, BreakerState};

    use super::super::differences::DifferenceExample;
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

    #[test]
    fn examples_that_read_alike_are_shown_once_and_what_decides_nothing_says_so() {
        let example = |mirror: &str| DifferenceExample {
            request: "GET /a".into(),
            id: None,
            connection: 1,
            index: 2,
            times: 1,
            production: "1".into(),
            mirror: mirror.into(),
        };
        let mut results = Recorder::new(RunInfo::default()).results(CaptureCounters::default());
        results.differences = vec![DifferenceGroup {
            route: "GET /a".into(),
            place: "body /n".into(),
            kind: Kind::Value,
            count: 9,
            is_evidence: false,
            examples: ["2", "2", "3"].map(example).to_vec(),
        }];
        let shown = |results: &Results| {
            let mut text = String::new();
            differences(&mut text, results).unwrap();
            text
        };
        assert_eq!(
            shown(&results),
            "\n9 × GET /a body /n (value) (no evidence: there was no snapshot)\n  GET /a\n  - 1\n  + 2\n  GET /a\n  - 1\n  + 3\n"
        );
        results.control = Some(ControlData::default());
        let why = "(no evidence: the control differs there too, or there was no snapshot)";
        assert!(shown(&results).contains(why));
    }

    #[test]
    fn no_route_breaks_the_table() {
        let mut results = Recorder::new(RunInfo::default()).results(CaptureCounters::default());
        results.routes = [
            "/short",
            "/a/route/that/is/longer/than/forty/columns/in/a/table",
        ]
        .map(|path| super::super::RouteData {
            route: format!("GET {path}"),
            compared: 1_000_000,
            ..Default::default()
        })
        .to_vec();
        let mut text = String::new();
        routes(&mut text, &results, None).unwrap();
        let ends: Vec<usize> = text
            .lines()
            .skip(1)
            .map(|line| line.chars().count())
            .collect();
        assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    }
}
