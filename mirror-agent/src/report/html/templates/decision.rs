//! What was decided, and why.

use std::collections::BTreeSet;

use maud::{Markup, html};
use mirror_core::verdict::words::{count, counted, percent};
use mirror_core::verdict::{Decision, Judgement};

use super::super::super::judgement::{COVERAGE, Entries, Part, ROUTE_BOUNDS, parts};
use super::super::super::status::{ReportData, Results};
use super::super::super::text::troubles;
use super::super::data::PageData;
use super::super::words::{long, name, rfc3339, text, utc};

/// Entries of each part that are shown; all are in report.json.
const MAX_SHOWN: usize = 8;
/// Builds of a side that are shown.
const MAX_BUILDS: usize = 4;

pub(super) fn decision(report: &ReportData, data: &PageData<'_>, is_live: bool) -> Markup {
    let verdict = &report.results.verdict;
    let class = verdict.decision.name().to_lowercase();
    html! {
        section class={ "decision " (class) } aria-labelledby="verdict" {
            div.verdict {
                (symbol(verdict.decision))
                div {
                    h1 #verdict {
                        (verdict.decision.name())
                        @if is_live { span.sofar { " so far" } }
                    }
                    p.claim { (claim(verdict)) }
                }
            }
            p.sentence { (sentence(&text(&verdict.reason))) }
            @for trouble in notices(report) {
                p.notice { (trouble) }
            }
            dl.tiles { (tiles(report, data)) }
            (sides(report))
            dl.facts { (facts(report, is_live)) }
        }
    }
}

/// What the word claims, for a reader who sees it for the first time.
fn claim(verdict: &Judgement) -> &'static str {
    match (verdict.decision, verdict.is_quick) {
        (Decision::Pass, false) => "The candidate answers as production does, within the limits.",
        (Decision::Pass, true) => "A quick look found no difference. It promises nothing.",
        (Decision::Fail, false) => "The candidate really differs from production.",
        (Decision::Fail, true) => "A quick look found differences. It proves nothing.",
        (Decision::Hold, _) => "There is not enough to decide on yet.",
        (Decision::Invalid, _) => "What was seen cannot be relied on.",
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    let end = match text.ends_with(['.', '…']) {
        true => "",
        false => ".",
    };
    format!("{}{}{end}", first.unwrap_or_default(), chars.as_str())
}

/// Told apart by their form too, not by colour alone.
fn symbol(decision: Decision) -> Markup {
    let path = match decision {
        Decision::Pass => "M5 12.5l4.5 4.5L19 7.5",
        Decision::Fail => "M6.5 6.5l11 11M17.5 6.5l-11 11",
        Decision::Hold => "M9 6.5v11M15 6.5v11",
        Decision::Invalid => "M12 5.5v8M12 17.2v.6",
    };
    html! {
        svg.symbol viewBox="0 0 24 24" aria-hidden="true" focusable="false" {
            circle cx="12" cy="12" r="12" {}
            path d=(path) {}
        }
    }
}

/// What a reader must know before all numbers.
fn notices(report: &ReportData) -> Vec<String> {
    let mut notices: Vec<String> = Vec::new();
    notices.extend(report.unfinished.as_deref().map(|what| {
        format!(
            "The run {}. This is what it had found until then.",
            text(what)
        )
    }));
    notices.extend(report.kept.as_deref().map(text));
    let failed = report.results.failed.as_deref();
    notices.extend(failed.map(text));
    notices.extend(report.results.headline.as_deref().map(text));
    notices.extend(troubles(&report.results).iter().map(|line| text(line)));
    notices
}

fn tiles(report: &ReportData, data: &PageData<'_>) -> Markup {
    let results = &report.results;
    let verdict = &results.verdict;
    let judged = judged(verdict, data);
    let (fail, open, noted) = (
        verdict.findings.len() + verdict.rules_met.len(),
        verdict.undecided.len(),
        verdict.noted.len(),
    );
    let bounds = || verdict.routes.iter().filter(|route| route.limit < 1.0);
    let shown = bounds().filter(|route| route.is_shown()).count();
    let uncovered: f64 = verdict.coverage.iter().map(|one| one.traffic).sum();
    html! {
        (tile("Requests judged", &count(judged), &format!("of {} seen", count(results.ledger.seen))))
        (tile("Reasons to fail", &count(fail as u64), &format!("{} undecided, {} real but allowed", count(open as u64), count(noted as u64))))
        (tile("Routes within the limit", &within(shown, bounds().count()), &bound(verdict)))
        (tile("Traffic that was judged", &percent((1.0 - uncovered).clamp(0.0, 1.0)), &match verdict.coverage.len() {
            0 => "every route was judged".to_owned(),
            routes => format!("{} without a verdict", counted(routes as u64, "route")),
        }))
        (latency(verdict))
    }
}

/// The scopes of a judgement are all routes, each once; a route that is small is in the last one and in a row of its own.
fn judged(verdict: &Judgement, data: &PageData<'_>) -> u64 {
    match verdict.routes.as_slice() {
        [] => data.routes.iter().map(|route| route.judged).sum(),
        scopes => scopes.iter().map(|scope| scope.judged).sum(),
    }
}

fn within(shown: usize, all: usize) -> String {
    match all {
        0 => "–".into(),
        all => format!("{shown} of {all}"),
    }
}

fn tile(label: &str, value: &str, note: &str) -> Markup {
    html! {
        div {
            dt { (label) }
            dd.value { (value) }
            dd.note { (note) }
        }
    }
}

/// Of the busiest route.
fn bound(verdict: &Judgement) -> String {
    let routes = verdict
        .routes
        .iter()
        .filter(|route| route.limit < 1.0 && route.judged > 0);
    let busiest = routes.max_by(|a, b| a.traffic.total_cmp(&b.traffic));
    busiest.map_or_else(
        || "no bound is known yet".into(),
        |route| {
            let at_most = percent(route.at_most);
            format!("at most {at_most} differ on the busiest")
        },
    )
}

/// Of the busiest route that has times on both sides.
fn latency(verdict: &Judgement) -> Markup {
    let known = verdict.each.iter();
    let times = known.filter_map(|route| route.times.as_ref()).next();
    let Some(times) = times else {
        return html! {};
    };
    let signed = |change: Option<f64>| {
        change.map_or_else(
            || "?".into(),
            |change| match change {
                0.0 => "0 %".into(),
                less if less < 0.0 => format!("−{}", percent(-less)),
                more => format!("+{}", percent(more)),
            },
        )
    };
    let rounded = |change: Option<f64>| change.map(|change| (change * 1_000.0).round() / 1_000.0);
    let other = match times.is_to_control {
        true => "the control",
        false => "production, over another way",
    };
    let note = format!(
        "{} to {}, against {other}",
        signed(rounded(times.p50.at_least)),
        signed(rounded(times.p50.at_most))
    );
    tile(
        "Median time, busiest route",
        &signed(rounded(times.p50.seen)),
        &note,
    )
}

/// The builds that were compared.
fn sides(report: &ReportData) -> Markup {
    let builds = &report.results.verdict.builds;
    let has_control = report.results.control.is_some() || !builds.control.is_empty();
    html! {
        div.sides {
            (side("Production", "production", &builds.production))
            span.versus aria-hidden="true" { "→" }
            (side("Candidate", "candidate", &builds.candidate))
            @if has_control { (side("Control, the old version beside it", "control", &builds.control)) }
        }
    }
}

fn side(title: &str, class: &str, builds: &BTreeSet<String>) -> Markup {
    let shown: Vec<String> = builds
        .iter()
        .take(MAX_BUILDS)
        .map(|build| name(build))
        .collect();
    let more = builds.len().saturating_sub(MAX_BUILDS);
    html! {
        div class={ "side " (class) } {
            span.label { (title) }
            @if shown.is_empty() { span.build.unknown { "build not named" } }
            @for build in shown { bdi.build { (build) } }
            @if more > 0 { span { "and " (more) " more" } }
        }
    }
}

fn facts(report: &ReportData, is_live: bool) -> Markup {
    let results = &report.results;
    let run = &results.run;
    let lasted = report.ended_at.saturating_sub(report.started_at);
    let source = match &run.file {
        Some(file) => format!("the file {file}"),
        None => {
            let ports = run.ports.to_string();
            let places = run.interfaces.iter().chain(Some(&ports));
            let places: Vec<&str> = places
                .map(String::as_str)
                .filter(|one| !one.is_empty())
                .collect();
            places.join(", ")
        }
    };
    let hosts: Vec<String> = report.hosts.iter().map(|host| name(host)).collect();
    html! {
        @if !report.name.is_empty() { (fact("Run", html! { bdi { (name(&report.name)) } })) }
        (fact("Began", time(report.started_at)))
        (fact(if is_live { "As of" } else { "Ended" }, time(report.ended_at)))
        (fact("Lasted", html! { (long(lasted)) }))
        (fact("Captured from", html! { bdi { (text(&source)) } }))
        @if let Some(target) = &run.target { (fact("Replayed to", html! { bdi { (text(target)) } })) }
        @if !hosts.is_empty() { (fact(if hosts.len() == 1 { "Host" } else { "Hosts" }, html! { bdi { (hosts.join(", ")) } })) }
        (fact("Data", html! { (data_words(results)) }))
        (fact("Exit code", html! { (results.verdict.decision.exit_code()) }))
    }
}

fn data_words(results: &Results) -> &'static str {
    match (results.run.snapshots, results.run.replica) {
        (true, true) => "snapshots and a replica",
        (true, false) => "production's snapshots",
        (false, true) => "a database replica",
        (false, false) => "the candidate's own",
    }
}

fn fact(title: &str, value: Markup) -> Markup {
    html! { div { dt { (title) } dd { (value) } } }
}

/// The script adds the reader's own time.
pub(super) fn time(seconds: u64) -> Markup {
    html! { time datetime=(rfc3339(seconds)) { (utc(seconds)) } }
}

/// All that the decision rests on, but what has a section of its own.
pub(super) fn why(report: &ReportData) -> Markup {
    let parts = parts(&report.results.verdict, MAX_SHOWN);
    let elsewhere = [ROUTE_BOUNDS, COVERAGE];
    let parts: Vec<Part> = parts
        .into_iter()
        .filter(|part| !elsewhere.contains(&part.title))
        .collect();
    html! {
        @if !parts.is_empty() {
            section.why aria-labelledby="why-title" {
                h2 #why-title { "Why" }
                div.cards { @for part in parts { (card(part)) } }
            }
        }
    }
}

fn card(part: Part) -> Markup {
    html! {
        div.card {
            h3 { (sentence(part.title).trim_end_matches('.')) }
            ul {
                @match part.entries {
                    Entries::Lines(lines) => {
                        @for line in lines { li { (text(&line)) } }
                    }
                    Entries::Findings(findings) => {
                        @for one in findings {
                            li {
                                span.where { bdi { (name(&one.route)) } " " bdi { (name(&one.place)) } }
                                " (" (one.kind) "): " (one.sentence())
                            }
                        }
                    }
                    Entries::Routes(_) | Entries::Coverage(_) => {}
                }
            }
            @if part.more > 0 { p.more { "and " (count(part.more as u64)) " more" } }
        }
    }
}
