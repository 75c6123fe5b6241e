//! Other texts, such as CSV, scripts and styles: a list of lines.
//!
//! A carriage return stays at the end of its line, so that another kind of line end is a difference of white space. A line end
//! at the end of the text begins no further line.

use super::writer::Writer;

pub(super) fn write(text: &str, writer: &mut Writer) {
    writer.open('[');
    for line in text.split_terminator('\n') {
        writer.text(line);
        if writer.is_over() {
            return;
        }
    }
    writer.close(']');
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_not_read};
    use crate::compare::{CompareOptions, compare};
    use crate::exchange::Response;

    #[test]
    fn a_text_is_a_list_of_lines() {
        let csv = "sku,price\r\nA-1,\"9,50\"\r\n";
        check("text/csv", csv, r#"["sku,price\r","A-1,\"9,50\"\r"]"#);
        check("text/plain", "a\n\nb\nc", r#"["a","","b","c"]"#);
        check("text/plain; charset=latin1", b"caf\xe9\n", r#"["café"]"#);
        check("application/javascript", "f();\n", r#"["f();"]"#);
        check("text/plain", "", "[]");
    }

    #[test]
    fn more_lines_than_values_are_too_large() {
        check_not_read("text/plain", "\n".repeat(30_000));
    }

    /// The places and kinds of what differs.
    fn differing(ours: &str, theirs: &str) -> Vec<String> {
        let answer = |body: &str| Response {
            headers: [("content-type", "text/plain")].into_iter().collect(),
            body: bytes::Bytes::copy_from_slice(body.as_bytes()).into(),
            ..Response::new(200)
        };
        let comparison = compare(&CompareOptions::default(), &answer(ours), &answer(theirs));
        let all = comparison.observations.iter();
        all.map(|one| format!("{} {}", one.place, one.kind.name()))
            .collect()
    }

    #[test]
    fn lines_have_the_places_of_what_they_begin_with() {
        let ours = "# made by pod-1\nmode: active\nthreads: 7\nregion: eu\nsku-1,5\nsku-2,6\n";
        let check = |theirs: &str, expect: &[&str]| assert_eq!(differing(ours, theirs), expect);
        check(
            "# made by pod-2\nmode: passive\nthreads: 9\nregion: eu\nsku-1,5\nsku-2,7\n",
            &[
                "body /*[#_made] value",
                "body /*[mode] value",
                "body /*[sku-#] value",
                "body /*[threads] value",
            ],
        );
        // What is gone does not shift the others, though they vary.
        check(
            "# made by pod-2\nthreads: 9\nregion: eu\nsku-1,5\nsku-2,6\nsku-3,7\n",
            &[
                "body /*[#_made] value",
                "body /*[mode] missing",
                "body /*[sku-#] added",
                "body /*[threads] value",
            ],
        );
        check(
            "# made by pod-1\nThe mode is off\nthreads: 7\nregion: eu\nsku-1,5\nsku-2,6\n",
            &["body /*[mode] value"],
        );
        check(
            "# made by pod-1\nregion: eu\nmode: active\nthreads: 7\nsku-1,5\nsku-2,6\n",
            &["body  order"],
        );
    }

    #[test]
    fn lines_of_many_kinds_are_one_place() {
        let text = |last: &str| -> String {
            let lines = (0..40_u8)
                .map(|n| format!("{}{}: 1\n", (b'a' + n / 8) as char, (b'a' + n % 8) as char));
            lines.collect::<String>() + last
        };
        assert_eq!(differing(&text("ok: 1"), &text("ok: 2")), ["body /* value"]);
    }
}
