//! JSON as people send it, copied without recursion.
//!
//! Beyond the standard it reads `NaN`, `Infinity` and `-Infinity`, which become texts. Containers that are too deep
//! become texts as they were written, so that they are still compared.

use super::writer::Writer;
use crate::json::{Lexer, NotRead};

/// What services put before JSON, so that no page can load it as a script.
const GUARDS: [&str; 5] = [")]}',", ")]}'", "while(1);", "for(;;);", "{}&&"];

/// Copies the documents of a text, which stand one after the other, into a list. Returns how many they are.
pub(super) fn documents(text: &str, writer: &mut Writer) -> Result<usize, NotRead> {
    let mut copier = Copier::new(text, writer);
    let mut count = 0;
    copier.writer.open('[');
    while !copier.is_at_end() {
        copier.value()?;
        count += 1;
    }
    copier.writer.close(']');
    Ok(count)
}

/// Copies a text that is one array or object. Otherwise it writes nothing and returns `false`.
pub(super) fn embed(text: &str, writer: &mut Writer) -> bool {
    let is_container = text.trim_ascii_start().starts_with(['{', '[']);
    is_container && one(text, writer)
}

/// Copies a text that is one value. Otherwise it writes nothing and returns `false`.
pub(super) fn one(text: &str, writer: &mut Writer) -> bool {
    let mark = writer.mark();
    let mut copier = Copier::new(text, writer);
    let is_read = copier.value().is_ok() && copier.is_at_end();
    if !is_read {
        writer.rewind(mark);
    }
    is_read
}

fn unguarded(text: &str) -> &str {
    let start = text.trim_ascii_start();
    let guard = GUARDS.iter().find_map(|guard| start.strip_prefix(guard));
    guard.unwrap_or(text)
}

struct Copier<'t, 'w> {
    text: &'t str,
    lexer: Lexer<'t>,
    writer: &'w mut Writer,
}

impl<'t, 'w> Copier<'t, 'w> {
    fn new(text: &'t str, writer: &'w mut Writer) -> Self {
        let text = unguarded(text);
        Self {
            text,
            lexer: Lexer::new(text),
            writer,
        }
    }

    /// Record separators (RFC 7464) are spaces between documents.
    fn is_at_end(&mut self) -> bool {
        while self.lexer.take(0x1e) {}
        self.lexer.peek().is_none()
    }

    /// Copies the value that comes next.
    fn value(&mut self) -> Result<(), NotRead> {
        let mut open = Vec::new();
        loop {
            let opened = self.begin()?;
            open.extend(opened);
            if self.ends(&mut open, opened.is_some())? {
                return Ok(());
            }
            if self.writer.is_over() {
                return Err(NotRead::TooLarge);
            }
        }
    }

    /// Copies a value without what is in it. Returns the bracket that ends it, if it is open.
    fn begin(&mut self) -> Result<Option<u8>, NotRead> {
        let Self { lexer, writer, .. } = self;
        lexer.skip_space();
        let first = lexer.peek().ok_or(NotRead::NotJson)?;
        match first {
            b'{' | b'[' if writer.is_deep() => {
                let text = self.skip()?;
                self.writer.text(text);
            }
            b'{' | b'[' => {
                lexer.at += 1;
                writer.open(char::from(first));
                return Ok(Some(if first == b'{' { b'}' } else { b']' }));
            }
            b'"' => writer.quoted(lexer.string()?),
            b't' => self.word("true")?,
            b'f' => self.word("false")?,
            b'n' => self.word("null")?,
            _ => {
                for text in ["NaN", "Infinity", "-Infinity"] {
                    if lexer.word(text).is_ok() {
                        writer.text(text);
                        return Ok(None);
                    }
                }
                writer.token(lexer.number()?);
            }
        }
        Ok(None)
    }

    /// Ends the containers that end here, and reads on to the next value. `true` when none is open any more.
    fn ends(&mut self, open: &mut Vec<u8>, mut is_empty: bool) -> Result<bool, NotRead> {
        while let Some(close) = open.last().copied() {
            if self.lexer.take(close) {
                self.writer.close(char::from(close));
                open.pop();
                is_empty = false;
                continue;
            }
            if !is_empty {
                self.lexer.expect(b',')?;
            }
            if close == b'}' {
                self.lexer.skip_space();
                self.writer.quoted_name(self.lexer.string()?);
                self.lexer.expect(b':')?;
            }
            return Ok(false);
        }
        Ok(true)
    }

    fn word(&mut self, word: &str) -> Result<(), NotRead> {
        self.lexer.word(word)?;
        self.writer.token(word);
        Ok(())
    }

    /// Passes over a container and returns it as it was written. Only its strings and the number of its brackets are
    /// checked.
    fn skip(&mut self) -> Result<&'t str, NotRead> {
        let lexer = &mut self.lexer;
        let (begin, mut depth) = (lexer.at, 0_usize);
        loop {
            match lexer.peek().ok_or(NotRead::NotJson)? {
                b'"' => {
                    lexer.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            lexer.at += 1;
            if depth == 0 {
                return Ok(&self.text[begin..lexer.at]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::BodyLimits;
    use crate::json::Value;

    fn read(text: &str) -> Result<String, NotRead> {
        let mut writer = Writer::new(BodyLimits::LIGHT, text.len());
        documents(text, &mut writer)?;
        writer.finish()
    }

    fn check(text: &str, expect: Result<&str, NotRead>) {
        let found = read(text);
        assert_eq!(found.as_deref().map_err(|e| *e), expect, "{text}");
    }

    #[test]
    fn documents_after_one_another_are_a_list() {
        check(
            "{\"a\":[1, 2.50, {}], \"b\" : \"c\\n\"}\n{} [ ]",
            Ok(r#"[{"a":[1,2.50,{}],"b":"c\n"},{},[]]"#),
        );
        check(
            "\u{1e}{\"a\":1}\n\u{1e}{\"a\":2}\n",
            Ok(r#"[{"a":1},{"a":2}]"#),
        );
        check("1 \"a\" true null", Ok(r#"[1,"a",true,null]"#));
        check("", Ok("[]"));
    }

    #[test]
    fn what_standard_json_lacks_is_read_as_text() {
        check(
            "[NaN,-Infinity,Infinity,-1]",
            Ok(r#"[["NaN","-Infinity","Infinity",-1]]"#),
        );
        check(")]}',\n{\"a\":1}", Ok(r#"[{"a":1}]"#));
        check("for(;;);[1]", Ok("[[1]]"));
    }

    #[test]
    fn what_is_not_json_is_not_read() {
        for text in [
            "[1",
            "[1,]",
            "[,1]",
            "{\"a\"}",
            "{a:1}",
            "[1}",
            "[NaNo]",
            "]",
            "{\"a\":1,}",
        ] {
            check(text, Err(NotRead::NotJson));
        }
    }

    #[test]
    fn deep_containers_are_texts() {
        let nested = |depth: usize, inner: &str| {
            format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth))
        };
        for depth in [10, 118, 119, 120, 121, 100_000] {
            let text = nested(depth, "{\"a\":\"]\"}");
            let read = read(&text).unwrap();
            assert!(Value::parse(read.as_bytes(), 1000).is_ok(), "{depth}");
            assert_ne!(read, self::read(&nested(depth, "{\"a\":\"[\"}")).unwrap());
        }
        check(&"[".repeat(100_000), Err(NotRead::NotJson));
    }

    #[test]
    fn only_whole_containers_are_embedded() {
        let embedded = |text: &str| {
            let mut writer = Writer::new(BodyLimits::LIGHT, text.len());
            writer.open('[');
            let is_read = embed(text, &mut writer);
            writer.close(']');
            (is_read, writer.finish().unwrap())
        };
        assert_eq!(embedded("{\"a\":1} "), (true, "[{\"a\":1}]".into()));
        for text in ["[DONE]", "1", "[1] 2", "{\"a\":[1}"] {
            assert_eq!(embedded(text), (false, "[]".into()), "{text}");
        }
    }
}
