//! The report as one HTML page without anything to load.

use super::differences::DifferenceGroup;
use super::outcomes::OutcomeData;
use super::text::{no_evidence, troubles};
use super::{ReportData, report_text};

const STYLE: &str = "body{font:16px system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}h1{font-size:1.5rem}\
table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #8884}\
td:first-child,th:first-child,td:nth-child(n+3),th:nth-child(n+3){text-align:left}pre{white-space:pre-wrap;overflow-wrap:anywhere}del{background:#f002;text-decoration:none}ins{background:#0a02;text-decoration:none}";

pub(super) fn page(report: &ReportData) -> String {
    let results = &report.results;
    let outcomes = results.outcomes.iter();
    let ledger: String = outcomes
        .map(|o| format!("<tr><td>{}<td>{}", escape(&o.outcome), o.count))
        .collect();
    let troubles = troubles(results).into_iter();
    let troubles: String = troubles
        .map(|text| format!("<p><strong>{}</strong>", escape(&text)))
        .collect();
    let differences = results.differences.iter();
    let differences: String = differences
        .map(|group| difference(group, no_evidence(group, results)))
        .collect();
    let not_compared: String = results.outcomes.iter().map(outcome).collect();
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>mirror report</title><style>{STYLE}</style>\
         {troubles}<h1>{}: {}</h1><h2>Ledger</h2><table><tr><td>seen<td>{}{ledger}</table>\
         <h2>Differences</h2>{}<h2>Outcomes</h2>{not_compared}<h2>All figures</h2><pre>{}</pre></html>\n",
        results.verdict.decision.name(),
        escape(&results.verdict.reason),
        results.ledger.seen,
        if differences.is_empty() {
            "<p>none".into()
        } else {
            differences
        },
        escape(&report_text(report, None))
    )
}

fn difference(group: &DifferenceGroup, no_evidence: Option<&str>) -> String {
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
        group.kind.name()
    );
    let remark = no_evidence.map(|why| format!("<p>{}", escape(why)));
    let remark = remark.unwrap_or_default();
    format!(
        "<section><h3>{}</h3>{remark}{examples}</section>",
        escape(&title)
    )
}

fn outcome(data: &OutcomeData) -> String {
    let row = |group: &super::OutcomeGroup| {
        let example = group.examples.first();
        let example = example.map_or("", |example| &example.request.request);
        format!(
            "<tr><td>{}<td>{}<td>{}<td><code>{}</code>",
            escape(&group.route),
            group.count,
            escape(group.reason.as_deref().unwrap_or_default()),
            escape(example)
        )
    };
    let rows: String = data.groups.iter().map(row).collect();
    format!(
        "<section><h3>{} × {}</h3><p>{}<table><tr><th>route<th>requests<th>reason<th>example{rows}</table></section>",
        data.count,
        escape(&data.outcome),
        escape(&data.meaning)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use mirror_core::ledger::Outcome;

    use super::super::request::tests::label;
    use super::super::{CaptureCounters, End, Recorder, RunInfo};

    #[test]
    fn traffic_cannot_add_markup() {
        assert_eq!(
            super::escape("<script a=\"&\">"),
            "&lt;script a=&quot;&amp;&quot;&gt;"
        );
    }

    #[test]
    fn every_reason_is_on_the_page_and_harmless() {
        let recorder = Recorder::new(RunInfo::default());
        recorder.saw();
        let end = End::because(Outcome::ReplayFailed, "bad <b>");
        recorder.ended(&label("<i>", "/<script>"), None, &end);
        let page = super::page(&recorder.finish(CaptureCounters::default()));
        assert!(
            page.contains("bad &lt;b&gt;<td><code>&lt;i&gt; /&lt;script&gt;"),
            "{page}"
        );
        assert!(page.contains("<h1>HOLD: "), "{page}");
        for markup in ["<b>", "<i>", "<script>"] {
            assert!(!page.contains(markup), "{page}");
        }
    }
}
