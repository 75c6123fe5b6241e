//! The sections that the script draws: their headings and legends, and the first rows for who has no script.

use maud::{Markup, html};
use mirror_core::compare::Severity;
use mirror_core::verdict::words::{count, percent};

use super::super::super::judgement::{COVERAGE, COVERAGE_COLUMNS, Entries, parts};
use super::super::super::status::ReportData;
use super::super::super::table::Align;
use super::super::data::PageData;
use super::super::words::name;

/// Rows without a script.
const MAX_ROWS: usize = 20;
/// Routes that were never judged; all are in report.json.
const MAX_UNCOVERED: usize = 50;

pub(super) fn routes(report: &ReportData, data: &PageData<'_>) -> Markup {
    html! {
        section #routes aria-labelledby="routes-title" {
            h2 #routes-title { "Routes" }
            p.lead { "Each route of the service: how much of the traffic it is, and what is shown for it." }
            ul.legend aria-label="Legend of the small pictures" {
                li { span.key.production {} "production, p95" }
                li { span.key.candidate {} "candidate, p95" }
                li { span.key.differs {} "requests that differ" }
            }
            div.drawn #routes-drawn {}
            div.static {
                (first_of(data.routes.len()))
                (static_table(
                    "Routes",
                    [("Route", Align::Left), ("Traffic", Align::Right), ("Judged", Align::Right), ("Differ", Align::Right), ("Verdict", Align::Left), ("Why", Align::Left)],
                    data.routes.iter().take(MAX_ROWS).map(|route| [
                        route.name.clone(),
                        percent(route.traffic),
                        count(route.judged),
                        count(route.differed),
                        route.standing.words().to_owned(),
                        route.why.clone(),
                    ]),
                ))
            }
            (coverage(report))
        }
    }
}

fn coverage(report: &ReportData) -> Markup {
    let parts = parts(&report.results.verdict, MAX_UNCOVERED);
    let part = parts.into_iter().find(|part| part.title == COVERAGE);
    let rows = match part {
        Some(part) => match part.entries {
            Entries::Coverage(rows) => rows,
            _ => Vec::new(),
        },
        None => Vec::new(),
    };
    let all = report.results.verdict.coverage.len();
    html! {
        @if !rows.is_empty() {
            details.more {
                summary { "Routes of which nothing was judged (" (count(all as u64)) ")" }
                (static_table("Routes of which nothing was judged", COVERAGE_COLUMNS, rows))
                @if all > MAX_UNCOVERED { p.more { "and " (count((all - MAX_UNCOVERED) as u64)) " more in report.json" } }
            }
        }
    }
}

pub(super) fn differences(report: &ReportData, data: &PageData<'_>) -> Markup {
    let dropped = report.results.differences_dropped;
    html! {
        section #differences aria-labelledby="differences-title" {
            h2 #differences-title { "Differences" }
            p.lead { "Answers that differ alike are one group. What fails the run comes first." }
            ul.legend aria-label="Severities" {
                @for severity in Severity::ALL {
                    li { span class={ "pill " (severity.name()) } { (severity.name()) } (severity_words(severity)) }
                }
            }
            div.drawn #differences-drawn {}
            div.static {
                (first_of(data.groups.len()))
                (static_table(
                    "Differences",
                    [("Severity", Align::Left), ("Place", Align::Left), ("Route", Align::Left), ("Answers", Align::Right), ("State", Align::Left), ("Why", Align::Left), ("Production", Align::Left), ("Candidate", Align::Left)],
                    data.groups.iter().take(MAX_ROWS).map(|group| {
                        let example = group.examples.first();
                        [
                            format!("{}, {}", group.severity, group.kind),
                            group.place.clone(),
                            group.route.clone(),
                            count(group.count),
                            group.state.words().to_owned(),
                            group.why.clone(),
                            example.map_or_else(String::new, |one| one.production.clone()),
                            example.map_or_else(String::new, |one| one.candidate.clone()),
                        ]
                    }),
                ))
            }
            @if dropped > 0 {
                p.more { (count(dropped)) " differences of the least significant groups are in no group: there were too many." }
            }
        }
    }
}

fn severity_words(severity: Severity) -> &'static str {
    match severity {
        Severity::Breaking => "a reader of production's answer fails",
        Severity::Value => "a reader gets something else",
        Severity::Order => "the same in another order",
        Severity::Added => "something more, which most readers ignore",
        Severity::Cosmetic => "the same data, written in another way",
    }
}

pub(super) fn times(data: &PageData<'_>) -> Markup {
    let has_times = data.routes.iter().any(|route| route.has_times());
    html! {
        section #times aria-labelledby="times-title" {
            h2 #times-title { "Times and caches" }
            @if has_times {
                p.lead {
                    "How long both sides took, from the request to the last byte of the answer. The first ten seconds of a run are cold: the change of times leaves them out."
                }
                ul.legend aria-label="Legend of the times" {
                    li { span.key.production {} "production" }
                    li { span.key.candidate {} "candidate" }
                    li { span.key.cold {} "cold, the first ten seconds" }
                }
                div.drawn #times-drawn {}
                div.static { p { "The plots need JavaScript. The times of each route are in report.json." } }
            } @else {
                p.empty { "No times are known: nothing was compared." }
            }
        }
    }
}

pub(super) fn requests(data: &PageData<'_>) -> Markup {
    html! {
        section #requests aria-labelledby="requests-title" {
            h2 #requests-title { "Requests" }
            p.lead { "Every request from the kernel to its outcome. Choose an outcome to see its routes, reasons and examples." }
            ul.legend aria-label="Colours of the outcomes" {
                @for (tone, words) in [("equal", "both answers are equal"), ("differs", "the answers differ"), ("left_out", "left out on purpose, or by what it is"), ("lost", "a verdict was wanted, and there is none")] {
                    li { span class={ "key " (tone) } {} (words) }
                }
            }
            div.drawn #requests-drawn {}
            div.static {
                (static_table(
                    "Outcomes",
                    [("Stage", Align::Left), ("Outcome", Align::Left), ("Requests", Align::Right), ("Meaning", Align::Left)],
                    data.stages.iter().flat_map(|stage| stage.outcomes.iter().map(|outcome| [
                        stage.name.to_owned(),
                        outcome.name.clone(),
                        count(outcome.count),
                        outcome.meaning.clone(),
                    ])),
                ))
            }
            @if data.seen == 0 { p.empty { "No request was seen." } }
        }
    }
}

fn first_of(all: usize) -> Markup {
    html! {
        @if all > MAX_ROWS {
            p.more { "The first " (MAX_ROWS) " of " (count(all as u64)) ": the others need JavaScript, or report.json." }
        }
    }
}

/// A table whose cells are texts.
pub(super) fn static_table<const N: usize>(
    caption: &str,
    columns: [(&str, Align); N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Markup {
    let class = |align: Align| (align == Align::Right).then_some("n");
    html! {
        div.wide tabindex="0" role="region" aria-label=(caption) {
            table {
                caption.sr { (caption) }
                thead {
                    tr {
                        @for (title, align) in columns {
                            th scope="col" class=[class(align)] { (title) }
                        }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            @for (cell, (_, align)) in row.iter().zip(columns) {
                                td class=[class(align)] { bdi { (name(cell)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
