use mirror_core::exchange::RequestTarget;
use mirror_core::http::{Answered, HttpLimits, Kind, Message, Parsed, Parser};
use mirror_core::options::FromText;
use mirror_core::tcp::{Arrival, StreamEvent};

use super::*;

const MARKS: &str = "x-mirror-captured-at: 7\r\nx-mirror-replay: 1\r\n";

/// As capture reads it.
fn captured(text: &[u8]) -> Request {
    let limits = HttpLimits {
        max_head: 1 << 20,
        max_body: 1 << 20,
    };
    let mut parser = Parser::new(Kind::Request, limits);
    let bytes = Bytes::copy_from_slice(text);
    parser.push(StreamEvent::Data(bytes), Arrival::default());
    loop {
        match parser.poll() {
            Some(Parsed::Head) => parser.proceed(Answered::Other),
            Some(Parsed::Message {
                message: Message::Request(request),
                ..
            }) => return *request,
            other => panic!("{}: {other:?}", text.escape_ascii()),
        }
    }
}

fn written(target: &str, request: &Request, marks: &Marks<'_>) -> Result<String, Unsendable> {
    let target = Target::from_text(target).unwrap();
    let outgoing = Outgoing::new(&target, request, marks)?;
    let mut slices = [IoSlice::new(&[]); 64];
    let used = outgoing.slices(Cursor::default(), outgoing.end(false), &mut slices);
    let bytes = joined(&slices[..used]);
    assert_eq!(outgoing.len(), bytes.len() as u64);
    // However it is cut into writes, all of it is written.
    for size in 1..bytes.len() {
        let (mut at, mut cut) = (Cursor::default(), Vec::new());
        while at != outgoing.end(false) {
            let used = outgoing.slices(at, outgoing.end(false), &mut slices[..2]);
            let rest = joined(&slices[..used]);
            let len = rest.len().min(size);
            cut.extend_from_slice(&rest[..len]);
            at = outgoing.advanced(at, len);
        }
        assert_eq!(cut, bytes);
    }
    Ok(bytes.escape_ascii().to_string())
}

fn joined(slices: &[IoSlice<'_>]) -> Vec<u8> {
    slices.iter().flat_map(|slice| slice.to_vec()).collect()
}

fn marks() -> Marks<'static> {
    Marks {
        at: 7,
        ..Marks::default()
    }
}

/// `{marks}` stands for the marks.
fn check(sent: &[u8], expect: &str) {
    let request = captured(sent);
    let is = written("http://mirror:8080", &request, &marks()).unwrap();
    let expect = expect.replace("{marks}", MARKS);
    assert_eq!(is, expect.as_bytes().escape_ascii().to_string());
}

/// Nothing changes but the marks after the last field.
fn check_same(head: &str, body: &str) {
    let expect = format!("{head}{{marks}}\r\n{body}");
    check(format!("{head}\r\n{body}").as_bytes(), &expect);
}

#[test]
fn a_request_goes_out_as_it_was() {
    check_same("GET / HTTP/1.1\r\nHost: a\r\n", "");
    check_same("GET /%zz?a#b<c> HTTP/1.0\r\nhOST:a\r\n", "");
    check_same(
        "GET / HTTP/1.1\r\nHost:  a \r\nX: 1\r\naccept:\r\nx:\t2\r\nX: 1\r\n",
        "",
    );
    check_same("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n", "");
    check_same(
        "POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 3, 3\r\nContent-Length: 3\r\n",
        "abc",
    );
    check_same(
        "PUT / HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\nTE: trailers\r\nKeep-Alive: 3\r\n",
        "",
    );
    check_same(
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n",
        "3\r\nabc\r\n0\r\nDigest: x\r\n\r\n",
    );
    check_same(
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n",
        "0\r\n\r\n",
    );
    check_same("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n", "");
}

#[test]
fn bare_line_feeds_stay() {
    let end = MARKS.replace("\r\n", "\n");
    check(
        b"GET / HTTP/1.0\nHost: a\nB: c\n\n",
        &format!("GET / HTTP/1.0\nHost: a\nB: c\n{end}\n"),
    );
}

#[test]
fn bytes_that_are_no_text_stay() {
    let sent = b"GET /\xff?\xe9 HTTP/1.1\r\nHost: \xe4\r\n\r\n";
    let request = captured(sent);
    let is = written("http://mirror", &request, &marks()).unwrap();
    assert!(is.starts_with("GET /\\xff?\\xe9 HTTP/1.1\\r\\nHost: \\xe4\\r\\nx-"));
}

#[test]
fn chunks_become_one() {
    check(
        b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n1;x=y\r\na\r\n00b\r\nbcdefghijkl\r\n0\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n{marks}\r\nc\r\nabcdefghijkl\r\n0\r\n\r\n",
    );
}

#[test]
fn marks_of_a_client_are_replaced() {
    let sent = b"PUT / HTTP/1.1\r\nX-Mirror-Request-Id: 1\r\nHost: a\r\nx-mirror-REPLAY: 0\r\nx-mirror-namespace: b\r\nx-mirror-captured-at: 1\r\nx-mirror-position: 2\r\nX-Mirror-Send: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Mirror-Namespace: c\r\nD: e\r\n\r\n";
    let marks = Marks {
        id: Some("id-1"),
        namespace: Some("run"),
        at: 12,
        send: Some("7-c"),
    };
    let is = written("http://mirror", &captured(sent), &marks).unwrap();
    let expect = "PUT / HTTP/1.1\r\nHost: a\r\nx-mirror-position: 2\r\nTransfer-Encoding: chunked\r\nx-mirror-request-id: id-1\r\nx-mirror-namespace: run\r\nx-mirror-send: 7-c\r\nx-mirror-captured-at: 12\r\nx-mirror-replay: 1\r\n\r\n0\r\nD: e\r\n\r\n";
    assert_eq!(is, expect.as_bytes().escape_ascii().to_string());
}

#[test]
fn a_missing_host_is_added() {
    check(
        b"GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: mirror:8080\r\n{marks}\r\n",
    );
    check(
        b"GET http://u@shop:81/a HTTP/1.0\r\nA: b\r\n\r\n",
        "GET /a HTTP/1.0\r\nA: b\r\nHost: shop:81\r\n{marks}\r\n",
    );
    check(
        b"GET http://shop HTTP/1.1\r\nHost: other\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: other\r\n{marks}\r\n",
    );
}

#[test]
fn a_wish_to_switch_is_taken_out() {
    check(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\nB: c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n{marks}\r\n",
    );
    check(
        b"GET / HTTP/1.1\r\nHost: a\r\nconnection:keep-alive,upgrade , x\r\nupgrade: h2c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nconnection: keep-alive, x\r\n{marks}\r\n",
    );
}

#[test]
fn what_was_edited_goes_out_as_edited() {
    let sent =
        b"POST /a HTTP/1.1\r\nHost: a\r\nCookie: secret\r\nB: c\r\nContent-Length: 3\r\n\r\nabc";
    let mut request = captured(sent);
    request.headers.remove("cookie");
    request.headers.set("b", b"d");
    request.set_body(Bytes::from_static(b"{}"));
    let is = written("http://mirror/v2", &request, &marks()).unwrap();
    let expect =
        format!("POST /v2/a HTTP/1.1\r\nHost: a\r\nB: d\r\nContent-Length: 2\r\n{MARKS}\r\n{{}}");
    assert_eq!(is, expect.as_bytes().escape_ascii().to_string());
}

/// An edit gone wrong must not become another request.
#[test]
fn what_would_be_read_as_something_else_is_not_sent() {
    let check = |edit: fn(&mut Request), expect| {
        let mut request = captured(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
        edit(&mut request);
        let is = written("http://mirror", &request, &marks());
        assert_eq!(is, Err(expect));
    };
    check(|request| request.method = "GE T".into(), Unsendable::Method);
    check(|request| request.method = "".into(), Unsendable::Method);
    check(
        |request| request.target = RequestTarget::parse("POST", "/a b"),
        Unsendable::Target,
    );
    check(
        |request| request.target = RequestTarget::parse("POST", "/\r\n"),
        Unsendable::Target,
    );
    check(
        |request| request.body = Bytes::from_static(b"ab").into(),
        Unsendable::Length,
    );
    check(
        |request| request.headers.remove("content-length"),
        Unsendable::Length,
    );
    check(
        |request| request.headers.set("content-length", b"+3"),
        Unsendable::Length,
    );
    check(
        |request| request.headers.append("Transfer-Encoding", b"chunked"),
        Unsendable::LengthAndCoding,
    );
}

#[test]
fn the_connection_ends_where_the_request_says_so() {
    let check = |sent: &[u8], closes, expects| {
        let request = captured(sent);
        let target = Target::from_text("http://mirror").unwrap();
        let outgoing = Outgoing::new(&target, &request, &marks()).unwrap();
        let is = (outgoing.closes, outgoing.expects_continue);
        assert_eq!(is, (closes, expects), "{}", sent.escape_ascii());
    };
    check(b"GET / HTTP/1.1\r\n\r\n", false, false);
    check(
        b"GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n",
        true,
        false,
    );
    check(b"GET / HTTP/1.0\r\n\r\n", true, false);
    check(
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        false,
        false,
    );
    let expect = b"PUT / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\na";
    check(expect, false, true);
    let empty = b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n";
    check(empty, false, false);
}
