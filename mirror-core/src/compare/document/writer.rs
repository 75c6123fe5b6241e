//! Writes a JSON text piece by piece, within bounds. Once it is over them, it writes nothing more, and says so at the end.

use std::fmt::Display;

use crate::compare::BodyLimits;
use crate::json::NotRead;

/// Containers one in the other. Who reads the text allows a few more ([`crate::json::MAX_DEPTH`]).
const MAX_DEPTH: usize = 120;
/// What a small body may need for names that it implies.
const MIN_ROOM: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Writer {
    out: String,
    limits: Bounds,
    /// Containers that are open.
    depth: usize,
    /// Whether a comma must come before what is written next.
    follows: bool,
    is_over: bool,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    nodes_left: usize,
    most_bytes: usize,
}

/// A point to which the writer can be taken back.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    len: usize,
    nodes_left: usize,
    depth: usize,
    follows: bool,
}

impl Writer {
    /// For a body of `input` bytes.
    pub(super) fn new(limits: BodyLimits, input: usize) -> Self {
        Self {
            out: String::new(),
            limits: Bounds {
                nodes_left: limits.nodes,
                most_bytes: most_bytes(limits, input),
            },
            depth: 0,
            follows: false,
            is_over: false,
        }
    }

    pub(super) fn finish(self) -> Result<String, NotRead> {
        if self.is_over {
            return Err(NotRead::TooLarge);
        }
        Ok(self.out)
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether no container may be opened any more.
    pub(super) fn is_deep(&self) -> bool {
        self.depth >= MAX_DEPTH
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            len: self.out.len(),
            nodes_left: self.limits.nodes_left,
            depth: self.depth,
            follows: self.follows,
        }
    }

    /// Takes back what was written since `mark`.
    pub(super) fn rewind(&mut self, mark: Mark) {
        self.out.truncate(mark.len);
        self.limits.nodes_left = mark.nodes_left;
        self.depth = mark.depth;
        self.follows = mark.follows;
    }

    /// Opens an object or a list.
    pub(super) fn open(&mut self, bracket: char) {
        self.value();
        self.is_over |= self.is_deep();
        self.push(bracket.encode_utf8(&mut [0; 4]));
        self.depth += 1;
        self.follows = false;
    }

    pub(super) fn close(&mut self, bracket: char) {
        self.push(bracket.encode_utf8(&mut [0; 4]));
        self.depth = self.depth.saturating_sub(1);
        self.follows = true;
    }

    /// The name of a member, before its value.
    pub(super) fn name(&mut self, parts: &[&str]) {
        self.comma();
        self.push("\"");
        for part in parts {
            self.escaped(part, true);
        }
        self.push("\":");
        self.follows = false;
    }

    pub(super) fn text(&mut self, text: &str) {
        self.value();
        self.push("\"");
        self.escaped(text, true);
        self.push("\"");
    }

    /// A text, or the name of a member, that already has its escapes.
    pub(super) fn quoted(&mut self, text: &str) {
        self.value();
        self.push("\"");
        self.escaped(text, false);
        self.push("\"");
    }

    /// As [`Writer::quoted`] for the name of a member.
    pub(super) fn quoted_name(&mut self, name: &str) {
        self.comma();
        self.push("\"");
        self.escaped(name, false);
        self.push("\":");
        self.follows = false;
    }

    pub(super) fn number(&mut self, number: impl Display) {
        self.token(&number.to_string());
    }

    /// A number, `true`, `false` or `null`.
    pub(super) fn token(&mut self, token: &str) {
        self.value();
        self.push(token);
    }

    fn value(&mut self) {
        match self.limits.nodes_left.checked_sub(1) {
            Some(left) => self.limits.nodes_left = left,
            None => self.is_over = true,
        }
        self.comma();
        self.follows = true;
    }

    fn comma(&mut self) {
        if self.follows {
            self.push(",");
        }
    }

    /// Control characters as escapes; quotes and backslashes too, unless they are escapes already.
    fn escaped(&mut self, text: &str, is_plain: bool) {
        let needs = |byte: &u8| *byte < 0x20 || (is_plain && (*byte == b'"' || *byte == b'\\'));
        let mut rest = text;
        while let Some(at) = rest.as_bytes().iter().position(needs) {
            self.push(&rest[..at]);
            match rest.as_bytes()[at] {
                b'"' => self.push("\\\""),
                b'\\' => self.push("\\\\"),
                b'\n' => self.push("\\n"),
                b'\r' => self.push("\\r"),
                b'\t' => self.push("\\t"),
                byte => self.push(&format!("\\u{byte:04x}")),
            }
            if self.is_over {
                return;
            }
            rest = &rest[at + 1..];
        }
        self.push(rest);
    }

    fn push(&mut self, text: &str) {
        self.is_over |= self.out.len() + text.len() > self.limits.most_bytes;
        if !self.is_over {
            self.out.push_str(text);
        }
    }
}

/// The most bytes that a body of `input` bytes becomes, as a text or as a tree.
pub(super) fn most_bytes(limits: BodyLimits, input: usize) -> usize {
    input
        .saturating_mul(3)
        .saturating_add(MIN_ROOM)
        .min(limits.bytes.saturating_mul(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Value;

    const LIMITS: BodyLimits = BodyLimits {
        bytes: 1000,
        nodes: 10,
        stream_bytes: 0,
    };

    fn check(write: impl Fn(&mut Writer), expect: Result<&str, NotRead>) {
        let mut writer = Writer::new(LIMITS, 100);
        write(&mut writer);
        let text = writer.finish();
        assert_eq!(text.as_deref().map_err(|e| *e), expect);
        if let Ok(text) = text {
            assert!(
                Value::parse(text.as_bytes(), LIMITS.nodes).is_ok(),
                "{text}"
            );
        }
    }

    #[test]
    fn commas_and_escapes_come_where_they_must() {
        let write = |writer: &mut Writer| {
            writer.open('{');
            writer.name(&["@", "a\"b"]);
            writer.text("c\\d\n\u{1}é");
            writer.quoted_name("e\\u0041");
            writer.open('[');
            writer.number(1.5);
            writer.token("null");
            writer.quoted("\\\"x\u{2}");
            writer.close(']');
            writer.close('}');
        };
        let expect = r#"{"@a\"b":"c\\d\n\u0001é","e\u0041":[1.5,null,"\"x\u0002"]}"#;
        check(write, Ok(expect));
    }

    #[test]
    fn what_was_taken_back_leaves_no_trace() {
        let write = |writer: &mut Writer| {
            writer.open('[');
            let mark = writer.mark();
            for _ in 0..9 {
                writer.token("1");
            }
            writer.rewind(mark);
            writer.text("a");
            writer.close(']');
        };
        check(write, Ok(r#"["a"]"#));
    }

    #[test]
    fn nothing_goes_over_the_limits() {
        let values = |writer: &mut Writer| {
            writer.open('[');
            (0..10).for_each(|_| writer.token("1"));
        };
        check(values, Err(NotRead::TooLarge));
        check(|w| w.text(&"a".repeat(3000)), Err(NotRead::TooLarge));
        check(|w| w.text(&"\u{1}".repeat(400)), Err(NotRead::TooLarge));
        let mut deep = Writer::new(
            BodyLimits {
                nodes: 1000,
                ..LIMITS
            },
            100,
        );
        (0..MAX_DEPTH).for_each(|_| deep.open('['));
        assert!(!deep.is_over());
        deep.open('[');
        assert!(deep.is_over());
    }
}
