//! The report on a terminal.

use std::fmt::Write;

use super::{Percentiles, ReportData};

/// Tables of ledger and routes, and the differences as a diff.
pub fn text(data: &ReportData) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = ledger(&mut out, data);
    let _ = routes(&mut out, data);
    let _ = differences(&mut out, data);
    out
}

fn ledger(out: &mut String, data: &ReportData) -> std::fmt::Result {
    writeln!(out, "{:>12}  requests seen", data.ledger.seen)?;
    for (name, count) in &data.ledger.outcomes {
        writeln!(out, "{count:>12}  {name}")?;
    }
    if data.snapshots.keys().any(|name| name != "off") {
        let counts: Vec<_> = data
            .snapshots
            .iter()
            .map(|(n, c)| format!("{n} {c}"))
            .collect();
        writeln!(
            out,
            "snapshots: {}; wait p50 {:.1} ms, p99 {:.1} ms",
            counts.join(", "),
            data.snapshot_wait_ms.p50,
            data.snapshot_wait_ms.p99
        )?;
        if data.snapshot_ttl_ms.count > 0 {
            let seconds = |millis: f64| millis / 1000.0;
            writeln!(
                out,
                "time left to live when found: p50 {:.0} s, shortest 1% {:.0} s",
                seconds(data.snapshot_ttl_ms.p50),
                seconds(data.snapshot_ttl_ms.p99)
            )?;
        }
    }
    snapshot_advice(out, data)?;
    if let Some(why) = &data.failed {
        writeln!(out, "FAILED: {why}")?;
    }
    if data.capture["ring_full"].as_u64().unwrap_or(0) > 0 {
        writeln!(
            out,
            "packets lost in the kernel's ring: {}",
            data.capture["ring_full"]
        )?;
    }
    for advice in &data.advice {
        writeln!(out, "{advice}")?;
    }
    Ok(())
}

/// What can be done about snapshots that were not found.
fn snapshot_advice(out: &mut String, data: &ReportData) -> std::fmt::Result {
    let count = |name: &str| data.snapshots.get(name).copied().unwrap_or(0);
    let advice = [
        (
            "collided",
            "requests had an id that others had too: add a field to the rule that tells them apart, or ` #n` behind it",
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
            "requests got no id: no rule found its fields in them",
        ),
    ];
    for (name, what) in advice {
        if count(name) > 0 {
            writeln!(out, "{} {what}", count(name))?;
        }
    }
    for (state, count) in &data.mirror_snapshots {
        if !["hit", "late", "unread"].contains(&state.as_str()) {
            writeln!(
                out,
                "{count} answers of the mirror say of their snapshot: {state}"
            )?;
        }
    }
    Ok(())
}

fn routes(out: &mut String, data: &ReportData) -> std::fmt::Result {
    if data.routes.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:<40} {:>9} {:>9}  {:>19}  {:>19}",
        "route", "compared", "differed", "production p50/p99", "mirror p50/p99 (ms)"
    )?;
    let pair = |p: &Percentiles| format!("{:.2} / {:.2}", p.p50, p.p99);
    for route in &data.routes {
        writeln!(
            out,
            "{:<40} {:>9} {:>9}  {:>19}  {:>19}",
            route.route,
            route.compared,
            route.differed,
            pair(&route.production_ms),
            pair(&route.mirror_ms)
        )?;
    }
    Ok(())
}

fn differences(out: &mut String, data: &ReportData) -> std::fmt::Result {
    for group in &data.differences {
        let remark = if group.is_evidence {
            ""
        } else {
            " (without a snapshot: no evidence)"
        };
        writeln!(
            out,
            "\n{} × {} {}{remark}",
            group.count, group.route, group.place
        )?;
        for example in &group.examples {
            writeln!(out, "  {}", example.request)?;
            writeln!(out, "  - {}", example.production)?;
            writeln!(out, "  + {}", example.mirror)?;
        }
    }
    if data.differences.is_empty() && data.routes.iter().any(|r| r.compared > 0) {
        writeln!(out, "\nno differences")?;
    }
    Ok(())
}
