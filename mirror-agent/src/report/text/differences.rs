//! Places where the answers differ, with examples.

use std::fmt::{self, Write};

use mirror_core::compare::excerpt;
use mirror_core::verdict::words::count;

use super::super::differences::DifferenceGroup;
use super::super::judgement::{Entries, ShownFinding, parts};
use super::super::status::Results;
use super::{Extent, judgement};

/// On the screen, beside those that the judgement tells.
const MAX_OTHERS: usize = 5;
/// In the details.
const MAX_SHOWN: usize = 200;

pub(super) fn differences(out: &mut String, results: &Results, extent: Extent) -> fmt::Result {
    match extent {
        Extent::Screen => others(out, results)?,
        Extent::Details => all(out, results)?,
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

/// One line for each of the first groups that the judgement does not tell.
fn others(out: &mut String, results: &Results) -> fmt::Result {
    // What the headline explains need not be told again.
    if results.headline.is_some() {
        return Ok(());
    }
    let told: Vec<ShownFinding> = parts(&results.verdict, usize::MAX)
        .into_iter()
        .filter_map(|part| match part.entries {
            Entries::Findings(findings) => Some(findings),
            _ => None,
        })
        .flatten()
        .collect();
    let is_other = |group: &&DifferenceGroup| !told.iter().any(|finding| finding.is_of(group));
    let groups: Vec<_> = results.differences.iter().filter(is_other).collect();
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nother differences")?;
    for group in groups.iter().take(MAX_OTHERS) {
        writeln!(out, "  {}", title(group, results))?;
    }
    match groups.len().saturating_sub(MAX_OTHERS) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more"),
    }
}

fn all(out: &mut String, results: &Results) -> fmt::Result {
    for group in results.differences.iter().take(MAX_SHOWN) {
        writeln!(out, "\n{}", title(group, results))?;
        for one in group.distinct_examples() {
            judgement::example(out, one)?;
        }
    }
    match results.differences.len().saturating_sub(MAX_SHOWN) {
        0 => Ok(()),
        more => writeln!(
            out,
            "\nand {more} more groups of differences in report.json"
        ),
    }
}

/// As in `9 × GET /a body /n (value) (varies by nature)`.
fn title(group: &DifferenceGroup, results: &Results) -> String {
    let remark = group.remark(results.control.is_some());
    let remark = remark.map(|why| format!(" ({why})")).unwrap_or_default();
    format!(
        "{} × {} {} ({}){remark}",
        count(group.count),
        excerpt(&group.route, 500),
        excerpt(&group.place, 500),
        group.kind.with_severity(group.severity)
    )
}

#[cfg(test)]
mod tests {
    use mirror_core::compare::{Kind, Severity};

    use super::super::super::differences::DifferenceGroup;
    use super::super::super::examples::DifferenceExample;
    use super::super::super::status::ControlData;
    use super::super::super::{CaptureCounters, Recorder, RunInfo};
    use super::*;

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
            trace_id: None,
            answers: None,
        };
        let mut results = Recorder::new(RunInfo::default()).results(CaptureCounters::default());
        results.differences = vec![DifferenceGroup {
            route: "GET /a".into(),
            place: "body /n".into(),
            kind: Kind::Value,
            severity: Severity::Value,
            count: 9,
            is_evidence: false,
            varies: false,
            examples: ["2", "2", "3"].map(example).to_vec(),
        }];
        let shown = |results: &Results| {
            let mut text = String::new();
            differences(&mut text, results, Extent::Details).unwrap();
            text
        };
        assert_eq!(
            shown(&results),
            "\n9 × GET /a body /n (value) (no evidence: there was no snapshot)\n    GET /a\n    - 1\n    + 2\n    GET /a\n    - 1\n    + 3\n"
        );
        results.control = Some(ControlData::default());
        let why = "(no evidence: the control differs there too, or there was no snapshot)";
        assert!(shown(&results).contains(why));
        results.differences[0].varies = true;
        assert!(shown(&results).contains("(value) (varies by nature)"));
        results.differences[0].kind = Kind::Missing;
        results.differences[0].severity = Severity::Breaking;
        assert!(shown(&results).contains("(missing, breaking) (varies by nature)"));
    }
}
