//! Bytes to a head, with httparse. What it refuses is read by `lenient`, and marked.

use std::mem::MaybeUninit;

use bytes::Bytes;
use httparse::Status;

use super::head::MAX_FIELDS;
use super::{Head, HeadError, Kind, lenient, line_ends};
use crate::exchange::{
    Ambiguity, Headers, Method, Request, RequestTarget, Response, TargetForm, Version,
};
use crate::http::Message;

/// Header fields that fit on the stack: more than nearly all messages have.
const USUAL_FIELDS: usize = 128;

impl Head {
    /// The head at the start of `bytes`, `None` while it is not all there.
    pub fn parse(kind: Kind, bytes: &Bytes) -> Result<Option<Self>, HeadError> {
        match strictly(kind, bytes) {
            Ok(parsed) => Ok(parsed.map(|mut head| {
                head.ambiguity = head.ambiguity.or_else(|| ambiguity(&head.message));
                head
            })),
            Err(_) => lenient::parse(kind, bytes),
        }
    }
}

/// What httparse accepts, and targets in other bytes than UTF-8.
#[inline(always)]
fn strictly(kind: Kind, bytes: &Bytes) -> Result<Option<Head>, httparse::Error> {
    let mut fields = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
    let error = match parsed(kind, bytes, &mut fields) {
        Ok(parsed) => return Ok(parsed),
        Err(error) => error,
    };
    match error {
        httparse::Error::TooManyHeaders => with_many_fields(kind, bytes),
        // Only the first line of a request has tokens.
        httparse::Error::Token => with_raw_target(bytes).ok_or(error)?,
        _ => Err(error),
    }
}

#[inline(always)]
fn parsed<'a>(
    kind: Kind,
    bytes: &'a Bytes,
    fields: &mut [MaybeUninit<httparse::Header<'a>>],
) -> Result<Option<Head>, httparse::Error> {
    match kind {
        Kind::Request => {
            let mut request = httparse::Request::new(&mut []);
            let Status::Complete(length) = request.parse_with_uninit_headers(bytes, fields)? else {
                return Ok(None);
            };
            let target = bytes.slice_ref(request.path.unwrap_or_default().as_bytes());
            let ends = line_ends::of_fields(&bytes[..length], request.headers);
            let message = Request {
                version: version(request.version),
                headers: headers(bytes, request.headers),
                ..Request::new(request.method.unwrap_or_default(), target)
            };
            Ok(Some(Head {
                message: Message::Request(message.into()),
                length,
                ambiguity: line_ends::ambiguity(bytes, ends),
            }))
        }
        Kind::Response => {
            let mut response = httparse::Response::new(&mut []);
            // What browsers accept from servers, and proxies pass on.
            let parsed = httparse::ParserConfig::default()
                .allow_obsolete_multiline_headers_in_responses(true)
                .parse_response_with_uninit_headers(&mut response, bytes, fields)?;
            let Status::Complete(length) = parsed else {
                return Ok(None);
            };
            let fields = &*response.headers;
            let (headers, ambiguity) = if fields.iter().any(is_folded) {
                let ends = memchr::memchr_iter(b'\n', &bytes[..length]);
                (unfolded(fields), line_ends::ambiguity(bytes, ends))
            } else {
                let ends = line_ends::of_fields(&bytes[..length], fields);
                (headers(bytes, fields), line_ends::ambiguity(bytes, ends))
            };
            let message = Response {
                version: version(response.version),
                headers,
                ..Response::new(response.code.unwrap_or_default())
            };
            Ok(Some(Head {
                message: Message::Response(message.into()),
                length,
                ambiguity,
            }))
        }
    }
}

#[cold]
fn with_many_fields(kind: Kind, bytes: &Bytes) -> Result<Option<Head>, httparse::Error> {
    parsed(kind, bytes, &mut vec![MaybeUninit::uninit(); MAX_FIELDS])
}

/// A request whose target is not UTF-8, which httparse refuses: it is read with other bytes in the target's place. A
/// target is opaque, and servers take any byte that is not a space or a control character.
#[cold]
fn with_raw_target(bytes: &Bytes) -> Option<Result<Option<Head>, httparse::Error>> {
    let start = memchr::memchr(b' ', bytes)? + 1;
    let end = start + memchr::memchr2(b' ', b'\n', &bytes[start..])?;
    std::str::from_utf8(&bytes[start..end]).err()?;
    let mut ascii = bytes.to_vec();
    let raw = ascii[start..end].iter_mut().filter(|byte| !byte.is_ascii());
    raw.for_each(|byte| *byte = b'x');
    let result = strictly(Kind::Request, &Bytes::from(ascii));
    Some(result.map(|parsed| {
        let mut head = parsed?;
        if let Message::Request(request) = &mut head.message {
            request.target = RequestTarget::parse(&request.method, bytes.slice(start..end));
        }
        Some(head)
    }))
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

fn is_folded(field: &httparse::Header<'_>) -> bool {
    memchr::memchr(b'\n', field.value).is_some()
}

/// A line end inside a value is as good as spaces (RFC 9112 §5.2).
fn unfolded(fields: &[httparse::Header<'_>]) -> Headers {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let spaced = |byte: &u8| if is_end(byte) { b' ' } else { *byte };
    let value = |value: &[u8]| value.iter().map(spaced).collect::<Vec<_>>();
    let fields = fields.iter();
    fields
        .map(|field| (field.name, value(field.value)))
        .collect()
}

/// What servers are known to disagree about in a head that is well formed.
fn ambiguity(message: &Message) -> Option<Ambiguity> {
    let Message::Request(request) = message else {
        return None;
    };
    let headers = &request.headers;
    // Two hosts may be two sites (RFC 9112 §3.2).
    if headers.all("Host").nth(1).is_some() {
        Some(Ambiguity::SeveralHosts)
    } else if headers.names().any(is_lookalike) {
        Some(Ambiguity::LookalikeField)
    } else if !is_target(&request.method, &request.target) {
        Some(Ambiguity::TargetForm)
    } else {
        None
    }
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
fn is_target(method: &Method, target: &RequestTarget) -> bool {
    match target.form() {
        TargetForm::Authority => !target.as_bytes().starts_with(b"/"),
        // The second is what devices find each other with (UPnP 2.0 §1.3.2).
        TargetForm::Asterisk => matches!(method.as_str(), "OPTIONS" | "M-SEARCH"),
        TargetForm::Origin | TargetForm::Absolute => true,
        TargetForm::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The length, and why it is ambiguous.
    fn check(
        kind: Kind,
        text: &str,
        expect: Result<Option<(usize, Option<Ambiguity>)>, HeadError>,
    ) {
        let parsed = Head::parse(kind, &Bytes::copy_from_slice(text.as_bytes()));
        let seen = parsed.map(|parsed| parsed.map(|parsed| (parsed.length, parsed.ambiguity)));
        assert_eq!(seen, expect, "{text:?}");
    }

    #[test]
    fn heads_and_their_lengths() {
        let request = |text, expect| check(Kind::Request, text, expect);
        request(
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest",
            Ok(Some((27, None))),
        );
        request("GET / HTTP/1.1\nHost: a\n\nrest", Ok(Some((24, None))));
        request("GET http://a/b HTTP/1.1\r\n\r\n", Ok(Some((27, None))));
        request("CONNECT a:443 HTTP/1.1\r\n\r\n", Ok(Some((26, None))));
        request("GET / HTTP/1.1\r\nHost: a\r\n", Ok(None));
        request("GET / HTTP/2.0\r\n\r\n", Err(HeadError::NotHttp));
        request("GET HTTP/1.1\r\nHost : a\r\n\r\n", Err(HeadError::NotHttp));
        let response = |text, expect| check(Kind::Response, text, expect);
        response("HTTP/1.1 204 \r\n\r\n", Ok(Some((17, None))));
        response(
            "HTTP/1.0 200 OK\r\nA: b\r\n c\r\n\r\n",
            Ok(Some((29, None))),
        );
        response("ICY 200 OK\r\n\r\n", Err(HeadError::NotHttp));
    }

    #[test]
    fn what_servers_disagree_about_is_read_and_marked() {
        let request = |text: &str, why: Ambiguity| {
            check(Kind::Request, text, Ok(Some((text.len(), Some(why)))));
        };
        request("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Ambiguity::FieldLine);
        request("GET / HTTP/1.1\r\nno colon\r\n\r\n", Ambiguity::FieldLine);
        request("GET / HTTP/1.1\r\n: a\r\n\r\n", Ambiguity::FieldLine);
        request(
            "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
            Ambiguity::FoldedField,
        );
        request("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", Ambiguity::BareCr);
        request("GET / HTTP/1.1\r\nA: \x07\r\n\r\n", Ambiguity::FieldBytes);
        request(
            "GET / HTTP/1.1\r\nA: a\nB: b\r\n\r\n",
            Ambiguity::MixedLineEnds,
        );
        request(
            "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
            Ambiguity::SeveralHosts,
        );
        request(
            "GET / HTTP/1.1\r\nContent_Length: 3\r\n\r\n",
            Ambiguity::LookalikeField,
        );
        request(
            "GET / HTTP/1.1\r\nTransfer_encoding: x\r\n\r\n",
            Ambiguity::LookalikeField,
        );
        request("GET /a b HTTP/1.1\r\n\r\n", Ambiguity::TargetBytes);
        request(
            "GET /a b HTTP/1.1\r\nHost: a\tb\r\n\r\n",
            Ambiguity::TargetBytes,
        );
        request("GET /a\tb HTTP/1.1\r\n\r\n", Ambiguity::TargetBytes);
        request("GET /a\x7fb HTTP/1.1\r\n\r\n", Ambiguity::TargetBytes);
        request("GET  /a HTTP/1.1\r\n\r\n", Ambiguity::TargetBytes);
        request("GET a HTTP/1.1\r\n\r\n", Ambiguity::TargetForm);
        request("GET * HTTP/1.1\r\n\r\n", Ambiguity::TargetForm);
        request("CONNECT /a HTTP/1.1\r\n\r\n", Ambiguity::TargetForm);
        let text = "HTTP/1.1 200 OK\r\nServer : a\r\n\r\n";
        let why = Some(Ambiguity::FieldLine);
        check(Kind::Response, text, Ok(Some((text.len(), why))));
    }

    #[test]
    fn a_target_may_hold_any_byte_that_does_not_change_the_framing() {
        let raw: [&[u8]; 6] = [
            "/search?q=\u{4e2d}\u{6587}".as_bytes(),
            b"/a?\"<>|{}\\^`[]",
            b"/caf\xe9",
            b"/\xff\xfe?\xc3(",
            b"http://a/\xe9",
            b"/\xe9\xa0",
        ];
        for target in raw {
            let text = [b"GET ", target, b" HTTP/1.1\r\nHost: \xe9\r\n\r\n"].concat();
            let parsed = Head::parse(Kind::Request, &Bytes::from(text.clone()));
            let parsed = parsed.unwrap().unwrap();
            assert_eq!((parsed.ambiguity, parsed.length), (None, text.len()));
            let Message::Request(request) = parsed.message else {
                panic!("it is a request")
            };
            assert_eq!(request.target.as_bytes(), target);
            assert_eq!(request.headers.first("host"), Some(&b"\xe9"[..]));
            let part = Bytes::from(text[..text.len() - 2].to_vec());
            assert_eq!(Head::parse(Kind::Request, &part), Ok(None));
        }
        let text = b"GET /\xe9 b HTTP/1.1\r\n\r\n";
        let parsed = Head::parse(Kind::Request, &Bytes::from_static(text));
        let parsed = parsed.unwrap().unwrap();
        assert_eq!(parsed.ambiguity, Some(Ambiguity::TargetBytes));
    }

    #[test]
    fn a_head_may_have_thousands_of_fields() {
        let head = |fields: usize| {
            let fields: String = (0..fields).map(|n| format!("A{n}: b\r\n")).collect();
            Bytes::from(format!("GET / HTTP/1.1\r\n{fields}\r\n"))
        };
        for fields in [105, 128, 129, 1000, MAX_FIELDS] {
            let parsed = Head::parse(Kind::Request, &head(fields)).unwrap().unwrap();
            assert_eq!(parsed.message.headers().len(), fields);
            assert_eq!(parsed.ambiguity, None);
        }
        let parsed = Head::parse(Kind::Request, &head(MAX_FIELDS + 1));
        assert_eq!(parsed, Err(HeadError::TooManyFields));
    }

    #[test]
    fn an_ambiguous_head_may_have_as_many_fields_as_any() {
        let head = |fields: usize| {
            let fields = "A : b\r\n".repeat(fields);
            let text = Bytes::from(format!("GET / HTTP/1.1\r\n{fields}\r\n"));
            Head::parse(Kind::Request, &text)
        };
        let most = head(MAX_FIELDS).unwrap().unwrap();
        assert_eq!(most.message.headers().len(), MAX_FIELDS);
        assert_eq!(head(MAX_FIELDS + 1), Err(HeadError::TooManyFields));
    }

    #[test]
    fn what_an_ambiguous_head_says_is_kept() {
        let read = |kind, text: &'static str| {
            let text = Bytes::from_static(text.as_bytes());
            Head::parse(kind, &text).unwrap().unwrap().message
        };
        let request = read(
            Kind::Request,
            "PUT /a b HTTP/1.0\r\nHost : a\r\nodd\r\n\r\n",
        );
        let Message::Request(request) = request else {
            panic!("it is a request")
        };
        let headers = |fields: &[(&str, &str)]| {
            let owned =
                |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
            fields.iter().map(owned).collect()
        };
        let expect = Request {
            version: Version::Http10,
            headers: headers(&[("Host", "a"), ("odd", "")]),
            ..Request::new("PUT", "/a b")
        };
        assert_eq!(*request, expect);
        let response = read(Kind::Response, "HTTP/1.0 404 No\r\nA : b\r\n\r\n");
        let Message::Response(response) = response else {
            panic!("it is a response")
        };
        let expect = Response {
            version: Version::Http10,
            headers: headers(&[("A", "b")]),
            ..Response::new(404)
        };
        assert_eq!(*response, expect);
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
            let value = found.message.headers().first("a").unwrap();
            let words: Vec<_> = value
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty())
                .collect();
            assert_eq!(words, [b"b", b"c"]);
            assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n')));
            assert_eq!(found.message.headers().first("d").unwrap(), b"e");
        }
    }

    #[test]
    fn header_values_are_slices_of_the_packet() {
        for (kind, line) in [
            (Kind::Request, "GET /x?y HTTP/1.0"),
            (Kind::Response, "HTTP/1.0 200 OK"),
        ] {
            let bytes = Bytes::from(format!("{line}\r\nA: b c \r\na: \r\n\r\n"));
            let head = Head::parse(kind, &bytes).unwrap().unwrap();
            let values: Vec<_> = head.message.headers().all("a").collect();
            assert_eq!(values, [&b"b c"[..], b""]);
            assert!(bytes.as_ptr_range().contains(&values[0].as_ptr()));
            assert_eq!(head.message.version(), Version::Http10);
        }
    }
}
