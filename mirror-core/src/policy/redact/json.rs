//! Values of a JSON document are hidden in place: no other byte changes, so that numbers, order and spaces stay.
//!
//! What is not JSON, or not whole, is read by the names alone: text after `"name":` is a value wherever it stands. So a
//! body that was cut, a stream of documents or JSON inside of a script loses its secrets too.

use std::borrow::Cow;

use crate::compare::Step;
use crate::compare::pointer;
use crate::json::{Lexer, MAX_DEPTH, NotRead, quoted, unescaped};

use super::rule::JsonPattern;
use super::{Mode, Redactor, Trace, scalars};
use crate::edits::Edits;

/// Hides what rules and detectors name. `None` when nothing changes.
pub(super) fn redact(redactor: &Redactor, body: &[u8], trace: &mut Trace) -> Option<Vec<u8>> {
    nested(redactor, body, trace, 0)
}

/// The same of a document inside of `level` others.
pub(super) fn nested(
    redactor: &Redactor,
    body: &[u8],
    trace: &mut Trace,
    level: usize,
) -> Option<Vec<u8>> {
    whole(redactor, body, trace, level).unwrap_or_else(|| by_name(redactor, body, trace))
}

/// The same of a body that is JSON to its end; `None` outside for what is not.
pub(super) fn whole(
    redactor: &Redactor,
    body: &[u8],
    trace: &mut Trace,
    level: usize,
) -> Option<Option<Vec<u8>>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut walk = Walk::new(redactor, text, trace.another(), level);
    walk.documents().ok()?;
    trace.extend(walk.trace);
    Some(walk.edits.apply(body))
}

/// One way through a text.
struct Walk<'a> {
    redactor: &'a Redactor,
    lexer: Lexer<'a>,
    path: Vec<OwnStep<'a>>,
    edits: Edits,
    trace: Trace,
    /// Documents that this one is a text of.
    level: usize,
}

enum OwnStep<'a> {
    Index(usize),
    Member(Cow<'a, str>),
}

impl<'a> Walk<'a> {
    fn new(redactor: &'a Redactor, text: &'a str, trace: Trace, level: usize) -> Self {
        let mut lexer = Lexer::new(text);
        if text.starts_with('\u{feff}') {
            lexer.at = '\u{feff}'.len_utf8();
        }
        Self {
            redactor,
            lexer,
            path: Vec::new(),
            edits: Edits::default(),
            trace,
            level,
        }
    }

    /// One document after another, to the end of the text.
    fn documents(&mut self) -> Result<(), NotRead> {
        loop {
            self.value(None)?;
            self.lexer.skip_space();
            if self.lexer.peek().is_none() {
                return Ok(());
            }
        }
    }

    /// Reads a value; `hide` is the mode of a place that it is inside of.
    fn value(&mut self, hide: Option<Mode>) -> Result<(), NotRead> {
        if self.path.len() > MAX_DEPTH {
            return Err(NotRead::NotJson);
        }
        self.lexer.skip_space();
        let begin = self.lexer.at;
        match self.lexer.peek().ok_or(NotRead::NotJson)? {
            b'{' => self.object(hide)?,
            b'[' => self.array(hide)?,
            b'"' => {
                let raw = self.lexer.string()?;
                self.text(raw, begin, hide);
            }
            b't' => self.word("true", hide)?,
            b'f' => self.word("false", hide)?,
            b'n' => self.lexer.word("null")?,
            _ => {
                let raw = self.lexer.number()?;
                self.number(raw, begin, hide);
            }
        }
        Ok(())
    }

    fn array(&mut self, hide: Option<Mode>) -> Result<(), NotRead> {
        self.lexer.expect(b'[')?;
        if self.lexer.take(b']') {
            return Ok(());
        }
        let mut index = 0;
        loop {
            self.path.push(OwnStep::Index(index));
            let mode = hide.or_else(|| self.rule());
            self.lexer.skip_space();
            let begin = self.lexer.at;
            self.value(mode)?;
            if mode == Some(Mode::Remove) && hide.is_none() {
                // The others keep their places.
                self.edits.replace(begin..self.lexer.at, "null");
                self.note(Mode::Remove);
            }
            self.path.pop();
            index += 1;
            if self.lexer.take(b']') {
                return Ok(());
            }
            self.lexer.expect(b',')?;
        }
    }

    fn object(&mut self, hide: Option<Mode>) -> Result<(), NotRead> {
        self.lexer.expect(b'{')?;
        if self.lexer.take(b'}') {
            return Ok(());
        }
        // The last comma that stays.
        let mut comma = None;
        loop {
            self.lexer.skip_space();
            let begin = self.lexer.at;
            let raw = self.lexer.string()?;
            self.path.push(OwnStep::Member(unescaped(raw)));
            self.name(raw, begin);
            self.lexer.expect(b':')?;
            let mode = hide.or_else(|| self.rule());
            self.value(mode)?;
            let end = self.lexer.at;
            let is_last = self.lexer.take(b'}');
            if !is_last {
                self.lexer.expect(b',')?;
            }
            if mode == Some(Mode::Remove) && hide.is_none() {
                let range = match (is_last, comma) {
                    (false, _) => begin..self.lexer.at,
                    (true, Some(comma)) => comma..end,
                    (true, None) => begin..end,
                };
                self.edits.replace(range, "");
                self.note(Mode::Remove);
            } else {
                comma = Some(self.lexer.at.saturating_sub(1));
            }
            self.path.pop();
            if is_last {
                return Ok(());
            }
        }
    }

    /// A name may hold a secret as well as a value.
    fn name(&mut self, raw: &str, begin: usize) {
        if let Some(new) = self.redactor.detected(&unescaped(raw), &mut self.trace) {
            self.edits.replace(begin..self.lexer.at, quoted(&new));
        }
    }

    fn text(&mut self, raw: &str, begin: usize, hide: Option<Mode>) {
        let meant = unescaped(raw);
        let new = match hide {
            Some(Mode::Remove) => return self.remember(&meant, None),
            Some(mode) => {
                self.note(mode);
                let new = self.redactor.hidden(mode, &meant);
                self.remember(&meant, new.as_deref());
                new
            }
            None => self.redactor.inner(&meant, &mut self.trace, self.level + 1),
        };
        if let Some(new) = new.filter(|new| *new != meant) {
            self.edits.replace(begin..self.lexer.at, quoted(&new));
        }
    }

    fn number(&mut self, raw: &str, begin: usize, hide: Option<Mode>) {
        let new = match hide {
            Some(Mode::Remove) => return self.remember(raw, None),
            Some(mode) => {
                self.note(mode);
                let new = match mode {
                    Mode::Token => self.redactor.number_token(raw),
                    _ => "0".into(),
                };
                self.remember(raw, Some(&new));
                Some(new)
            }
            None if raw.len() < 13 => None,
            None => {
                let new = self.redactor.detected(raw, &mut self.trace);
                new.map(|new| {
                    if new.parse::<u64>().is_ok() {
                        new
                    } else {
                        "0".into()
                    }
                })
            }
        };
        if let Some(new) = new {
            self.edits.replace(begin..self.lexer.at, new);
        }
    }

    /// A token of true or false would tell which one it is.
    fn word(&mut self, word: &str, hide: Option<Mode>) -> Result<(), NotRead> {
        let begin = self.lexer.at;
        self.lexer.word(word)?;
        if let Some(mode) = hide.filter(|mode| *mode != Mode::Remove) {
            self.note(mode);
            self.edits.replace(begin..self.lexer.at, "false");
        }
        Ok(())
    }

    /// The mode of the first rule for this place.
    fn rule(&self) -> Option<Mode> {
        let fits = |(pattern, _): &&(JsonPattern, Mode)| match pattern {
            JsonPattern::Member(name) => match self.path.last() {
                Some(OwnStep::Member(member)) => name.fits(member),
                _ => false,
            },
            JsonPattern::Pointer(steps) => {
                steps.len() == self.path.len()
                    && steps
                        .iter()
                        .zip(&self.path)
                        .all(|(wanted, step)| match step {
                            _ if wanted == "*" => true,
                            OwnStep::Member(name) => wanted == name,
                            OwnStep::Index(index) => wanted.parse() == Ok(*index),
                        })
            }
        };
        self.redactor.json.iter().find(fits).map(|(_, mode)| *mode)
    }

    fn note(&mut self, mode: Mode) {
        let Self {
            trace,
            path,
            redactor,
            ..
        } = self;
        trace.note(mode, || place(redactor, path));
    }

    fn remember(&mut self, value: &str, new: Option<&str>) {
        let Self {
            trace,
            path,
            redactor,
            ..
        } = self;
        trace.remember(value, new, || place(redactor, path));
    }
}

/// Where a value stands, for people.
fn place(redactor: &Redactor, path: &[OwnStep<'_>]) -> String {
    let step = |step: &'_ OwnStep<'_>| match step {
        OwnStep::Index(index) => OwnStep::Index(*index),
        // A name may hold a secret too.
        OwnStep::Member(name) => {
            OwnStep::Member(Cow::Owned(redactor.shown.masked(name).into_owned()))
        }
    };
    let masked: Vec<_> = path.iter().map(step).collect();
    let steps: Vec<Step<'_>> = masked
        .iter()
        .map(|step| match step {
            OwnStep::Index(index) => Step::Index(*index),
            OwnStep::Member(name) => Step::Member(name),
        })
        .collect();
    format!("body {}", pointer(&steps))
}

/// Hides what stands after the names of rules, in a text that is not JSON as a whole.
pub(super) fn by_name(redactor: &Redactor, body: &[u8], trace: &mut Trace) -> Option<Vec<u8>> {
    let mut edits = Edits::default();
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'"', body.get(at..).unwrap_or_default()) {
        let quote = at + found;
        let end = string_end(body, quote);
        at = end;
        let name = body
            .get(quote + 1..end.saturating_sub(1).max(quote + 1))
            .unwrap_or_default();
        let after = skip_space(body, end);
        if body.get(after) != Some(&b':') {
            continue;
        }
        let name = String::from_utf8_lossy(name);
        let Some(mode) = named(redactor, &unescaped(&name)) else {
            continue;
        };
        let begin = skip_space(body, after + 1);
        let end = value_end(body, begin);
        let place = || format!("body {name}", name = redactor.shown.masked(&name));
        trace.note(mode, place);
        let (value, new) = (
            &body[begin..end],
            replacement(redactor, mode, &body[begin..end]),
        );
        scalars::remember(value, mode, &new, trace, place);
        edits.replace(begin..end, new);
        at = end;
    }
    let named = edits.apply(body);
    let detected = redactor.detected_bytes(named.as_deref().unwrap_or(body), trace);
    detected.or(named)
}

/// The mode of the first rule that a member of this name may fall under.
fn named(redactor: &Redactor, name: &str) -> Option<Mode> {
    let fits = |(pattern, _): &&(JsonPattern, Mode)| match pattern {
        JsonPattern::Member(pattern) => pattern.fits(name),
        JsonPattern::Pointer(steps) => {
            // Elements are not named: the nearest member with a name stands for all below it.
            let is_name = |step: &&String| *step != "*" && step.parse::<usize>().is_err();
            match steps.iter().rev().find(is_name) {
                Some(step) => step == name,
                None => true,
            }
        }
    };
    redactor.json.iter().find(fits).map(|(_, mode)| *mode)
}

fn replacement(redactor: &Redactor, mode: Mode, value: &[u8]) -> String {
    match (value.first(), mode) {
        (None, _) => String::new(),
        (Some(b'"'), Mode::Token | Mode::Mask) => {
            let inner = value.strip_prefix(b"\"").unwrap_or(value);
            let inner = inner.strip_suffix(b"\"").unwrap_or(inner);
            let text = String::from_utf8_lossy(inner);
            quoted(&redactor.hidden(mode, &unescaped(&text)).unwrap_or_default())
        }
        (Some(b'-' | b'0'..=b'9'), Mode::Token) => {
            redactor.number_token(&String::from_utf8_lossy(value))
        }
        (Some(b'-' | b'0'..=b'9'), Mode::Mask) => "0".into(),
        _ => "null".into(),
    }
}

fn skip_space(body: &[u8], at: usize) -> usize {
    let rest = body.get(at..).unwrap_or_default();
    at + rest
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count()
}

/// Where the string that begins at `at` ends, its quote included.
fn string_end(body: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(byte) = body.get(end) {
        match byte {
            b'\\' => end += 2,
            b'"' => return end + 1,
            _ => end += 1,
        }
    }
    body.len()
}

/// Where the value that begins at `at` ends, as far as that can be told.
fn value_end(body: &[u8], at: usize) -> usize {
    let mut end = at;
    let mut depth = 0_usize;
    while let Some(byte) = body.get(end) {
        match byte {
            b'"' => end = string_end(body, end),
            b'{' | b'[' => {
                depth += 1;
                end += 1;
            }
            b'}' | b']' if depth == 0 => return end,
            b'}' | b']' => {
                depth -= 1;
                end += 1;
            }
            b',' if depth == 0 => return end,
            byte if depth == 0 && byte.is_ascii_whitespace() => return end,
            _ => end += 1,
        }
        if depth == 0 && matches!(body.get(end - 1), Some(b'"' | b'}' | b']')) {
            return end;
        }
    }
    body.len()
}
