//! Forms (`application/x-www-form-urlencoded`): an object of names, each with its value or a list of them.
//!
//! The order of different names has no meaning, that of the values of one name does (WHATWG URL §5).

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::charset;
use super::tree::{Builder, Paths, Tree};
use crate::compare::BodyLimits;
use crate::json::NotRead;

pub(super) fn read(text: &str, paths: &mut Paths, limits: BodyLimits) -> Result<Tree, NotRead> {
    let mut builder = Builder::new(paths, limits, text.len());
    for pair in text
        .trim_ascii_end()
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        builder.open(&decoded(name));
        builder.text(&decoded(value));
        builder.close();
        if builder.is_over() {
            break;
        }
    }
    builder.finish().ok_or(NotRead::TooLarge)
}

fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return text.into();
    }
    let spaced = text.replace('+', " ");
    let bytes: Vec<u8> = percent_decode(spaced.as_bytes()).collect();
    charset::utf8(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_not_read, check_pair};

    const FORM: &str = "application/x-www-form-urlencoded";

    #[test]
    fn names_and_values_are_decoded() {
        check(
            FORM,
            "grant_type=password&user=j%C3%BCrgen+m&scope=a%20b&empty=&flag&&",
            r#"{"grant_type":"password","user":"jürgen m","scope":"a b","empty":"","flag":""}"#,
        );
        check(
            FORM,
            "a%26b=c%3Dd%2B&e=%zz%",
            r#"{"a&b":"c=d+","e":"%zz%"}"#,
        );
        check(FORM, "a=%ff", r#"{"a":"�FF"}"#);
        check(FORM, "", "{}");
    }

    #[test]
    fn a_name_that_comes_again_is_a_list_on_both_sides() {
        check(FORM, "a=1&b=2&a=3", r#"{"a":["1","3"],"b":"2"}"#);
        check_pair(
            (FORM, "b=2&a=1"),
            (FORM, "a=1&a=3&b=2"),
            Some((r#"{"b":"2","a":["1"]}"#, r#"{"b":"2","a":["1","3"]}"#)),
        );
    }

    #[test]
    fn more_fields_than_values_are_too_large() {
        check_not_read(FORM, "a=1&".repeat(30_000));
    }
}
