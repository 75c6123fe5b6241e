//! Start line and header section, with httparse; and the look at first bytes that tells whether it is worth it.

use std::mem::MaybeUninit;

use bytes::Bytes;
use httparse::Status;

use super::lenient;
use crate::exchange::{Headers, RequestTarget, TargetForm, Version};

/// Header fields accepted per message; more is an error, as in most servers.
const MAX_HEADERS: usize = 128;

/// Longest method looked for; the longest registered one (UPDATEREDIRECTREF) has 17 bytes.
const MAX_METHOD: usize = 24;

/// Which of the two messages a side sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Request,
    Response,
}

/// A parsed head: a message without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    Request {
        method: String,
        target: RequestTarget,
        version: Version,
        headers: Headers,
    },
    Response {
        status: u16,
        version: Version,
        headers: Headers,
    },
}

/// A head at the start of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub head: Head,
    /// Bytes of it, the empty line included.
    pub length: usize,
    /// Another parser could read it differently, or refuse it.
    pub ambiguous: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an HTTP/1 head")]
pub struct HeadError;

impl Head {
    /// The head at the start of `bytes`, `None` while it is not all there.
    pub fn parse(kind: Kind, bytes: &Bytes) -> Result<Option<Found>, HeadError> {
        match Self::strictly(kind, bytes) {
            Ok(found) => Ok(found.map(|(head, length)| {
                let ambiguous = is_ambiguous(&head, &bytes[..length]);
                Found {
                    head,
                    length,
                    ambiguous,
                }
            })),
            Err(HeadError) => lenient::parse(kind, bytes),
        }
    }

    fn strictly(kind: Kind, bytes: &Bytes) -> Result<Option<(Self, usize)>, HeadError> {
        let mut fields = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        match kind {
            Kind::Request => {
                let mut request = httparse::Request::new(&mut []);
                let parsed = request.parse_with_uninit_headers(bytes, &mut fields);
                let Status::Complete(length) = parsed.map_err(|_| HeadError)? else {
                    return Ok(None);
                };
                let method = request.method.unwrap_or_default().to_owned();
                let target = bytes.slice_ref(request.path.unwrap_or_default().as_bytes());
                let head = Self::Request {
                    target: RequestTarget::parse(&method, target),
                    method,
                    version: version(request.version),
                    headers: headers(bytes, request.headers),
                };
                Ok(Some((head, length)))
            }
            Kind::Response => {
                let mut response = httparse::Response::new(&mut []);
                // What browsers accept from servers, and proxies pass on.
                let parsed = httparse::ParserConfig::default()
                    .allow_obsolete_multiline_headers_in_responses(true)
                    .parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
                let Status::Complete(length) = parsed.map_err(|_| HeadError)? else {
                    return Ok(None);
                };
                let head = Self::Response {
                    status: response.code.unwrap_or_default(),
                    version: version(response.version),
                    headers: unfold(headers(bytes, response.headers)),
                };
                Ok(Some((head, length)))
            }
        }
    }

    pub fn version(&self) -> Version {
        match self {
            Self::Request { version, .. } | Self::Response { version, .. } => *version,
        }
    }

    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request { headers, .. } | Self::Response { headers, .. } => headers,
        }
    }

    /// 0 for a request.
    pub fn status(&self) -> u16 {
        match self {
            Self::Request { .. } => 0,
            Self::Response { status, .. } => *status,
        }
    }
}

/// httparse gives the minor version.
fn version(minor: Option<u8>) -> Version {
    match minor {
        Some(0) => Version::Http10,
        _ => Version::Http11,
    }
}

fn headers(block: &Bytes, fields: &[httparse::Header<'_>]) -> Headers {
    Headers::within(block, fields.iter().map(|field| (field.name, field.value)))
}

/// A line end inside a value is as good as spaces (RFC 9112 §5.2).
fn unfold(headers: Headers) -> Headers {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    if !headers.iter().any(|(_, value)| value.iter().any(is_end)) {
        return headers;
    }
    let spaced = |byte: &u8| if is_end(byte) { b' ' } else { *byte };
    let unfolded = |(name, value): (&str, &[u8])| {
        (
            name.to_owned(),
            value.iter().map(spaced).collect::<Vec<_>>(),
        )
    };
    headers.iter().map(unfolded).collect()
}

/// Whether servers are known to disagree about a head that is well formed.
pub(super) fn is_ambiguous(head: &Head, bytes: &[u8]) -> bool {
    if has_mixed_line_ends(bytes) {
        return true;
    }
    let Head::Request {
        method,
        target,
        headers,
        ..
    } = head
    else {
        return false;
    };
    // Two hosts may be two sites (RFC 9112 §3.2).
    headers.all("host").nth(1).is_some()
        || headers.names().any(is_lookalike)
        || !is_target(method, target)
}

/// Only bare LFs everywhere are a habit of simple clients; among CRLFs they hide a line from some parsers.
fn has_mixed_line_ends(bytes: &[u8]) -> bool {
    let mut seen = [false; 2];
    for end in memchr::memchr_iter(b'\n', bytes) {
        let after_cr = end > 0 && bytes[end - 1] == b'\r';
        seen[usize::from(after_cr)] = true;
    }
    seen[0] && seen[1]
}

/// Gateways that hand fields on as variables make `_` of `-`.
fn is_lookalike(name: &[u8]) -> bool {
    let dashed = |byte: &u8| {
        if *byte == b'_' {
            b'-'
        } else {
            byte.to_ascii_lowercase()
        }
    };
    let is = |other: &[u8]| {
        name.len() == other.len()
            && name.contains(&b'_')
            && name.iter().map(dashed).eq(other.iter().copied())
    };
    is(b"content-length") || is(b"transfer-encoding")
}

/// One of the four forms (RFC 9112 §3.2).
fn is_target(method: &str, target: &RequestTarget) -> bool {
    match target.form() {
        TargetForm::Authority => !target.as_bytes().starts_with(b"/"),
        // The second is what devices find each other with (UPnP 2.0 §1.3.2).
        TargetForm::Asterisk => matches!(method, "OPTIONS" | "M-SEARCH"),
        TargetForm::Origin | TargetForm::Absolute => target.as_bytes().is_ascii(),
        TargetForm::Other => false,
    }
}

/// Whether bytes may be the beginning of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniff {
    Yes,
    /// Too few to tell.
    Maybe,
    No,
}

/// Looks at no more than the first line.
pub fn sniff(kind: Kind, bytes: &[u8]) -> Sniff {
    match kind {
        Kind::Request => sniff_request(bytes),
        Kind::Response => sniff_response(bytes),
    }
}

/// As [`sniff`], for bytes that may begin in the middle of something: the method must be a usual one, not the end of
/// a body grown together with one.
pub fn sniff_known(kind: Kind, bytes: &[u8]) -> Sniff {
    let known = |method: &&[u8]| {
        let common = bytes.len().min(method.len());
        bytes[..common] == method[..common]
    };
    match kind {
        Kind::Request if !METHODS.iter().any(known) => Sniff::No,
        _ => sniff(kind, bytes),
    }
}

/// With the space behind them: RFC 9110, RFC 5789 and the WebDAV that is in use.
const METHODS: [&[u8]; 16] = [
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"PUT ",
    b"DELETE ",
    b"CONNECT ",
    b"OPTIONS ",
    b"TRACE ",
    b"PATCH ",
    b"QUERY ",
    b"PROPFIND ",
    b"PROPPATCH ",
    b"MKCOL ",
    b"COPY ",
    b"MOVE ",
    b"REPORT ",
];

fn sniff_request(bytes: &[u8]) -> Sniff {
    let method = bytes.iter().take(MAX_METHOD + 1);
    let method = method
        .take_while(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
        .count();
    match bytes.get(method) {
        None if method <= MAX_METHOD => return Sniff::Maybe,
        Some(b' ') if method > 0 && method <= MAX_METHOD => {}
        _ => return Sniff::No,
    }
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return Sniff::Maybe;
    };
    let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
    match line.len().checked_sub(9).map(|at| &line[at..]) {
        Some(b" HTTP/1.0" | b" HTTP/1.1") => Sniff::Yes,
        _ => Sniff::No,
    }
}

fn sniff_response(bytes: &[u8]) -> Sniff {
    const START: &[u8] = b"HTTP/1.";
    let common = bytes.len().min(START.len());
    if bytes[..common] != START[..common] {
        return Sniff::No;
    }
    match bytes.get(START.len()..START.len() + 5) {
        None => Sniff::Maybe,
        Some([b'0' | b'1', b' ', b'1'..=b'9', b'0'..=b'9', b'0'..=b'9']) => Sniff::Yes,
        Some(_) => Sniff::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The length and whether it is ambiguous.
    fn check(kind: Kind, text: &'static str, expect: Result<Option<(usize, bool)>, HeadError>) {
        let parsed = Head::parse(kind, &Bytes::from_static(text.as_bytes()));
        let seen = parsed.map(|found| found.map(|found| (found.length, found.ambiguous)));
        assert_eq!(seen, expect, "{text:?}");
    }

    fn check_sniff(kind: Kind, text: &str, expect: Sniff) {
        assert_eq!(sniff(kind, text.as_bytes()), expect, "{text:?}");
    }

    #[test]
    fn heads_and_their_lengths() {
        let request = |text, expect| check(Kind::Request, text, expect);
        request(
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest",
            Ok(Some((27, false))),
        );
        request("GET / HTTP/1.1\nHost: a\n\nrest", Ok(Some((24, false))));
        request("GET http://a/b HTTP/1.1\r\n\r\n", Ok(Some((27, false))));
        request("CONNECT a:443 HTTP/1.1\r\n\r\n", Ok(Some((26, false))));
        request("GET / HTTP/1.1\r\nHost: a\r\n", Ok(None));
        request("GET / HTTP/2.0\r\n\r\n", Err(HeadError));
        let response = |text, expect| check(Kind::Response, text, expect);
        response("HTTP/1.1 204 \r\n\r\n", Ok(Some((17, false))));
        response(
            "HTTP/1.0 200 OK\r\nA: b\r\n c\r\n\r\n",
            Ok(Some((29, false))),
        );
        response("ICY 200 OK\r\n\r\n", Err(HeadError));
    }

    #[test]
    fn what_servers_disagree_about_is_read_and_marked() {
        for text in [
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n",
            "GET / HTTP/1.1\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\nA: \x07\r\n\r\n",
            "GET /a b HTTP/1.1\r\n\r\n",
            "GET a HTTP/1.1\r\n\r\n",
            "GET * HTTP/1.1\r\n\r\n",
            "GET /\u{e4} HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nContent_Length: 3\r\n\r\n",
        ] {
            check(Kind::Request, text, Ok(Some((text.len(), true))));
        }
        let text = "HTTP/1.1 200 OK\r\nServer : a\r\n\r\n";
        check(Kind::Response, text, Ok(Some((text.len(), true))));
    }

    #[test]
    fn a_folded_value_is_one_value() {
        for kind in [Kind::Request, Kind::Response] {
            let line = match kind {
                Kind::Request => "GET / HTTP/1.1",
                Kind::Response => "HTTP/1.1 200 OK",
            };
            let text = format!("{line}\r\nA: b\r\n\tc\r\nD: e\r\n\r\n");
            let found = Head::parse(kind, &text.into()).unwrap().unwrap();
            let value = found.head.headers().first("a").unwrap();
            let words: Vec<_> = value
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty())
                .collect();
            assert_eq!(words, [b"b", b"c"]);
            assert_eq!(found.head.headers().first("d").unwrap(), b"e");
        }
    }

    #[test]
    fn header_values_are_slices_of_the_packet() {
        let bytes = Bytes::from_static(b"GET /x?y HTTP/1.0\r\nA: b c \r\na: \r\n\r\n");
        let Ok(Some(Found { head, .. })) = Head::parse(Kind::Request, &bytes) else {
            panic!("it is whole")
        };
        let values: Vec<_> = head.headers().all("a").collect();
        assert_eq!(values, [&b"b c"[..], b""]);
        assert_eq!(head.version(), Version::Http10);
    }

    #[test]
    fn first_bytes_tell() {
        check_sniff(Kind::Request, "GET / HTTP/1.1\r\n", Sniff::Yes);
        check_sniff(Kind::Request, "M-SEARCH * HTTP/1.0\n", Sniff::Yes);
        check_sniff(Kind::Request, "GE", Sniff::Maybe);
        check_sniff(Kind::Request, "GET /a", Sniff::Maybe);
        check_sniff(Kind::Request, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Sniff::No);
        check_sniff(Kind::Request, "\x16\x03\x01", Sniff::No);
        check_sniff(Kind::Request, "THISISNOMETHODATALLBUTALONGWORD", Sniff::No);
        check_sniff(Kind::Response, "HTTP/1.1 200 OK", Sniff::Yes);
        check_sniff(Kind::Response, "HTTP", Sniff::Maybe);
        check_sniff(Kind::Response, "HTTP/1.1 2", Sniff::Maybe);
        check_sniff(Kind::Response, "HTTP/1.1 20x", Sniff::No);
        check_sniff(Kind::Response, "SSH-2.0", Sniff::No);
    }
}
