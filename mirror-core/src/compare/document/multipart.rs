//! Parts of a `multipart` body (RFC 2046 §5.1, RFC 7578): a list of `{name, filename, headers, body}`.
//!
//! Boundaries are chosen anew for each message and are not compared. The body of a part is read by its own type; if it has
//! none or cannot be read by it, it is a text, or a length and digest.

use std::collections::BTreeMap;

use memchr::memmem;

use super::format::{BodyFormat, parameter};
use super::writer::Writer;
use super::{Content, charset, digest, write_all};
use crate::compare::BodyLimits;
use crate::json::NotRead;

/// Multipart bodies one in the other.
const MAX_LEVEL: usize = 3;
/// Longest boundary (RFC 2046 §5.1.1 allows 70).
const MAX_BOUNDARY: usize = 200;

pub(super) fn write(
    content: &Content<'_>,
    level: usize,
    limits: BodyLimits,
    writer: &mut Writer,
) -> Result<(), NotRead> {
    if level >= MAX_LEVEL {
        return Err(NotRead::NotJson);
    }
    let boundary = boundary(content).ok_or(NotRead::NotJson)?;
    let parts = parts(content.body, &boundary).ok_or(NotRead::NotJson)?;
    writer.open('[');
    for part in parts {
        write_part(part, level, limits, writer);
        if writer.is_over() {
            return Err(NotRead::TooLarge);
        }
    }
    writer.close(']');
    Ok(())
}

/// `--` and the boundary, as the type says it, or as the body begins where the type does not.
fn boundary(content: &Content<'_>) -> Option<Vec<u8>> {
    let said = content
        .media_type
        .and_then(|value| parameter(value, "boundary"));
    let delimiter = match said {
        Some(boundary) => format!("--{boundary}").into_bytes(),
        None => {
            let start = content.body.trim_ascii_start();
            let line = start.split(|b| *b == b'\n').next()?;
            line.trim_ascii_end().to_vec()
        }
    };
    let is_usual = delimiter.starts_with(b"--") && (3..=MAX_BOUNDARY).contains(&delimiter.len());
    is_usual.then_some(delimiter)
}

/// What stands between delimiters, each at the begin of a line. `None` without an end.
fn parts<'b>(body: &'b [u8], delimiter: &[u8]) -> Option<Vec<&'b [u8]>> {
    let mut parts = Vec::new();
    let mut begin = None;
    for at in memmem::find_iter(body, delimiter) {
        let after = &body[at + delimiter.len()..];
        let rest = after.strip_prefix(b"--");
        let is_line = at == 0 || body[at - 1] == b'\n';
        let next = rest.unwrap_or(after).first();
        if !is_line || next.is_some_and(|next| !next.is_ascii_whitespace()) {
            continue;
        }
        if let Some(begin) = begin {
            let part = body.get(begin..at).unwrap_or_default();
            let part = part.strip_suffix(b"\n").unwrap_or(part);
            parts.push(part.strip_suffix(b"\r").unwrap_or(part));
        }
        if rest.is_some() {
            return Some(parts);
        }
        let line = memchr::memchr(b'\n', after)?;
        begin = Some(at + delimiter.len() + line + 1);
    }
    None
}

fn write_part(part: &[u8], level: usize, limits: BodyLimits, writer: &mut Writer) {
    let (mut headers, body) = head_and_body(part);
    let disposition = headers.remove("content-disposition").unwrap_or_default();
    writer.open('{');
    for name in ["name", "filename"] {
        if let Some(value) = parameter(disposition.as_bytes(), name) {
            writer.name(&[name]);
            writer.text(&value);
        }
    }
    let media_type = headers.get("content-type").cloned();
    if !headers.is_empty() {
        writer.name(&["headers"]);
        writer.open('{');
        for (name, value) in &headers {
            writer.name(&[name]);
            writer.text(without_boundary(value));
        }
        writer.close('}');
    }
    writer.name(&["body"]);
    let media_type = media_type.as_deref().map(str::as_bytes);
    write_body(&Content { media_type, body }, level, limits, writer);
    writer.close('}');
}

fn write_body(content: &Content<'_>, level: usize, limits: BodyLimits, writer: &mut Writer) {
    let declared = content.media_type.and_then(BodyFormat::declared);
    let format = BodyFormat::of(declared, content.body);
    let mark = writer.mark();
    if let Some(format) = format {
        let contents = std::slice::from_ref(content);
        let writers = std::slice::from_mut(writer);
        if write_all(format, contents, level + 1, limits, writers).is_ok() {
            return;
        }
        writer.rewind(mark);
    }
    match std::str::from_utf8(content.body) {
        Ok(text) => writer.text(text),
        Err(_) => digest::write(content.body, writer),
    }
}

/// The boundary of parts in a part means nothing either.
fn without_boundary(value: &str) -> &str {
    let is_multipart = value
        .get(..10)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/"));
    if is_multipart {
        value.split(';').next().unwrap_or_default()
    } else {
        value
    }
}

/// Names in lower case; values of one name are joined, and so are lines that go on.
fn head_and_body(part: &[u8]) -> (BTreeMap<String, String>, &[u8]) {
    let mut headers = BTreeMap::<String, String>::new();
    let mut rest = part;
    let mut last = None;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let (line, after) = rest.split_at(end);
        rest = after;
        let line = charset::utf8(line.trim_ascii_end());
        if line.is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            if let Some(value) = last.as_ref().and_then(|last| headers.get_mut(last)) {
                value.push(' ');
                value.push_str(line.trim_ascii());
            }
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let name = name.trim_ascii().to_ascii_lowercase();
        let joined = headers.entry(name.clone()).or_default();
        if !joined.is_empty() {
            joined.push_str(", ");
        }
        joined.push_str(value.trim_ascii());
        last = Some(name);
    }
    (headers, rest)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_bytes, check_pair, check_read};

    /// The same parts with another boundary.
    fn form(boundary: &str) -> (String, String) {
        let body = format!(
            "preamble\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nJürgen\r\n--{boundary}\r\n\
             content-disposition: form-data; name=\"doc\"; filename=\"a.json\"\r\nContent-Type: application/json\r\n\r\n\
             {{\"a\": [1]}}\r\n--{boundary}--\r\nepilogue"
        );
        (
            format!("multipart/form-data; boundary=\"{boundary}\""),
            body,
        )
    }

    #[test]
    fn parts_are_read_by_their_own_types() {
        let expect = r#"[{"name":"user","body":"Jürgen"},{"name":"doc","filename":"a.json","headers":{"content-type":"application/json"},"body":{"a":[1]}}]"#;
        let (ours, theirs) = (form("----WebKitFormBoundaryA"), form("b: 1"));
        check(&ours.0, &ours.1, expect);
        check_pair(
            (&ours.0, &ours.1),
            (&theirs.0, &theirs.1),
            Some((expect, expect)),
        );
    }

    #[test]
    fn a_body_that_cannot_be_read_is_a_text_or_a_digest() {
        check(
            "multipart/mixed; boundary=x",
            b"--x\r\nContent-Type: application/json\r\n\r\n{\"a\":\r\n--x\r\nContent-Type: text/xml\r\n\r\n<a b='1'/>\r\n--x\r\n\r\n\xff\xfe\r\n--x--",
            r#"[{"headers":{"content-type":"application/json"},"body":"{\"a\":"},{"headers":{"content-type":"text/xml"},"body":{"a":{"@b":"1"}}},{"body":{"len":2,"xxh3":"8262fa39bdb1958b56e8c7c3d388c786"}}]"#,
        );
    }

    #[test]
    fn parts_may_have_parts() {
        let mut body = "a".to_owned();
        let mut media_type = "text/plain".to_owned();
        for boundary in ["x", "y", "z", "w"] {
            body = format!(
                "--{boundary}\r\nContent-Type: {media_type}\r\n\r\n{body}\r\n--{boundary}--"
            );
            media_type = format!("multipart/mixed; boundary={boundary}");
        }
        let mixed = r#""headers":{"content-type":"multipart/mixed"}"#;
        check(
            &media_type,
            &body,
            &format!(
                r#"[{{{mixed},"body":[{{{mixed},"body":[{{{mixed},"body":"--x\r\nContent-Type: text/plain\r\n\r\na\r\n--x--"}}]}}]}}]"#
            ),
        );
    }

    #[test]
    fn delimiters_are_whole_lines() {
        check(
            "multipart/mixed; boundary=x",
            "--x\n\na --x\n--xy\nb\n--x \nA: 1\nA: 2\n  3\n\n\n--x--",
            r#"[{"body":"a --x\n--xy\nb"},{"headers":{"a":"1, 2 3"},"body":""}]"#,
        );
        check("multipart/mixed", "--q\n\na\n--q--", r#"[{"body":"a"}]"#);
        for body in ["", "--x\r\n\r\na", "abc", "--x", "-- x\n\n--x"] {
            check_bytes("multipart/mixed; boundary=x", body.as_bytes());
        }
    }

    #[test]
    fn many_parts_are_harmless() {
        let parts = "--x\n\n\n".repeat(5_000) + "--x--";
        check_read("multipart/mixed; boundary=x", &parts);
        let almost = "--x".repeat(100_000);
        check_bytes("multipart/mixed; boundary=x", almost.as_bytes());
    }
}
