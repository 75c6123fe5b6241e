//! Changes to a text, made in place: all other bytes stay as they are.

use std::ops::Range;

/// Replacements in the order of their places, apart from each other.
#[derive(Debug, Default)]
pub(crate) struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    /// Puts `text` in the place of `range`, and of all that was to be put inside of it.
    pub(crate) fn replace(&mut self, range: Range<usize>, text: impl Into<String>) {
        while self
            .0
            .last()
            .is_some_and(|(last, _)| last.start >= range.start && !last.is_empty())
        {
            self.0.pop();
        }
        self.0.push((range, text.into()));
    }

    /// The text with the changes; `None` when there are none.
    pub(crate) fn apply(self, text: &[u8]) -> Option<Vec<u8>> {
        if self.0.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        for (range, new) in self.0 {
            out.extend_from_slice(text.get(at..range.start).unwrap_or_default());
            out.extend_from_slice(new.as_bytes());
            at = range.end.max(at);
        }
        out.extend_from_slice(text.get(at..).unwrap_or_default());
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_takes_in_those_that_it_spans() {
        let mut edits = Edits::default();
        edits.replace(1..2, "X");
        edits.replace(4..5, "YY");
        edits.replace(3..6, "");
        assert_eq!(edits.apply(b"abcdefg").as_deref(), Some(&b"aXcg"[..]));
        assert_eq!(Edits::default().apply(b"abc"), None);
    }
}
