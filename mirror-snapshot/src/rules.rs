//! Rules for the request id: text → [`IdRules`] → the ids of a request.

use std::{borrow::Cow, fmt};

use md5::{Digest, Md5};
use serde_json::Value;

use crate::RequestId;

/// What a rule may read of a request or a response. Header names are lower case.
pub trait Fields {
    fn method(&self) -> &str {
        ""
    }
    /// Target with its query; empty for a response.
    fn target(&self) -> &str {
        ""
    }
    fn header(&self, name: &str) -> Option<Cow<'_, str>>;
    /// The body as JSON; called only when a rule asks for it.
    fn json(&self) -> Option<&Value>;
}

/// Rules in order; the first that yields an id wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdRules(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Header(String),
    ResponseHeader(String),
    ResponseJson(String),
    Md5(Vec<Part>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Json(String),
    Query(String),
    Header(String),
    Cookie(String),
    /// Segment of the path, from 1.
    Segment(usize),
    Method,
    Path,
    Seconds,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    rule: String,
    wrong: String,
}

impl std::error::Error for RuleError {}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the rule `{}` is not understood: {}. A rule is `header:NAME`, `response-header:NAME`, `response-json:FIELD` or \
             `md5(\"…\")` with {{json:FIELD}}, {{query:NAME}}, {{header:NAME}}, {{cookie:NAME}}, {{path:N}}, {{path}}, {{method}} and {{time:s}}",
            self.rule, self.wrong
        )
    }
}

impl IdRules {
    pub fn parse(texts: &[impl AsRef<str>]) -> Result<Self, RuleError> {
        let rules: Result<_, _> = texts.iter().map(|t| rule(t.as_ref().trim())).collect();
        rules.map(Self)
    }

    /// The id at `seconds` since the epoch.
    pub fn derive(
        &self,
        request: &dyn Fields,
        response: Option<&dyn Fields>,
        seconds: u64,
    ) -> Option<RequestId> {
        self.winner(request, response, seconds).map(|(id, _)| id)
    }

    /// The ids that production may have used, most likely first. Where the winning rule holds the time
    /// these are the captured second, then those after and before it up to `skew`: production computes
    /// the id a moment after the packet was seen.
    pub fn candidates(
        &self,
        request: &dyn Fields,
        response: Option<&dyn Fields>,
        seconds: u64,
        skew: u64,
    ) -> Vec<RequestId> {
        let Some((first, rule)) = self.winner(request, response, seconds) else {
            return Vec::new();
        };
        let mut ids = vec![first];
        if rule.holds_time() {
            for away in 1..=skew {
                let around = [seconds.saturating_add(away), seconds.saturating_sub(away)];
                ids.extend(around.iter().filter_map(|s| rule.id(request, response, *s)));
            }
        }
        ids
    }

    fn winner(
        &self,
        request: &dyn Fields,
        response: Option<&dyn Fields>,
        seconds: u64,
    ) -> Option<(RequestId, &Rule)> {
        self.0
            .iter()
            .find_map(|rule| Some((rule.id(request, response, seconds)?, rule)))
    }
}

impl Rule {
    fn id(
        &self,
        request: &dyn Fields,
        response: Option<&dyn Fields>,
        seconds: u64,
    ) -> Option<RequestId> {
        match self {
            Self::Header(name) => RequestId::new(request.header(name)?.trim()),
            Self::ResponseHeader(name) => RequestId::new(response?.header(name)?.trim()),
            Self::ResponseJson(field) => RequestId::new(&json_field(response?, field)?),
            Self::Md5(parts) => {
                let mut text = String::new();
                for part in parts {
                    text.push_str(&part.value(request, seconds)?);
                }
                let digest = Md5::digest(text.as_bytes());
                RequestId::new(
                    &digest
                        .iter()
                        .map(|b| format!("{b:02x}"))
                        .collect::<String>(),
                )
            }
        }
    }

    fn holds_time(&self) -> bool {
        matches!(self, Self::Md5(parts) if parts.contains(&Part::Seconds))
    }
}

impl Part {
    fn value<'a>(&'a self, request: &'a dyn Fields, seconds: u64) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text.into()),
            Self::Json(field) => json_field(request, field).map(Cow::Owned),
            Self::Query(name) => query(request.target(), name).map(Cow::Borrowed),
            Self::Header(name) => request.header(name),
            Self::Cookie(name) => cookie(request, name).map(Cow::Owned),
            Self::Segment(n) => path(request.target())
                .split('/')
                .filter(|s| !s.is_empty())
                .nth(n - 1)
                .map(Cow::Borrowed),
            Self::Method => Some(request.method().into()),
            Self::Path => Some(path(request.target()).into()),
            Self::Seconds => Some(seconds.to_string().into()),
        }
    }
}

/// Strings without quotes, numbers as JSON writes them, booleans; anything else is no value.
fn json_field(fields: &dyn Fields, field: &str) -> Option<String> {
    let body = fields.json()?;
    let value = if field.starts_with('/') {
        body.pointer(field)?
    } else {
        field.split('.').try_fold(body, |at, step| at.get(step))?
    };
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// The path of a target in origin or absolute form.
fn path(target: &str) -> &str {
    let local = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => target,
    };
    local.split(['?', '#']).next().unwrap_or(local)
}

/// The first value of a query parameter, as sent: not percent-decoded.
fn query<'a>(target: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = target.split_once('?')?;
    let query = query.split('#').next()?;
    let mut pairs = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn cookie(request: &dyn Fields, name: &str) -> Option<String> {
    let header = request.header("cookie")?;
    let mut pairs = header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.into())
}

fn rule(text: &str) -> Result<Rule, RuleError> {
    let error = |wrong: &str| RuleError {
        rule: text.into(),
        wrong: wrong.into(),
    };
    if let Some(inside) = text.strip_prefix("md5(") {
        let template = inside
            .strip_suffix(')')
            .and_then(|t| t.trim().strip_prefix('"')?.strip_suffix('"'))
            .ok_or_else(|| error("the template must stand in md5(\"…\")"))?;
        return template_parts(template)
            .map(Rule::Md5)
            .map_err(|wrong| error(&wrong));
    }
    let (kind, name) = text.split_once(':').ok_or_else(|| error("it has no `:`"))?;
    if name.is_empty() {
        return Err(error("the name is missing"));
    }
    match kind {
        "header" => Ok(Rule::Header(name.to_ascii_lowercase())),
        "response-header" => Ok(Rule::ResponseHeader(name.to_ascii_lowercase())),
        "response-json" => Ok(Rule::ResponseJson(name.into())),
        other => Err(error(&format!("`{other}` is unknown"))),
    }
}

fn template_parts(template: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        if open > 0 {
            parts.push(Part::Text(rest[..open].into()));
        }
        let (field, after) = rest[open + 1..]
            .split_once('}')
            .ok_or_else(|| "a `{` is not closed".to_string())?;
        parts.push(part(field)?);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.into()));
    }
    let reads = |part: &Part| !matches!(part, Part::Text(_));
    if parts.iter().any(reads) {
        Ok(parts)
    } else {
        Err("the template reads nothing of the request".into())
    }
}

fn part(field: &str) -> Result<Part, String> {
    let (kind, name) = field.split_once(':').unwrap_or((field, ""));
    match (kind, name) {
        ("method", "") => Ok(Part::Method),
        ("path", "") => Ok(Part::Path),
        ("time", "s") => Ok(Part::Seconds),
        ("json" | "query" | "header" | "cookie", "") => {
            Err(format!("`{{{field}}}` names no field"))
        }
        ("json", name) => Ok(Part::Json(name.into())),
        ("query", name) => Ok(Part::Query(name.into())),
        ("header", name) => Ok(Part::Header(name.to_ascii_lowercase())),
        ("cookie", name) => Ok(Part::Cookie(name.into())),
        ("path", n) => match n.parse() {
            Ok(n) if n > 0 => Ok(Part::Segment(n)),
            _ => Err(format!("`{n}` is no path segment: they count from 1")),
        },
        _ => Err(format!("`{{{field}}}` is unknown")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Message {
        target: &'static str,
        headers: Vec<(&'static str, &'static str)>,
        json: Option<Value>,
    }

    impl Fields for Message {
        fn method(&self) -> &str {
            "POST"
        }
        fn target(&self) -> &str {
            self.target
        }
        fn header(&self, name: &str) -> Option<Cow<'_, str>> {
            let found = self.headers.iter().find(|(n, _)| *n == name);
            found.map(|(_, v)| Cow::Borrowed(*v))
        }
        fn json(&self) -> Option<&Value> {
            self.json.as_ref()
        }
    }

    fn message() -> Message {
        Message {
            target: "/users/7/cart?page=2&page=3",
            headers: vec![("x-request-id", "abc"), ("cookie", "a=1; sid=xyz")],
            json: Some(serde_json::json!({"userId": 42, "productId": "p1", "deep": {"ok": true}})),
        }
    }

    /// The id is the digest of `text`, as any md5 tool computes it.
    fn check(rule: &str, text: &str) {
        let rules = IdRules::parse(&[rule]).unwrap();
        let digest = Md5::digest(text.as_bytes());
        let expect: String = digest.iter().map(|b| format!("{b:02x}")).collect();
        let id = rules.derive(&message(), None, 1_700_000_000).unwrap();
        assert_eq!(id.as_str(), expect, "{rule}");
    }

    #[test]
    fn templates_read_every_kind_of_field() {
        check(
            "md5(\"{json:userId}:{json:productId}:{time:s}\")",
            "42:p1:1700000000",
        );
        check("md5(\"{json:deep.ok}{json:/deep/ok}\")", "truetrue");
        check("md5(\"{method} {path}\")", "POST /users/7/cart");
        check("md5(\"{path:2}-{query:page}\")", "7-2");
        check("md5(\"{cookie:sid}{header:X-Request-Id}\")", "xyzabc");
    }

    #[test]
    fn a_known_digest() {
        let rules = IdRules::parse(&["md5(\"{query:page}\")"]).unwrap();
        let id = rules.derive(&message(), None, 0).unwrap();
        assert_eq!(id.as_str(), "c81e728d9d4c2f636f067f89cc14862c");
    }

    #[test]
    fn the_first_rule_that_yields_wins_and_a_missing_field_yields_nothing() {
        let rules = IdRules::parse(&[
            "header:x-none",
            "md5(\"{json:none}\")",
            "header:X-Request-ID",
        ]);
        assert_eq!(
            rules.unwrap().derive(&message(), None, 0).unwrap().as_str(),
            "abc"
        );
    }

    #[test]
    fn production_may_tell_the_id_in_its_response() {
        let response = Message {
            target: "",
            headers: vec![("x-id", "r1")],
            json: Some(serde_json::json!({"order": {"id": 9}})),
        };
        for (rule, expect) in [
            ("response-header:x-id", "r1"),
            ("response-json:order.id", "9"),
        ] {
            let rules = IdRules::parse(&[rule]).unwrap();
            assert_eq!(
                rules
                    .derive(&message(), Some(&response), 0)
                    .unwrap()
                    .as_str(),
                expect
            );
            assert_eq!(rules.derive(&message(), None, 0), None);
        }
    }

    #[test]
    fn neighbouring_seconds_are_tried_only_where_the_rule_holds_the_time() {
        let timed = IdRules::parse(&["md5(\"{json:userId}{time:s}\")"]).unwrap();
        let ids = timed.candidates(&message(), None, 100, 1);
        let at = |s| timed.derive(&message(), None, s).unwrap();
        assert_eq!(ids, [at(100), at(101), at(99)]);
        let plain = IdRules::parse(&["header:x-request-id"]).unwrap();
        assert_eq!(plain.candidates(&message(), None, 100, 1).len(), 1);
    }

    #[test]
    fn what_is_wrong_is_said_with_what_is_allowed() {
        for bad in [
            "",
            "x-request-id",
            "headers:a",
            "header:",
            "md5({time:s})",
            "md5(\"{tim}\")",
            "md5(\"a\")",
            "md5(\"{path:0}\")",
            "md5(\"{json:a\")",
        ] {
            let error = IdRules::parse(&[bad]).unwrap_err().to_string();
            assert!(error.contains("response-header:NAME"), "{error}");
        }
    }

    #[test]
    fn an_id_is_short_and_printable() {
        assert!(RequestId::new("").is_none());
        assert!(RequestId::new("a b").is_none());
        assert!(RequestId::new(&"x".repeat(257)).is_none());
        assert!(RequestId::new("a-1").is_some());
    }
}
