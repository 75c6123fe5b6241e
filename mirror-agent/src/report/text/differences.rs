//! Places where the answers differ, with examples.

use std::fmt::{self, Write};

use mirror_core::compare::excerpt;

use super::super::status::Results;

const MAX_SHOWN_DIFFERENCES: usize = 50;
const MAX_SHOWN_BELOW_HEADLINE: usize = 3;

pub(super) fn differences(out: &mut String, results: &Results) -> fmt::Result {
    // What the headline explains need not be told a thousand times.
    let most = match results.headline {
        Some(_) => MAX_SHOWN_BELOW_HEADLINE,
        None => MAX_SHOWN_DIFFERENCES,
    };
    for group in results.differences.iter().take(most) {
        let remark = group.remark(results.control.is_some());
        let remark = remark.map(|why| format!(" ({why})")).unwrap_or_default();
        writeln!(
            out,
            "\n{} × {} {} ({}){remark}",
            group.count,
            excerpt(&group.route, 500),
            excerpt(&group.place, 500),
            group.kind.with_severity(group.severity)
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
    use mirror_core::compare::{Kind, Severity};

    use super::super::super::differences::{DifferenceExample, DifferenceGroup};
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
        results.differences[0].varies = true;
        assert!(shown(&results).contains("(value) (varies by nature)"));
        results.differences[0].kind = Kind::Missing;
        results.differences[0].severity = Severity::Breaking;
        assert!(shown(&results).contains("(missing, breaking) (varies by nature)"));
    }
}
