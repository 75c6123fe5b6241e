//! Start line and header section, with httparse; and the look at first bytes that tells whether it is worth it.

use bytes::Bytes;
use httparse::{EMPTY_HEADER, Status};

use crate::exchange::Headers;

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
        target: String,
        minor: u8,
        headers: Headers,
    },
    Response {
        status: u16,
        minor: u8,
        headers: Headers,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an HTTP/1 head")]
pub struct HeadError;

impl Head {
    /// The head at the start of `bytes` and its length, `None` while it is not all there.
    pub fn parse(kind: Kind, bytes: &Bytes) -> Result<Option<(Self, usize)>, HeadError> {
        let mut fields = [EMPTY_HEADER; MAX_HEADERS];
        match kind {
            Kind::Request => {
                let mut request = httparse::Request::new(&mut fields);
                let Status::Complete(length) = request.parse(bytes).map_err(|_| HeadError)? else {
                    return Ok(None);
                };
                let head = Self::Request {
                    method: request.method.unwrap_or_default().to_owned(),
                    target: request.path.unwrap_or_default().to_owned(),
                    minor: request.version.unwrap_or_default(),
                    headers: headers(bytes, request.headers),
                };
                Ok(Some((head, length)))
            }
            Kind::Response => {
                let mut response = httparse::Response::new(&mut fields);
                // What browsers accept from servers, and proxies pass on.
                let parsed = httparse::ParserConfig::default()
                    .allow_spaces_after_header_name_in_responses(true)
                    .allow_obsolete_multiline_headers_in_responses(true)
                    .parse_response(&mut response, bytes);
                let Status::Complete(length) = parsed.map_err(|_| HeadError)? else {
                    return Ok(None);
                };
                let head = Self::Response {
                    status: response.code.unwrap_or_default(),
                    minor: response.version.unwrap_or_default(),
                    headers: headers(bytes, response.headers),
                };
                Ok(Some((head, length)))
            }
        }
    }

    pub fn minor(&self) -> u8 {
        match self {
            Self::Request { minor, .. } | Self::Response { minor, .. } => *minor,
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

fn headers(bytes: &Bytes, fields: &[httparse::Header<'_>]) -> Headers {
    let field =
        |field: &httparse::Header<'_>| (field.name.to_owned(), bytes.slice_ref(field.value));
    Headers(fields.iter().map(field).collect())
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

    fn check(kind: Kind, text: &'static str, expect: Result<Option<usize>, HeadError>) {
        let parsed = Head::parse(kind, &Bytes::from_static(text.as_bytes()));
        assert_eq!(
            parsed.map(|head| head.map(|(_, length)| length)),
            expect,
            "{text:?}"
        );
    }

    fn check_sniff(kind: Kind, text: &str, expect: Sniff) {
        assert_eq!(sniff(kind, text.as_bytes()), expect, "{text:?}");
    }

    #[test]
    fn heads_and_their_lengths() {
        check(
            Kind::Request,
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest",
            Ok(Some(27)),
        );
        check(Kind::Request, "GET / HTTP/1.1\r\nHost: a\r\n", Ok(None));
        check(Kind::Request, "GET / HTTP/2.0\r\n\r\n", Err(HeadError));
        check(
            Kind::Request,
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            Err(HeadError),
        );
        check(Kind::Response, "HTTP/1.1 204 \r\n\r\n", Ok(Some(17)));
        check(
            Kind::Response,
            "HTTP/1.0 200 OK\r\nA: b\r\n c\r\n\r\n",
            Ok(Some(29)),
        );
        check(Kind::Response, "ICY 200 OK\r\n\r\n", Err(HeadError));
    }

    #[test]
    fn header_values_are_slices_of_the_packet() {
        let bytes = Bytes::from_static(b"GET /x?y HTTP/1.0\r\nA: b c \r\na: \r\n\r\n");
        let Ok(Some((head, _))) = Head::parse(Kind::Request, &bytes) else {
            panic!("it is whole")
        };
        let values: Vec<_> = head.headers().all("a").collect();
        assert_eq!(values, ["b c", ""]);
        assert_eq!(head.minor(), 0);
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
