//! A line for each exchange, as wide as the terminal.

use std::fmt::Write;

use mirror_core::exchange::Exchange;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Known, Show, output::harmless};

/// Columns of all but target and outcome, with the spaces between.
const FIXED: usize = 46;
const OUTCOME: usize = 22;
const LEAST_TARGET: usize = 12;

pub(super) struct Table {
    width: usize,
    target: usize,
}

impl Table {
    pub(super) fn new(width: usize) -> Self {
        Self {
            width,
            target: width.saturating_sub(FIXED + OUTCOME).max(LEAST_TARGET),
        }
    }

    fn line(&self, cells: [&str; 8], out: &mut String) {
        let [
            connection,
            index,
            method,
            target,
            status,
            bytes,
            ms,
            outcome,
        ] = cells;
        let target = fitted(target, self.target);
        let pad = " ".repeat(self.target - target.width());
        let line = format!(
            "{connection:>5} {index:>3}  {:<7} {target}{pad} {status:>6} {bytes:>8} {ms:>8}  {outcome}",
            fitted(method, 7)
        );
        let _ = writeln!(out, "{}", fitted(&line, self.width).trim_end());
    }
}

impl Show for Table {
    fn begin(&mut self, out: &mut String) {
        let names = [
            "CONN", "NR", "METHOD", "TARGET", "STATUS", "BYTES", "MS", "OUTCOME",
        ];
        self.line(names, out);
    }

    fn exchange(&mut self, exchange: &Exchange, known: &Known, out: &mut String) {
        let response = exchange.response.as_ref();
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        let latency = exchange.latency_nanos();
        self.line(
            [
                &exchange.connection.to_string(),
                &exchange.index.to_string(),
                &harmless(&exchange.request.method),
                &harmless(&exchange.request.target.text()),
                &or_dash(response.map(|r| r.status.to_string())),
                &or_dash(response.map(|r| r.body.len().to_string())),
                &or_dash(latency.map(|nanos| format!("{:.2}", nanos as f64 / 1e6))),
                known.outcome,
            ],
            out,
        );
    }
}

/// At most `width` columns, the end replaced where it is longer.
pub(super) fn fitted(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.into();
    }
    let mut columns = 0;
    let mut fitted: String = text
        .chars()
        .take_while(|c| {
            columns += c.width().unwrap_or(0);
            columns < width
        })
        .collect();
    fitted.push('…');
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_columns() {
        let check =
            |text: &str, width: usize, expect: &str| assert_eq!(fitted(text, width), expect);
        check("abc", 3, "abc");
        check("abcd", 3, "ab…");
        check("日本語", 6, "日本語");
        check("日本語", 5, "日本…");
        check("日本語", 4, "日…");
    }

    #[test]
    fn a_line_is_never_wider_than_the_terminal() {
        for width in [40, 80, 100, 200] {
            let mut out = String::new();
            let target = "/a/path/".repeat(40);
            let cells = [
                "1",
                "2",
                "DELETE",
                &target,
                "200",
                "1234567",
                "12.34",
                "skipped: unsafe method",
            ];
            Table::new(width).line(cells, &mut out);
            assert!(out.trim_end().width() <= width, "{out}");
            assert!(width < 80 || out.contains("unsafe method"), "{out}");
        }
    }
}
