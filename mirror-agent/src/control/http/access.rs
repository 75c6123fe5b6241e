//! Who may ask the admin side, and what for.
//!
//! With a token, whoever has it may ask. Without one the address is a loopback address, and every user of the host may read;
//! then the request must name the host by an address or as `localhost`, so that no web page can reach it through a name of its
//! own (DNS rebinding). Requests that a page of another site makes are refused in any case, and orders need a token in any case.

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, ensure};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use ring::hmac;

use super::super::ControlOptions;
use crate::secret::SecretText;

/// Characters of a token, at least: what can be guessed protects nothing.
const MIN_TOKEN: usize = 16;

/// The rules of one admin side.
#[derive(Debug)]
pub(super) struct Access {
    token: Option<Token>,
    has_open_metrics: bool,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NoToken,
    ForeignHost,
    CrossSite,
    NoOrders,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Whether the agent lives and works: says nothing else.
    Probe,
    Metrics,
    Read,
    Order,
}

impl Access {
    pub(super) fn new(options: &ControlOptions) -> anyhow::Result<Self> {
        let file = options.admin_token_file.as_deref();
        Ok(Self {
            token: file.map(read_token).transpose()?.as_ref().map(Token::new),
            has_open_metrics: options.admin_open_metrics,
        })
    }

    /// Whether orders are taken from those who have the token.
    pub(super) fn takes_orders(&self) -> bool {
        self.token.is_some()
    }

    pub(super) fn check(&self, request: &Parts) -> Result<(), Refusal> {
        let purpose = Purpose::of(&request.method, request.uri.path());
        if purpose == Purpose::Probe {
            return Ok(());
        }
        if is_cross_site(request) {
            return Err(Refusal::CrossSite);
        }
        match &self.token {
            Some(_) if purpose == Purpose::Metrics && self.has_open_metrics => Ok(()),
            Some(token) => match token.is_in(&request.headers) {
                true => Ok(()),
                false => Err(Refusal::NoToken),
            },
            None if !names_this_host(&request.headers) => Err(Refusal::ForeignHost),
            None if purpose == Purpose::Order => Err(Refusal::NoOrders),
            None => Ok(()),
        }
    }
}

impl Purpose {
    fn of(method: &Method, path: &str) -> Self {
        match path {
            "/healthz" | "/readyz" => Self::Probe,
            "/metrics" => Self::Metrics,
            "/pause" | "/resume" if *method == Method::POST => Self::Order,
            _ => Self::Read,
        }
    }
}

/// Whether a browser sends this for a page of another site. A link that the user follows is none of these.
fn is_cross_site(request: &Parts) -> bool {
    let field = |name: &str| request.headers.get(name).map(|value| value.as_bytes());
    let is_link =
        request.method == Method::GET && field("sec-fetch-mode").is_some_and(|m| m == b"navigate");
    if let Some(site) = field("sec-fetch-site") {
        return !is_link && site != b"same-origin" && site != b"none";
    }
    // Browsers that send no Sec-Fetch-Site send the origin with all but plain GETs.
    match (request.headers.get(ORIGIN), request.headers.get(HOST)) {
        (None, _) => false,
        (Some(origin), Some(host)) => {
            let origin = origin.to_str().unwrap_or_default();
            let its_host = origin.split_once("://").map(|(_, host)| host);
            its_host.is_none_or(|its_host| its_host.as_bytes() != host.as_bytes())
        }
        (Some(_), None) => true,
    }
}

/// Whether the request reached this host by an address, or as `localhost`.
fn names_this_host(headers: &HeaderMap) -> bool {
    let Some(Ok(host)) = headers.get(HOST).map(|value| value.to_str()) else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::ForeignHost | Self::CrossSite | Self::NoOrders => StatusCode::FORBIDDEN,
        };
        let mut response = (status, format!("{self}\n")).into_response();
        if self == Self::NoToken {
            let challenge = http::HeaderValue::from_static("Basic realm=\"mirror-agent\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoToken => {
                "give the token of --admin-token-file, as a Bearer token or as the password of any user"
            }
            Self::ForeignHost => {
                "this host is reached by another name than localhost: use its address, or start the agent with --admin-token-file"
            }
            Self::CrossSite => "pages of other sites are not answered",
            Self::NoOrders => {
                "orders are taken only with a token: start the agent with --admin-token-file, or use `mirror-agent pause` and `resume`"
            }
        })
    }
}

/// What a client must know. Kept so that comparing takes the same time whatever was sent.
struct Token {
    key: hmac::Key,
    tag: hmac::Tag,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    fn new(token: &SecretText) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"mirror-agent admin token");
        let tag = hmac::sign(&key, token.expose().as_bytes());
        Self { key, tag }
    }

    /// As `Bearer TOKEN`, or as the password of `Basic`, which browsers and URLs with a password send.
    fn is_in(&self, headers: &HeaderMap) -> bool {
        let Some(Ok(value)) = headers.get(AUTHORIZATION).map(|value| value.to_str()) else {
            return false;
        };
        let Some((scheme, credentials)) = value.split_once(' ') else {
            return false;
        };
        let credentials = credentials.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.is(credentials.as_bytes());
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return false;
        }
        let decoded = BASE64_STANDARD.decode(credentials).unwrap_or_default();
        let colon = decoded.iter().position(|byte| *byte == b':');
        colon.is_some_and(|at| self.is(&decoded[at + 1..]))
    }

    fn is(&self, presented: &[u8]) -> bool {
        hmac::verify(&self.key, presented, self.tag.as_ref()).is_ok()
    }
}

/// Reads the file of `--admin-token-file`, which other users must not be able to read.
pub fn read_token(path: &Path) -> anyhow::Result<SecretText> {
    let context = || format!("--admin-token-file {}", path.display());
    let text = fs::read_to_string(path).with_context(context)?;
    let mode = fs::metadata(path).with_context(context)?.permissions();
    ensure!(
        mode.mode() & 0o004 == 0,
        "--admin-token-file {0}: every user of this host can read it: chmod 600 {0}",
        path.display()
    );
    checked(text.trim()).with_context(context)
}

fn checked(token: &str) -> anyhow::Result<SecretText> {
    ensure!(
        token.len() >= MIN_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic()),
        "it must hold one token of {MIN_TOKEN} or more letters, digits and signs, as `openssl rand -hex 32` makes it"
    );
    Ok(SecretText::new(token))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn access(token: Option<&str>, has_open_metrics: bool) -> Access {
        Access {
            token: token.map(|token| Token::new(&SecretText::new(token))),
            has_open_metrics,
        }
    }

    /// `request` is a line with the method and the path, and lines with fields.
    fn check(access: &Access, request: &str, expect: Result<(), Refusal>) {
        let mut lines = request.lines().map(str::trim);
        let (method, path) = lines.next().unwrap().split_once(' ').unwrap();
        let mut builder = Request::builder().method(method).uri(path);
        for line in lines {
            let (name, value) = line.split_once(':').unwrap();
            builder = builder.header(name, value.trim());
        }
        let (parts, ()) = builder.body(()).unwrap().into_parts();
        assert_eq!(access.check(&parts), expect, "{request}");
    }

    #[test]
    fn without_a_token_the_host_is_named_by_an_address_or_as_localhost() {
        let open = access(None, false);
        for host in [
            "localhost",
            "LocalHost:9464",
            "127.0.0.1",
            "127.0.0.1:9464",
            "[::1]:9464",
            "[::1]",
        ] {
            check(&open, &format!("GET /verdict\nhost: {host}"), Ok(()));
        }
        let refused = Err(Refusal::ForeignHost);
        for host in [
            "rebound.example",
            "rebound.example:9464",
            "localhost.rebound.example",
            "127.0.0.1.rebound.example",
            "",
        ] {
            check(&open, &format!("GET /\nhost: {host}"), refused);
        }
        check(&open, "GET /metrics", refused);
        check(&open, "GET /healthz\nhost: 10-0-0-1.node", Ok(()));
    }

    #[test]
    fn orders_need_a_token() {
        let host = "host: localhost";
        let open = access(None, false);
        check(
            &open,
            &format!("POST /pause\n{host}"),
            Err(Refusal::NoOrders),
        );
        check(
            &open,
            &format!("POST /resume\n{host}"),
            Err(Refusal::NoOrders),
        );
        check(&open, &format!("POST /verdict\n{host}"), Ok(()));
        let closed = access(Some(TOKEN), false);
        let bearer = format!("authorization: Bearer {TOKEN}");
        check(
            &closed,
            &format!("POST /pause\n{host}"),
            Err(Refusal::NoToken),
        );
        check(&closed, &format!("POST /pause\n{host}\n{bearer}"), Ok(()));
    }

    #[test]
    fn the_token_is_a_bearer_token_or_a_password() {
        let closed = access(Some(TOKEN), false);
        let basic = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
        let answer = |value: &str, expect| {
            check(
                &closed,
                &format!("GET /\nhost: any.example\nauthorization: {value}"),
                expect,
            );
        };
        answer(&format!("Bearer {TOKEN}"), Ok(()));
        answer(&format!("bearer {TOKEN}"), Ok(()));
        answer(&basic(&format!("any:{TOKEN}")), Ok(()));
        answer(&basic(&format!(":{TOKEN}")), Ok(()));
        for wrong in [
            TOKEN.to_owned(),
            "Bearer 0123456789abcdeF".into(),
            "Bearer 0123456789abcde".into(),
            format!("Bearer {TOKEN}0"),
            "Bearer ".into(),
            basic(TOKEN),
            basic(&format!("{TOKEN}:")),
            format!("Digest {TOKEN}"),
            "Basic !".into(),
        ] {
            answer(&wrong, Err(Refusal::NoToken));
        }
    }

    #[test]
    fn probes_are_open_and_metrics_if_told() {
        for is_open in [false, true] {
            let closed = access(Some(TOKEN), is_open);
            check(&closed, "GET /healthz", Ok(()));
            check(&closed, "GET /readyz", Ok(()));
            let metrics = if is_open {
                Ok(())
            } else {
                Err(Refusal::NoToken)
            };
            check(&closed, "GET /metrics", metrics);
            check(&closed, "GET /", Err(Refusal::NoToken));
        }
    }

    #[test]
    fn what_a_page_of_another_site_asks_is_refused_even_with_the_token() {
        let closed = access(Some(TOKEN), false);
        let ask = |line: &str, fields: &str, expect| {
            let bearer = format!("authorization: Bearer {TOKEN}");
            let host = "host: localhost:9464";
            check(
                &closed,
                &format!("{line}\n{host}\n{bearer}\n{fields}"),
                expect,
            );
        };
        let refused = Err(Refusal::CrossSite);
        for line in ["POST /pause", "GET /events", "GET /metrics"] {
            ask(line, "sec-fetch-site: cross-site", refused);
            ask(line, "sec-fetch-site: same-site", refused);
            ask(line, "origin: http://evil.example", refused);
            ask(line, "origin: null", refused);
            // Another service of this host.
            ask(line, "origin: http://localhost:8080", refused);
            ask(line, "sec-fetch-site: same-origin", Ok(()));
            ask(line, "origin: http://localhost:9464", Ok(()));
            ask(line, "", Ok(()));
        }
        let followed = "sec-fetch-site: cross-site\nsec-fetch-mode: navigate";
        ask("GET /", followed, Ok(()));
        // A form that another site sends.
        ask("POST /pause", followed, refused);
        ask("POST /verdict", followed, refused);
    }

    #[test]
    fn a_token_that_protects_nothing_is_refused() {
        for token in ["", "short", "0123456789 abcdef", "0123456789\tabcdef"] {
            assert!(checked(token).is_err(), "{token}");
        }
        assert!(!format!("{:?}", access(Some(TOKEN), false)).contains(TOKEN));
    }
}
