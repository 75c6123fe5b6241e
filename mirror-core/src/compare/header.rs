//! Header fields by what they mean.
//!
//! All end-to-end fields are looked at, but for those that differ by nature ([`LEFT_OUT`]): a new clock reading, a new id of a
//! request, the name of the software in between. Lists are compared by element, repeated lines are joined (RFC 9110 §5.3), a
//! location is compared without the host where that is the answer's own, a cookie by its name and attributes, and a time of
//! expiry by its distance from the answer's own date.

use std::collections::BTreeSet;

use super::cookie::{Cookie, Life};
use super::differ::{Differ, kind_of};
use super::found::absent;
use super::kind::Kind;
use super::media::{same_essence, same_media_type};
use super::place::{At, excerpt};
use crate::detect::is_secret_header;
use crate::exchange::{Headers, Response};
use crate::route::variable;

/// Longest name of a cookie in a place.
const MAX_COOKIE_NAME: usize = 100;

/// Names that no two answers are compared by unless they are named, in the order of the alphabet.
const LEFT_OUT: [&str; 64] = [
    // The distance from the last cache, and times that are always now.
    "age",
    "alt-svc",
    // What concerns the connection only (RFC 9110 §7.6.1), and how the message is framed.
    "cdn-loop",
    "connection",
    "content-length",
    "correlation-id",
    "date",
    // Validators are a digest or a time of the instance that made them (RFC 9110 §8.8).
    "etag",
    "fly-request-id",
    "http2-settings",
    "keep-alive",
    "last-modified",
    "nel",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "proxy-status",
    "ratelimit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "report-to",
    "reporting-endpoints",
    "request-id",
    "sentry-trace",
    // The software and the machines that the answer came through: production has others in front of it.
    "server",
    "server-timing",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "uber-trace-id",
    "upgrade",
    "via",
    "x-amz-apigw-id",
    "x-amz-id-2",
    "x-amz-request-id",
    "x-amzn-requestid",
    "x-amzn-trace-id",
    "x-backend",
    "x-backend-server",
    "x-cache",
    "x-cache-hits",
    "x-cloud-trace-context",
    "x-correlation-id",
    "x-github-request-id",
    "x-ms-request-id",
    "x-powered-by",
    "x-process-time",
    "x-rate-limit-remaining",
    "x-rate-limit-reset",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-used",
    "x-request-id",
    "x-response-time",
    "x-runtime",
    "x-served-by",
    "x-server",
    "x-timer",
    "x-trace-id",
    "x-varnish",
    "x-vcap-request-id",
    "x-vercel-id",
];

/// The same for all names that begin so: tracing, edge networks, and the marks of this program.
const LEFT_OUT_PREFIXES: [&str; 6] = [
    "cf-",
    "x-amz-cf-",
    "x-b3-",
    "x-datadog-",
    "x-envoy-",
    "x-mirror-",
];

/// Names whose elements have no order (RFC 9110, RFC 9111, Fetch).
const SETS: [&str; 15] = [
    "accept-patch",
    "accept-post",
    "accept-ranges",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-expose-headers",
    "allow",
    "cache-control",
    "clear-site-data",
    "content-language",
    "link",
    "pragma",
    "preference-applied",
    "timing-allow-origin",
    "vary",
];

/// Of these the elements are told apart by their case.
const CASE_MATTERS: [&str; 5] = [
    "accept-patch",
    "access-control-allow-methods",
    "allow",
    "clear-site-data",
    "link",
];

/// The names by which an answer's own host may be called, for each side.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hosts<'a> {
    /// What the client asked for.
    pub(super) production: Option<&'a [u8]>,
    /// The mirror's own.
    pub(super) mirror: Option<&'a [u8]>,
}

impl Hosts<'_> {
    fn is_own(&self, side: Side, scheme: &[u8], authority: &[u8]) -> bool {
        let names = match side {
            Side::Production => [self.production, None],
            Side::Mirror => [self.production, self.mirror],
        };
        let wanted = without_usual_port(scheme, authority);
        let is_it = |name: &[u8]| without_usual_port(scheme, name).eq_ignore_ascii_case(wanted);
        names.into_iter().flatten().any(is_it)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Production,
    Mirror,
}

/// Compares the fields of two answers: those named, and all others if `all` is among the names.
pub(super) fn headers(
    differ: &mut Differ<'_>,
    names: &[String],
    hosts: Hosts<'_>,
    production: &Response,
    mirror: &Response,
) {
    let mut fields = Fields {
        differ,
        hosts,
        production,
        mirror,
    };
    let named = || names.iter().filter(|name| *name != ALL);
    if named().count() < names.len() {
        let is_named = |name: &str| named().any(|named| named.eq_ignore_ascii_case(name));
        fields.all(is_named);
    }
    named().for_each(|name| fields.one(&name.to_ascii_lowercase(), true));
}

/// The word for all fields that do not differ by nature.
pub(super) const ALL: &str = "all";

/// Whether a field is compared when nobody names it.
pub(super) fn is_left_out(name: &str) -> bool {
    let lower = || name.bytes().map(|byte| byte.to_ascii_lowercase());
    let is_it = |known: &&str| known.bytes().cmp(lower());
    let begins = |prefix: &&str| {
        let begin = name.as_bytes().get(..prefix.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    let first = name.as_bytes().first().map(u8::to_ascii_lowercase);
    (has_length_of_one(first, name.len()) && LEFT_OUT.binary_search_by(is_it).is_ok())
        || (matches!(first, Some(b'c' | b'x')) && LEFT_OUT_PREFIXES.iter().any(begins))
}

/// The lengths that names of [`LEFT_OUT`] have, a bit for each, by their first letter. It tells most other names at once.
const LENGTHS: [u32; 26] = {
    let mut lengths = [0; 26];
    let mut at = 0;
    while at < LEFT_OUT.len() {
        let name = LEFT_OUT[at].as_bytes();
        lengths[(name[0] - b'a') as usize] |= 1 << name.len();
        at += 1;
    }
    lengths
};

fn has_length_of_one(first: Option<u8>, length: usize) -> bool {
    let index = first.and_then(|first| first.checked_sub(b'a'));
    let lengths = index.and_then(|index| LENGTHS.get(usize::from(index)));
    lengths.is_some_and(|lengths| length < 32 && (lengths >> length) & 1 == 1)
}

struct Fields<'d, 'r, 'a> {
    differ: &'d mut Differ<'r>,
    hosts: Hosts<'a>,
    production: &'a Response,
    mirror: &'a Response,
}

impl Fields<'_, '_, '_> {
    fn all(&mut self, is_named: impl Fn(&str) -> bool) {
        let (ours, theirs) = (&self.production.headers, &self.mirror.headers);
        let hop_by_hop = hop_by_hop([ours, theirs]);
        let is_wanted = |name: &str| {
            !is_left_out(name)
                && !is_named(name)
                && !hop_by_hop
                    .iter()
                    .any(|hop| hop.eq_ignore_ascii_case(name.as_bytes()))
        };
        if self.in_one_order(is_wanted) {
            return;
        }
        for (index, (name, _)) in ours.iter().enumerate() {
            if is_first(ours, index, name) && is_wanted(name) {
                self.one(&name.to_ascii_lowercase(), false);
            }
        }
        for (index, (name, _)) in theirs.iter().enumerate() {
            if ours.first(name).is_none() && is_first(theirs, index, name) && is_wanted(name) {
                self.one(&name.to_ascii_lowercase(), false);
            }
        }
    }

    /// Most answers of a service have the same fields in the same order: then each line is looked at once. Returns whether
    /// that was enough.
    fn in_one_order(&mut self, is_wanted: impl Fn(&str) -> bool) -> bool {
        let (ours, theirs) = (&self.production.headers, &self.mirror.headers);
        if ours.len() != theirs.len() || !ours.names().eq(theirs.names()) {
            return false;
        }
        let lines = || ours.iter().zip(theirs.iter().map(|(_, value)| value));
        let mut differing =
            lines().filter(|((name, value), other)| value != other && is_wanted(name));
        if differing.any(|((name, _), _)| ours.all(name).nth(1).is_some()) {
            return false;
        }
        for ((name, value), other) in lines().filter(|((name, _), _)| is_wanted(name)) {
            match value == other {
                true => self.differ.found.same.headers += 1,
                false => self.one(&name.to_ascii_lowercase(), false),
            }
        }
        true
    }

    /// A field by its name in small letters.
    fn one(&mut self, name: &str, is_named: bool) {
        let (ours, theirs) = (&self.production.headers, &self.mirror.headers);
        if name == "set-cookie" {
            return self.cookies();
        }
        let [ours, theirs] = [ours, theirs].map(|headers| joined(headers, name));
        let is_same = match (&ours, &theirs) {
            (Some(ours), Some(theirs)) => ours == theirs || self.is_same(name, ours, theirs),
            (None, None) => true,
            // No coding is the coding that does nothing.
            (Some(coding), None) | (None, Some(coding)) => {
                name == "content-encoding" && coding.eq_ignore_ascii_case(b"identity")
            }
        };
        if is_same {
            self.differ.found.same.headers += 1;
            return;
        }
        let kind = match (&ours, &theirs) {
            _ if name == "content-encoding" && !is_named => Kind::Cosmetic,
            (Some(ours), Some(theirs)) if name == "content-type" => {
                match same_essence(ours, theirs) {
                    true => Kind::Value,
                    false => Kind::Type,
                }
            }
            _ => kind_of(ours.is_some(), theirs.is_some()),
        };
        let [ours, theirs] = [ours, theirs].map(|value| value.map(|value| text(&value)));
        let values = ours.as_deref().zip(theirs.as_deref());
        let values = values
            .filter(|_| kind == Kind::Value)
            .map(|(ours, theirs)| [ours, theirs]);
        let shown = |value: &Option<String>| match value {
            None => absent(),
            Some(_) if is_secret_header(name) => "(not shown)".into(),
            Some(value) => value.clone(),
        };
        self.differ.differ(At::Header(name), kind, values, || {
            [shown(&ours), shown(&theirs)]
        });
    }

    fn is_same(&self, name: &str, ours: &[u8], theirs: &[u8]) -> bool {
        match name {
            "content-type" => same_media_type(ours, theirs),
            "location" | "content-location" => {
                self.local(Side::Production, ours) == self.local(Side::Mirror, theirs)
            }
            "expires" => self
                .life(Side::Production, ours)
                .is_like(self.life(Side::Mirror, theirs)),
            _ if SETS.contains(&name) => {
                let ignores_case = !CASE_MATTERS.contains(&name);
                let set = |value| {
                    let own = |element: &[u8]| match ignores_case {
                        true => element.to_ascii_lowercase(),
                        false => element.to_vec(),
                    };
                    elements(value).map(own).collect::<BTreeSet<_>>()
                };
                set(ours) == set(theirs)
            }
            _ => elements(ours).eq(elements(theirs)),
        }
    }

    /// A location without scheme and host, where the host is the answer's own.
    fn local(&self, side: Side, location: &[u8]) -> Vec<u8> {
        let parts = || {
            let at = location.windows(3).position(|three| three == b"://")?;
            let (scheme, rest) = (&location[..at], &location[at + 3..]);
            let is_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
            if !scheme.iter().all(is_scheme) {
                return None;
            }
            let end = rest.iter().position(|byte| b"/?#".contains(byte));
            let (authority, path) = rest.split_at(end.unwrap_or(rest.len()));
            Some((scheme, authority, path))
        };
        match parts() {
            Some((scheme, authority, path)) if self.hosts.is_own(side, scheme, authority) => {
                match path.first() {
                    Some(b'/') => path.to_vec(),
                    _ => [b"/", path].concat(),
                }
            }
            _ => location.to_vec(),
        }
    }

    fn life(&self, side: Side, expires: &[u8]) -> Life {
        Life::of(expires, self.response(side).headers.first("date"))
    }

    fn response(&self, side: Side) -> &Response {
        match side {
            Side::Production => self.production,
            Side::Mirror => self.mirror,
        }
    }

    /// Of cookies that are set twice the last counts, as in a client.
    fn cookies(&mut self) {
        let read = |side: Side| {
            let headers = &self.response(side).headers;
            let date = headers.first("date");
            let is_own = |domain: &[u8]| self.hosts.is_own(side, b"", domain);
            let cookies = headers.all("set-cookie");
            cookies
                .map(|value| Cookie::parse(value, date, is_own))
                .collect::<Vec<_>>()
        };
        let (ours, theirs) = (read(Side::Production), read(Side::Mirror));
        let names: BTreeSet<&str> = ours.iter().chain(&theirs).map(Cookie::name).collect();
        for name in names {
            let last = |cookies: &'_ [Cookie]| cookies.iter().rposition(|c| c.name() == name);
            let (ours, theirs) = (
                last(&ours).map(|at| &ours[at]),
                last(&theirs).map(|at| &theirs[at]),
            );
            if ours
                .zip(theirs)
                .is_some_and(|(ours, theirs)| ours.is_like(theirs))
            {
                self.differ.found.same.headers += 1;
                continue;
            }
            let place = format!("set-cookie {}", shown_name(name));
            let kind = kind_of(ours.is_some(), theirs.is_some());
            let shown = |cookie: Option<&Cookie>| cookie.map_or_else(absent, Cookie::shown);
            self.differ.differ(At::Header(&place), kind, None, || {
                [shown(ours), shown(theirs)]
            });
        }
    }
}

/// A name that is an id is one place with the others.
fn shown_name(name: &str) -> String {
    match variable(name) {
        Some(_) => "{*}".into(),
        None => excerpt(name, MAX_COOKIE_NAME),
    }
}

/// Fields that `connection` says concern the connection only.
fn hop_by_hop(sides: [&Headers; 2]) -> Vec<&[u8]> {
    let values = sides
        .into_iter()
        .flat_map(|headers| headers.all("connection"));
    values.flat_map(elements).collect()
}

fn is_first(headers: &Headers, index: usize, name: &str) -> bool {
    let before = headers.names().take(index);
    let is_it = |other: &[u8]| other.eq_ignore_ascii_case(name.as_bytes());
    !before.into_iter().any(is_it)
}

/// All lines of a field as one (RFC 9110 §5.3).
fn joined(headers: &Headers, name: &str) -> Option<Vec<u8>> {
    let mut values = headers.all(name).map(<[u8]>::trim_ascii);
    let mut all = values.next()?.to_vec();
    for more in values {
        all.extend_from_slice(b", ");
        all.extend_from_slice(more);
    }
    Some(all)
}

/// What stands between commas that are not in quotes.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let parts = value.split(move |byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b',' => return !is_quoted,
            _ => {}
        }
        false
    });
    parts
        .map(<[u8]>::trim_ascii)
        .filter(|part| !part.is_empty())
}

fn without_usual_port<'a>(scheme: &[u8], authority: &'a [u8]) -> &'a [u8] {
    let port: &[u8] = match scheme {
        _ if scheme.eq_ignore_ascii_case(b"http") => b":80",
        _ if scheme.eq_ignore_ascii_case(b"https") => b":443",
        // The domain of a cookie comes without a port.
        b"" => {
            let end = authority.iter().rposition(|byte| *byte == b':');
            let end = end.filter(|end| authority[end + 1..].iter().all(u8::is_ascii_digit));
            return &authority[..end.unwrap_or(authority.len())];
        }
        _ => b"",
    };
    authority.strip_suffix(port).unwrap_or(authority)
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

#[cfg(test)]
mod tests;
