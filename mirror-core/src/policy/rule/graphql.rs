//! Whether a GraphQL request only reads: its operation's type, by the document (<https://spec.graphql.org/October2021/>).
//!
//! What is not understood, or could be read in two ways, has no type, and then no rule lets it in.

use std::borrow::Cow;

use crate::json::{Value, unescaped};

/// Values of a request's JSON that are looked at.
const MAX_NODES: usize = 20_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Query,
    Mutation,
    Subscription,
}

impl Operation {
    pub(super) const ALL: [Self; 3] = [Self::Query, Self::Mutation, Self::Subscription];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "subscription",
        }
    }
}

/// The type of the operations that a JSON body asks for, one or a list of them; `None` when they have several types.
pub(super) fn in_json(body: &[u8]) -> Option<Operation> {
    match Value::parse(body, MAX_NODES).ok()? {
        Value::Array(requests) => {
            let mut types = requests.iter().map(in_request);
            let first = types.next()??;
            types.all(|other| other == Some(first)).then_some(first)
        }
        request => in_request(&request),
    }
}

fn in_request(request: &Value<'_>) -> Option<Operation> {
    let Value::Object(members) = request else {
        return None;
    };
    let document = match only(members, "query")?? {
        Value::Text(text) => unescaped(text),
        _ => return None,
    };
    let name = match only(members, "operationName")? {
        Some(Value::Text(name)) => Some(unescaped(name)),
        None | Some(Value::Null) => None,
        Some(_) => return None,
    };
    in_document(&document, name.as_deref())
}

/// The only member of a name, if there is one; `None` where there are several: servers differ in which one they take. So do
/// they where a name is written in another case.
fn only<'v, 'a>(
    members: &'v [(Cow<'a, str>, Value<'a>)],
    name: &str,
) -> Option<Option<&'v Value<'a>>> {
    let mut found = members
        .iter()
        .filter(|(member, _)| member.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (None, _) => Some(None),
        (Some((member, value)), None) if member == name => Some(Some(value)),
        _ => None,
    }
}

/// The type of the operation called `name`, or of the only one.
pub(super) fn in_document(document: &str, name: Option<&str>) -> Option<Operation> {
    let operations = operations(document)?;
    let name = name.filter(|name| !name.is_empty());
    let mut wanted = operations
        .iter()
        .filter(|(operation, _)| name.is_none() || operation.as_deref() == name);
    match (wanted.next(), wanted.next()) {
        (Some((_, operation)), None) => Some(*operation),
        _ => None,
    }
}

type Named = (Option<String>, Operation);

/// The operations of a document, which has fragments besides.
fn operations(document: &str) -> Option<Vec<Named>> {
    let mut tokens = Tokens { rest: document };
    let mut found = Vec::new();
    while let Some(token) = tokens.next()? {
        let operation = Operation::ALL
            .into_iter()
            .find(|operation| operation.name() == token);
        match (token, operation) {
            ("{", _) => {
                found.push((None, Operation::Query));
                tokens.skip_group(1)?;
            }
            ("fragment", _) => tokens.skip_definition()?,
            (_, Some(operation)) => {
                let mut ahead = Tokens { rest: tokens.rest };
                let name = ahead.next()?.filter(|name| is_name(name));
                found.push((name.map(str::to_owned), operation));
                tokens.skip_definition()?;
            }
            _ => return None,
        }
    }
    Some(found)
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// The tokens of a document, without comments and commas.
struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    /// The next token: a name, a mark, or the `"` of a text, which is skipped as a whole. `None` outside for what is not
    /// GraphQL, inside at the end.
    fn next(&mut self) -> Option<Option<&'a str>> {
        loop {
            self.rest = self
                .rest
                .trim_start_matches([' ', '\t', '\r', '\n', ',', '\u{feff}']);
            if !self.rest.starts_with('#') {
                break;
            }
            let end = self.rest.find(['\n', '\r']).unwrap_or(self.rest.len());
            self.rest = &self.rest[end..];
        }
        let Some(first) = self.rest.chars().next() else {
            return Some(None);
        };
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let len = match first {
            '"' => text_len(self.rest)?,
            c if is_word(c) => self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len()),
            c if c.is_ascii() && !c.is_ascii_control() => 1,
            _ => return None,
        };
        let (token, rest) = self.rest.split_at(len);
        self.rest = rest;
        Some(Some(token))
    }

    /// To the end of a definition, whose last part is a group in braces.
    fn skip_definition(&mut self) -> Option<()> {
        let mut depth = 0_u32;
        loop {
            match self.next()?? {
                "(" | "[" => depth += 1,
                ")" | "]" => depth = depth.checked_sub(1)?,
                // A value of a variable, or of a directive's argument.
                "{" if depth > 0 => self.skip_group(1)?,
                "{" => return self.skip_group(1),
                "}" => return None,
                _ => {}
            }
        }
    }

    /// To the end of the braces that are open.
    fn skip_group(&mut self, mut open: u32) -> Option<()> {
        while open > 0 {
            match self.next()?? {
                "{" => open += 1,
                "}" => open -= 1,
                _ => {}
            }
        }
        Some(())
    }
}

/// Bytes of the text that begins here, in one quote or three.
fn text_len(text: &str) -> Option<usize> {
    if let Some(inside) = text.strip_prefix("\"\"\"") {
        let mut from = 0;
        loop {
            let end = from + inside[from..].find("\"\"\"")?;
            if !inside[..end].ends_with('\\') {
                return Some(end + 6);
            }
            from = end + 3;
        }
    }
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(at + 1),
            '\n' | '\r' => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str, name: Option<&str>, expect: Option<Operation>) {
        assert_eq!(in_document(document, name), expect, "{document} {name:?}");
    }

    #[test]
    fn an_operation_has_a_type() {
        let query = Some(Operation::Query);
        check("{ user { id } }", None, query);
        check("query { a }", None, query);
        check(
            "query Q($a: [Int!]! = [1], $b: I = {c: {d: 1}}) @x(y: {z: 1}) { a }",
            None,
            query,
        );
        check(
            "# mutation\n,query Q { a(x: \"} mutation {\") }",
            None,
            query,
        );
        check(
            "{ a(x: \"\"\"\n\"quoted\" } \\\"\"\" mutation\"\"\") }",
            None,
            query,
        );
        check("fragment F on T { a } { ...F }", None, query);
        check("mutation { a }", None, Some(Operation::Mutation));
        check("subscription S { a }", None, Some(Operation::Subscription));
    }

    #[test]
    fn of_several_operations_the_named_one_counts() {
        let both = "query A { a } mutation B { b }";
        check(both, Some("A"), Some(Operation::Query));
        check(both, Some("B"), Some(Operation::Mutation));
        check(both, None, None);
        check(both, Some(""), None);
        check(both, Some("C"), None);
        check("query A { a } mutation A { b }", Some("A"), None);
        check(
            "{ a } mutation B { b }",
            Some("B"),
            Some(Operation::Mutation),
        );
    }

    #[test]
    fn what_is_not_understood_has_no_type() {
        for bad in [
            "",
            "query",
            "query {",
            "query { a } }",
            "quer { a }",
            "{ a(x: \"",
            "type T { a: Int }",
            "é",
            "{ a } x",
        ] {
            check(bad, None, None);
        }
    }

    #[test]
    fn a_request_is_judged_by_its_document() {
        let check = |body: &str, expect: Option<Operation>| {
            assert_eq!(in_json(body.as_bytes()), expect, "{body}");
        };
        check(r#"{"query":"query { a }"}"#, Some(Operation::Query));
        check(
            r#"{"query":"\u006dutation { a }"}"#,
            Some(Operation::Mutation),
        );
        check(
            r#"{"query":"query A {a} mutation B {b}","operationName":"A"}"#,
            Some(Operation::Query),
        );
        check(
            r#"{"query":"query A {a} mutation B {b}","operationName":null}"#,
            None,
        );
        check(
            r#"[{"query":"{ a }"},{"query":"query { b }"}]"#,
            Some(Operation::Query),
        );
        check(r#"[{"query":"{ a }"},{"query":"mutation { b }"}]"#, None);
        check("[]", None);
        check(r#"{"query":"{ a }","query":"mutation { b }"}"#, None);
        check(r#"{"query":"{ a }","Query":"mutation { b }"}"#, None);
        check(
            r#"{"query":"query A {a} mutation B {b}","operationName":"A","operationName":"B"}"#,
            None,
        );
        check(
            r#"{"extensions":{"persistedQuery":{"sha256Hash":"x"}}}"#,
            None,
        );
        check(r#"{"query":1}"#, None);
        check("query { a }", None);
    }
}
