//! The target of a request line: the only code that knows its forms (RFC 9112 §3.2).
//!
//! A target is opaque bytes. What a server accepted is kept as it was sent, raw UTF-8 and `"<>|{}` included; nothing is
//! decoded or normalised here.

use std::{borrow::Cow, fmt};

use bytes::Bytes;

/// How a client wrote the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetForm {
    /// `/path?query`
    Origin,
    /// `http://host/path?query`
    Absolute,
    /// `host:port`, of CONNECT
    Authority,
    /// `*`, of OPTIONS
    Asterisk,
    /// None of these, as in `path?query`. Some servers answer it.
    Other,
}

/// A request target, parsed once where the head is read.
#[derive(Clone)]
pub struct RequestTarget {
    bytes: Bytes,
    form: TargetForm,
    /// Where the path begins. An absolute target without a path has it at the end of the authority.
    path_start: u32,
    path_end: u32,
    /// Where the query ends, if there is one. It begins one byte after the path.
    query_end: Option<u32>,
}

impl RequestTarget {
    /// Splits the target of a request with this method. Every input is a target, and no byte of it is changed.
    pub fn parse(method: &str, target: impl Into<Bytes>) -> Self {
        let bytes: Bytes = target.into();
        let form = form(method, &bytes);
        let path_start = match form {
            TargetForm::Absolute => authority_end(&bytes),
            TargetForm::Authority => bytes.len(),
            TargetForm::Origin | TargetForm::Asterisk | TargetForm::Other => 0,
        };
        let local = &bytes[path_start..];
        let (path_len, local_len) = match memchr::memchr2(b'?', b'#', local) {
            None => (local.len(), local.len()),
            Some(at) if local[at] == b'#' => (at, at),
            Some(at) => (at, memchr::memchr(b'#', local).unwrap_or(local.len())),
        };
        let has_query = local.get(path_len) == Some(&b'?');
        Self {
            form,
            path_start: offset(path_start),
            path_end: offset(path_start + path_len),
            query_end: has_query.then(|| offset(path_start + local_len)),
            bytes,
        }
    }

    /// As it was sent.
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub fn form(&self) -> TargetForm {
        self.form
    }

    /// The path as sent: not decoded, without query and fragment. `/` where it is empty.
    pub fn path(&self) -> &[u8] {
        match &self.bytes[self.path_start as usize..self.path_end as usize] {
            b"" => b"/",
            path => path,
        }
    }

    /// The path as text, with U+FFFD for what is not UTF-8.
    pub fn path_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.path())
    }

    /// The query as sent, without its `?` and without a fragment. An empty one is there, and empty.
    pub fn query(&self) -> Option<&[u8]> {
        let end = self.query_end? as usize;
        Some(&self.bytes[self.path_end as usize + 1..end])
    }

    /// Path and query as a client sends them to an origin server, without a fragment.
    pub fn path_and_query(&self) -> Cow<'_, [u8]> {
        match self.query() {
            None => self.path().into(),
            Some(query) => [self.path(), b"?", query].concat().into(),
        }
    }

    /// Everything after the authority as sent, a fragment included: what goes into a request line to the same path on
    /// another host. It begins with `/`, or is `*`, where the target is in origin, absolute or asterisk form.
    pub fn local_part(&self) -> Cow<'_, [u8]> {
        let local = &self.bytes[self.path_start as usize..];
        match (self.form, local.first()) {
            (TargetForm::Absolute, first) if first != Some(&b'/') => [b"/", local].concat().into(),
            _ => local.into(),
        }
    }

    /// The authority of a target in absolute or authority form, user and port included.
    pub fn authority(&self) -> Option<&[u8]> {
        match self.form {
            TargetForm::Absolute => {
                let start = scheme_end(&self.bytes)? + 3;
                Some(&self.bytes[start..self.path_start as usize])
            }
            TargetForm::Authority => Some(&self.bytes),
            TargetForm::Origin | TargetForm::Asterisk | TargetForm::Other => None,
        }
    }

    /// The target as text, with U+FFFD for what is not UTF-8.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

impl fmt::Display for RequestTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for RequestTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.form, self.text())
    }
}

impl PartialEq for RequestTarget {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.form == other.form
    }
}

impl Eq for RequestTarget {}

impl PartialEq<str> for RequestTarget {
    fn eq(&self, other: &str) -> bool {
        self.bytes == other.as_bytes()
    }
}

impl PartialEq<&str> for RequestTarget {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

fn form(method: &str, bytes: &[u8]) -> TargetForm {
    if method == "CONNECT" {
        TargetForm::Authority
    } else if bytes.starts_with(b"/") {
        TargetForm::Origin
    } else if bytes == b"*" {
        TargetForm::Asterisk
    } else if scheme_end(bytes).is_some() {
        TargetForm::Absolute
    } else {
        TargetForm::Other
    }
}

/// Where the `://` after a scheme is (RFC 3986 §3.1): a letter, then letters, digits, `+`, `-` and `.`. So a URL in the
/// path or the query of another target is not taken for a scheme.
fn scheme_end(bytes: &[u8]) -> Option<usize> {
    let is_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let len = bytes.iter().take_while(|byte| is_scheme(byte)).count();
    let has_letter = bytes.first().is_some_and(u8::is_ascii_alphabetic);
    (has_letter && bytes[len..].starts_with(b"://")).then_some(len)
}

fn authority_end(bytes: &[u8]) -> usize {
    let start = scheme_end(bytes).map_or(0, |end| end + 3);
    position(&bytes[start..], b"/?#").map_or(bytes.len(), |at| start + at)
}

fn position(bytes: &[u8], any_of: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| any_of.contains(byte))
}

/// A head is far smaller than 4 GiB.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Expected<'a> {
        form: TargetForm,
        path: &'a str,
        query: Option<&'a str>,
        authority: Option<&'a str>,
        local_part: &'a str,
    }

    fn check(method: &str, target: &'static str, expect: Expected<'_>) {
        let parsed = RequestTarget::parse(method, target);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(parsed.form(), expect.form, "{target}");
        assert_eq!(text(parsed.path()), expect.path, "{target}");
        assert_eq!(parsed.query().map(text).as_deref(), expect.query);
        assert_eq!(parsed.authority().map(text).as_deref(), expect.authority);
        assert_eq!(text(&parsed.local_part()), expect.local_part, "{target}");
        assert_eq!(parsed.as_bytes(), target.as_bytes());
    }

    fn origin<'a>(path: &'a str, query: Option<&'a str>, local_part: &'a str) -> Expected<'a> {
        Expected {
            form: TargetForm::Origin,
            path,
            query,
            authority: None,
            local_part,
        }
    }

    #[test]
    fn a_url_inside_a_target_does_not_change_its_path() {
        for target in [
            "/login?next=http://shop/orders/7",
            "/login?http://shop/orders/7",
        ] {
            let query = target.split_once('?').map(|(_, query)| query);
            check("GET", target, origin("/login", query, target));
        }
        let proxied = "/proxy/http://shop/orders/7";
        check("GET", proxied, origin(proxied, None, proxied));
        let fragment = "/a#http://shop/b";
        check("GET", fragment, origin("/a", None, fragment));
        check("GET", "//shop/a", origin("//shop/a", None, "//shop/a"));
        let other = RequestTarget::parse("POST", "delete?next=http://x/orders");
        assert_eq!(other.form(), TargetForm::Other);
        assert_eq!(other.path(), b"delete");
    }

    #[test]
    fn an_absolute_target_has_an_authority_and_a_path() {
        let absolute = |path, query, authority, local_part| Expected {
            form: TargetForm::Absolute,
            path,
            query,
            authority: Some(authority),
            local_part,
        };
        check(
            "GET",
            "http://shop:80/a?b=http://c/d",
            absolute("/a", Some("b=http://c/d"), "shop:80", "/a?b=http://c/d"),
        );
        check("GET", "HTTP://shop", absolute("/", None, "shop", "/"));
        check(
            "GET",
            "http://u:p@[::1]:80?x",
            absolute("/", Some("x"), "u:p@[::1]:80", "/?x"),
        );
        check("GET", "a+b-c.1://", absolute("/", None, "", "/"));
    }

    #[test]
    fn the_other_forms_are_kept_as_they_are() {
        let expect = |form, path, query, authority, local_part| Expected {
            form,
            path,
            query,
            authority,
            local_part,
        };
        check(
            "OPTIONS",
            "*",
            expect(TargetForm::Asterisk, "*", None, None, "*"),
        );
        check(
            "CONNECT",
            "shop:443",
            expect(TargetForm::Authority, "/", None, Some("shop:443"), ""),
        );
        check(
            "GET",
            "a/b?c",
            expect(TargetForm::Other, "a/b", Some("c"), None, "a/b?c"),
        );
        check(
            "GET",
            "1http://a/b",
            expect(TargetForm::Other, "1http://a/b", None, None, "1http://a/b"),
        );
        check("GET", "", expect(TargetForm::Other, "/", None, None, ""));
    }

    #[test]
    fn bytes_that_are_not_text_are_kept() {
        let raw: &'static [u8] = b"/a\xff?\xfe=\"<>|{}";
        let parsed = RequestTarget::parse("GET", raw);
        assert_eq!(parsed.path(), b"/a\xff");
        assert_eq!(parsed.query(), Some(&b"\xfe=\"<>|{}"[..]));
        assert_eq!(parsed.as_bytes(), raw);
        assert_eq!(parsed.path_text(), "/a\u{fffd}");
    }
}
