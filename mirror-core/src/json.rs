//! JSON as it was written: numbers and texts stay slices of the body, so that no digit is lost and nothing is copied.
//!
//! A parser of our own, because kept ones round numbers or, where they keep them, do so for the whole program; and none
//! of them counts the nodes while it reads, which is what bounds the memory of a comparison. [`Lexer`] is for those who
//! walk through a document without keeping it.

use std::borrow::Cow;

/// Arrays and objects one in the other; deeper ones are not read, or kept as text where all is to be compared.
pub(crate) const MAX_DEPTH: usize = 128;

/// A JSON value whose numbers and texts stand as they were sent.
#[derive(Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    /// What stands between the quotes.
    Text(&'a str),
    Array(Vec<Value<'a>>),
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
    /// An array or object below [`MAX_DEPTH`] others, as it was sent. Only [`Value::parse_leniently`] makes one.
    Deep(&'a str),
}

/// Why a body is not compared as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotRead {
    NotJson,
    /// It has more values than the limit.
    TooLarge,
}

impl<'a> Value<'a> {
    /// Reads an array or object of at most `max_nodes` values. A byte order mark before it is ignored.
    pub(crate) fn parse(body: &'a [u8], max_nodes: usize) -> Result<Self, NotRead> {
        if !begins_as_container(body) {
            return Err(NotRead::NotJson);
        }
        Self::read(body, max_nodes, false)
    }

    /// Reads any value, as those who compare two documents want it: at any depth, and with the numbers `NaN`,
    /// `Infinity` and `-Infinity`, which some writers make.
    pub(crate) fn parse_leniently(body: &'a [u8], max_nodes: usize) -> Result<Self, NotRead> {
        Self::read(body, max_nodes, true)
    }

    fn read(body: &'a [u8], max_nodes: usize, is_lenient: bool) -> Result<Self, NotRead> {
        let text = std::str::from_utf8(without_mark(body)).map_err(|_| NotRead::NotJson)?;
        let mut parser = Parser {
            lexer: Lexer::new(text),
            nodes_left: max_nodes,
            is_lenient,
            usual_members: 0,
        };
        let mut value = Value::Null;
        parser.value(&mut value, 0)?;
        parser.lexer.skip_space();
        match parser.lexer.peek() {
            None => Ok(value),
            Some(_) => Err(NotRead::NotJson),
        }
    }

    /// The value as it is shown, in at most about `most` bytes.
    pub(crate) fn shown(&self, most: usize) -> String {
        let mut out = String::new();
        self.write(&mut out, most);
        out
    }

    fn write(&self, out: &mut String, most: usize) {
        if out.len() > most {
            return;
        }
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => out.push_str(number),
            Self::Deep(text) => {
                let room = most.saturating_sub(out.len());
                out.extend(text.chars().take(room));
            }
            Self::Text(text) => {
                out.push('"');
                out.push_str(text);
                out.push('"');
            }
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate().take(most) {
                    out.push_str(if index > 0 { "," } else { "" });
                    item.write(out, most);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate().take(most) {
                    out.push_str(if index > 0 { "," } else { "" });
                    Value::Text(name).write(out, most);
                    out.push(':');
                    value.write(out, most);
                }
                out.push('}');
            }
        }
    }
}

/// Whether a body can be nothing but an array or an object, where it is JSON.
pub(crate) fn begins_as_container(body: &[u8]) -> bool {
    let first = without_mark(body).iter().find(|b| !b.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
}

fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    nodes_left: usize,
    is_lenient: bool,
    /// Room for the members of an object: objects of one document are mostly of one size.
    usual_members: usize,
}

/// More room is not made before it is needed: it would be the sender who says how much memory a document takes.
const MAX_USUAL_MEMBERS: usize = 8;

/// The new last element, which is made in its place: `push` keeps what it pushes on the stack while it may make room, and copies it in
/// other pieces than it was made of, for which the processor waits.
fn pushed<T>(list: &mut Vec<T>, new: impl FnMut() -> T) -> &mut T {
    let last = list.len();
    list.resize_with(last + 1, new);
    &mut list[last]
}

impl<'a> Parser<'a> {
    /// Writes to `out`, where the value stays: one that is returned through every level is copied at each, which takes half of the
    /// time of small values.
    fn value(&mut self, out: &mut Value<'a>, depth: usize) -> Result<(), NotRead> {
        self.nodes_left = self.nodes_left.checked_sub(1).ok_or(NotRead::TooLarge)?;
        if depth > MAX_DEPTH && !self.is_lenient {
            return Err(NotRead::NotJson);
        }
        let lexer = &mut self.lexer;
        lexer.skip_space();
        match lexer.peek().ok_or(NotRead::NotJson)? {
            b'{' | b'[' if depth > MAX_DEPTH => *out = Value::Deep(lexer.nested()?),
            b'{' => *out = Value::Object(self.object(depth)?),
            b'[' => *out = Value::Array(self.array(depth)?),
            b'"' => *out = Value::Text(lexer.string()?),
            b't' => *out = lexer.word("true").map(|()| Value::Bool(true))?,
            b'f' => *out = lexer.word("false").map(|()| Value::Bool(false))?,
            b'n' => *out = lexer.word("null").map(|()| Value::Null)?,
            b'N' | b'I' | b'-' if self.is_lenient => *out = Value::Number(lexer.lenient_number()?),
            _ => *out = Value::Number(lexer.number()?),
        }
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Value<'a>>, NotRead> {
        self.lexer.expect(b'[')?;
        let mut items = Vec::new();
        if self.lexer.take(b']') {
            return Ok(items);
        }
        loop {
            self.value(pushed(&mut items, || Value::Null), depth + 1)?;
            if self.lexer.take(b']') {
                return Ok(items);
            }
            self.lexer.expect(b',')?;
        }
    }

    fn object(&mut self, depth: usize) -> Result<Vec<(Cow<'a, str>, Value<'a>)>, NotRead> {
        self.lexer.expect(b'{')?;
        if self.lexer.take(b'}') {
            return Ok(Vec::new());
        }
        let mut members = Vec::with_capacity(self.usual_members);
        loop {
            self.lexer.skip_space();
            let text = self.lexer.quoted()?;
            self.lexer.expect(b':')?;
            let (name, value) = pushed(&mut members, || (Cow::Borrowed(""), Value::Null));
            if text.has_escapes {
                *name = Cow::Owned(without_escapes(text.raw));
            } else {
                *name = Cow::Borrowed(text.raw);
            }
            self.value(value, depth + 1)?;
            if self.lexer.take(b'}') {
                self.usual_members = members.len().min(MAX_USUAL_MEMBERS);
                return Ok(members);
            }
            self.lexer.expect(b',')?;
        }
    }
}

/// What stands between two quotes.
struct Quoted<'a> {
    raw: &'a str,
    has_escapes: bool,
}

/// Reads the parts that a document is made of, one by one.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    /// Where the next part begins.
    pub(crate) at: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Takes `byte` if it comes next after spaces.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), NotRead> {
        self.take(byte).then_some(()).ok_or(NotRead::NotJson)
    }

    /// What stands between two quotes. Escapes must be whole; control characters are let through.
    pub(crate) fn string(&mut self) -> Result<&'a str, NotRead> {
        Ok(self.quoted()?.raw)
    }

    fn quoted(&mut self) -> Result<Quoted<'a>, NotRead> {
        if self.peek() != Some(b'"') {
            return Err(NotRead::NotJson);
        }
        let begin = self.at + 1;
        let bytes = self.text.as_bytes();
        let (mut at, mut has_escapes) = (begin, false);
        loop {
            at += text_len(bytes.get(at..).unwrap_or_default()).ok_or(NotRead::NotJson)?;
            if bytes[at] == b'"' {
                self.at = at + 1;
                let raw = &self.text[begin..at];
                return Ok(Quoted { raw, has_escapes });
            }
            at += escape_len(&bytes[at..]).ok_or(NotRead::NotJson)?;
            has_escapes = true;
        }
    }

    pub(crate) fn word(&mut self, word: &str) -> Result<(), NotRead> {
        if !self.text[self.at..].starts_with(word) {
            return Err(NotRead::NotJson);
        }
        self.at += word.len();
        Ok(())
    }

    /// A number by the grammar of RFC 8259 §6.
    pub(crate) fn number(&mut self) -> Result<&'a str, NotRead> {
        let begin = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(&self.text[begin..self.at])
    }

    /// A number, or one of the names that some writers have for what is none.
    pub(crate) fn lenient_number(&mut self) -> Result<&'a str, NotRead> {
        let rest = &self.text[self.at..];
        let names = ["NaN", "Infinity", "-Infinity", "-NaN"];
        match names.into_iter().find(|name| rest.starts_with(name)) {
            Some(name) => {
                self.at += name.len();
                Ok(&rest[..name.len()])
            }
            None => self.number(),
        }
    }

    /// The text of an array or an object, however deep it is: no function calls itself here. Only brackets and texts are
    /// looked at.
    fn nested(&mut self) -> Result<&'a str, NotRead> {
        let begin = self.at;
        // One bit for each bracket that is open would do; a byte is simpler, and the body is larger in any case.
        let mut open = Vec::new();
        loop {
            match self.peek().ok_or(NotRead::NotJson)? {
                b'[' => open.push(b']'),
                b'{' => open.push(b'}'),
                b'"' => {
                    self.string()?;
                    continue;
                }
                close @ (b']' | b'}') if open.pop() != Some(close) => return Err(NotRead::NotJson),
                _ => {}
            }
            self.at += 1;
            if open.is_empty() {
                return Ok(&self.text[begin..self.at]);
            }
        }
    }

    /// The next bracket, text, or run of other characters; `None` at the end. For what [`Value::Deep`] holds.
    pub(crate) fn token(&mut self) -> Option<&'a str> {
        self.skip_space();
        let begin = self.at;
        match self.peek()? {
            b'"' => {
                self.string().ok()?;
            }
            b'[' | b']' | b'{' | b'}' | b',' | b':' => self.at += 1,
            _ => {
                let is_end = |c: char| "[]{},:\"".contains(c) || c.is_ascii_whitespace();
                let rest = &self.text[begin..];
                self.at += rest.find(is_end).unwrap_or(rest.len()).max(1);
            }
        }
        Some(&self.text[begin..self.at])
    }

    fn digits(&mut self) -> Result<(), NotRead> {
        let begin = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > begin).then_some(()).ok_or(NotRead::NotJson)
    }
}

/// Bytes before the next quote or escape. Most texts are short: then a search that prepares itself costs more than it saves.
fn text_len(bytes: &[u8]) -> Option<usize> {
    const SHORT: usize = 3;
    let (words, _) = bytes.as_chunks();
    for (index, word) in words.iter().take(SHORT).enumerate() {
        if let Some(at) = first_end(*word) {
            return Some(8 * index + at);
        }
    }
    let searched = 8 * words.len().min(SHORT);
    Some(searched + memchr::memchr2(b'"', b'\\', &bytes[searched..])?)
}

/// The place of the first quote or escape of eight bytes, which are looked at together.
fn first_end(bytes: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let word = u64::from_le_bytes(bytes);
    // The lowest bit that is set is that of the first byte that is zero; those above it may be wrong.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let of = |byte: u8| zeros(word ^ (ONES * u64::from(byte)));
    let ends = of(b'"') | of(b'\\');
    (ends != 0).then_some(ends.trailing_zeros() as usize / 8)
}

/// Bytes of the escape that `bytes` begins with.
fn escape_len(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [
            b'\\',
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
            ..,
        ] => Some(2),
        [b'\\', b'u', digits @ ..] => {
            let four = digits.get(..4)?;
            four.iter().all(u8::is_ascii_hexdigit).then_some(6)
        }
        _ => None,
    }
}

/// Whether two texts mean the same characters.
pub(crate) fn same_text(ours: &str, theirs: &str) -> bool {
    ours == theirs
        || ((ours.contains('\\') || theirs.contains('\\')) && units(ours).eq(units(theirs)))
}

/// The text that is meant, with U+FFFD for half of a surrogate pair.
pub(crate) fn unescaped(text: &str) -> Cow<'_, str> {
    match has_escapes(text) {
        false => Cow::Borrowed(text),
        true => Cow::Owned(without_escapes(text)),
    }
}

fn has_escapes(text: &str) -> bool {
    memchr::memchr(b'\\', text.as_bytes()).is_some()
}

fn without_escapes(text: &str) -> String {
    let units: Vec<u16> = units(text).collect();
    String::from_utf16_lossy(&units)
}

/// The UTF-16 code units of a text whose escapes are whole: JSON's escapes name these.
pub(crate) fn units(text: &str) -> impl Iterator<Item = u16> {
    let mut rest = text.chars();
    let mut low = None;
    std::iter::from_fn(move || {
        if let Some(unit) = low.take() {
            return Some(unit);
        }
        let mut unit = |c: char| {
            let mut buffer = [0; 2];
            let units = c.encode_utf16(&mut buffer);
            low = units.get(1).copied();
            units[0]
        };
        Some(match rest.next()? {
            '\\' => match rest.next()? {
                'b' => 8,
                'f' => 12,
                'n' => 10,
                'r' => 13,
                't' => 9,
                'u' => {
                    let digits = rest.as_str().get(..4)?;
                    rest = rest.as_str()[4..].chars();
                    u16::from_str_radix(digits, 16).ok()?
                }
                other => unit(other),
            },
            other => unit(other),
        })
    })
}

/// A text as JSON, in quotes.
pub(crate) fn quoted(text: &str) -> String {
    // A text can always be written.
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".into())
}

#[cfg(test)]
mod tests;
