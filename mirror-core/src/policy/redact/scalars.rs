//! The texts and numbers of a JSON document, wherever they stand in it.

use std::borrow::Cow;

use super::{Mode, Trace};
use crate::edits::Edits;
use crate::json::{Lexer, quoted, unescaped};

/// A document in which each text, also a name, and each number became what `new` gives for it. `None` where it gives nothing.
pub(super) fn mapped(json: &str, mut new: impl FnMut(&str) -> Option<String>) -> Option<String> {
    let mut edits = Edits::default();
    let mut lexer = Lexer::new(json);
    while let Some(byte) = lexer.peek() {
        let begin = lexer.at;
        let (text, is_number) = match byte {
            b'"' => (unescaped(lexer.string().ok()?), false),
            b'-' | b'0'..=b'9' => (Cow::Borrowed(lexer.number().ok()?), true),
            _ => {
                lexer.at += 1;
                continue;
            }
        };
        if let Some(new) = new(&text) {
            let is_plain = is_number && new.parse::<u64>().is_ok();
            let new = if is_plain { new } else { quoted(&new) };
            edits.replace(begin..lexer.at, new);
        }
    }
    let new = edits.apply(json.as_bytes())?;
    Some(String::from_utf8_lossy(&new).into_owned())
}

/// Remembers a value that was hidden as a whole, with all texts and numbers in it.
pub(super) fn remember(
    value: &[u8],
    mode: Mode,
    new: &str,
    trace: &mut Trace,
    place: impl Fn() -> String,
) {
    if !trace.remembers() {
        return;
    }
    let Ok(text) = std::str::from_utf8(value) else {
        return trace.lose();
    };
    let is_token = mode == Mode::Token && !matches!(value.first(), Some(b'{' | b'['));
    let new = is_token.then(|| unescaped(new.trim_matches('"')).into_owned());
    let mut scalars = Vec::new();
    mapped(text, |scalar| {
        scalars.push(scalar.to_owned());
        None
    });
    if scalars.is_empty() {
        scalars.push(text.to_owned());
    }
    for scalar in scalars {
        trace.remember(&scalar, new.as_deref(), &place);
    }
}
