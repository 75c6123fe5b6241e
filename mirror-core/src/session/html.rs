//! Values that a page hands to its next request: hidden inputs of forms, and `<meta>` elements, by their name.
//!
//! No HTML parser: tags are found by their `<`, attributes are read as a browser reads them, and what stands in scripts
//! and comments is read too. At worst a value is learnt that no request repeats.

use std::borrow::Cow;

use super::place::CarryPlace;

/// Named values of a page, in its order.
pub(super) fn values(page: &str) -> Vec<(CarryPlace, Cow<'_, str>)> {
    let mut values = Vec::new();
    for at in memchr::memchr_iter(b'<', page.as_bytes()) {
        let tag = &page[at + 1..];
        if let Some(rest) = named(tag, "input") {
            let attributes = Attributes::read(rest);
            let is_hidden = attributes
                .kind
                .is_some_and(|kind| kind.eq_ignore_ascii_case("hidden"));
            if let (true, Some(name), Some(value)) = (is_hidden, attributes.name, attributes.value)
            {
                values.push((CarryPlace::Form(plain(name).into()), plain(value)));
            }
        } else if let Some(rest) = named(tag, "meta") {
            let attributes = Attributes::read(rest);
            if let (Some(name), Some(content)) = (attributes.name, attributes.content) {
                values.push((CarryPlace::Meta(plain(name).into()), plain(content)));
            }
        }
    }
    values
}

/// What follows the tag's name, if it is this one.
fn named<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let (found, rest) = tag.split_at_checked(name.len())?;
    let ends = rest.starts_with(|c: char| c.is_ascii_whitespace() || c == '/');
    (found.eq_ignore_ascii_case(name) && ends).then_some(rest)
}

#[derive(Default)]
struct Attributes<'t> {
    kind: Option<&'t str>,
    name: Option<&'t str>,
    value: Option<&'t str>,
    content: Option<&'t str>,
}

impl<'t> Attributes<'t> {
    fn read(mut rest: &'t str) -> Self {
        let mut read = Self::default();
        let space = |c: char| c.is_ascii_whitespace() || c == '/';
        loop {
            rest = rest.trim_start_matches(space);
            if rest.is_empty() || rest.starts_with(['>', '<']) {
                return read;
            }
            let end = rest
                .find(|c: char| space(c) || c == '>' || c == '=')
                .filter(|end| *end > 0)
                .unwrap_or_else(|| rest.chars().next().map_or(0, char::len_utf8));
            let name = &rest[..end];
            rest = rest[end..].trim_start_matches(|c: char| c.is_ascii_whitespace());
            let value = match rest.strip_prefix('=') {
                None => "",
                Some(after) => {
                    let (value, after) = attribute_value(after.trim_ascii_start());
                    rest = after;
                    value
                }
            };
            let slot = match name.to_ascii_lowercase().as_str() {
                "type" => &mut read.kind,
                "name" => &mut read.name,
                "value" => &mut read.value,
                "content" => &mut read.content,
                _ => continue,
            };
            // Of attributes with one name the first counts.
            slot.get_or_insert(value);
        }
    }
}

/// A value, and what follows it.
fn attribute_value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote) {
            return inside.split_once(quote).unwrap_or((inside, ""));
        }
    }
    let end = text.find(|c: char| c.is_ascii_whitespace() || c == '>');
    text.split_at(end.unwrap_or(text.len()))
}

/// Without the character references that values of forms have.
fn plain(text: &str) -> Cow<'_, str> {
    const NAMED: [(&str, char); 6] = [
        ("amp;", '&'),
        ("quot;", '"'),
        ("lt;", '<'),
        ("gt;", '>'),
        ("apos;", '\''),
        ("nbsp;", '\u{a0}'),
    ];
    if !text.contains('&') {
        return text.into();
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let named = NAMED.iter().find(|(name, _)| after.starts_with(name));
        if let Some((name, c)) = named {
            out.push(*c);
            rest = &after[name.len()..];
        } else if let Some((c, after)) = numbered(after) {
            out.push(c);
            rest = after;
        } else {
            out.push('&');
            rest = after;
        }
    }
    out.push_str(rest);
    out.into()
}

/// As in `#43;` or `#x2b;`, after the `&`.
fn numbered(text: &str) -> Option<(char, &str)> {
    let (number, rest) = text.strip_prefix('#')?.split_once(';')?;
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    Some((char::from_u32(code.ok()?)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(page: &str, expect: &[(&str, &str)]) {
        let found = values(page);
        let found: Vec<_> = found
            .iter()
            .map(|(place, value)| (place.to_string(), value.as_ref()))
            .collect();
        let found: Vec<_> = found.iter().map(|(p, v)| (p.as_str(), *v)).collect();
        assert_eq!(found, expect, "{page}");
    }

    #[test]
    fn hidden_inputs_and_metas_are_read_by_name() {
        check(
            r#"<form><input type="hidden" name="csrf" value="a1"><input name=q value=b>"#,
            &[("form:csrf", "a1")],
        );
        check(
            "<INPUT value='a>b' NAME=t\n type=HIDDEN />",
            &[("form:t", "a>b")],
        );
        check(
            r#"<meta name="csrf-token" content="x&amp;y&#43;&#x2b;">"#,
            &[("meta:csrf-token", "x&y++")],
        );
        check(
            "<input type=hidden name=a value=1 value=2>",
            &[("form:a", "1")],
        );
        check("<input type=hidden name=a>", &[]);
        check("<inputs type=hidden name=a value=1>", &[]);
    }

    #[test]
    fn no_page_is_too_odd() {
        for page in [
            "<",
            "<input",
            "<input ",
            "<input =",
            "<input ===='",
            "<meta name='",
            "<input é=ü>",
        ] {
            check(page, &[]);
        }
        check("<input type=hidden name=é value=\"ü&", &[("form:é", "ü&")]);
    }
}
