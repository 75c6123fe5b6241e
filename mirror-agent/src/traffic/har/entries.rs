//! The entries of an archive one after the other, without the whole of it in memory.

use std::io::{self, BufRead, Read};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// Longest entry, or other member, of an archive.
const MAX_PART: u64 = 512 << 20;

/// `open` finds the list; then call `next`.
pub(super) struct Entries<R> {
    text: R,
    is_first: bool,
    is_over: bool,
}

impl<R: BufRead> Entries<R> {
    /// Reads up to the list `log.entries`.
    pub(super) fn open(text: R) -> anyhow::Result<Self> {
        let mut entries = Self {
            text,
            is_first: true,
            is_over: false,
        };
        if entries.peek()? == Some(0xef) {
            // A byte order mark, as some Windows programs write it.
            entries.text.by_ref().take(3).read_exact(&mut [0; 3])?;
        }
        entries.enter(b'{', "log")?;
        entries.enter(b'{', "entries")?;
        entries.expect(b'[')?;
        Ok(entries)
    }

    pub(super) fn next(&mut self) -> anyhow::Result<Option<Value>> {
        if self.is_over {
            return Ok(None);
        }
        match self.peek()? {
            Some(b']') => {
                self.is_over = true;
                return Ok(None);
            }
            Some(b',') if !self.is_first => self.text.consume(1),
            _ => ensure!(self.is_first, "there is no comma between two entries"),
        }
        self.is_first = false;
        ensure!(self.peek()? == Some(b'{'), "an entry is not an object");
        self.value().map(Some)
    }

    /// Goes to the value of a member of the object that begins here.
    fn enter(&mut self, open: u8, member: &str) -> anyhow::Result<()> {
        self.expect(open)?;
        loop {
            match self.peek()? {
                Some(b'"') => {}
                Some(b',') => {
                    self.text.consume(1);
                    continue;
                }
                _ => bail!("it has no log.entries"),
            }
            let name: String = self.value()?;
            self.expect(b':')?;
            if name == member {
                return Ok(());
            }
            self.skip()?;
        }
    }

    /// A value that ends with a bracket or a quote: nothing after it is read.
    fn value<T: for<'de> Deserialize<'de>>(&mut self) -> anyhow::Result<T> {
        self.peek()?;
        let limited = self.text.by_ref().take(MAX_PART);
        let mut reader = serde_json::Deserializer::from_reader(limited);
        T::deserialize(&mut reader).context("reading JSON")
    }

    fn skip(&mut self) -> anyhow::Result<()> {
        if let Some(b'{' | b'[' | b'"') = self.peek()? {
            return self.value::<IgnoredAny>().map(drop);
        }
        while !matches!(self.peek()?, Some(b',' | b'}') | None) {
            self.text.consume(1);
        }
        Ok(())
    }

    fn expect(&mut self, byte: u8) -> anyhow::Result<()> {
        let found = self.peek()?;
        ensure!(found == Some(byte), "`{}` is missing", char::from(byte));
        self.text.consume(1);
        Ok(())
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let Some(byte) = self.text.fill_buf()?.first().copied() else {
                return Ok(None);
            };
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.text.consume(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Read byte by byte, as from a slow pipe.
    fn check(text: &str, expect: &[Value], error: &str) {
        let reader = io::BufReader::with_capacity(1, text.as_bytes());
        let mut found = Vec::new();
        let read = || {
            let mut entries = Entries::open(reader)?;
            while let Some(entry) = entries.next()? {
                found.push(entry);
            }
            anyhow::Ok(())
        };
        let told = read().map_or_else(|error| format!("{error:#}"), |()| String::new());
        assert_eq!(found, expect, "{text}: {told}");
        assert_eq!(told.is_empty(), error.is_empty(), "{text}: {told}");
        assert!(told.contains(error), "{text}: {told}");
    }

    #[test]
    fn entries_are_found_wherever_they_stand() {
        let two = [json!({"a": [1, "]"]}), json!({})];
        check(r#"{"log":{"entries":[{"a":[1,"]"]},{}]}}"#, &two, "");
        check(
            r#" { "v" : 1.5e3 , "x":null,"log":{ "pages":[{"entries":[]}], "b":{"c":"}"}, "s":"\"",
               "entries" : [ {"a":[1,"]"]} , {} ], "after": 1 }, "more":2 }"#,
            &two,
            "",
        );
        check(r#"{"log":{"entries":[]}}"#, &[], "");
    }

    #[test]
    fn what_is_no_archive_says_so() {
        check("{}", &[], "no log.entries");
        check(r#"{"info":{},"item":[]}"#, &[], "no log.entries");
        check(r#"{"log":{"entries":{}}}"#, &[], "`[` is missing");
    }

    #[test]
    fn entries_before_the_damage_are_read() {
        check(
            r#"{"log":{"entries":[{},{"a":"#,
            &[json!({})],
            "reading JSON",
        );
        check(r#"{"log":{"entries":[{}"#, &[json!({})], "no comma");
        check(r#"{"log":{"entries":[{} {}]}}"#, &[json!({})], "no comma");
    }
}
