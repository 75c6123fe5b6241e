//! Rules for the request id: text → [`IdRules`] → the ids of a request. CONTRACT.md, "Ids", says the same in words.

mod route;
mod template;
mod value;

use std::{fmt, net::IpAddr};

use crate::{RequestId, RequestTarget};
use template::{Digest, Template};
use value::JsonPath;

pub use route::{Route, RouteError};
pub use value::trace_parts;

/// What a rule may read of a request or a response. Header names are given in lower case.
pub trait Fields {
    fn method(&self) -> &str {
        ""
    }
    /// `None` for a response.
    fn target(&self) -> Option<&RequestTarget> {
        None
    }
    /// The value of the `nth` field line of that name, from 0.
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]>;
    /// The body without its content-coding; called only when a rule asks for it.
    fn body(&self) -> Option<&[u8]>;
    /// The other end of the connection.
    fn client(&self) -> Option<IpAddr> {
        None
    }
}

/// Rules in order; the first that yields an id wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdRules(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// None for all routes.
    route: Option<Route>,
    source: Source,
    /// Whether identical requests are told apart by a number.
    counted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Header(String),
    Traceparent,
    ResponseHeader(String),
    ResponseJson(JsonPath),
    Template(Digest, Template),
}

/// The ids that production may have used for a request, most likely first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    pub ids: Vec<RequestId>,
    /// Whether each is only the first part of an id, and a number follows.
    pub counted: bool,
    /// Seconds of the longest time bucket that the id holds; 0 for none.
    pub bucket_seconds: u64,
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
            "the rule `{}` is not understood: {}. A rule is `header:NAME`, `traceparent`, `response-header:NAME`, `response-json:FIELD`, or \
             md5, sha256, xxh3 or none of a template as in `md5(\"{{json:userId}}:{{time:s}}\")`, which reads {{json:FIELD}}, {{query:NAME}}, {{form:NAME}}, \
             {{header:NAME}}, {{cookie:NAME}}, {{path:N}}, {{path:NAME}}, {{path}}, {{method}}, {{host}}, {{client}} and {{time:5s}}. `ROUTE => ` may stand before it \
             and ` #n` behind it",
            self.rule, self.wrong
        )
    }
}

impl IdRules {
    pub fn parse(texts: &[impl AsRef<str>]) -> Result<Self, RuleError> {
        let rules: Result<_, _> = texts
            .iter()
            .map(|t| Rule::parse(t.as_ref().trim()))
            .collect();
        rules.map(Self)
    }

    /// The id at `seconds` since the epoch, and whether a number is to follow it.
    pub fn derive(
        &self,
        request: &dyn Fields,
        response: Option<&dyn Fields>,
        seconds: u64,
    ) -> Option<(RequestId, bool)> {
        self.winner(request, response, seconds)
            .map(|(id, rule)| (id, rule.counted))
    }

    /// The ids that production may have used, most likely first. Where the winning rule holds the time
    /// these are the captured second's, then those after and before it up to `skew` seconds: production
    /// computes the id a moment after the packet was seen.
    pub fn candidates(
        &self,
        request: &dyn Fields,
        response: Option<&dyn Fields>,
        seconds: u64,
        skew: u64,
    ) -> Candidates {
        let Some((first, rule)) = self.winner(request, response, seconds) else {
            return Candidates::default();
        };
        let bucket_seconds = rule.bucket_seconds();
        let mut ids = vec![first];
        if bucket_seconds > 0 {
            for away in 1..=skew {
                for second in [seconds.saturating_add(away), seconds.saturating_sub(away)] {
                    let id = rule
                        .source
                        .id(request, response, second, rule.route.as_ref());
                    ids.extend(id.filter(|id| !ids.contains(id)));
                }
            }
        }
        Candidates {
            ids,
            counted: rule.counted,
            bucket_seconds,
        }
    }

    /// Whether a rule that may apply to this request reads its body.
    pub fn read_body(&self, method: &str, target: &RequestTarget) -> bool {
        let mut rules = self.0.iter().filter(|rule| rule.applies(method, target));
        rules.any(
            |rule| matches!(&rule.source, Source::Template(_, template) if template.reads_body()),
        )
    }

    /// The response header by which production tells the id, where that is how a request is named.
    pub fn told_in(&self, method: &str, target: &RequestTarget) -> Option<&str> {
        let rules = self.0.iter().filter(|rule| rule.applies(method, target));
        rules.into_iter().find_map(|rule| match &rule.source {
            Source::ResponseHeader(name) => Some(name.as_str()),
            _ => None,
        })
    }

    fn winner(
        &self,
        request: &dyn Fields,
        response: Option<&dyn Fields>,
        seconds: u64,
    ) -> Option<(RequestId, &Rule)> {
        let mut rules = self.0.iter().filter(|rule| rule.applies_to(request));
        rules.find_map(|rule| {
            let id = rule
                .source
                .id(request, response, seconds, rule.route.as_ref())?;
            Some((id, rule))
        })
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, RuleError> {
        let error = |wrong: String| RuleError {
            rule: text.into(),
            wrong,
        };
        // A template may hold ` => ` too: what is before it is a route only outside of quotes.
        let (route, rest) = match text.split_once(" => ") {
            Some((route, rest)) if !route.contains('"') => {
                let route = route.parse::<Route>().map_err(|e| error(e.to_string()))?;
                (Some(route), rest.trim())
            }
            _ => (None, text),
        };
        let (rest, counted) = match rest.strip_suffix("#n").filter(|r| r.ends_with(' ')) {
            Some(before) => (before.trim_end(), true),
            None => (rest, false),
        };
        let source = Source::parse(rest, route.as_ref()).map_err(error)?;
        Ok(Self {
            route,
            source,
            counted,
        })
    }

    fn applies_to(&self, request: &dyn Fields) -> bool {
        let on_route = |target| self.applies(request.method(), target);
        self.route.is_none() || request.target().is_some_and(on_route)
    }

    fn applies(&self, method: &str, target: &RequestTarget) -> bool {
        let matches = |route: &Route| route.matches(method, target);
        self.route.as_ref().is_none_or(matches)
    }

    fn bucket_seconds(&self) -> u64 {
        match &self.source {
            Source::Template(_, template) => template.bucket_seconds(),
            _ => 0,
        }
    }
}

impl Source {
    fn parse(text: &str, route: Option<&Route>) -> Result<Self, String> {
        if text == "traceparent" {
            return Ok(Self::Traceparent);
        }
        if let Some((digest, inside)) = text.split_once('(').filter(|(d, _)| !d.contains(':')) {
            let digest = Digest::named(digest).ok_or_else(|| format!("`{digest}` is no digest"))?;
            let template = inside
                .strip_suffix(')')
                .and_then(|t| t.trim().strip_prefix('"')?.strip_suffix('"'))
                .ok_or_else(|| "the template must stand in (\"…\")".to_string())?;
            return Ok(Self::Template(digest, Template::parse(template, route)?));
        }
        let (kind, name) = text.split_once(':').ok_or("it has no `:`")?;
        if name.is_empty() {
            return Err("the name is missing".into());
        }
        match kind {
            "header" => Ok(Self::Header(name.to_ascii_lowercase())),
            "response-header" => Ok(Self::ResponseHeader(name.to_ascii_lowercase())),
            "response-json" => Ok(Self::ResponseJson(JsonPath::parse(name)?)),
            other => Err(format!("`{other}` is unknown")),
        }
    }

    fn id(
        &self,
        request: &dyn Fields,
        response: Option<&dyn Fields>,
        seconds: u64,
        route: Option<&Route>,
    ) -> Option<RequestId> {
        match self {
            Self::Header(name) => RequestId::new(value::header(request.header(name, 0)?)?),
            Self::Traceparent => {
                let header = value::header(request.header("traceparent", 0)?)?;
                RequestId::new(&value::traceparent(header)?)
            }
            Self::ResponseHeader(name) => {
                RequestId::new(value::header(response?.header(name, 0)?)?)
            }
            Self::ResponseJson(path) => RequestId::new(&path.read(response?.body()?)?),
            Self::Template(digest, template) => {
                RequestId::new(&digest.of(template.fill(request, seconds, route)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Message {
        target: RequestTarget,
        body: &'static str,
    }

    fn message(body: &'static str) -> Message {
        let target = RequestTarget::parse("POST", "/users/7/cart?page=2&page=3");
        Message { target, body }
    }

    impl Fields for Message {
        fn method(&self) -> &str {
            "POST"
        }
        fn target(&self) -> Option<&RequestTarget> {
            Some(&self.target)
        }
        fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
            (name == "x-request-id" && nth == 0).then_some(b"abc")
        }
        fn body(&self) -> Option<&[u8]> {
            Some(self.body.as_bytes())
        }
    }

    #[test]
    fn neighbouring_seconds_are_tried_only_where_the_rule_holds_the_time() {
        let message = message(r#"{"userId":42}"#);
        let timed = IdRules::parse(&["md5(\"{json:userId}{time:s}\")"]).unwrap();
        let at = |s| timed.derive(&message, None, s).unwrap().0;
        let candidates = timed.candidates(&message, None, 100, 1);
        assert_eq!(candidates.ids, [at(100), at(101), at(99)]);
        assert_eq!(candidates.bucket_seconds, 1);
        let plain = IdRules::parse(&["header:x-request-id"]).unwrap();
        assert_eq!(plain.candidates(&message, None, 100, 1).ids.len(), 1);
        // Inside a long bucket all neighbours are the same.
        let long = IdRules::parse(&["md5(\"{time:1m}\")"]).unwrap();
        assert_eq!(long.candidates(&message, None, 90, 1).ids.len(), 1);
        assert_eq!(long.candidates(&message, None, 60, 1).ids.len(), 2);
    }

    #[test]
    fn the_body_is_asked_for_only_where_a_rule_reads_it() {
        let rules = IdRules::parse(&["header:a", "POST /orders => md5(\"{json:id}\")"]).unwrap();
        let reads = |method, target: &'static str| {
            rules.read_body(method, &RequestTarget::parse(method, target))
        };
        assert!(reads("POST", "/orders?x=1"));
        assert!(!reads("GET", "/orders"));
        assert!(!reads("POST", "/carts"));
    }
}
