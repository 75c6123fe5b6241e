//! The judgement as tables.

use super::super::judgement::{
    COVERAGE_COLUMNS, Entries, Part, ROUTE_COLUMNS, ShownFinding, parts,
};
use super::super::status::Results;
use super::super::table::Align;
use super::markup::{escape, list, table};

/// Entries of each part; all are in report.json.
const MAX_SHOWN: usize = 50;

const FINDING_COLUMNS: [(&str, Align); 7] = [
    ("route", Align::Left),
    ("place", Align::Left),
    ("kind", Align::Left),
    ("differ", Align::Right),
    ("candidate odd", Align::Right),
    ("at least", Align::Right),
    ("", Align::Left),
];

/// The decision in large letters, and its reason.
pub(super) fn decision(results: &Results) -> String {
    let verdict = &results.verdict;
    let (name, code) = (verdict.decision.name(), verdict.decision.exit_code());
    format!(
        "<header class={}><h1>{name}: {}</h1><p>exit code {code}</header>",
        name.to_lowercase(),
        escape(&verdict.reason)
    )
}

/// All that the decision rests on.
pub(super) fn judgement(results: &Results) -> String {
    let parts = parts(&results.verdict, MAX_SHOWN);
    parts.into_iter().map(section).collect()
}

fn section(part: Part) -> String {
    let content = match part.entries {
        Entries::Lines(lines) => list(lines),
        Entries::Findings(findings) => table(FINDING_COLUMNS, findings.into_iter().map(finding)),
        Entries::Routes(rows) => table(ROUTE_COLUMNS, rows),
        Entries::Coverage(rows) => table(COVERAGE_COLUMNS, rows),
    };
    let more = match part.more {
        0 => String::new(),
        more => format!("<p>and {more} more in report.json"),
    };
    format!(
        "<section><h2>{}</h2>{content}{more}</section>",
        escape(part.title)
    )
}

fn finding(finding: ShownFinding) -> [String; 7] {
    let unknown = || "–".to_owned();
    [
        finding.route,
        finding.place,
        finding.kind,
        finding.differ,
        finding.odd.unwrap_or_else(unknown),
        finding.at_least.unwrap_or_else(unknown),
        finding.remarks.join("; "),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::super::judgement::tests;
    use super::super::super::{CaptureCounters, Recorder, RunInfo};
    use super::super::page;

    #[test]
    fn the_page_begins_with_the_decision_and_what_it_rests_on() {
        let mut report = Recorder::new(RunInfo::default()).finish(CaptureCounters::default());
        report.results.verdict = tests::judgement();
        let page = page(&report);
        let rows = [
            "<header class=fail><h1>FAIL: 412 answers really differ",
            "<h2>what fails the run</h2>",
            "<tr><td>GET /orders/{id}<td>body /total<td>missing, breaking<td class=n>412 of 8,120<td class=n>38 of 40<td class=n>2.1 %<td>",
            "<td>body /name&lt;b&gt;<td>value",
            "<h2>not decided</h2>",
            "<td>the place varies by nature as well; 9 more that say the same are needed",
            "<td>added<td class=n>8,120 of 8,120<td class=n>–<td class=n>98 %",
            "<tr><td>GET /orders/{id}<td class=n>80 %<td class=n>8,120<td class=n>0<td class=n>5.9 %<td class=n>0.1 %<td>not yet<td class=n>3",
            "<tr><td>DELETE /orders/{id}<td class=n>230<td class=n>2.2 %<td>filtered: method",
            "<h2>ledger</h2>",
            "candidate shop &lt;1.5&gt;",
        ];
        let mut rest = page.as_str();
        for row in rows {
            let at = rest.find(row).unwrap_or_else(|| panic!("{row}\n{page}"));
            rest = &rest[at..];
        }
        for markup in ["<b>", "<1.5>", "<script"] {
            assert!(!page.contains(markup), "{markup}\n{page}");
        }
    }
}
