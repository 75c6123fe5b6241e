//! Why requests were not compared.

use std::fmt::{self, Write};

use mirror_core::compare::excerpt;

use super::super::outcomes::{OutcomeData, OutcomeGroup};
use super::super::status::Results;

/// Groups of an outcome that are shown; all are in report.json.
const MAX_SHOWN_GROUPS: usize = 5;

/// Why requests were not compared: routes, reasons and examples.
pub(super) fn not_compared(out: &mut String, results: &Results) -> fmt::Result {
    let outcomes = results.outcomes.iter();
    for outcome in outcomes.filter(|outcome| !outcome.is_comparison()) {
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
