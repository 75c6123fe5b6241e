//! The report as one HTML page without anything to load.

use super::{ReportData, text};

const STYLE: &str = "body{font:16px system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}\
table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #8884}\
td:first-child,th:first-child{text-align:left}pre{overflow:auto}del{background:#f002;text-decoration:none}ins{background:#0a02;text-decoration:none}";

pub(super) fn page(data: &ReportData) -> String {
    let ledger: String = data
        .ledger
        .outcomes
        .iter()
        .map(|(name, count)| format!("<tr><td>{}<td>{count}", escape(name)))
        .collect();
    let differences: String = data
        .differences
        .iter()
        .map(|group| {
            let examples: String = group
                .examples
                .iter()
                .map(|e| {
                    format!(
                        "<p><code>{}</code><pre><del>- {}</del>\n<ins>+ {}</ins></pre>",
                        escape(&e.request),
                        escape(&e.production),
                        escape(&e.mirror)
                    )
                })
                .collect();
            let title = format!("{} × {} {}", group.count, group.route, group.place);
            format!("<section><h3>{}</h3>{examples}</section>", escape(&title))
        })
        .collect();
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>mirror report</title><style>{STYLE}</style>\
         <h1>mirror report</h1><h2>Ledger</h2><table><tr><td>seen<td>{}{ledger}</table>\
         <h2>Differences</h2>{}<h2>All figures</h2><pre>{}</pre></html>\n",
        data.ledger.seen,
        if differences.is_empty() {
            "<p>none".into()
        } else {
            differences
        },
        escape(&text(data))
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
    #[test]
    fn traffic_cannot_add_markup() {
        assert_eq!(
            super::escape("<script a=\"&\">"),
            "&lt;script a=&quot;&amp;&quot;&gt;"
        );
    }
}
