//! `SUBJECT OP VALUE`, `SUBJECT` or `not SUBJECT`: what a rule asks of an exchange besides its route.

use std::borrow::Cow;
use std::net::IpAddr;

use bytesize::ByteSize;
use ipnet::IpNet;
use regex::bytes::{Regex, RegexBuilder};

use crate::options::FromText;
use crate::policy::redact::{fits, fits_any_case};

use super::graphql::Operation;
use super::{Sense, View, split_word};

/// Bytes that a compiled expression may take.
const MAX_REGEX: usize = 1 << 20;

const FORM: &str = "write SUBJECT = VALUE, as in host = shop.example, header:x-tenant ~ '^a', query:debug, path ~ '\\.php$', body > 64KiB, \
     status = 5xx, client in 10.0.0.0/8, json:operationName = Search or graphql = query";

#[derive(Clone, Debug)]
pub(super) struct Condition {
    text: String,
    test: Test,
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}

/// Something of a request that has values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Subject {
    /// Without its port.
    Host,
    HostAndPort,
    Path,
    Header(String),
    Cookie(String),
    Query(String),
    Form(String),
    Json(Vec<String>),
}

#[derive(Clone, Debug)]
enum Test {
    Present(Subject, bool),
    Values {
        subject: Subject,
        wanted: Wanted,
        is_negated: bool,
    },
    Graphql {
        operation: Operation,
        is_negated: bool,
    },
    /// Bytes of the request's body as they were sent: from, to.
    Body(u64, u64),
    Status(Statuses, bool),
    Client(Vec<IpNet>, bool),
}

#[derive(Clone, Debug)]
enum Wanted {
    /// In which `*` stands for anything.
    Glob(Vec<u8>),
    Regex(Regex),
}

/// From, to; `None` for no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Statuses(Option<(u16, u16)>);

/// Conditions with `and` between.
pub(super) fn list(text: &str) -> Result<Vec<Condition>, String> {
    let mut conditions = Vec::new();
    let mut rest = text;
    while let Some((first, more)) = split_word(rest, "and") {
        conditions.push(Condition::parse(first.trim())?);
        rest = more;
    }
    conditions.push(Condition::parse(rest.trim())?);
    Ok(conditions)
}

/// Refuses conditions that can never hold together.
pub(super) fn check(conditions: &[Condition]) -> Result<(), String> {
    let never = |why: &str| Err(format!("it can never match: {why}"));
    let (mut least, mut most) = (0, u64::MAX);
    let mut wanted: Vec<(&Subject, &[u8])> = Vec::new();
    let (mut first, mut last) = (0, u16::MAX);
    let (mut no_answer, mut answer) = (false, false);
    for condition in conditions {
        match &condition.test {
            Test::Body(from, to) => (least, most) = (least.max(*from), most.min(*to)),
            Test::Status(Statuses(None), false) => no_answer = true,
            Test::Status(Statuses(Some((from, to))), false) => {
                (first, last) = (first.max(*from), last.min(*to));
                answer = true;
            }
            Test::Values {
                subject,
                wanted: Wanted::Glob(value),
                is_negated: false,
            } if !value.contains(&b'*') => {
                if wanted
                    .iter()
                    .any(|(other, text)| *other == subject && *text != value)
                {
                    return never(&format!(
                        "`{}` asks for two values of one thing",
                        condition.text
                    ));
                }
                wanted.push((subject, value));
            }
            _ => {}
        }
    }
    if least > most {
        return never("no body is both larger and smaller");
    }
    if first > last || (no_answer && answer) {
        return never("an answer has one status");
    }
    Ok(())
}

impl Condition {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err(format!("a condition is missing: {FORM}"));
        }
        let test = Test::parse(text).map_err(|why| format!("the condition `{text}`: {why}"))?;
        Ok(Self {
            text: text.into(),
            test,
        })
    }

    pub(super) fn holds(&self, view: &View<'_>, sense: Sense) -> bool {
        match &self.test {
            Test::Present(subject, wanted) => subject.values(view, sense).is_empty() != *wanted,
            Test::Values {
                subject,
                wanted,
                is_negated,
            } => {
                // What a path may be besides is no reason against it.
                let spelling = if *is_negated { Sense::LetIn } else { sense };
                let values = subject.values(view, spelling);
                let any_case = *subject == Subject::Path && !is_negated && sense == Sense::KeepOut;
                let holds = |value: &Cow<'_, [u8]>| wanted.fits(value, any_case) != *is_negated;
                match sense {
                    _ if values.is_empty() => *is_negated,
                    Sense::KeepOut => values.iter().any(holds),
                    Sense::LetIn => values.iter().all(holds),
                }
            }
            Test::Graphql {
                operation,
                is_negated,
            } => (view.operation() == Some(*operation)) != *is_negated,
            Test::Body(from, to) => {
                (*from..=*to).contains(&(view.exchange().request.body.len() as u64))
            }
            Test::Status(statuses, is_negated) => {
                let status = view
                    .exchange()
                    .response
                    .as_ref()
                    .map(|response| response.status);
                statuses.contains(status) != *is_negated
            }
            Test::Client(networks, is_negated) => {
                let client = view.exchange().client.ip().to_canonical();
                networks.iter().any(|network| network.contains(&client)) != *is_negated
            }
        }
    }
}

impl Test {
    fn parse(text: &str) -> Result<Self, String> {
        let (subject, rest) = text.split_at(subject_len(text));
        let rest = rest.trim_start();
        if subject == "not" {
            return Ok(Self::Present(Subject::parse(rest)?, false));
        }
        if rest.is_empty() {
            return Ok(Self::Present(Subject::parse(subject)?, true));
        }
        let (operator, value) =
            operator(rest).ok_or_else(|| format!("`{rest}` is not understood: {FORM}"))?;
        let value = unquoted(value)?;
        match subject {
            "body" => Self::body(operator, value),
            "status" => Ok(Self::Status(Statuses::parse(value)?, negated(operator)?)),
            "client" => Self::client(operator, value),
            "graphql" => {
                let known = Operation::ALL
                    .into_iter()
                    .find(|operation| operation.name() == value);
                let operation = known.ok_or_else(|| {
                    format!("`{value}` is not an operation: use query, mutation or subscription")
                })?;
                Ok(Self::Graphql {
                    operation,
                    is_negated: negated(operator)?,
                })
            }
            _ => {
                let subject = match Subject::parse(subject)? {
                    Subject::Host if port_at(value.as_bytes()).is_some() => Subject::HostAndPort,
                    other => other,
                };
                let (wanted, is_negated) = match operator {
                    "=" | "!=" => (Wanted::glob(&subject, value), operator == "!="),
                    "~" | "!~" => (Wanted::Regex(regex(value)?), operator == "!~"),
                    _ => {
                        return Err(format!(
                            "`{operator}` does not fit here: use =, !=, ~ or !~"
                        ));
                    }
                };
                Ok(Self::Values {
                    subject,
                    wanted,
                    is_negated,
                })
            }
        }
    }

    fn body(operator: &str, value: &str) -> Result<Self, String> {
        let size = ByteSize::from_text(value)?.as_u64();
        let none = "no body is smaller than nothing".to_owned();
        Ok(match operator {
            ">" => Self::Body(size.saturating_add(1), u64::MAX),
            ">=" => Self::Body(size, u64::MAX),
            "<" => Self::Body(0, size.checked_sub(1).ok_or(none)?),
            "<=" => Self::Body(0, size),
            "=" => Self::Body(size, size),
            _ => {
                return Err(format!(
                    "`{operator}` does not fit a size: use >, >=, <, <= or ="
                ));
            }
        })
    }

    fn client(operator: &str, value: &str) -> Result<Self, String> {
        let is_negated = match operator {
            "in" | "=" => false,
            "not in" | "!=" => true,
            _ => {
                return Err(format!(
                    "`{operator}` does not fit a network: use in or not in"
                ));
            }
        };
        let network = |text: &str| {
            let text = text.trim();
            let address = text.parse::<IpAddr>().map(IpNet::from);
            text.parse().or(address).map_err(|_| {
                format!("`{text}` is not a network: use one as in 10.0.0.0/8 or fd00::/8")
            })
        };
        let networks = value.split(',').map(network).collect::<Result<_, _>>()?;
        Ok(Self::Client(networks, is_negated))
    }
}

fn negated(operator: &str) -> Result<bool, String> {
    match operator {
        "=" => Ok(false),
        "!=" => Ok(true),
        _ => Err(format!("`{operator}` does not fit here: use = or !=")),
    }
}

/// Where the subject ends: at a space, or at an operator.
fn subject_len(text: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || "=!~<>".contains(c);
    text.find(ends).unwrap_or(text.len())
}

fn operator(text: &str) -> Option<(&'static str, &str)> {
    for operator in ["!=", "!~", ">=", "<=", "=", "~", ">", "<"] {
        if let Some(value) = text.strip_prefix(operator) {
            return Some((operator, value.trim()));
        }
    }
    let word = |operator: &'static str| {
        let rest = text.strip_prefix(operator)?;
        rest.starts_with(char::is_whitespace)
            .then(|| (operator, rest.trim()))
    };
    word("in").or_else(|| word("not in"))
}

fn unquoted(value: &str) -> Result<&str, String> {
    let inside = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    match inside('\'').or_else(|| inside('"')) {
        Some(inner) => Ok(inner),
        None if value.is_empty() => Err("a value is missing; '' is the empty one".into()),
        None if value.contains(char::is_whitespace) => Err(format!(
            "`{value}` has spaces: put it in quotes, or write `and` before the next condition"
        )),
        None => Ok(value),
    }
}

fn regex(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .unicode(false)
        .size_limit(MAX_REGEX)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                format!("the expression `{text}` is too large: make it simpler")
            }
            error => {
                let why = error.to_string();
                let why = why
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned();
                format!("`{text}` is not a regular expression: {why}")
            }
        })
}

impl Wanted {
    fn glob(subject: &Subject, value: &str) -> Self {
        let value = match subject {
            Subject::Host | Subject::HostAndPort => value.to_ascii_lowercase(),
            _ => value.to_owned(),
        };
        Self::Glob(value.into())
    }

    fn fits(&self, value: &[u8], any_case: bool) -> bool {
        match self {
            Self::Glob(pattern) if any_case => fits_any_case(pattern, value),
            Self::Glob(pattern) => fits(pattern, value),
            Self::Regex(regex) => regex.is_match(value),
        }
    }
}

impl Subject {
    pub(in crate::policy) fn parse(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        let named = |subject: fn(String) -> Self| match name {
            "" => Err(format!("`{text}` lacks a name: write {kind}:NAME")),
            name => Ok(subject(name.into())),
        };
        match kind {
            "host" if name.is_empty() => Ok(Self::Host),
            "path" if name.is_empty() => Ok(Self::Path),
            "header" => named(Self::Header),
            "cookie" => named(Self::Cookie),
            "query" => named(Self::Query),
            "form" => named(Self::Form),
            "json" if name.is_empty() => {
                Err("`json` lacks a place: write json:FIELD or json:/A/POINTER".into())
            }
            "json" => Ok(Self::Json(json_steps(name))),
            _ => Err(format!("`{text}` is not known: {FORM}")),
        }
    }

    /// Every value that it has.
    pub(in crate::policy) fn values<'v>(
        &'v self,
        view: &'v View<'_>,
        sense: Sense,
    ) -> Vec<Cow<'v, [u8]>> {
        match self {
            Self::Host => view.host().map(without_port).into_iter().collect(),
            Self::HostAndPort => view.host().map(Cow::Owned).into_iter().collect(),
            Self::Path => view.paths(sense).map(Cow::Borrowed).collect(),
            Self::Header(name) => view.headers(name),
            Self::Cookie(name) => view.cookies(name),
            Self::Query(name) => view.query(name),
            Self::Form(name) => view.form(name),
            Self::Json(steps) => view.json(steps),
        }
    }
}

/// Where the colon before a port is.
fn port_at(host: &[u8]) -> Option<usize> {
    let at = memchr::memrchr(b':', host)?;
    host[at + 1..].iter().all(u8::is_ascii_digit).then_some(at)
}

fn without_port<'v>(mut host: Vec<u8>) -> Cow<'v, [u8]> {
    if let Some(at) = port_at(&host) {
        host.truncate(at);
    }
    host.into()
}

/// `user.name` or `/user/name`.
fn json_steps(place: &str) -> Vec<String> {
    match place.strip_prefix('/') {
        Some(pointer) => pointer
            .split('/')
            .map(|step| step.replace("~1", "/").replace("~0", "~"))
            .collect(),
        None => place.split('.').map(str::to_owned).collect(),
    }
}

impl Statuses {
    fn parse(text: &str) -> Result<Self, String> {
        let class = |text: &str| {
            let digit = text.strip_suffix("xx")?.parse::<u16>().ok()?;
            (1..=5)
                .contains(&digit)
                .then_some((digit * 100, digit * 100 + 99))
        };
        let range = |text: &str| {
            let (from, to) = text.split_once('-').unwrap_or((text, text));
            Some((from.parse().ok()?, to.parse().ok()?))
        };
        let is_status =
            |(from, to): &(u16, u16)| (100..=999).contains(from) && from <= to && *to <= 999;
        match text {
            "none" => Ok(Self(None)),
            text => {
                let range = class(text).or_else(|| range(text)).filter(is_status);
                range.map(|range| Self(Some(range))).ok_or_else(|| {
                    format!(
                        "`{text}` is not a status: use 404, 5xx, 200-299, or none for no answer"
                    )
                })
            }
        }
    }

    fn contains(self, status: Option<u16>) -> bool {
        match (self.0, status) {
            (None, None) => true,
            (Some((from, to)), Some(status)) => (from..=to).contains(&status),
            _ => false,
        }
    }
}
