//! Server-sent events (WHATWG HTML §9.2.6): a list of `{event, id, retry, data}`, each member only where it was sent.
//!
//! Data that is JSON stands in it as JSON. Comments are ignored, because they keep a connection alive and say nothing. A browser
//! ignores an event without an empty line after it; here it is kept and marked, because its loss is a difference.

use super::json;
use super::writer::Writer;

pub(super) fn write(text: &str, writer: &mut Writer) {
    writer.open('[');
    let mut event = Event::default();
    for line in lines(text) {
        if line.is_empty() {
            event.write(writer, true);
            event = Event::default();
        } else {
            event.take(line);
        }
        if writer.is_over() {
            return;
        }
    }
    event.write(writer, false);
    writer.close(']');
}

/// Lines end with CR, LF or both.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr2(b'\r', b'\n', rest.as_bytes()).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        let after = after.strip_prefix('\r').unwrap_or(after);
        rest = after.strip_prefix('\n').unwrap_or(after);
        Some(line)
    })
}

#[derive(Default)]
struct Event<'t> {
    name: Option<&'t str>,
    id: Option<&'t str>,
    retry: Option<&'t str>,
    data: Vec<&'t str>,
}

impl<'t> Event<'t> {
    fn take(&mut self, line: &'t str) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = Some(value),
            "data" => self.data.push(value),
            "id" if !value.contains('\0') => self.id = Some(value),
            "retry" if value.bytes().all(|b| b.is_ascii_digit()) => self.retry = Some(value),
            _ => {}
        }
    }

    fn write(&self, writer: &mut Writer, is_whole: bool) {
        let texts = [("event", self.name), ("id", self.id), ("retry", self.retry)];
        if self.data.is_empty() && texts.iter().all(|(_, text)| text.is_none()) {
            return;
        }
        writer.open('{');
        for (name, text) in texts {
            if let Some(text) = text {
                writer.name(&[name]);
                writer.text(text);
            }
        }
        let joined;
        let data = match self.data.as_slice() {
            [] => None,
            [line] => Some(*line),
            lines => {
                joined = lines.join("\n");
                Some(joined.as_str())
            }
        };
        if let Some(data) = data {
            writer.name(&["data"]);
            if !json::embed(data, writer) {
                writer.text(data);
            }
        }
        if !is_whole {
            writer.name(&["unfinished"]);
            writer.token("true");
        }
        writer.close('}');
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_not_read};

    const SSE: &str = "text/event-stream";

    #[test]
    fn events_are_read_as_a_browser_reads_them() {
        check(
            SSE,
            "\u{feff}: hello\n\nevent: price\nid: 7\nretry: 3000\ndata: {\"sku\": \"A\"}\n\ndata: a\ndata:  b\ndata\n\n",
            r#"[{"event":"price","id":"7","retry":"3000","data":{"sku":"A"}},{"data":"a\n b\n"}]"#,
        );
        check(
            "text/event-stream;charset=UTF-8",
            "data: 1\r\n\r\ndata: 2\r\rdata: 3\n\n",
            r#"[{"data":"1"},{"data":"2"},{"data":"3"}]"#,
        );
        check(SSE, "id: a\0b\nretry: soon\nfoo: bar\n\n:\n\n", "[]");
        check(SSE, "id: 4\n\n", r#"[{"id":"4"}]"#);
        check(SSE, "data\n\n", r#"[{"data":""}]"#);
    }

    #[test]
    fn the_answer_of_a_language_model_is_read_by_its_pieces() {
        check(
            SSE,
            "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\ndata: [DONE]\n\n",
            r#"[{"data":{"choices":[{"delta":{"content":"Hi"}}]}},{"data":"[DONE]"}]"#,
        );
    }

    #[test]
    fn an_event_that_does_not_end_is_kept_and_marked() {
        let expect = r#"[{"data":"a"},{"data":"b","unfinished":true}]"#;
        check(SSE, "data: a\n\ndata: b\n", expect);
        check(SSE, "data: a\n\ndata: b", expect);
    }

    #[test]
    fn more_events_than_values_are_too_large() {
        check_not_read(SSE, "data\n\n".repeat(30_000));
    }
}
