//! JSON lines: a list of documents. A line that is not JSON is a text in it.

use super::json;
use super::writer::Writer;
use crate::json::NotRead;

pub(super) fn write(text: &str, writer: &mut Writer) -> Result<(), NotRead> {
    let mark = writer.mark();
    // Documents of RFC 7464 may go over several lines.
    match json::documents(text, writer) {
        Ok(_) => return Ok(()),
        Err(NotRead::TooLarge) => return Err(NotRead::TooLarge),
        Err(NotRead::NotJson) => writer.rewind(mark),
    }
    writer.open('[');
    for line in text.split(['\n', '\u{1e}']) {
        let line = line.trim_ascii();
        if !line.is_empty() && !json::one(line, writer) {
            writer.text(line);
        }
        if writer.is_over() {
            return Err(NotRead::TooLarge);
        }
    }
    writer.close(']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_not_read, check_pair};

    #[test]
    fn each_line_is_a_document() {
        let two = "{\"id\":1,\"tags\":[]}\n\n{\"id\":2}\r\n";
        let expect = r#"[{"id":1,"tags":[]},{"id":2}]"#;
        check("application/x-ndjson", two, expect);
        check("application/jsonl; charset=utf-8", two, expect);
        check("application/json", two, expect);
        check("application/stream+json", "{\"id\":1}", r#"[{"id":1}]"#);
        check(
            "application/json-seq",
            "\u{1e}{\"a\":\n1}\n\u{1e}[2]\n",
            r#"[{"a":1},[2]]"#,
        );
    }

    #[test]
    fn a_line_that_is_not_json_is_a_text() {
        let cut = "{\"id\":1}\n{\"id\":";
        check("application/x-ndjson", cut, r#"[{"id":1},"{\"id\":"]"#);
        check("application/x-ndjson", "a \"b\"\n7", r#"["a \"b\"",7]"#);
    }

    #[test]
    fn one_document_beside_two_is_a_list_of_one() {
        let json = "application/json";
        check_pair(
            (json, "{\"id\":1}"),
            (json, "{\"id\":1}{\"id\":2}"),
            Some((r#"[{"id":1}]"#, r#"[{"id":1},{"id":2}]"#)),
        );
        check_pair(
            (json, "{\"a\":1}"),
            (json, ""),
            Some((r#"[{"a":1}]"#, "[]")),
        );
        check_pair((json, "[NaN]"), (json, "[1]"), Some(("[NaN]", "[1]")));
        check_pair((json, "17"), (json, "18"), Some(("17", "18")));
        check_pair((json, "[1]"), (json, "[1"), None);
    }

    #[test]
    fn more_documents_than_values_are_too_large() {
        check_not_read("application/x-ndjson", "{}\n".repeat(30_000));
    }
}
