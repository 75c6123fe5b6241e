//! Whether two JSON texts are the same data, read side by side and kept nowhere. Most answers that are not equal byte for byte
//! are equal so, and need no tree.

use super::number::same_number;
use crate::json::{Lexer, same_text};

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Value,
    /// Or the end of the list.
    FirstElement,
    Member,
    /// Or the end of the object.
    FirstMember,
    /// A comma, or the end of what is open.
    Rest,
}

/// How many values without others in them two documents have, if both are JSON, equal, and have their members in the same
/// order. `None` says nothing: they may still be equal.
pub(super) fn equal_values(ours: &[u8], theirs: &[u8], max_nodes: usize) -> Option<u64> {
    let text = |body| std::str::from_utf8(body).ok();
    let mut pair = Pair {
        ours: Lexer::new(text(ours)?),
        theirs: Lexer::new(text(theirs)?),
        open: Vec::new(),
        count: 0,
        nodes_left: max_nodes,
    };
    pair.read()?;
    Some(pair.count)
}

struct Pair<'a> {
    ours: Lexer<'a>,
    theirs: Lexer<'a>,
    /// The brackets that close what is open.
    open: Vec<u8>,
    count: u64,
    nodes_left: usize,
}

impl Pair<'_> {
    fn read(&mut self) -> Option<()> {
        let mut next = Next::Value;
        loop {
            let byte = self.peek();
            next = match (next, byte) {
                (Next::Rest, None) if self.open.is_empty() => return Some(()),
                (Next::Rest, Some(b',')) => {
                    self.step();
                    match self.open.last()? {
                        b']' => Next::Value,
                        _ => Next::Member,
                    }
                }
                (Next::Rest, Some(close)) if self.open.last() == Some(&close) => self.close(),
                (Next::FirstElement, Some(b']')) | (Next::FirstMember, Some(b'}')) => {
                    self.count += 1;
                    self.close()
                }
                (Next::FirstMember | Next::Member, Some(b'"')) => {
                    self.text()?;
                    let colons = self.ours.take(b':') && self.theirs.take(b':');
                    colons.then_some(Next::Value)?
                }
                (Next::Value | Next::FirstElement, Some(byte)) => self.value(byte)?,
                _ => return None,
            };
        }
    }

    /// What comes next on both sides.
    fn peek(&mut self) -> Option<u8> {
        self.ours.skip_space();
        self.theirs.skip_space();
        match (self.ours.peek(), self.theirs.peek()) {
            (ours, theirs) if ours == theirs => ours,
            // Two numbers may begin otherwise, and fit no other rule than that of a value.
            (Some(ours), Some(theirs)) if is_of_number(ours) && is_of_number(theirs) => Some(ours),
            // This byte fits nowhere.
            _ => Some(0),
        }
    }

    fn step(&mut self) {
        self.ours.at += 1;
        self.theirs.at += 1;
    }

    fn close(&mut self) -> Next {
        self.step();
        self.open.pop();
        Next::Rest
    }

    fn value(&mut self, byte: u8) -> Option<Next> {
        self.nodes_left = self.nodes_left.checked_sub(1)?;
        let next = match byte {
            b'[' => {
                self.open.push(b']');
                Next::FirstElement
            }
            b'{' => {
                self.open.push(b'}');
                Next::FirstMember
            }
            b'"' => return self.text().map(|()| self.counted()),
            b't' => return self.word("true"),
            b'f' => return self.word("false"),
            b'n' => return self.word("null"),
            _ => {
                let ours = self.ours.lenient_number().ok()?;
                let theirs = self.theirs.lenient_number().ok()?;
                return same_number(ours, theirs).then(|| self.counted());
            }
        };
        self.step();
        Some(next)
    }

    fn text(&mut self) -> Option<()> {
        let (ours, theirs) = (self.ours.string().ok()?, self.theirs.string().ok()?);
        same_text(ours, theirs).then_some(())
    }

    fn word(&mut self, word: &str) -> Option<Next> {
        self.ours.word(word).ok()?;
        self.theirs.word(word).ok()?;
        Some(self.counted())
    }

    fn counted(&mut self) -> Next {
        self.count += 1;
        Next::Rest
    }
}

fn is_of_number(byte: u8) -> bool {
    byte == b'-' || byte.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ours: &str, theirs: &str, expect: Option<u64>) {
        let found = equal_values(ours.as_bytes(), theirs.as_bytes(), 20);
        assert_eq!(found, expect, "{ours} {theirs}");
        let found = equal_values(theirs.as_bytes(), ours.as_bytes(), 20);
        assert_eq!(found, expect, "{theirs} {ours}");
    }

    #[test]
    fn data_is_equal_however_it_is_written() {
        check("[1, 2.0 ,\"\\u0061\"]", "[1e0,2,\"a\"]\n", Some(3));
        check(
            r#"{"a":{"b":[true,false,null]}}"#,
            "{ \"a\": {\"b\":[true,false,null]} }",
            Some(3),
        );
        check("[-0,NaN]", "[0,NaN]", Some(2));
        check("[[],{}]", "[ [ ] , { } ]", Some(2));
        check("1", " 1.0 ", Some(1));
    }

    #[test]
    fn what_is_not_surely_equal_is_left_to_others() {
        check("[1]", "[2]", None);
        check("[1]", "[1,1]", None);
        check("[1]", "{}", None);
        check("[1", "[1 ", None);
        check("[1,]", "[1, ]", None);
        check("{\"a\":1,}", "{\"a\":1, }", None);
        check("[1 2]", "[1  2]", None);
        check("{1:2}", "{1: 2}", None);
        check("[1}", "[1 }", None);
        check("[,]", "[ ,]", None);
        check("[1]]", "[1] ]", None);
        check(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, None);
        check("", " ", None);
        let many = format!("[{}1]", "1,".repeat(30));
        check(&many, &format!(" {many}"), None);
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(100_000), "]".repeat(100_000));
        let (ours, theirs) = (deep("1"), deep(" 1"));
        let found = equal_values(ours.as_bytes(), theirs.as_bytes(), 200_000);
        assert_eq!(found, Some(1));
    }
}
