//! What names a client: the credentials, cookies, connection and address that its request shows.

use super::CarryOrigin;
use super::pairs::{SetCookie, set_cookies};
use super::place::CarryPlace;
use super::reach::is_telling;
use crate::exchange::{Request, Response};

const CREDENTIALS: [&str; 3] = ["authorization", "x-api-key", "x-auth-token"];
const PROXIES: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
/// In names of cookies that name a session, in lower case.
const SESSION_WORDS: [&str; 6] = ["sess", "sid", "auth", "token", "jwt", "login"];

/// What names a session: its kind and value in one run of bytes.
pub(super) type Name = Box<[u8]>;

fn name(kind: u8, parts: &[&[u8]]) -> Name {
    let mut name = vec![kind];
    for part in parts {
        name.extend_from_slice(&(part.len() as u32).to_be_bytes());
        name.extend_from_slice(part);
    }
    name.into()
}

fn cookie_name(cookie: &str, value: &[u8]) -> Name {
    name(b'c', &[cookie.as_bytes(), value])
}

/// The names of all values of a cookie begin so.
pub(super) fn cookie_prefix(cookie: &str) -> Vec<u8> {
    name(b'c', &[cookie.as_bytes()]).into()
}

pub(super) fn credential_name(value: &[u8]) -> Name {
    name(b't', &[value])
}

/// What a request shows of its client.
pub(super) struct Visit {
    /// Credentials first, then cookies that may name a session.
    pub(super) names: Vec<ShownName>,
    /// None when the connection is a proxy's.
    pub(super) connection: Option<Name>,
    pub(super) address: Name,
}

pub(super) struct ShownName {
    pub(super) name: Name,
    /// The cookie that it is the value of.
    pub(super) cookie: Option<String>,
    /// It names a session even if production was not seen to set it.
    pub(super) by_itself: bool,
}

impl Visit {
    /// `pinned` are the places that a user said name a session.
    pub(super) fn of(from: CarryOrigin<'_>, pinned: &[CarryPlace]) -> Self {
        let exchange = from.exchange;
        let request = &exchange.request;
        let through_proxy = PROXIES.iter().any(|p| request.headers.first(p).is_some());
        let client = exchange.client.to_string();
        let number = exchange.connection.to_be_bytes();
        let connection = name(b'n', &[from.host.as_bytes(), client.as_bytes(), &number]);
        let told = |header: &str| request.headers.first(header).unwrap_or_default();
        let address = name(
            b'a',
            &[
                exchange.client.ip().to_string().as_bytes(),
                told("forwarded"),
                told("x-forwarded-for"),
                told("x-real-ip"),
                told("user-agent"),
            ],
        );
        Self {
            names: shown_names(request, pinned),
            connection: (!through_proxy).then_some(connection),
            address,
        }
    }
}

fn shown_names(request: &Request, pinned: &[CarryPlace]) -> Vec<ShownName> {
    let is_pinned = |place: CarryPlace| pinned.contains(&place);
    let takes = |place, otherwise| match pinned {
        [] => otherwise,
        _ => is_pinned(place),
    };
    let mut names = Vec::new();
    for (header, value) in request.headers.iter() {
        let header = header.to_ascii_lowercase();
        let is_credential = CREDENTIALS.contains(&header.as_str());
        if header != "cookie" && takes(CarryPlace::Header(header), is_credential) {
            let value = value.trim_ascii();
            // Without `Bearer`, as the answer had it that issued it.
            let credential = value.rsplit(|byte| *byte == b' ').next();
            names.push(ShownName {
                name: credential_name(credential.unwrap_or(value)),
                cookie: None,
                by_itself: true,
            });
        }
    }
    for (cookie, value) in cookies(request) {
        let by_itself = takes(
            CarryPlace::Cookie(cookie.into()),
            sounds_like_session(cookie),
        );
        if is_telling(value) || (by_itself && !pinned.is_empty()) {
            names.push(ShownName {
                name: cookie_name(cookie, value),
                cookie: Some(cookie.into()),
                by_itself,
            });
        }
    }
    names
}

fn sounds_like_session(cookie: &str) -> bool {
    let cookie = cookie.to_ascii_lowercase();
    let is_csrf = cookie.contains("csrf") || cookie.contains("xsrf");
    !is_csrf && SESSION_WORDS.iter().any(|word| cookie.contains(word))
}

fn cookies(request: &Request) -> impl Iterator<Item = (&str, &[u8])> {
    let lines = request.headers.all("cookie");
    let pieces = lines.flat_map(|line| line.split(|byte| *byte == b';'));
    pieces.filter_map(|piece| {
        let at = memchr::memchr(b'=', piece)?;
        let name = std::str::from_utf8(piece[..at].trim_ascii()).ok()?;
        Some((name, piece[at + 1..].trim_ascii()))
    })
}

/// The names of the session that production's cookies give.
pub(super) fn set_names<'r>(
    production: &'r Response,
    pinned: &'r [CarryPlace],
) -> impl Iterator<Item = Name> + 'r {
    let names_session = |cookie: &SetCookie<'_>| match pinned {
        [] => {
            let says = cookie.http_only || sounds_like_session(cookie.name);
            says && is_telling(cookie.value)
        }
        _ => pinned.contains(&CarryPlace::Cookie(cookie.name.into())),
    };
    set_cookies(production)
        .filter(move |cookie| names_session(cookie))
        .map(|cookie| cookie_name(cookie.name, cookie.value))
}
