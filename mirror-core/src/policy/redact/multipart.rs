//! Fields of a `multipart/form-data` body (RFC 7578), hidden in place.

use memchr::memmem;

use super::{Mode, Redactor, Trace, is_binary};
use crate::edits::Edits;

/// Hides fields by their names, and what detectors find in the parts that are text. `None` when nothing changes.
pub(super) fn redact(
    redactor: &Redactor,
    boundary: &str,
    body: &[u8],
    trace: &mut Trace,
) -> Option<Vec<u8>> {
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let mut edits = Edits::default();
    let begins: Vec<usize> = memmem::find_iter(body, &delimiter).collect();
    for (nth, begin) in begins.iter().enumerate() {
        let end = begins.get(nth + 1).copied().unwrap_or(body.len());
        let part = &body[*begin..end];
        let Some((head, content)) = head_end(part) else {
            continue;
        };
        let content_at = begin + content;
        let mut content_end = end;
        for end in [b'\n', b'\r'] {
            if content_end > content_at && body[content_end - 1] == end {
                content_end -= 1;
            }
        }
        let content = &body[content_at..content_end];
        let head = String::from_utf8_lossy(&part[..head]);
        match name(&head).and_then(|name| Some((redactor.form_mode(&name)?, name))) {
            // What stands around it stays: a part without a content is a field without a value.
            Some((mode, name)) => {
                let value = String::from_utf8_lossy(content);
                let new = match mode {
                    Mode::Remove => None,
                    _ => redactor.hidden(mode, &value),
                };
                trace.hide(mode, &value, new.as_deref(), || format!("form {name}"));
                edits.replace(content_at..content_end, new.unwrap_or_default());
            }
            None if is_binary(content) => {}
            None => {
                if let Some(new) = redactor.inner(&String::from_utf8_lossy(content), trace, 1) {
                    edits.replace(content_at..content_end, new);
                }
            }
        }
    }
    edits.apply(body)
}

/// Where the head of a part ends, and where its content begins. Its lines may end without CR.
fn head_end(part: &[u8]) -> Option<(usize, usize)> {
    let end = |mark: &[u8]| memmem::find(part, mark).map(|at| (at, at + mark.len()));
    let ends = [end(b"\r\n\r\n"), end(b"\n\n")];
    ends.into_iter().flatten().min()
}

/// The parameter `name` of a part's disposition.
fn name(head: &str) -> Option<String> {
    let is_disposition = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("content-disposition")
    };
    // A line that begins with a space goes on with the one before.
    let head = head
        .replace("\r\n", "\n")
        .replace("\n ", " ")
        .replace("\n\t", " ");
    parameter(head.lines().find(is_disposition)?, "name")
}

/// The value of a parameter; a semicolon inside of quotes ends none.
fn parameter(text: &str, wanted: &str) -> Option<String> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let between = |c: char| {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        c == ';' && !is_quoted
    };
    text.split(between).skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        let value = value.trim();
        let quoted = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'));
        let plain = quoted.map(|value| value.replace("\\\"", "\"").replace("\\\\", "\\"));
        key.trim()
            .eq_ignore_ascii_case(wanted)
            .then(|| plain.unwrap_or_else(|| value.into()))
    })
}

/// The boundary of a media type, where it is one of a form.
pub(super) fn boundary(media_type: &str) -> Option<String> {
    let essence = media_type.split(';').next().unwrap_or_default();
    let is_form = essence
        .trim()
        .to_ascii_lowercase()
        .starts_with("multipart/");
    parameter(media_type, "boundary").filter(|boundary| is_form && !boundary.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_and_a_name_are_parameters() {
        assert_eq!(
            boundary("multipart/form-data; boundary=\"a b\""),
            Some("a b".into())
        );
        assert_eq!(
            boundary("Multipart/Form-Data;charset=x; Boundary=ab"),
            Some("ab".into())
        );
        assert_eq!(boundary("multipart/form-data"), None);
        assert_eq!(boundary("text/plain; boundary=x"), None);
        let head = "--x\r\nContent-Type: text/plain\r\ncontent-disposition: form-data; filename=\"f\"; name=\"pin\"";
        assert_eq!(name(head), Some("pin".into()));
        let odd = "--x\nContent-Disposition: form-data;\n\tfilename=\"a\\\";name=b\"; NAME=pin";
        assert_eq!(name(odd), Some("pin".into()));
        assert_eq!(name("--x"), None);
    }
}
