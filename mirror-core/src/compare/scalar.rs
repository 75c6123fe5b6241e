//! Two values that are not both lists or both objects.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::kind::Kind;
use super::number::same_number;
use crate::json::{Lexer, Value, same_text, unescaped};

/// How two values differ, if they do.
pub(super) fn difference(ours: &Value<'_>, theirs: &Value<'_>) -> Option<Kind> {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => {
            (!same_number(ours, theirs)).then_some(Kind::Value)
        }
        (Value::Text(ours), Value::Text(theirs)) if same_text(ours, theirs) => None,
        (Value::Text(ours), Value::Text(theirs)) => Some(match same_normal_form(ours, theirs) {
            true => Kind::Cosmetic,
            false => Kind::Value,
        }),
        (Value::Bool(ours), Value::Bool(theirs)) => (ours != theirs).then_some(Kind::Value),
        (Value::Null, Value::Null) => None,
        (Value::Deep(ours), Value::Deep(theirs)) => {
            (!same_tokens(ours, theirs)).then_some(Kind::Value)
        }
        _ => Some(Kind::Type),
    }
}

/// Whether two texts have the same characters in NFC.
fn same_normal_form(ours: &str, theirs: &str) -> bool {
    let is_plain = |text: &str| text.is_ascii() && !text.contains('\\');
    if is_plain(ours) && is_plain(theirs) {
        return false;
    }
    unescaped(ours).nfc().eq(unescaped(theirs).nfc())
}

/// Whether two documents are equal but for white space, read without a stack.
fn same_tokens(ours: &str, theirs: &str) -> bool {
    let (mut ours, mut theirs) = (Lexer::new(ours), Lexer::new(theirs));
    loop {
        match (ours.token(), theirs.token()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a == b || same_number(a, b) => {}
            (Some(a), Some(b)) if a.starts_with('"') && same_text(a, b) => {}
            _ => return false,
        }
    }
}

/// What rules are about: the text of a text or a number.
pub(super) fn text<'v>(value: &Value<'v>) -> Option<Cow<'v, str>> {
    match value {
        Value::Number(number) => Some(Cow::Borrowed(*number)),
        Value::Text(text) => Some(unescaped(text)),
        _ => None,
    }
}

/// How two values are shown, each in at most about `most` bytes: where they part, if that is behind.
pub(super) fn shown(ours: &Value<'_>, theirs: &Value<'_>, most: usize) -> [String; 2] {
    let both = [ours, theirs].map(|value| value.shown(most));
    let (Value::Text(ours), Value::Text(theirs)) = (ours, theirs) else {
        return both;
    };
    let same = ours.chars().zip(theirs.chars()).take_while(|(a, b)| a == b);
    let same = same.count();
    if same + 20 < most {
        return both;
    }
    let from = same - 20;
    [ours, theirs].map(|text| {
        let part: String = text.chars().skip(from).take(most / 2).collect();
        format!("from character {from}: \"{part}\"")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ours: &str, theirs: &str, expect: Option<Kind>) {
        let value = |text: &str| {
            let text: &'static str = text.to_owned().leak();
            Value::parse_leniently(text.as_bytes(), 1 << 20).unwrap()
        };
        assert_eq!(
            difference(&value(ours), &value(theirs)),
            expect,
            "{ours} {theirs}"
        );
        assert_eq!(
            difference(&value(theirs), &value(ours)),
            expect,
            "{theirs} {ours}"
        );
    }

    #[test]
    fn values_differ_by_value_or_by_type() {
        check("1", "1.0", None);
        check("1", "2", Some(Kind::Value));
        check("1", "\"1\"", Some(Kind::Type));
        check("null", "0", Some(Kind::Type));
        check("null", "null", None);
        check("true", "false", Some(Kind::Value));
        check("NaN", "NaN", None);
        check("NaN", "1", Some(Kind::Value));
        check("[]", "{}", Some(Kind::Type));
    }

    #[test]
    fn another_normal_form_is_cosmetic() {
        check("\"caf\u{e9}\"", "\"cafe\u{301}\"", Some(Kind::Cosmetic));
        check("\"caf\u{e9}\"", r#""cafe\u0301""#, Some(Kind::Cosmetic));
        check("\"caf\u{e9}\"", "\"cafe\"", Some(Kind::Value));
        check("\"\u{ff11}\"", "\"1\"", Some(Kind::Value));
        check("\"a\"", "\"b\"", Some(Kind::Value));
    }

    #[test]
    fn what_is_too_deep_is_compared_by_its_tokens() {
        let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(50_000), "]".repeat(50_000));
        let parse = |text: &str| {
            let text: &'static str = text.to_owned().leak();
            let Ok(Value::Array(mut items)) = Value::parse_leniently(text.as_bytes(), 1000) else {
                panic!("a list");
            };
            while let Some(Value::Array(inner)) = items.pop() {
                items = inner;
                if matches!(items[0], Value::Deep(_)) {
                    return items.pop().unwrap();
                }
            }
            panic!("a deep one");
        };
        let same = |a: &str, b: &str| difference(&parse(&deep(a)), &parse(&deep(b)));
        assert_eq!(same(r#"{"a": 1.0}"#, r#"{"\u0061":1}"#), None);
        assert_eq!(same(r#"{"a":1}"#, r#"{"a":2}"#), Some(Kind::Value));
        assert_eq!(same("", "[]"), Some(Kind::Value));
    }

    #[test]
    fn texts_are_shown_where_they_part() {
        let long = |end: &str| format!("{}{end}", "x".repeat(500));
        let (a, b) = (long("a"), long("b"));
        let [ours, theirs] = shown(&Value::Text(&a), &Value::Text(&b), 200);
        assert!(
            ours.starts_with("from character 480") && ours.ends_with("xa\""),
            "{ours}"
        );
        assert!(theirs.ends_with("xb\""), "{theirs}");
        let [ours, _] = shown(&Value::Text("a"), &Value::Text("b"), 200);
        assert_eq!(ours, "\"a\"");
    }
}
