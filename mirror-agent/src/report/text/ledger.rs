//! How the requests ended, and how their data came to the mirror.

use std::fmt::{self, Write};

use mirror_common::Counter;
use mirror_core::compare::excerpt;
use mirror_core::schedule::ScheduleData;

use super::super::outcomes::OutcomeData;
use super::super::status::{CarriedData, ControlData, Results};
use super::super::table::{Align, number, table};

/// Longest text about an outcome.
const MAX_REASON: usize = 120;

pub(super) fn ledger(out: &mut String, results: &Results, width: Option<u16>) -> fmt::Result {
    let seen = [
        number(results.ledger.seen),
        "requests seen".into(),
        String::new(),
    ];
    let rows = results.outcomes.iter().map(outcome);
    let columns = [("", Align::Right), ("", Align::Left), ("", Align::Left)];
    let rows = std::iter::once(seen).chain(rows);
    write!(out, "\nledger\n{}", table(width, columns, rows))?;
    schedule(out, results)?;
    snapshots(out, results)?;
    carried(out, results)?;
    control(out, results)?;
    effects(out, results)?;
    for line in snapshot_advice(results) {
        writeln!(out, "{line}")?;
    }
    let ring_full = results.counters.kernel(Counter::RingFull);
    if ring_full > 0 {
        writeln!(out, "packets lost in the kernel's ring: {ring_full}")?;
    }
    for advice in &results.counters.advice {
        writeln!(out, "{}", excerpt(advice, 1000))?;
    }
    Ok(())
}

/// An outcome, and what ended so most often, unless it was compared.
fn outcome(data: &OutcomeData) -> [String; 3] {
    let group = data.groups.first().filter(|_| !data.is_comparison());
    let most_often = group.map(|group| match &group.reason {
        Some(reason) => format!("{}: {reason}", group.route),
        None => group.route.clone(),
    });
    let most_often = most_often.map(|text| excerpt(&text, MAX_REASON));
    [
        number(data.count),
        data.outcome.clone(),
        most_often.unwrap_or_default(),
    ]
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

/// What became of what mirrors filed of requests' reads and writes.
fn effects(out: &mut String, results: &Results) -> fmt::Result {
    let Some(effects) = &results.effects else {
        return Ok(());
    };
    let counts = effects.counts().into_iter();
    let counts = counts.filter(|(name, count)| *name == "compared" || *count > 0);
    let counts: Vec<_> = counts
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    writeln!(out, "effects: {}", counts.join(", "))?;
    if let Some(reason) = &effects.failure {
        writeln!(out, "effects: the first failure: {}", excerpt(reason, 300))?;
    }
    if effects.dropped > 0 {
        writeln!(
            out,
            "effects dropped: one side did more than it can list, which is compared as far as it is known"
        )?;
    }
    if effects.not_announced > 0 {
        writeln!(
            out,
            "effects not announced: the candidate sends no x-mirror-effects, though it does in other answers: see which requests no longer pass its SDK"
        )?;
    }
    if effects.no_control > 0 {
        writeln!(
            out,
            "effects are compared only where the control files them too: give it an SDK that does, or leave out --control"
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
pub(in crate::report) fn snapshot_advice(results: &Results) -> Vec<String> {
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
    let told = ADVICE.iter().filter_map(|(name, what)| {
        let count = results.snapshots.get(*name).copied().unwrap_or(0);
        (count > 0).then(|| format!("{count} {what}"))
    });
    let mut lines: Vec<String> = told.collect();
    let sent_twice = results.timing.sent_twice;
    if sent_twice > 0 {
        lines.push(format!(
            "{sent_twice} requests were sent a second time, because the mirror had closed an idle connection: --target-idle-timeout is the limit"
        ));
    }
    let unusual = results.mirror_snapshots.iter();
    let unusual = unusual.filter(|(state, _)| !["hit", "late", "unread"].contains(&state.as_str()));
    lines.extend(unusual.map(|(state, count)| {
        let state = excerpt(state, 100);
        format!("{count} answers of the mirror say of their snapshot: {state}")
    }));
    lines
}
