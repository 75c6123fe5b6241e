//! The report as one HTML page without anything to load.
//!
//! What a reader has to know is markup, made by the templates in [`templates`]: the decision, why, snapshots, figures, and the first rows of
//! each table. The rest is JSON in the page, made in [`data`], and `script/` draws it: tables to sort and filter, differences side by
//! side, the flow of the requests, times. So 10,000 groups are not 10,000 rows, and without JavaScript the page still says what was
//! decided. A live page is the same; its script asks for new data and draws again.
//!
//! Texts of strangers reach the page in three ways, each harmless by construction: `maud` escapes them in markup, JSON has no `<`, and
//! the script writes texts, never markup, of the data that is not made by a template.

mod data;
mod live;
mod templates;
mod words;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{ReportData, StoredAnswers};
use crate::printable::printable_json;
use data::PageData;
use templates::Redrawn;

pub use live::LiveMode;

const STYLE: &str = concat!(
    include_str!("style/base.css"),
    include_str!("style/tables.css"),
    include_str!("style/pictures.css"),
    include_str!("style/print.css"),
);

/// One module: its parts see each other's names.
const SCRIPT: &str = concat!(
    include_str!("script/base.js"),
    include_str!("script/table.js"),
    include_str!("script/json.js"),
    include_str!("script/align.js"),
    include_str!("script/sides.js"),
    include_str!("script/routes.js"),
    include_str!("script/groups.js"),
    include_str!("script/times.js"),
    include_str!("script/flow.js"),
    include_str!("script/main.js"),
);

/// Where a page is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    File,
    /// From the agent, while the run goes on.
    Live(LiveMode),
}

/// The page of a report, with the answers that it can show in full.
pub fn page(report: &ReportData, answers: &[StoredAnswers]) -> String {
    document(report, answers, Place::File)
}

/// The page of a run in progress: it listens to `/events`. It says in `data-live` what its reader may do; a page in a file has no such
/// attribute.
pub fn live_page(report: &ReportData, answers: &[StoredAnswers], mode: LiveMode) -> String {
    document(report, answers, Place::Live(mode))
}

/// What a live page is told of a run: one line of JSON. Members that are left out stay as they were.
pub fn page_data(report: &ReportData, answers: &[StoredAnswers]) -> String {
    let data = PageData::new(report, answers);
    json(&Event {
        markup: Redrawn::new(report, &data),
        data,
    })
}

/// For a page that is drawn again.
#[derive(Serialize)]
struct Event<'r> {
    markup: Redrawn,
    #[serde(flatten)]
    data: PageData<'r>,
}

fn document(report: &ReportData, answers: &[StoredAnswers], place: Place) -> String {
    let data = PageData::new(report, answers);
    let live = match place {
        Place::File => None,
        Place::Live(mode) => Some(mode),
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" data-live=[live.map(LiveMode::name)] {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy(place));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (templates::title(report)) }
                link rel="icon" href=(templates::icon(report.results.verdict.decision));
                style { (PreEscaped(STYLE)) }
            }
            body {
                (templates::body(report, &data, live))
                (data_block(&data))
                script type="module" { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// A module is deferred, and the block is not run: it needs no word in the policy.
fn data_block(data: &PageData<'_>) -> Markup {
    html! {
        script type="application/json" id="data" { (PreEscaped(json(data))) }
    }
}

/// Without `<`, so that no text can end the block that it stands in, and without what a terminal would obey.
fn json(data: &impl Serialize) -> String {
    match serde_json::to_string(data) {
        Ok(text) => printable_json(&text).replace('<', "\\u003c"),
        Err(_) => unreachable!("its maps have texts as keys, and writing to memory cannot fail"),
    }
}

/// Our script and our style, and nothing else. A live page may ask its own agent.
fn policy(place: Place) -> String {
    let connect = match place {
        Place::File => "",
        Place::Live(_) => "connect-src 'self'; ",
    };
    let (script, style) = (digest(SCRIPT), digest(STYLE));
    format!(
        "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; {connect}base-uri 'none'; form-action 'none'"
    )
}

fn digest(text: &str) -> String {
    use base64::Engine;
    let digest = Sha256::digest(text.as_bytes());
    let engine = base64::engine::general_purpose::STANDARD;
    format!("sha256-{}", engine.encode(digest))
}

#[cfg(test)]
mod tests;
