//! The report as one HTML page without anything to load.

mod judgement;
mod live;
mod markup;

use super::differences::DifferenceGroup;
use super::outcomes::OutcomeData;
use super::table::{Align, number};
use super::text::troubles;
use super::{Extent, ReportData, report_text};
pub use live::{LiveMode, live_page};
use markup::{escape, table};

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.4 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}\
header{border-left:.5rem solid #888;padding:.1rem 1rem;background:#8881}\
h1{font-size:1.4rem;margin:.5rem 0;overflow-wrap:anywhere}\
h2{font-size:1.1rem;margin:1.5rem 0 .4rem}\
h2::first-letter{text-transform:uppercase}\
h3{font-size:1rem;overflow-wrap:anywhere}\
header.pass{border-color:#2a2}header.fail{border-color:#d22}header.invalid{border-color:#a3c}header.hold{border-color:#d90}\
.wide{overflow-x:auto}\
table{border-collapse:collapse}\
td,th{padding:.2rem 1.2rem .2rem 0;text-align:left;vertical-align:baseline;border-bottom:1px solid #8884}\
td{max-width:30rem;overflow-wrap:break-word}\
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\
ul{margin:0;padding-left:1.2rem}\
pre{white-space:pre-wrap;overflow-wrap:anywhere}\
del{background:#f002;text-decoration:none}ins{background:#0a02;text-decoration:none}";

/// The page of a run that has ended.
pub fn page(report: &ReportData) -> String {
    let results = &report.results;
    let troubles = results
        .headline
        .clone()
        .into_iter()
        .chain(troubles(results));
    let troubles: String = troubles
        .map(|text| format!("<p><strong>{}</strong>", escape(&text)))
        .collect();
    let seen = ("requests seen", results.ledger.seen);
    let outcomes = results.outcomes.iter();
    let outcomes = outcomes.map(|outcome| (outcome.outcome.as_str(), outcome.count));
    let ledger = table(
        [("", Align::Left), ("requests", Align::Right)],
        std::iter::once(seen)
            .chain(outcomes)
            .map(|(name, count)| [name.to_owned(), number(count)]),
    );
    let differences: String = results
        .differences
        .iter()
        .map(|group| difference(group, results.control.is_some()))
        .collect();
    let not_compared: String = results.outcomes.iter().map(outcome).collect();
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>mirror: {}</title><style>{STYLE}</style>\
         {troubles}{}{}<h2>ledger</h2>{ledger}\
         <h2>differences</h2>{}<h2>outcomes</h2>{not_compared}<h2>all figures</h2><pre>{}</pre></html>\n",
        results.verdict.decision.name(),
        judgement::decision(results),
        judgement::judgement(results),
        if differences.is_empty() {
            "<p>none".into()
        } else {
            differences
        },
        escape(&report_text(report, Extent::Details, None))
    )
}

fn difference(group: &DifferenceGroup, has_control: bool) -> String {
    let example = |e: &super::DifferenceExample| {
        format!(
            "<p><code>{}</code><pre><del>- {}</del>\n<ins>+ {}</ins></pre>",
            escape(&e.request),
            escape(&e.production),
            escape(&e.mirror)
        )
    };
    let examples: String = group.distinct_examples().map(example).collect();
    let title = format!(
        "{} × {} {} ({})",
        group.count,
        group.route,
        group.place,
        group.kind.with_severity(group.severity)
    );
    let remark = group.remark(has_control);
    let remark = remark.map(|why| format!("<p>{}", escape(why)));
    let remark = remark.unwrap_or_default();
    format!(
        "<section><h3>{}</h3>{remark}{examples}</section>",
        escape(&title)
    )
}

fn outcome(data: &OutcomeData) -> String {
    let columns = [
        ("route", Align::Left),
        ("requests", Align::Right),
        ("reason", Align::Left),
        ("example", Align::Left),
    ];
    let rows = data.groups.iter().map(|group| {
        let example = group.examples.first();
        [
            group.route.clone(),
            number(group.count),
            group.reason.clone().unwrap_or_default(),
            example.map_or_else(String::new, |example| example.request.request.clone()),
        ]
    });
    format!(
        "<section><h3>{} × {}</h3><p>{}{}</section>",
        data.count,
        escape(&data.outcome),
        escape(&data.meaning),
        table(columns, rows)
    )
}

#[cfg(test)]
mod tests {
    use mirror_core::ledger::Outcome;

    use super::super::request::tests::label;
    use super::super::{CaptureCounters, End, Recorder, RunInfo};

    #[test]
    fn every_reason_is_on_the_page_and_harmless() {
        let recorder = Recorder::new(RunInfo::default());
        recorder.saw();
        let end = End::because(Outcome::ReplayFailed, "bad <b>");
        recorder.ended(&label("<i>", "/<script>"), None, &end);
        let page = super::page(&recorder.finish(CaptureCounters::default()));
        assert!(
            page.contains("bad &lt;b&gt;<td>&lt;i&gt; /&lt;script&gt;"),
            "{page}"
        );
        assert!(page.contains("<h1>HOLD: "), "{page}");
        for markup in ["<b>", "<i>", "<script>"] {
            assert!(!page.contains(markup), "{page}");
        }
    }
}
