//! Texts from traffic and from servers, made safe for a terminal or a log.

use std::borrow::Cow;

use mirror_core::printable::is_unsafe;

/// Escapes what a terminal could take for a command, line ends included: for one line.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_unsafe)
}

/// As [`printable`], and keeps line ends and tabs: for a text that was laid out here.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_unsafe(c) && c != '\n' && c != '\t')
}

/// As [`printable`] for JSON, which escapes most of them itself.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    escape(
        json,
        |c| is_unsafe(c) && c != '\n',
        |c| {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units).iter();
            units.map(|unit| format!("\\u{unit:04x}")).collect()
        },
    )
}

fn escaped(text: &str, which: impl Fn(char) -> bool) -> Cow<'_, str> {
    escape(text, which, |c| c.escape_default().to_string())
}

fn escape(text: &str, which: impl Fn(char) -> bool, how: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(&which) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if which(c) {
            out += &how(c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_could_obey_is_escaped() {
        let check = |text: &str, expect: &str| assert_eq!(printable(text), expect);
        check("/a?q=中文", "/a?q=中文");
        check("\x1b[31mred", "\\u{1b}[31mred");
        check("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}");
        check("a\r\nb\t", "a\\r\\nb\\t");
        check("\u{202e}gpj", "\\u{202e}gpj");
        assert_eq!(
            printable_lines("a\n\x1b]0;t\x07\n"),
            "a\n\\u{1b}]0;t\\u{7}\n"
        );
    }

    #[test]
    fn json_stays_json_with_the_same_content() {
        let value = serde_json::json!({ "a": "\u{9b}2J\u{7f}\u{202e}\x1b中\u{e0041}" });
        let json = serde_json::to_string_pretty(&value).unwrap();
        let printed = printable_json(&json);
        assert!(printed.chars().all(|c| c == '\n' || !is_unsafe(c)));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&printed).unwrap(),
            value
        );
    }
}
