//! Media types by what they mean (RFC 9110 §8.3.1).

use std::borrow::Cow;

/// Whether two values of `content-type` mean the same: without regard to case, spaces, quotes and the order of
/// parameters. A boundary is chosen anew for each message. JSON is UTF-8 whether it says so or not (RFC 8259 §11).
pub(super) fn same_media_type(ours: &[u8], theirs: &[u8]) -> bool {
    if ours == theirs {
        return true;
    }
    match (MediaType::parse(ours), MediaType::parse(theirs)) {
        (Some(ours), Some(theirs)) => ours == theirs,
        _ => false,
    }
}

/// Whether two values name the same type, whatever its parameters are.
pub(super) fn same_essence(ours: &[u8], theirs: &[u8]) -> bool {
    let essence = |value| MediaType::parse(value).map(|media| media.essence);
    essence(ours).is_some() && essence(ours) == essence(theirs)
}

/// Whether a `content-type` is one of JSON.
pub(super) fn is_json(value: &[u8]) -> bool {
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    essence.ends_with(b"/json") || essence.ends_with(b"+json")
}

#[derive(Debug, PartialEq, Eq)]
struct MediaType {
    essence: String,
    /// Sorted.
    parameters: Vec<(String, String)>,
}

impl MediaType {
    fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let mut parts = split(text).into_iter();
        let essence = parts.next()?.trim().to_ascii_lowercase();
        let is_json = is_json(essence.as_bytes());
        let mut parameters = Vec::new();
        for part in parts {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let (name, value) = part.split_once('=')?;
            let name = name.trim().to_ascii_lowercase();
            let mut value = unquoted(value.trim()).into_owned();
            if name == "charset" {
                value.make_ascii_lowercase();
            }
            let says_nothing =
                name == "boundary" || (is_json && name == "charset" && value == "utf-8");
            if !says_nothing {
                parameters.push((name, value));
            }
        }
        parameters.sort();
        Some(Self {
            essence,
            parameters,
        })
    }
}

/// The parts between semicolons that are not in quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts
}

/// The value of a quoted string (RFC 9110 §5.6.4), or the token itself.
fn unquoted(value: &str) -> Cow<'_, str> {
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    let Some(inner) = inner else {
        return value.into();
    };
    let mut plain = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::same_media_type;

    fn check(ours: &str, theirs: &str, expect: bool) {
        let same = |a: &str, b: &str| same_media_type(a.as_bytes(), b.as_bytes());
        assert_eq!(same(ours, theirs), expect, "{ours} | {theirs}");
        assert_eq!(same(theirs, ours), expect, "{theirs} | {ours}");
    }

    #[test]
    fn case_spaces_quotes_and_order_mean_nothing() {
        check("application/json", "Application/JSON", true);
        check(
            "application/json;charset=UTF-8",
            "application/json; charset=utf-8",
            true,
        );
        check(
            "text/html; charset=\"utf-8\"",
            "text/html;charset=UTF-8",
            true,
        );
        check("text/a; b=1; c=2", "text/a; c=2;b=1;", true);
        check("text/a; b=\"x;y\"", "text/a;b=\"x\\;y\"", true);
        check(
            "multipart/mixed; boundary=a",
            "multipart/mixed; boundary=b",
            true,
        );
        check("application/json", "application/json; charset=utf-8", true);
        check(
            "application/hal+json; charset=UTF-8",
            "application/hal+json",
            true,
        );
    }

    #[test]
    fn what_means_something_is_a_difference() {
        check("application/json", "text/html", false);
        check("text/html; charset=utf-8", "text/html", false);
        check(
            "text/html; charset=utf-8",
            "text/html; charset=latin1",
            false,
        );
        check(
            "application/json; charset=utf-16",
            "application/json",
            false,
        );
        check("text/a; b=x", "text/a; b=X", false);
        check("text/a; b=\"x;y\"", "text/a; b=x", false);
        check("text/html; charset", "text/html", false);
        check("text/html", "text/html\u{e9}", false);
    }
}
