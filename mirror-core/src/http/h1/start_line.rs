//! The first line of a message, and whether bytes may be the beginning of one.

/// Longest method looked for; the longest registered one (UPDATEREDIRECTREF) has 17 bytes.
const MAX_METHOD: usize = 24;

/// Which of the two messages a side sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Request,
    Response,
}

/// Whether bytes may be the beginning of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniff {
    Yes,
    /// Too few to tell.
    Maybe,
    No,
}

/// Whether more bytes may change what [`sniff`] says of the `before` bytes before them, which was "maybe".
pub(in crate::http) fn is_worth_another_look(before: usize, more: &[u8]) -> bool {
    before <= MAX_METHOD || memchr::memchr(b'\n', more).is_some()
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
    match kind {
        Kind::Request if !has_known_method(bytes) => Sniff::No,
        _ => sniff(kind, bytes),
    }
}

/// Whether bytes are the beginning of a request with a usual method, as far as they go.
pub(super) fn has_known_method(bytes: &[u8]) -> bool {
    let known = |method: &&[u8]| {
        let common = bytes.len().min(method.len());
        bytes[..common] == method[..common]
    };
    METHODS.iter().any(known)
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
    let method = bytes.iter().take(MAX_METHOD);
    let method = method
        .take_while(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
        .count();
    match bytes.get(method) {
        None => return Sniff::Maybe,
        Some(b' ') if method > 0 => {}
        _ => return Sniff::No,
    }
    let Some(end) = memchr::memchr(b'\n', bytes) else {
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

    fn check(kind: Kind, text: &str, expect: Sniff) {
        assert_eq!(sniff(kind, text.as_bytes()), expect, "{text:?}");
    }

    #[test]
    fn first_bytes_tell() {
        check(Kind::Request, "GET / HTTP/1.1\r\n", Sniff::Yes);
        check(Kind::Request, "M-SEARCH * HTTP/1.0\n", Sniff::Yes);
        check(Kind::Request, "GE", Sniff::Maybe);
        check(Kind::Request, "GET /a", Sniff::Maybe);
        check(Kind::Request, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Sniff::No);
        check(Kind::Request, "\x16\x03\x01", Sniff::No);
        check(Kind::Request, "THISISNOMETHODATALLBUTALONGWORD", Sniff::No);
        check(Kind::Request, " / HTTP/1.1\r\n", Sniff::No);
        let longest = "M".repeat(MAX_METHOD);
        let line = |method: &str| format!("{method} / HTTP/1.1\r\n");
        check(Kind::Request, &longest, Sniff::Maybe);
        check(Kind::Request, &line(&longest), Sniff::Yes);
        check(Kind::Request, &line(&format!("{longest}M")), Sniff::No);
        check(Kind::Response, "HTTP/1.1 200 OK", Sniff::Yes);
        check(Kind::Response, "HTTP", Sniff::Maybe);
        check(Kind::Response, "HTTP/1.1 2", Sniff::Maybe);
        check(Kind::Response, "HTTP/1.1 20x", Sniff::No);
        check(Kind::Response, "SSH-2.0", Sniff::No);
    }

    #[test]
    fn a_long_first_line_is_looked_at_again_where_it_ends() {
        let line = format!("GET /{}", "a".repeat(100));
        for more in ["a", " HTTP/1.1"] {
            assert!(!is_worth_another_look(line.len(), more.as_bytes()));
        }
        assert!(is_worth_another_look(line.len(), b" HTTP/1.1\r\n"));
        // Before its method is whole any byte tells.
        assert!(is_worth_another_look(3, b"x"));
        assert!(is_worth_another_look(MAX_METHOD, b"x"));
        assert!(!is_worth_another_look(MAX_METHOD + 1, b"x"));
    }

    #[test]
    fn a_usual_method_is_wanted_in_the_middle_of_something() {
        let check = |text: &str, expect: Sniff| {
            assert_eq!(
                sniff_known(Kind::Request, text.as_bytes()),
                expect,
                "{text:?}"
            );
        };
        check("GET / HTTP/1.1\r\n", Sniff::Yes);
        check("REPORT / HTTP/1.0\n", Sniff::Yes);
        check("GE", Sniff::Maybe);
        check("xGET / HTTP/1.1\r\n", Sniff::No);
        check("FETCH / HTTP/1.1\r\n", Sniff::No);
        check("GET / HTTP/2.0\r\n", Sniff::No);
        let response = b"HTTP/1.1 200 OK";
        assert_eq!(sniff_known(Kind::Response, response), Sniff::Yes);
    }
}
