//! Pieces of a page. Texts are escaped here, so that nothing of the traffic becomes markup.

use mirror_core::compare::excerpt;

use super::super::table::Align;

/// Longest text of a cell or a line.
const MAX_TEXT: usize = 1000;

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

pub(super) fn table<const N: usize>(
    columns: [(&str, Align); N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let class = |align| match align {
        Align::Left => "",
        Align::Right => " class=n",
    };
    let head: String = columns
        .iter()
        .map(|(name, align)| format!("<th{}>{}", class(*align), escape(name)))
        .collect();
    let mut body = String::new();
    for row in rows {
        body.push_str("<tr>");
        for (cell, (_, align)) in row.iter().zip(columns) {
            body.push_str(&format!("<td{}>{}", class(align), shown(cell)));
        }
    }
    format!("<div class=wide><table><tr>{head}{body}</table></div>")
}

pub(super) fn list(lines: impl IntoIterator<Item = String>) -> String {
    let items: String = lines
        .into_iter()
        .map(|line| format!("<li>{}", shown(&line)))
        .collect();
    format!("<ul>{items}</ul>")
}

fn shown(text: &str) -> String {
    escape(&excerpt(text, MAX_TEXT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_cannot_add_markup() {
        assert_eq!(
            escape("<script a=\"&\">"),
            "&lt;script a=&quot;&amp;&quot;&gt;"
        );
        let columns = [("a", Align::Left), ("b", Align::Right)];
        assert_eq!(
            table(columns, [["<i>".into(), "\u{1b}1".into()]]),
            "<div class=wide><table><tr><th>a<th class=n>b<tr><td>&lt;i&gt;<td class=n>\\u{1b}1</table></div>"
        );
        assert_eq!(list(["<b>".into()]), "<ul><li>&lt;b&gt;</ul>");
    }
}
