//! The page's markup. `maud` escapes every text, so that nothing of the traffic becomes markup.

mod decision;
mod figures;
mod snapshots;
mod tables;

use maud::{Markup, html};
use mirror_core::verdict::Decision;
use serde::Serialize;

use super::super::status::ReportData;
use super::LiveMode;
use super::data::PageData;
use super::words::name;

/// The sections that are drawn anew as markup while a run goes on.
#[derive(Serialize)]
pub(super) struct Redrawn {
    title: String,
    icon: String,
    decision: String,
    why: String,
    snapshots: String,
    figures: String,
}

impl Redrawn {
    pub(super) fn new(report: &ReportData, data: &PageData<'_>) -> Self {
        Self {
            title: title(report),
            icon: icon(report.results.verdict.decision),
            decision: decision::decision(report, data, true).into_string(),
            why: decision::why(report).into_string(),
            snapshots: snapshots::snapshots(&report.results).into_string(),
            figures: figures::figures(&report.results).into_string(),
        }
    }
}

const SECTIONS: [(&str, &str); 7] = [
    ("decision", "Decision"),
    ("routes", "Routes"),
    ("differences", "Differences"),
    ("times", "Times"),
    ("requests", "Requests"),
    ("snapshots", "Data"),
    ("figures", "Figures"),
];

pub(super) fn title(report: &ReportData) -> String {
    let decision = report.results.verdict.decision.name();
    match report.name.as_str() {
        "" => format!("{decision} – mirror"),
        run => format!("{decision} – {}", name(run)),
    }
}

/// A dot in the colour of the decision.
pub(super) fn icon(decision: Decision) -> String {
    let colour = match decision {
        Decision::Pass => "1a7f37",
        Decision::Fail => "cf222e",
        Decision::Hold => "b35900",
        Decision::Invalid => "8250df",
    };
    format!(
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='%23{colour}'/%3E%3C/svg%3E"
    )
}

pub(super) fn body(report: &ReportData, data: &PageData<'_>, live: Option<LiveMode>) -> Markup {
    let is_live = live.is_some();
    html! {
        a.skip href="#decision" { "Skip to the decision" }
        header.topbar {
            span.brand { "mirror" }
            nav aria-label="Sections" {
                @for (id, title) in SECTIONS {
                    a href={ "#" (id) } { (title) }
                }
            }
            @if is_live {
                div.live {
                    span #live-state role="status" { "connecting" }
                    @if live == Some(LiveMode::Control) {
                        button #pause type="button" aria-pressed=(data.paused) { "Pause" }
                    }
                }
            }
        }
        main {
            div #decision { (decision::decision(report, data, is_live)) }
            div #why { (decision::why(report)) }
            (tables::routes(report, data))
            (tables::differences(report, data))
            (tables::times(data))
            (tables::requests(data))
            section #snapshots aria-labelledby="snapshots-title" {
                (snapshots::snapshots(&report.results))
            }
            section #figures aria-labelledby="figures-title" {
                (figures::figures(&report.results))
            }
        }
        footer {
            "Written by mirror-agent " (name(&report.version))
            ". The same figures, and all groups and examples, are in report.json."
        }
        p.sr #announce role="status" aria-live="polite" {}
    }
}
