//! The report as GitHub-flavoured Markdown, for the summary of a step or a comment on a pull request.
//!
//! Text of the traffic stands in code spans and code blocks alone: there it is neither markup nor a link nor a mention.

use mirror_core::compare::excerpt;
use mirror_core::verdict::Decision;
use mirror_core::verdict::words::count;

use super::examples::DifferenceExample;
use super::facts;
use super::judgement::{COVERAGE_COLUMNS, Entries, Part, ROUTE_COLUMNS, ShownFinding, parts};
use super::status::{ReportData, Results};
use super::table::{Align, number};
use super::text::troubles;

/// A comment on GitHub has at most 65,536 characters.
const MAX_TEXT: usize = 60_000;
/// Entries of each part; all are in report.json.
const MAX_ENTRIES: usize = 20;
/// Longest text of a cell.
const MAX_CELL: usize = 200;
/// Longest of the two answers in an example.
const MAX_ANSWER: usize = 1_000;

const FINDING_COLUMNS: [(&str, Align); 7] = [
    ("route", Align::Left),
    ("place", Align::Left),
    ("kind", Align::Left),
    ("differ", Align::Right),
    ("candidate odd", Align::Right),
    ("at least", Align::Right),
    ("", Align::Left),
];

pub fn markdown(report: &ReportData) -> String {
    let results = &report.results;
    let mut page = Page::default();
    page.add("the decision", head(report));
    for part in parts(&results.verdict, MAX_ENTRIES) {
        let is_open = part.is_reason;
        let title = heading(part.title);
        let more = part.more;
        let body = part_body(part, results);
        let body = match more {
            0 => body,
            more => format!("{body}\nand {} more in report.json\n", count(more as u64)),
        };
        page.add(&title, section(&title, &body, is_open));
    }
    let groups = &results.differences;
    if !groups.is_empty() {
        let title = format!("All differences ({})", count(groups.len() as u64));
        page.add(&title, section(&title, &differences(results), false));
    }
    page.add("Ledger", section("Ledger", &ledger(results), false));
    page.finish()
}

/// What is written so far, and the sections that there was no room for.
#[derive(Default)]
struct Page {
    text: String,
    left_out: Vec<String>,
}

impl Page {
    fn add(&mut self, title: &str, section: String) {
        if self.text.len() + section.len() > MAX_TEXT {
            self.left_out.push(title.to_lowercase());
        } else {
            self.text.push_str(&section);
        }
    }

    fn finish(mut self) -> String {
        if !self.left_out.is_empty() {
            let what = self.left_out.join(", ");
            self.text.push_str(&format!(
                "\nToo long for this page, and in report.json: {what}.\n"
            ));
        }
        self.text
    }
}

fn head(report: &ReportData) -> String {
    let verdict = &report.results.verdict;
    let (name, code) = (verdict.decision.name(), verdict.decision.exit_code());
    let headline = report.results.headline.iter();
    let mut text: String = headline
        .map(|headline| format!("> {}\n\n", code_line(headline)))
        .collect();
    text += &format!(
        "## {} {name}\n\n{} (exit code {code})\n",
        mark(verdict.decision),
        code_line(&verdict.reason)
    );
    for trouble in troubles(&report.results) {
        text += &format!("\n> {}\n", code_line(&trouble));
    }
    let rows = facts::of_report(report).into_iter();
    let rows = rows.map(|[name, value]| [name, code_span(&value)]);
    text + "\n" + &table([("", Align::Left), ("", Align::Left)], rows)
}

const fn mark(decision: Decision) -> &'static str {
    match decision {
        Decision::Pass => "🟢",
        Decision::Fail => "🔴",
        Decision::Hold => "🟡",
        Decision::Invalid => "🟣",
    }
}

fn part_body(part: Part, results: &Results) -> String {
    match part.entries {
        Entries::Lines(lines) => {
            let lines = lines.iter().map(|line| format!("- {}\n", code_line(line)));
            lines.collect()
        }
        Entries::Findings(findings) => found(&findings, results),
        Entries::Routes(rows) => table(ROUTE_COLUMNS, rows.into_iter().map(first_is_code)),
        Entries::Coverage(rows) => table(COVERAGE_COLUMNS, rows.into_iter().map(first_is_code)),
    }
}

/// With an example of each below the table.
fn found(findings: &[ShownFinding], results: &Results) -> String {
    let unknown = || "–".to_owned();
    let rows = findings.iter().map(|finding| {
        [
            code_span(&finding.route),
            code_span(&finding.place),
            finding.kind.clone(),
            finding.differ.clone(),
            finding.odd.clone().unwrap_or_else(unknown),
            finding.at_least.clone().unwrap_or_else(unknown),
            finding.remarks.join("; "),
        ]
    });
    let mut text = table(FINDING_COLUMNS, rows);
    for finding in findings {
        let mut groups = results.differences.iter();
        let group = groups.find(|group| finding.is_of(group));
        if let Some(first) = group.and_then(|group| group.examples.first()) {
            text += &example(first);
        }
    }
    text
}

fn differences(results: &Results) -> String {
    let columns = [
        ("route", Align::Left),
        ("place", Align::Left),
        ("kind", Align::Left),
        ("answers", Align::Right),
        ("", Align::Left),
    ];
    let has_control = results.control.is_some();
    let rows = results.differences.iter().take(MAX_ENTRIES * 3);
    let rows = rows.map(|group| {
        [
            code_span(&group.route),
            code_span(&group.place),
            group.kind.with_severity(group.severity),
            count(group.count),
            group.remark(has_control).unwrap_or_default().to_owned(),
        ]
    });
    table(columns, rows)
}

fn ledger(results: &Results) -> String {
    let seen = ["requests seen".into(), number(results.ledger.seen)];
    let outcomes = results.outcomes.iter();
    let outcomes = outcomes.map(|outcome| [outcome.outcome.clone(), count(outcome.count)]);
    let columns = [("", Align::Left), ("requests", Align::Right)];
    table(columns, std::iter::once(seen).chain(outcomes))
}

/// What the two sides answered to one request.
fn example(example: &DifferenceExample) -> String {
    let [production, mirror] = [&example.production, &example.mirror];
    let lines = format!(
        "- {}\n+ {}",
        excerpt(production, MAX_ANSWER),
        excerpt(mirror, MAX_ANSWER)
    );
    let fence = "`".repeat(longest_run(&lines).max(2) + 1);
    format!(
        "\n{}\n{fence}diff\n{lines}\n{fence}\n",
        code_line(&example.request)
    )
}

/// Closed, unless a reader must see it.
fn section(title: &str, body: &str, is_open: bool) -> String {
    if is_open {
        format!("\n### {title}\n\n{body}")
    } else {
        format!("\n<details><summary>{title}</summary>\n\n{body}\n</details>\n")
    }
}

/// Begins with a capital.
fn heading(title: &str) -> String {
    let mut rest = title.chars();
    let first = rest.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + rest.as_str()
}

fn table<const N: usize>(
    columns: [(&str, Align); N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let row = |cells: &[String; N]| format!("| {} |\n", cells.join(" | "));
    let mut text = row(&columns.map(|(name, _)| name.to_owned()));
    text += &row(&columns.map(|(_, align)| match align {
        Align::Left => "---".to_owned(),
        Align::Right => "---:".to_owned(),
    }));
    for cells in rows {
        text += &row(&cells);
    }
    text
}

fn first_is_code<const N: usize>(mut row: [String; N]) -> [String; N] {
    row[0] = code_span(&row[0]);
    row
}

/// A code span in a cell. A pipe would end the cell, even in code, unless it is escaped; and behind a backslash nothing
/// escapes it, so that one is shown as the sign that looks like it.
fn code_span(text: &str) -> String {
    let text = excerpt(text, MAX_CELL);
    code(&text.replace("\\|", "\\∣").replace('|', "\\|"))
}

/// A code span outside of tables.
fn code_line(text: &str) -> String {
    code(&excerpt(text, MAX_ANSWER))
}

/// Within more backticks than there are in it.
fn code(text: &str) -> String {
    if text.trim().is_empty() {
        return "–".into();
    }
    let fence = "`".repeat(longest_run(text) + 1);
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Most backticks in a row.
fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use mirror_core::compare::{Kind, Severity};

    use super::super::differences::DifferenceGroup;
    use super::super::judgement::tests::judgement;
    use super::super::{CaptureCounters, Recorder, RunInfo};
    use super::*;

    fn report() -> ReportData {
        let mut report = Recorder::new(RunInfo::default()).finish(CaptureCounters::default());
        report.results.verdict = judgement();
        report.results.differences =
            vec![group("GET /orders/{id}", "body /total", "{\"total\": 12}")];
        report
    }

    fn group(route: &str, place: &str, production: &str) -> DifferenceGroup {
        DifferenceGroup {
            route: route.into(),
            place: place.into(),
            kind: Kind::Missing,
            severity: Severity::Breaking,
            count: 412,
            is_evidence: true,
            varies: false,
            examples: vec![DifferenceExample {
                request: "GET /orders/7".into(),
                id: None,
                connection: 1,
                index: 2,
                times: 1,
                trace_id: None,
                answers: None,
                production: production.into(),
                mirror: "{}".into(),
            }],
        }
    }

    #[test]
    fn the_decision_is_the_heading_and_its_reasons_are_open() {
        let text = markdown(&report());
        let begins = "## 🔴 FAIL\n\n`412 answers really differ at GET /orders/{id} body /total (missing, breaking)";
        assert!(text.starts_with(begins), "{text}");
        for lines in [
            "| builds | `candidate shop <1.5>, production shop 1.4` |\n",
            "\n### What fails the run\n\n| route | place | kind | differ | candidate odd | at least |  |\n| --- | --- | --- | ---: | ---: | ---: | --- |\n| `GET /orders/{id}` | `body /total` | missing, breaking | 412 of 8,120 | 38 of 40 | 2.1 % |  |\n",
            "\n`GET /orders/7`\n```diff\n- {\"total\": 12}\n+ {}\n```\n",
            "\n### Not decided\n\n",
            "<details><summary>Routes of which nothing was judged</summary>\n\n",
            "<details><summary>All differences (1)</summary>\n\n",
        ] {
            assert!(text.contains(lines), "{lines}\n{text}");
        }
    }

    #[test]
    fn text_of_the_traffic_is_code_and_stays_in_its_cell() {
        let check = |text: &str, expect: &str| assert_eq!(code_span(text), expect);
        check("a", "`a`");
        check("", "–");
        check("a|b", "`a\\|b`");
        check("a\\|b", "`a\\∣b`");
        check("``x", "``` ``x ```");
        check(
            "</details><script>@all https://evil",
            "`</details><script>@all https://evil`",
        );
        check("a\n| b", "`a\\u{a}\\| b`");
        let mut report = report();
        let evil = "```\n</details>\n# x";
        report.results.differences = vec![group("GET /orders/{id}", "body /total", evil)];
        let text = markdown(&report);
        assert!(
            text.contains("\n````diff\n- ```\\u{a}</details>\\u{a}# x\n"),
            "{text}"
        );
    }

    #[test]
    fn a_long_report_fits_a_comment_and_says_what_is_missing() {
        let mut report = report();
        let long = "x".repeat(5_000);
        let finding = report.results.verdict.findings[0].clone();
        report.results.verdict.findings = (0..500)
            .map(|n| {
                let mut one = finding.clone();
                one.route = format!("GET /{n}/{long}");
                one
            })
            .collect();
        report.results.differences = (0..500)
            .map(|n| group(&format!("GET /{n}/{long}"), &long, &long))
            .collect();
        let text = markdown(&report);
        assert!(text.len() < 65_536, "{}", text.len());
        assert!(text.contains("and 480 more in report.json"), "{text}");
    }
}
