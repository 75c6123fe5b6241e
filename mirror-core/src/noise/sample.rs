//! One value of one answer, read from the text that an observation shows.
//!
//! Observations show at most 200 characters of a text, or 100 from where two texts part, with the number of the character. The
//! form of such a text is told by what is shown, its length counts as that, and its mask lacks the tokens that may be cut.
//! Two texts that part later are not told apart here, and a long text has one form where its begin is shown and may have
//! another where its middle is.

use super::class::Class;
use super::form::{Family, Form, ValueType, read};
use super::mask::{ShownPart, mask};
use crate::time::Timestamp;

/// Ends a text that was cut.
const CUT: char = '…';
/// Begins a text of which the begin is not shown.
const MIDDLE: &str = "from character ";
/// Characters of a text that was cut, without its sign.
const CUT_CHARS: usize = 200;

/// What a place has in one answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample<'a> {
    /// None where the answer has nothing at the place.
    pub(super) form: Option<Form>,
    /// Milliseconds after the answer's own time, where the value is a time and the answer's is known.
    pub(super) offset: Option<i64>,
    pub(super) number: Option<f64>,
    pub(super) class: Class<'a>,
}

impl<'a> Sample<'a> {
    pub(super) const fn absent() -> Self {
        Self {
            form: None,
            offset: None,
            number: None,
            class: Class::Absent,
        }
    }

    /// Reads `shown`, a value of the answer that was given `at`.
    pub(super) fn of(shown: &'a str, at: Timestamp) -> Self {
        let (of, text, part) = parts(shown);
        let (form, instant) = read(text, of, at);
        let is_date = form.family == Family::Date;
        let offset = instant
            .filter(|_| at != Timestamp::default() && !is_date)
            .map(|millis| millis.saturating_sub_unsigned(at.as_millis()));
        let is_number =
            matches!(form.family, Family::Integer | Family::Decimal) && of == ValueType::Number;
        let class = match form.family {
            _ if is_number => Class::Number(text),
            Family::Bool => Class::Bool(text == "true"),
            Family::Text | Family::Url | Family::Version => Class::Text(mask(text, part).into()),
            family => Class::Family(family),
        };
        let finite = |number: &f64| number.is_finite();
        let parsed = || text.parse().ok().filter(finite);
        Self {
            form: Some(form),
            offset,
            number: if is_number { parsed() } else { None },
            class,
        }
    }
}

/// The type of a value, what stands between its quotes, and which part of it is shown.
fn parts(shown: &str) -> (ValueType, &str, ShownPart) {
    if let Some(text) = shown.strip_prefix(MIDDLE).and_then(middle) {
        return (ValueType::Text, text, ShownPart::Middle);
    }
    let is_cut = shown.ends_with(CUT) && shown.chars().count() > CUT_CHARS;
    let text = match is_cut {
        true => shown.trim_end_matches(CUT),
        false => shown,
    };
    let of = match text.as_bytes() {
        b"null" => ValueType::Null,
        b"true" | b"false" => ValueType::Bool,
        [b'{', ..] => ValueType::Object,
        [b'[', ..] => ValueType::Array,
        [b'-' | b'0'..=b'9', ..] if is_number(text) => ValueType::Number,
        _ => ValueType::Text,
    };
    let inner = text.strip_prefix('"').map(|rest| match is_cut {
        true => rest,
        false => rest.strip_suffix('"').unwrap_or(rest),
    });
    let part = if is_cut {
        ShownPart::Begin
    } else {
        ShownPart::Whole
    };
    (of, inner.unwrap_or(text), part)
}

/// What stands between the quotes of `480: "…"`.
fn middle(numbered: &str) -> Option<&str> {
    let (number, text) = numbered.split_once(": \"")?;
    number.parse::<usize>().ok()?;
    text.strip_suffix('"')
}

/// As JSON writes a number, so that a date in a header is none.
fn is_number(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
        && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_694_400_000_000_000);

    #[test]
    fn a_value_is_read_as_it_is_shown() {
        let check = |shown: &str, of, family, class: &str| {
            let sample = Sample::of(shown, NOW);
            let form = sample.form.expect("it has a form");
            assert_eq!((form.of, form.family), (of, family), "{shown}");
            assert_eq!(sample.class.name(), class, "{shown}");
        };
        check("null", ValueType::Null, Family::Null, "(null)");
        check("true", ValueType::Bool, Family::Bool, "true");
        check("17", ValueType::Number, Family::Integer, "17");
        check("-1.5", ValueType::Number, Family::Decimal, "-1.5");
        check("\"B\"", ValueType::Text, Family::Text, "B");
        check("\"17\"", ValueType::Text, Family::Digits, "(digits)");
        check("\"order 4711\"", ValueType::Text, Family::Text, "order #");
        check("[1,2]", ValueType::Array, Family::Array, "(array)");
        check("{\"a\":1}", ValueType::Object, Family::Object, "(object)");
        check("text/html", ValueType::Text, Family::Text, "text/html");
        check("2026-11-26", ValueType::Text, Family::Date, "(date)");
        check("1.2.3.4", ValueType::Text, Family::Ipv4, "(IPv4)");
        check("", ValueType::Text, Family::Empty, "(empty)");
        check("\"", ValueType::Text, Family::Empty, "(empty)");
    }

    #[test]
    fn a_time_is_an_offset_from_its_own_answer() {
        let check = |shown: &str, at, expect| {
            assert_eq!(Sample::of(shown, at).offset, expect, "{shown}");
        };
        check("1795698000", NOW, Some(3_600_000));
        check("\"2026-11-26T11:59:59.500Z\"", NOW, Some(-500));
        check("\"2026-11-26T11:59:59.500Z\"", Timestamp::default(), None);
        check("\"2026-11-26\"", NOW, None);
        check("17", NOW, None);
    }

    #[test]
    fn a_text_that_was_cut_has_no_end() {
        let shown = format!("\"{}order 471…", "word ".repeat(38));
        assert_eq!(shown.chars().count(), 201);
        let sample = Sample::of(&shown, NOW);
        assert!(sample.class.name().ends_with("order "), "{sample:?}");
        let whole = Sample::of("\"order 47…\"", NOW);
        assert_eq!(whole.class.name(), "order #…");
        let middle = Sample::of("from character 480: \"er 4711, paid at 12:0\"", NOW);
        assert_eq!(middle.class.name(), " #, paid at ");
        let named = Sample::of("from character A: \"B\"", NOW);
        assert_eq!(named.class.name(), "from character A: \"B\"");
    }
}
