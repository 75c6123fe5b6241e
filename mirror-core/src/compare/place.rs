//! Where in an answer something was compared, the same for all answers of a kind: `/items/*/price`, never
//! `/items/37/price`.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use super::label::label;
use crate::detect::CREDENTIALS;
use crate::json::unescaped;
use crate::printable::is_unsafe;
use crate::route::variable;

/// Longest name of a place; what is behind it is one place.
const MAX_POINTER: usize = 300;
/// Hardly any credential is shorter, and most names are.
const MIN_CREDENTIAL: usize = 12;

#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Status,
    Header(String),
    /// A JSON pointer (RFC 6901) in which `*` stands for any index, `*[LABEL]` for a line of a text that begins so, and `{*}` for any
    /// member that is named like an id, a date or a credential, or whose object is used as a map; empty for the whole document.
    Json(String),
    /// The body as bytes.
    Body,
    /// A JSON pointer like that of a body, into what the request read and wrote: `/reads/NAME/*`,
    /// `/writes/NAME/*/amount`, `/order`.
    Effects(String),
}

impl Place {
    /// Whether it is an element of a list, or a member of a map.
    pub fn is_element(&self) -> bool {
        let (Self::Json(pointer) | Self::Effects(pointer)) = self else {
            return false;
        };
        let last = pointer.rsplit('/').next().unwrap_or_default();
        last.starts_with('*') || last.ends_with("*}")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Json(pointer) => write!(f, "body {pointer}"),
            Self::Body => f.write_str("body"),
            Self::Effects(pointer) => write!(f, "effects {pointer}"),
        }
    }
}

/// A step into a JSON document.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'a> {
    Index(usize),
    /// A line of a text, as it is in a JSON text. It is told apart by its label.
    Line(usize, &'a str),
    Member(&'a str),
    /// A member of an object that is used as a map: its name is data.
    Key(&'a str),
}

/// Which document a step leads into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tree {
    #[default]
    Body,
    Effects,
}

impl Tree {
    pub(super) fn at<'a>(self, steps: &'a [Step<'a>]) -> At<'a> {
        match self {
            Self::Body => At::Json(steps),
            Self::Effects => At::Effects(steps),
        }
    }
}

/// Where a difference was found, before its place is written as a text.
#[derive(Clone, Copy, Debug)]
pub(super) enum At<'a> {
    Status,
    /// In small letters. A cookie has its name after a space.
    Header(&'a str),
    /// Bytes.
    Body,
    Json(&'a [Step<'a>]),
    Effects(&'a [Step<'a>]),
}

impl At<'_> {
    /// Whether it is a read or a write as a whole, as at `/reads/NAME/*`.
    pub(super) fn is_effect(self) -> bool {
        matches!(self, Self::Effects([_, _, Step::Index(_)]))
    }
}

/// The normalised pointer of a place in a document.
pub(crate) fn pointer(steps: &[Step<'_>]) -> String {
    let mut out = String::new();
    write_pointer(&mut out, steps);
    out
}

/// Writes the pointer after what `out` has.
pub(super) fn write_pointer(out: &mut String, steps: &[Step<'_>]) {
    for step in steps {
        if out.len() > MAX_POINTER {
            out.push_str("/…");
            break;
        }
        out.push('/');
        match step {
            Step::Index(_) => out.push('*'),
            Step::Line(_, line) => push_line(out, line),
            Step::Key(_) => out.push_str("{*}"),
            Step::Member(name) if variable(name).is_some() || is_credential(name) => {
                out.push_str("{*}");
            }
            Step::Member(name) => push_escaped(out, name),
        }
    }
}

/// Whether a name has a credential in it, which is never shown.
fn is_credential(name: &str) -> bool {
    name.len() >= MIN_CREDENTIAL && !CREDENTIALS.find(unescaped(name).as_bytes()).is_empty()
}

/// `*[LABEL]`
fn push_line(out: &mut String, line: &str) {
    out.push('*');
    let label = label(&unescaped(line));
    if !label.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(out, "[{label}]");
    }
}

fn push_escaped(out: &mut String, name: &str) {
    for (index, c) in name.chars().enumerate() {
        match c {
            _ if index > MAX_POINTER => return out.push('…'),
            '~' => out.push_str("~0"),
            '/' => out.push_str("~1"),
            c => out.push(c),
        }
    }
}

/// Counts for each kind of place.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(default)]
pub struct PlaceTotals {
    pub status: u64,
    pub headers: u64,
    /// Values within JSON documents.
    pub json: u64,
    /// Bodies that were compared as bytes, or were equal byte for byte.
    pub bodies: u64,
    /// Values within what requests read and wrote.
    pub effects: u64,
}

impl PlaceTotals {
    pub(super) fn count(&mut self, at: At<'_>) {
        *match at {
            At::Status => &mut self.status,
            At::Header(_) => &mut self.headers,
            At::Json(_) => &mut self.json,
            At::Body => &mut self.bodies,
            At::Effects(_) => &mut self.effects,
        } += 1;
    }

    /// The count of values in a document.
    pub(super) fn values(&mut self, tree: Tree) -> &mut u64 {
        match tree {
            Tree::Body => &mut self.json,
            Tree::Effects => &mut self.effects,
        }
    }

    pub fn total(&self) -> u64 {
        self.status + self.headers + self.json + self.bodies + self.effects
    }
}

impl std::ops::AddAssign for PlaceTotals {
    fn add_assign(&mut self, more: Self) {
        self.status += more.status;
        self.headers += more.headers;
        self.json += more.json;
        self.bodies += more.bodies;
        self.effects += more.effects;
    }
}

/// Text of the network for reports, without what could move a cursor or turn text around, and cut to `most` characters.
pub fn excerpt(text: &str, most: usize) -> String {
    let mut out = String::new();
    for (index, c) in text.chars().enumerate() {
        if index >= most {
            out.push('…');
            break;
        }
        if is_unsafe(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_the_same_for_every_element() {
        let check = |steps: &[Step<'_>], expect: &str| assert_eq!(pointer(steps), expect);
        use Step::{Index, Member};
        check(&[], "");
        check(
            &[Member("items"), Index(37), Member("price")],
            "/items/*/price",
        );
        check(&[Member("a/b"), Member("c~d")], "/a~1b/c~0d");
        check(&[Member("prices"), Member("4711")], "/prices/{*}");
        check(&[Member("prices"), Step::Key("EUR")], "/prices/{*}");
        let uuid = "550e8400-e29b-41d4-a716-446655440000";
        check(&[Member(uuid), Member("name")], "/{*}/name");
        check(&[Step::Line(2, "threads: 17")], "/*[threads]");
        check(&[Step::Line(2, "\\u0023 by me")], "/*[#_by]");
        check(&[Step::Line(2, "}")], "/*");
        let long = "n".repeat(1000);
        assert!(pointer(&[Member(&long), Member("a"), Member("b")]).len() < 320);
    }

    #[test]
    fn a_member_that_is_named_like_a_credential_is_a_key() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
        let names = [
            "AKIAPLANTED000000013",
            "\\u0041KIAPLANTED000000013",
            "card 4111 1111 1111 1111",
            token,
        ];
        for name in names {
            let steps = [Step::Member("keys"), Step::Member(name), Step::Member("a")];
            assert_eq!(pointer(&steps), "/keys/{*}/a");
        }
        let long = "accountHolderDisplayName";
        assert_eq!(pointer(&[Step::Member(long)]), format!("/{long}"));
    }

    #[test]
    fn nothing_in_shown_text_moves_a_cursor() {
        assert_eq!(
            excerpt("a\x1b[2Jb\n\u{202e}é", 99),
            "a\\u{1b}[2Jb\\u{a}\\u{202e}é"
        );
        assert_eq!(excerpt("abc", 3), "abc");
        assert_eq!(excerpt("abcd", 3), "abc…");
    }
}
