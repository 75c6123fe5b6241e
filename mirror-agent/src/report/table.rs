//! Tables for a terminal: as wide as it is at most, and as wide as they need to be where nobody says.

use std::fmt::Display;

use comfy_table::{CellAlignment, ContentArrangement, Table, TableStyle};
use mirror_core::compare::excerpt;

/// Longest text of a cell.
const MAX_CELL: usize = 500;

/// Where the text of a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// Lays out rows under their headers. Text from traffic is made harmless here.
pub fn table<const N: usize>(
    width: Option<u16>,
    columns: [(&str, Align); N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    }
    if columns.iter().any(|(name, _)| !name.is_empty()) {
        table.set_header(columns.map(|(name, _)| name.to_owned()).to_vec());
    }
    for row in rows {
        table.add_row(row.map(|cell| excerpt(&cell, MAX_CELL)).to_vec());
    }
    for (column, (_, align)) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, 2));
        if align == Align::Right {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Counts and what they are of, one a line.
pub fn counts<'a>(width: Option<u16>, counts: impl IntoIterator<Item = (&'a str, u64)>) -> String {
    let rows = counts
        .into_iter()
        .map(|(name, count)| [number(count), name.to_owned()]);
    table(width, [("", Align::Right), ("", Align::Left)], rows)
}

/// A number as cells hold it.
pub fn number(value: impl Display) -> String {
    value.to_string()
}

/// Columns of the terminal, or what `COLUMNS` says.
pub fn terminal_width() -> Option<u16> {
    let terminal = terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0);
    let told = || std::env::var("COLUMNS").ok()?.parse().ok();
    terminal.or_else(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [(&str, Align); 2] = [("route", Align::Left), ("count", Align::Right)];

    fn rows() -> Vec<[String; 2]> {
        let long = "GET /a/very/long/route/with/more/than/forty/characters/{id}";
        vec![[long.into(), "7".into()], ["GET /a".into(), "12345".into()]]
    }

    #[test]
    fn columns_stand_below_each_other_whatever_they_hold() {
        let text = table(None, COLUMNS, rows());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[1].contains("characters/{id}  "), "{text}");
        let end = |line: &str| line.chars().count();
        assert!(
            lines.iter().all(|line| end(line) == end(lines[0])),
            "{text}"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let text = table(Some(40), COLUMNS, rows());
        assert!(
            text.lines().all(|line| line.chars().count() <= 40),
            "{text}"
        );
        let words: String = text.split_whitespace().collect();
        assert!(words.contains("characters/{id}"), "{text}");
    }

    #[test]
    fn nothing_in_a_cell_moves_the_cursor() {
        let text = table(None, COLUMNS, [["\u{1b}[2J".into(), "1\n2".into()]]);
        assert!(!text.contains('\u{1b}'), "{text}");
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}
