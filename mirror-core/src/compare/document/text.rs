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
}
