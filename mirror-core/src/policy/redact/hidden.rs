//! The values that were hidden in one exchange. What a request reads and writes is named by keys, and a key may be a session or a
//! token that policy took out of the request: it is known only by where it stood.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::BuildHasher;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use foldhash::fast::FixedState;
use mirror_contract::Written;

use super::pairs::encoded;
use super::token::percent_decoded;
use crate::detect::MASK;
use crate::edits::Edits;

/// Values of one exchange that are remembered, and their bytes.
const MAX_VALUES: usize = 1000;
const MAX_BYTES: usize = 128 << 10;
/// A value of fewer characters is no secret, and stands everywhere.
const MIN_CHARS: usize = 3;
/// One of fewer characters is found only where it stands by itself: `1234` is in `pin:1234`, and not in `712345`.
const MIN_CHARS_WITHIN: usize = 8;

/// What was hidden in an exchange, and what stands for it. It is never printed, and never leaves the process.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HiddenValues {
    values: Vec<HiddenValue>,
    /// Hashes of the values.
    known: BTreeSet<u64>,
    bytes: usize,
    /// More was hidden than is known.
    is_partial: bool,
}

#[derive(Clone, PartialEq, Eq)]
struct HiddenValue {
    value: Box<str>,
    place: Box<str>,
    new: Box<str>,
}

impl fmt::Debug for HiddenValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HiddenValues({})", self.values.len())
    }
}

impl HiddenValues {
    /// Of an exchange whose values nobody remembered.
    pub fn unknown() -> Self {
        Self {
            is_partial: true,
            ..Self::default()
        }
    }

    /// Whether more was hidden than is known.
    pub fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// Bytes that it takes in memory, about.
    pub fn held_bytes(&self) -> usize {
        self.bytes + self.values.len() * size_of::<HiddenValue>()
    }

    pub(super) fn lose(&mut self) {
        self.is_partial = true;
    }

    /// `new` is what the mirror gets in the place of the value, if it gets something. The place stands for what it does not get, and
    /// for what it gets as it is.
    pub(super) fn add(&mut self, value: &str, new: Option<&str>, place: &str) {
        let value = value.trim();
        let new = new.map_or_else(|| format!("({place})"), str::to_owned);
        if is_short(value) || value == MASK || value == new {
            return;
        }
        for form in forms(value) {
            self.push(HiddenValue {
                value: form.into(),
                place: place.into(),
                new: new.as_str().into(),
            });
        }
    }

    fn push(&mut self, value: HiddenValue) {
        let hash = FixedState::default().hash_one(&value.value);
        if is_short(&value.value) || self.known.contains(&hash) {
            return;
        }
        let bytes = value.value.len() + value.place.len() + value.new.len();
        if self.values.len() >= MAX_VALUES || self.bytes + bytes > MAX_BYTES {
            self.is_partial = true;
            return;
        }
        self.bytes += bytes;
        self.known.insert(hash);
        self.values.push(value);
    }

    /// Adds what is not known yet.
    pub fn extend(&mut self, other: Self) {
        self.is_partial |= other.is_partial;
        other.values.into_iter().for_each(|value| self.push(value));
    }

    /// Adds what a mirror was sent instead of these: another session in the place of production's is called as that one is.
    pub fn extend_sent(&mut self, sent: Self) {
        self.is_partial |= sent.is_partial;
        for mut value in sent.values {
            let at_its_place = self.values.iter().find(|known| known.place == value.place);
            if let Some(known) = at_its_place {
                value.new = known.new.clone();
            }
            self.push(value);
        }
    }

    /// Finds them in texts.
    pub(super) fn finder(&self) -> Option<Finder<'_>> {
        if self.values.is_empty() {
            return None;
        }
        let patterns = self.values.iter().map(|value| value.value.as_bytes());
        // It fails where the patterns are more than memory holds, and theirs is bounded.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(patterns)
            .ok()?;
        Some(Finder {
            automaton,
            values: &self.values,
        })
    }
}

fn is_short(value: &str) -> bool {
    value.chars().count() < MIN_CHARS
}

/// The ways in which a value may be written in a key or in JSON.
fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned()];
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !value.bytes().all(is_plain) {
        let json = serde_json::to_string(value).unwrap_or_default();
        let json = json
            .get(1..json.len().saturating_sub(1))
            .unwrap_or_default();
        forms.push(json.to_owned());
        forms.push(percent_decoded(value.as_bytes()).into_owned());
        forms.push(encoded(value));
    }
    if value.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        // As a number is filed: `12.50` is `12.5`.
        forms.extend(Written::of_json(value).and_then(|number| number.value));
    }
    forms
}

/// Finds hidden values wherever they stand.
pub(super) struct Finder<'h> {
    automaton: AhoCorasick,
    values: &'h [HiddenValue],
}

impl Finder<'_> {
    /// The text with what stands for hidden values; `None` where there is none.
    pub(super) fn replaced(&self, text: &str) -> Option<String> {
        let mut edits = Edits::default();
        let mut at = 0;
        while let Some(found) = self.automaton.find(Input::new(text).range(at..)) {
            let value = &self.values[found.pattern().as_usize()];
            if is_meant(text, found.range(), &value.value) {
                edits.replace(found.range(), &*value.new);
                at = found.end();
            } else {
                at = found.start() + 1;
            }
        }
        let new = edits.apply(text.as_bytes())?;
        Some(String::from_utf8_lossy(&new).into_owned())
    }
}

/// A short value is meant only where no letter or digit is beside it.
fn is_meant(text: &str, range: std::ops::Range<usize>, value: &str) -> bool {
    if value.chars().count() >= MIN_CHARS_WITHIN {
        return true;
    }
    let before = text
        .get(..range.start)
        .and_then(|text| text.chars().next_back());
    let after = text.get(range.end..).and_then(|text| text.chars().next());
    let goes_on = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !goes_on(before) && !goes_on(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(all: &[(&str, Option<&str>, &str)]) -> HiddenValues {
        let mut values = HiddenValues::default();
        for (value, new, place) in all {
            values.add(value, *new, place);
        }
        values
    }

    fn check(values: &HiddenValues, text: &str, expect: &str) {
        let finder = values.finder().expect("there are some");
        let new = finder.replaced(text).unwrap_or_else(|| text.into());
        assert_eq!(new, expect, "{text}");
    }

    #[test]
    fn a_value_is_found_within_a_text_and_a_short_one_by_itself() {
        let values = values(&[
            ("abcdefgh", None, "cookie sid"),
            ("1234", Some("***"), "form pin"),
            ("abcdefghij", Some("t_1"), "query token"),
        ]);
        check(&values, "abcdefgh", "(cookie sid)");
        check(&values, "session:abcdefgh/x", "session:(cookie sid)/x");
        check(&values, "xabcdefghx", "x(cookie sid)x");
        check(&values, "abcdefghij", "t_1");
        check(&values, "pin:1234", "pin:***");
        check(&values, "712345 é1234", "712345 é1234");
        check(&values, "12341234 1234", "12341234 ***");
    }

    #[test]
    fn a_value_is_found_in_each_way_of_writing_it() {
        let values = values(&[("a%3Ab c\"d", None, "cookie sid")]);
        for form in ["a%3Ab c\"d", "a:b c\"d", "a%253Ab%20c%22d", "a%3Ab c\\\"d"] {
            check(&values, form, "(cookie sid)");
        }
        let number = self::values(&[("12.50", Some("0"), "body /price")]);
        check(&number, "12.50 12.5 12.55", "0 0 12.55");
    }

    #[test]
    fn what_a_mirror_was_sent_instead_is_called_as_production_s_own() {
        let mut all = values(&[("production1", Some("t_1"), "cookie sid")]);
        all.extend_sent(values(&[
            ("mirrored77", Some("t_77"), "cookie sid"),
            ("mirrored88", None, "header x-key"),
        ]));
        check(&all, "mirrored77", "t_1");
        check(&all, "mirrored88", "(header x-key)");
    }

    #[test]
    fn what_is_no_secret_is_not_remembered() {
        let none = [
            ("ab", None, "a"),
            ("***", None, "b"),
            ("t_1", Some("t_1"), "c"),
        ];
        assert_eq!(values(&none), HiddenValues::default());
    }

    #[test]
    fn what_is_too_much_is_known_to_be_missing() {
        let mut many = HiddenValues::default();
        for n in 0..2 * MAX_VALUES {
            many.add(&format!("value{n}"), None, "body /*");
        }
        assert!(many.is_partial());
        assert_eq!(many.values.len(), MAX_VALUES);
        let large = values(&[(&"x".repeat(MAX_BYTES), None, "header a")]);
        assert!(large.is_partial() && large.held_bytes() == 0);
        assert!(HiddenValues::unknown().is_partial());
        let shown = format!("{many:?}");
        assert_eq!(shown, format!("HiddenValues({MAX_VALUES})"));
    }
}
