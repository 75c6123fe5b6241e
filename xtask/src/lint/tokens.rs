//! Rust source as words and signs, as far as the checks need it: without comments, texts, and what only tests see.

use std::iter::Peekable;
use std::str::CharIndices;

/// A piece of source with the line it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) line: usize,
}

/// All tokens, `::` as one. A text, a character or a lifetime is left out.
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = Source {
        text: source,
        chars: source.char_indices().peekable(),
        line: 1,
    };
    while let Some((at, c)) = rest.next() {
        let line = rest.line;
        let end = match c {
            '/' if rest.follows('/') => {
                rest.skip_while(|c| c != '\n');
                continue;
            }
            '/' if rest.follows('*') => {
                rest.skip_comment();
                continue;
            }
            '"' => {
                rest.skip_text();
                continue;
            }
            '\'' => {
                rest.skip_quoted(at);
                continue;
            }
            c if c.is_alphanumeric() || c == '_' => {
                let end = rest.skip_while(|c| c.is_alphanumeric() || c == '_');
                if rest.skip_raw_text(&source[at..end]) {
                    continue;
                }
                end
            }
            ':' if rest.follows(':') => {
                rest.next();
                at + 2
            }
            c if c.is_whitespace() => continue,
            c => at + c.len_utf8(),
        };
        let text = &source[at..end];
        tokens.push(Token { text, line });
    }
    tokens
}

struct Source<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
    line: usize,
}

impl Source<'_> {
    fn next(&mut self) -> Option<(usize, char)> {
        let next = self.chars.next();
        if matches!(next, Some((_, '\n'))) {
            self.line += 1;
        }
        next
    }

    fn follows(&mut self, wanted: char) -> bool {
        matches!(self.chars.peek(), Some((_, c)) if *c == wanted)
    }

    /// Where what was skipped ends.
    fn skip_while(&mut self, mut matches: impl FnMut(char) -> bool) -> usize {
        while let Some((at, c)) = self.chars.peek().copied() {
            if !matches(c) {
                return at;
            }
            self.next();
        }
        self.text.len()
    }

    /// Block comments nest.
    fn skip_comment(&mut self) {
        let mut depth = 1;
        self.next();
        while depth > 0 {
            match self.next() {
                Some((_, '/')) if self.follows('*') => depth += 1,
                Some((_, '*')) if self.follows('/') => depth -= 1,
                Some(_) => continue,
                None => return,
            }
            self.next();
        }
    }

    fn skip_text(&mut self) {
        while let Some((_, c)) = self.next() {
            match c {
                '\\' => drop(self.next()),
                '"' => return,
                _ => {}
            }
        }
    }

    /// A character, or a lifetime, which has no end quote.
    fn skip_quoted(&mut self, at: usize) {
        let mut rest = self.text[at + 1..].chars();
        let is_character = match rest.next() {
            Some('\\') => true,
            _ => rest.next() == Some('\''),
        };
        if !is_character {
            return;
        }
        while let Some((_, c)) = self.next() {
            match c {
                '\\' => drop(self.next()),
                '\'' => return,
                _ => {}
            }
        }
    }

    /// `r"…"`, `r#"…"#`, `br"…"` and so on, whose prefix has been read.
    fn skip_raw_text(&mut self, prefix: &str) -> bool {
        if !matches!(prefix, "r" | "br" | "cr") {
            return false;
        }
        let rest = &self.text[self.chars.peek().map_or(self.text.len(), |(at, _)| *at)..];
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        if !rest[hashes..].starts_with('"') {
            return false;
        }
        let close = format!("\"{}", "#".repeat(hashes));
        let begin = hashes + 1;
        let length = rest[begin..]
            .find(&close)
            .map_or(rest.len(), |at| begin + at + close.len());
        let mut left = rest[..length].chars().count();
        while left > 0 && self.next().is_some() {
            left -= 1;
        }
        true
    }
}

/// The tokens without items that have the attribute `#[cfg(test)]`.
pub(super) fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let here = tokens[at..].iter().map(|token| token.text);
        if here.take(ATTRIBUTE.len()).eq(ATTRIBUTE) {
            at = end_of_item(tokens, at + ATTRIBUTE.len());
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

/// Behind the `;` or the braces that end an item.
fn end_of_item(tokens: &[Token<'_>], from: usize) -> usize {
    let mut depth = 0_u32;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.text {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token.text == "}" {
                    // Braces of a `use` have a semicolon behind them.
                    let is_use = tokens.get(at + 1).is_some_and(|next| next.text == ";");
                    return at + 1 + usize::from(is_use);
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expect: &str) {
        let all = tokens(source);
        let words: Vec<&str> = without_tests(&all).iter().map(|token| token.text).collect();
        assert_eq!(words.join(" "), expect, "{source}");
    }

    #[test]
    fn comments_and_texts_are_left_out() {
        check("a /* b /* c */ d */ e // f\ng", "a e g");
        check(r#"a "crate::b \" c" d"#, "a d");
        check("a r#\"crate::b \" c\"# d", "a d");
        check("a br\"b\" c r d", "a c r d");
        check(r"a 'b' '\'' '\n' d", "a d");
        check("fn f<'a>(x: &'a str)", "fn f < a > ( x : & a str )");
    }

    #[test]
    fn paths_have_double_colons() {
        check("use crate::{a::b, c};", "use crate :: { a :: b , c } ;");
    }

    #[test]
    fn items_for_tests_are_left_out() {
        check("a; #[cfg(test)] mod tests { use b; } c", "a ; c");
        check("a; #[cfg(test)] use b::{c, d}; e", "a ; e");
        check("#[cfg(test)]\nmod tests;\nmod c;", "mod c ;");
        check("#[cfg(test)] #[allow(x)] fn f(a: [u8; 2]) { g() } h", "h");
    }

    #[test]
    fn lines_are_counted() {
        let lines: Vec<usize> = tokens("a\n/* \n */ b\n\"x\n\" c")
            .iter()
            .map(|t| t.line)
            .collect();
        assert_eq!(lines, [1, 3, 5]);
    }
}
