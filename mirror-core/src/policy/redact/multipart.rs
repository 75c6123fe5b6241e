//! Fields of a `multipart/form-data` body (RFC 7578), hidden in place.

use memchr::memmem;

use super::edits::Edits;
use super::{Mode, Redactor, Trace, is_binary};

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
        let Some(head) = memmem::find(part, b"\r\n\r\n") else {
            continue;
        };
        let content_at = begin + head + 4;
        let mut content_end = end;
        if content_end >= content_at + 2 && body[..content_end].ends_with(b"\r\n") {
            content_end -= 2;
        }
        let content = &body[content_at..content_end];
        let head = String::from_utf8_lossy(&part[..head]);
        match name(&head).and_then(|name| Some((redactor.form_mode(name)?, name))) {
            // What stands around it stays: a part without a content is a field without a value.
            Some((mode, name)) => {
                trace.note(mode, || format!("form {name}"));
                let value = String::from_utf8_lossy(content);
                let new = match mode {
                    Mode::Remove => None,
                    _ => redactor.hidden(mode, &value),
                };
                edits.replace(content_at..content_end, new.unwrap_or_default());
            }
            None if is_binary(content) => {}
            None => {
                if let Some(new) = redactor.detected(&String::from_utf8_lossy(content), trace) {
                    edits.replace(content_at..content_end, new);
                }
            }
        }
    }
    edits.apply(body)
}

/// The parameter `name` of a part's disposition.
fn name(head: &str) -> Option<&str> {
    let is_disposition = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("content-disposition")
    };
    let line = head.lines().find(is_disposition)?;
    let mut parameters = line.split(';').map(str::trim);
    let value = parameters.find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case("name")
            .then_some(value.trim())
    })?;
    Some(value.trim_matches('"'))
}

/// The boundary of a media type, where it is one of a form.
pub(super) fn boundary(media_type: &str) -> Option<&str> {
    let (essence, parameters) = media_type.split_once(';')?;
    if !essence
        .trim()
        .to_ascii_lowercase()
        .starts_with("multipart/")
    {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case("boundary")
            .then_some(value.trim())
    })?;
    Some(boundary.trim_matches('"')).filter(|boundary| !boundary.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_and_a_name_are_parameters() {
        assert_eq!(
            boundary("multipart/form-data; boundary=\"a b\""),
            Some("a b")
        );
        assert_eq!(
            boundary("Multipart/Form-Data;charset=x; Boundary=ab"),
            Some("ab")
        );
        assert_eq!(boundary("multipart/form-data"), None);
        assert_eq!(boundary("text/plain; boundary=x"), None);
        let head = "--x\r\nContent-Type: text/plain\r\ncontent-disposition: form-data; filename=\"f\"; name=\"pin\"";
        assert_eq!(name(head), Some("pin"));
        assert_eq!(name("--x"), None);
    }
}
