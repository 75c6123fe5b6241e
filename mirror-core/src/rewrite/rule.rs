//! One rule of `--rewrite`: `ROUTE => CHANGE`, checked when it is read.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

use super::json::{Edit, Steps};
use crate::options::FromText;
use mirror_contract::Route;

/// A change that requests on a route get.
#[derive(Clone, Debug)]
pub struct RewriteRule {
    pub(super) route: Route,
    pub(super) change: Change,
    text: String,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    HostOfTarget,
    Host(String),
    PathPrefix { old: String, new: String },
    PathPattern { pattern: Regex, new: String },
    HeaderSet { name: String, value: String },
    HeaderAppend { name: String, value: String },
    HeaderRemove(String),
    QuerySet { name: String, value: String },
    QueryRemove(String),
    QueryRename { old: String, new: String },
    Json { at: Steps, edit: Edit },
}

const GRAMMAR: &str = "'ROUTE => CHANGE', where a change is one of: host target, host NAME[:PORT], path prefix /OLD -> /NEW, path regex PATTERN -> NEW with $1, header set NAME: VALUE, header append NAME: VALUE, header remove NAME, query set NAME=VALUE, query remove NAME, query rename OLD -> NEW, json set /POINTER VALUE, json remove /POINTER, json rename /POINTER -> NAME; for example 'POST /orders/** => json set /dry_run true'";

/// Headers that say how a message is framed, and which the client makes.
const NOT_CHANGED: [&str; 4] = ["connection", "content-length", "host", "transfer-encoding"];

impl RewriteRule {
    /// What it does, without the values, which may be secrets: `POST /orders/** => json set /dry_run`.
    pub fn summary(&self) -> String {
        let change = match &self.change {
            Change::HostOfTarget => "host target".into(),
            Change::Host(name) => format!("host {name}"),
            Change::PathPrefix { old, new } => format!("path prefix {old} -> {new}"),
            Change::PathPattern { pattern, new } => format!("path regex {pattern} -> {new}"),
            Change::HeaderSet { name, .. } => format!("header set {name}"),
            Change::HeaderAppend { name, .. } => format!("header append {name}"),
            Change::HeaderRemove(name) => format!("header remove {name}"),
            Change::QuerySet { name, .. } => format!("query set {name}"),
            Change::QueryRemove(name) => format!("query remove {name}"),
            Change::QueryRename { old, new } => format!("query rename {old} -> {new}"),
            Change::Json { .. } => {
                let (_, change) = self.text.split_once("=>").unwrap_or_default();
                let words: Vec<&str> = change.split_whitespace().take(3).collect();
                words.join(" ")
            }
        };
        let (route, _) = self.text.split_once("=>").unwrap_or_default();
        format!("{} => {change}", route.trim())
    }
}

impl PartialEq for RewriteRule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for RewriteRule {}

impl fmt::Display for RewriteRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())
    }
}

impl FromText for RewriteRule {
    fn from_text(text: &str) -> Result<Self, String> {
        let grammar = || format!("write {GRAMMAR}");
        let (route, change) = text.split_once("=>").ok_or_else(grammar)?;
        let route: Route = route
            .parse()
            .map_err(|error| format!("{error}; {}", grammar()))?;
        let change = change.trim();
        let parsed = parse(change).ok_or_else(grammar)?;
        let change = parsed.map_err(|wrong| format!("`{change}`: {wrong}"))?;
        Ok(Self {
            route,
            change,
            text: text.into(),
        })
    }
}

/// None for what no change begins with, an error for what is wrong in one.
fn parse(text: &str) -> Option<Result<Change, String>> {
    let (part, rest) = text.split_once(char::is_whitespace)?;
    let rest = rest.trim();
    if part == "host" {
        return Some(host(rest));
    }
    let (verb, rest) = rest.split_once(char::is_whitespace)?;
    let rest = rest.trim();
    if rest.is_empty() {
        return None;
    }
    let change = match (part, verb) {
        ("path", "prefix") => path_prefix(rest),
        ("path", "regex") => path_pattern(rest),
        ("header", "set") => header(rest).map(|(name, value)| Change::HeaderSet { name, value }),
        ("header", "append") => {
            header(rest).map(|(name, value)| Change::HeaderAppend { name, value })
        }
        ("header", "remove") => changeable_header(rest).map(Change::HeaderRemove),
        ("query", "set") => match rest.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Change::QuerySet {
                name: name.into(),
                value: value.into(),
            }),
            _ => Err("write NAME=VALUE".into()),
        },
        ("query", "remove") => Ok(Change::QueryRemove(rest.into())),
        ("query", "rename") => arrow(rest).map(|(old, new)| Change::QueryRename { old, new }),
        ("json", verb) => json(verb, rest)?,
        _ => return None,
    };
    Some(change)
}

fn host(text: &str) -> Result<Change, String> {
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    match text {
        "target" => Ok(Change::HostOfTarget),
        "" => Err("name a host, or `target` for the target's".into()),
        name if name.chars().all(is_host) => Ok(Change::Host(name.into())),
        _ => Err("a host is NAME or NAME:PORT".into()),
    }
}

fn arrow(text: &str) -> Result<(String, String), String> {
    let (old, new) = text
        .split_once("->")
        .ok_or("write `OLD -> NEW`, with spaces around the arrow")?;
    match (old.trim(), new.trim()) {
        ("", _) | (_, "") => Err("both sides of `->` must be there".into()),
        (old, new) => Ok((old.into(), new.into())),
    }
}

fn path_prefix(text: &str) -> Result<Change, String> {
    let (old, new) = arrow(text)?;
    if !old.starts_with('/') || !new.starts_with('/') {
        return Err("a prefix begins with `/`".into());
    }
    path_text(&new)?;
    Ok(Change::PathPrefix { old, new })
}

fn path_pattern(text: &str) -> Result<Change, String> {
    // A pattern may hold an arrow; what it is replaced by does not.
    let (pattern, new) = text
        .rsplit_once(" -> ")
        .ok_or("write `PATTERN -> NEW`, with spaces around the arrow")?;
    let new = new.trim().to_owned();
    path_text(&new)?;
    // Paths are bytes.
    let pattern = RegexBuilder::new(pattern.trim()).unicode(false).build();
    let pattern = pattern.map_err(|error| error.to_string())?;
    Ok(Change::PathPattern { pattern, new })
}

fn path_text(text: &str) -> Result<(), String> {
    let is_wrong = |c: char| c.is_whitespace() || c.is_control() || c == '?' || c == '#';
    match text.contains(is_wrong) {
        true => Err("a path has no space, `?` or `#`: encode them, as in %20".into()),
        false => Ok(()),
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write NAME: VALUE")?;
    if value.contains(|c: char| c.is_control() && c != '\t') {
        return Err("a header's value is one line".into());
    }
    Ok((changeable_header(name.trim())?, value.trim().into()))
}

/// The name of a header that may be set, unless it is none or follows from the request.
pub fn changeable_header(name: &str) -> Result<String, String> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("`{name}` is not the name of a header"));
    }
    if NOT_CHANGED.iter().any(|n| n.eq_ignore_ascii_case(name)) {
        return Err(match name.eq_ignore_ascii_case("host") {
            true => "write `host NAME` to change the host".into(),
            false => format!("`{name}` follows from the request, and cannot be changed"),
        });
    }
    Ok(name.into())
}

fn json(verb: &str, rest: &str) -> Option<Result<Change, String>> {
    let pointer = |text: &str| {
        let steps = Steps::parse(text.trim());
        steps.ok_or_else(|| format!("`{text}` is not a JSON pointer, as in /customer/id"))
    };
    let change = match verb {
        "set" => set_json(rest, pointer),
        "remove" => pointer(rest).map(|at| (at, Edit::Remove)),
        "rename" => arrow(rest).and_then(|(at, name)| {
            let name = serde_json::Value::from(name).to_string();
            Ok((pointer(&at)?, Edit::Rename(name)))
        }),
        _ => return None,
    };
    Some(change.map(|(at, edit)| Change::Json { at, edit }))
}

fn set_json(
    text: &str,
    pointer: impl Fn(&str) -> Result<Steps, String>,
) -> Result<(Steps, Edit), String> {
    let (at, value) = text
        .split_once(char::is_whitespace)
        .ok_or("write /POINTER VALUE, as in /dry_run true")?;
    let value = value.trim();
    let checked: Result<serde::de::IgnoredAny, _> = serde_json::from_str(value);
    checked.map_err(|error| {
        format!("`{value}` is not JSON ({error}): write 42, true or \"text\" with its quotes")
    })?;
    Ok((pointer(at)?, Edit::Set(value.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_the_grammar_is_read() {
        let check = |change: &str, expect: &str| {
            let rule = RewriteRule::from_text(&format!("* /a/** => {change}")).unwrap();
            assert_eq!(rule.summary(), format!("* /a/** => {expect}"));
        };
        check("host target", "host target");
        check("host shop.test:8080", "host shop.test:8080");
        check("path prefix /a -> /b", "path prefix /a -> /b");
        check("path regex ^/(.*)->$ -> /$1", "path regex ^/(.*)->$ -> /$1");
        check("header set X-Env: mirror", "header set X-Env");
        check("header append via: 1.1 mirror", "header append via");
        check("header remove x-debug", "header remove x-debug");
        check("query set a=b=c d", "query set a");
        check("query remove a", "query remove a");
        check("query rename q -> search", "query rename q -> search");
        check("json set /a/b {\"c\": [1]}", "json set /a/b");
        check("json remove /a", "json remove /a");
        check("json rename /a -> b", "json rename /a");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, expect: &str| {
            let error = RewriteRule::from_text(text).unwrap_err();
            assert!(error.contains(expect), "{text}: {error}");
        };
        check("", "ROUTE => CHANGE");
        check("GET /a", "ROUTE => CHANGE");
        check("orders => host target", "METHOD /path");
        check("GET /a => cookie set a", "ROUTE => CHANGE");
        check("GET /a => json clear /a", "ROUTE => CHANGE");
        check("GET /a => header set", "ROUTE => CHANGE");
        check("GET /a => header set x", "NAME: VALUE");
        check("GET /a => header set a b: c", "`a b` is not the name");
        check("GET /a => header set Host: x", "host NAME");
        check(
            "GET /a => header remove Content-Length",
            "cannot be changed",
        );
        check("GET /a => host a b", "NAME:PORT");
        check("GET /a => path prefix a -> /b", "begins with `/`");
        check("GET /a => path prefix /a", "OLD -> NEW");
        check("GET /a => path prefix /a -> /b c", "%20");
        check("GET /a => path regex ( -> /b", "unclosed group");
        check("GET /a => query set a", "NAME=VALUE");
        check("GET /a => query rename a ->", "both sides");
        check("GET /a => json set a 1", "JSON pointer");
        check("GET /a => json set /a", "/POINTER VALUE");
        check("GET /a => json set /a text", "with its quotes");
    }
}
