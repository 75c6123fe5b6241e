//! Edits of JSON bodies at the bytes of one member: every other byte stays, numbers, order and white space too.

use std::borrow::Cow;
use std::ops::Range;

use crate::edits::Edits;
use crate::json::{Lexer, MAX_DEPTH, NotRead, unescaped};

/// What is done at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// A JSON value as it is written. A member that its object does not have is added.
    Set(String),
    Remove,
    /// The other name, in quotes.
    Rename(String),
}

/// The steps of a JSON pointer (RFC 6901), in which `*` is any step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Steps(Vec<String>);

impl Steps {
    pub(super) fn parse(pointer: &str) -> Option<Self> {
        let steps = pointer.strip_prefix('/')?.split('/');
        let plain = |step: &str| step.replace("~1", "/").replace("~0", "~");
        Some(Self(steps.map(plain).collect()))
    }
}

/// The body after the edit; `None` if it is not JSON, or if the place does not exist in it.
pub(super) fn edited(body: &[u8], at: &Steps, edit: &Edit) -> Option<Vec<u8>> {
    let mark = body.len() - body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).len();
    let text = std::str::from_utf8(&body[mark..]).ok()?;
    let mut changes = Changes::default();
    let mut lexer = Lexer::new(text);
    let whole = inside(&mut lexer, 0).ok()??;
    // What follows must be nothing: then all of it was read.
    if !text.get(whole.end + 1..)?.trim_ascii().is_empty() {
        return None;
    }
    changes.edit(&mut lexer, &whole, &at.0, edit).ok()?;
    let edited = changes.0.apply(text.as_bytes())?;
    Some([&body[..mark], &edited].concat())
}

/// A member of an object, or an element of an array, and where it stands.
struct Inner<'a> {
    /// With the quotes. None for an element.
    name: Option<(Cow<'a, str>, Range<usize>)>,
    value: Range<usize>,
}

/// What stands in an array or an object.
struct Inside<'a> {
    inner: Vec<Inner<'a>>,
    /// Where the bracket is that closes it.
    end: usize,
    is_object: bool,
}

/// Reads the array or object that begins at `at`; none for another value.
fn inside<'a>(lexer: &mut Lexer<'a>, at: usize) -> Result<Option<Inside<'a>>, NotRead> {
    lexer.at = at;
    lexer.skip_space();
    let close = match lexer.peek() {
        Some(b'{') => b'}',
        Some(b'[') => b']',
        _ => return Ok(None),
    };
    lexer.at += 1;
    let mut inner = Vec::new();
    while !lexer.take(close) {
        if !inner.is_empty() {
            lexer.expect(b',')?;
        }
        inner.push(member(lexer, close == b'}')?);
    }
    Ok(Some(Inside {
        inner,
        end: lexer.at - 1,
        is_object: close == b'}',
    }))
}

fn member<'a>(lexer: &mut Lexer<'a>, has_name: bool) -> Result<Inner<'a>, NotRead> {
    lexer.skip_space();
    let begin = lexer.at;
    let name = match has_name {
        true => {
            let name = unescaped(lexer.string()?);
            let name = (name, begin..lexer.at);
            lexer.expect(b':')?;
            Some(name)
        }
        false => None,
    };
    lexer.skip_space();
    let begin = lexer.at;
    skip(lexer, 0)?;
    let value = begin..lexer.at;
    Ok(Inner { name, value })
}

/// Reads one value, and keeps nothing of it.
fn skip(lexer: &mut Lexer<'_>, depth: usize) -> Result<(), NotRead> {
    if depth > MAX_DEPTH {
        return Err(NotRead::NotJson);
    }
    lexer.skip_space();
    let close = match lexer.peek().ok_or(NotRead::NotJson)? {
        b'{' => b'}',
        b'[' => b']',
        b'"' => return lexer.string().map(drop),
        b't' => return lexer.word("true"),
        b'f' => return lexer.word("false"),
        b'n' => return lexer.word("null"),
        _ => return lexer.number().map(drop),
    };
    lexer.at += 1;
    let mut is_first = true;
    while !lexer.take(close) {
        if !std::mem::replace(&mut is_first, false) {
            lexer.expect(b',')?;
        }
        if close == b'}' {
            lexer.skip_space();
            lexer.string()?;
            lexer.expect(b':')?;
        }
        skip(lexer, depth + 1)?;
    }
    Ok(())
}

/// What is changed in a document.
#[derive(Default)]
struct Changes(Edits);

impl Changes {
    fn edit(
        &mut self,
        lexer: &mut Lexer<'_>,
        inside: &Inside<'_>,
        steps: &[String],
        edit: &Edit,
    ) -> Result<(), NotRead> {
        let Some((step, rest)) = steps.split_first() else {
            return Ok(());
        };
        if rest.is_empty() {
            self.edit_here(inside, step, edit);
            return Ok(());
        }
        for (index, inner) in inside.inner.iter().enumerate() {
            if fits(inner, index, step)
                && let Some(inside) = self::inside(lexer, inner.value.start)?
            {
                self.edit(lexer, &inside, rest, edit)?;
            }
        }
        Ok(())
    }

    fn edit_here(&mut self, inside: &Inside<'_>, step: &str, edit: &Edit) {
        let found: Vec<bool> = inside
            .inner
            .iter()
            .enumerate()
            .map(|(index, inner)| fits(inner, index, step))
            .collect();
        match edit {
            Edit::Remove => self.remove(inside, &found),
            Edit::Set(value) if !found.contains(&true) => {
                if inside.is_object && step != "*" {
                    self.add(inside, step, value);
                }
            }
            Edit::Set(value) => {
                let values = inside.inner.iter().zip(&found);
                let values = values.filter(|(_, is_found)| **is_found);
                for (inner, _) in values {
                    self.0.replace(inner.value.clone(), value.as_str());
                }
            }
            Edit::Rename(name) => {
                let names = inside.inner.iter().zip(&found);
                let names = names.filter(|(_, is_found)| **is_found);
                let places = names.filter_map(|(inner, _)| inner.name.as_ref());
                for (_, place) in places {
                    self.0.replace(place.clone(), name.as_str());
                }
            }
        }
    }

    fn add(&mut self, inside: &Inside<'_>, name: &str, value: &str) {
        let name = serde_json::Value::from(name);
        let (at, comma) = match inside.inner.last() {
            Some(last) => (last.value.end, ","),
            None => (inside.end, ""),
        };
        self.0.replace(at..at, format!("{comma}{name}:{value}"));
    }

    /// With the comma after it; where nothing that stays follows, with the one before it.
    fn remove(&mut self, inside: &Inside<'_>, found: &[bool]) {
        let begin = |inner: &Inner<'_>| {
            let name = inner.name.as_ref();
            name.map_or(inner.value.start, |(_, place)| place.start)
        };
        let last_kept = found.iter().rposition(|is_found| !is_found);
        for (index, inner) in inside.inner.iter().enumerate() {
            if found[index]
                && last_kept.is_some_and(|last| index < last)
                && let Some(next) = inside.inner.get(index + 1)
            {
                self.0.replace(begin(inner)..begin(next), "");
            }
        }
        let from = match last_kept {
            Some(last) => inside.inner.get(last).map(|kept| kept.value.end),
            None => inside.inner.first().map(begin),
        };
        if let (Some(from), Some(last)) = (from, inside.inner.last())
            && from < last.value.end
        {
            self.0.replace(from..last.value.end, "");
        }
    }
}

fn fits(inner: &Inner<'_>, index: usize, step: &str) -> bool {
    match &inner.name {
        _ if step == "*" => true,
        Some((name, _)) => name == step,
        None => step.parse() == Ok(index),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, pointer: &str, edit: Edit, expect: Option<&str>) {
        let got = edited(body.as_bytes(), &Steps::parse(pointer).unwrap(), &edit);
        let got = got.map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(got.as_deref(), expect, "{body} {pointer} {edit:?}");
    }

    fn set(value: &str) -> Edit {
        Edit::Set(value.into())
    }

    #[test]
    fn a_value_is_set_and_nothing_else_changes() {
        let body = "{\"a\" : 1.50e400,\r\n \"b\":{ \"c\":[ 1, 22 ,3] }, \"\\u0061b\":null }";
        check(body, "/a", set("2"), Some(&body.replace("1.50e400", "2")));
        check(
            body,
            "/b/c/1",
            set("\"x\""),
            Some(&body.replace("22", "\"x\"")),
        );
        check(
            body,
            "/b/c",
            set("{}"),
            Some(&body.replace("[ 1, 22 ,3]", "{}")),
        );
        check(
            body,
            "/ab",
            set("true"),
            Some(&body.replace("null", "true")),
        );
        check(
            "[{\"a\":1},{\"a\":2}]",
            "/*/a",
            set("0"),
            Some("[{\"a\":0},{\"a\":0}]"),
        );
        check(
            "{\"a/b\":{\"~\":1}}",
            "/a~1b/~0",
            set("0"),
            Some("{\"a/b\":{\"~\":0}}"),
        );
        check(
            "\u{feff}{\"a\":1}",
            "/a",
            set("0"),
            Some("\u{feff}{\"a\":0}"),
        );
    }

    #[test]
    fn a_member_that_is_not_there_is_added_to_its_object() {
        check("{\"a\": 1 }", "/b", set("2"), Some("{\"a\": 1,\"b\":2 }"));
        check("{ }", "/b", set("2"), Some("{ \"b\":2}"));
        check("{\"a\":{}}", "/a/b", set("2"), Some("{\"a\":{\"b\":2}}"));
        check("{\"a\":1}", "/a/b", set("2"), None);
        check("[1]", "/1", set("2"), None);
        check("{}", "/*", set("2"), None);
    }

    #[test]
    fn a_member_goes_with_one_comma() {
        check("{\"a\":1, \"b\":2}", "/a", Edit::Remove, Some("{\"b\":2}"));
        check(
            "{\n  \"a\": 1,\n  \"b\": 2\n}",
            "/b",
            Edit::Remove,
            Some("{\n  \"a\": 1\n}"),
        );
        check(
            "{\"a\":1 , \"b\":2,\"c\":3}",
            "/b",
            Edit::Remove,
            Some("{\"a\":1 , \"c\":3}"),
        );
        check("{ \"a\":1 }", "/a", Edit::Remove, Some("{  }"));
        check("[1,2,3]", "/2", Edit::Remove, Some("[1,2]"));
        check("[1,2,3]", "/*", Edit::Remove, Some("[]"));
        check(
            "{\"b\":0,\"a\":1,\"a\":2}",
            "/a",
            Edit::Remove,
            Some("{\"b\":0}"),
        );
        check(
            "{\"a\":1,\"b\":0,\"a\":2}",
            "/a",
            Edit::Remove,
            Some("{\"b\":0}"),
        );
        check("{\"a\":1}", "/b", Edit::Remove, None);
    }

    #[test]
    fn a_member_is_renamed_in_its_place() {
        let rename = || Edit::Rename("\"z\"".into());
        check("{\"a\" : 1}", "/a", rename(), Some("{\"z\" : 1}"));
        check("[{\"a\":1}]", "/*/a", rename(), Some("[{\"z\":1}]"));
        check("[1]", "/0", rename(), None);
    }

    #[test]
    fn what_is_no_json_stays() {
        for body in [
            "",
            "1",
            "\"a\"",
            "{\"a\":1}x",
            "{\"a\":01}",
            "{\"a\":1",
            "a=1",
        ] {
            check(body, "/a", set("2"), None);
        }
    }
}
