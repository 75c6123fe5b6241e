use super::super::{Head, Kind};
use super::*;

fn framing(kind: Kind, answered: Answered, head: &str) -> String {
    let head = Bytes::copy_from_slice(head.replace('\n', "\r\n").as_bytes());
    let parsed = Head::parse(kind, &head).unwrap().unwrap();
    let Framing { length, ambiguity } = Framing::of(&parsed.message, answered);
    let mark = if ambiguity.is_some() { "?" } else { "" };
    match length {
        Some(length) => format!("{length:?}{mark}"),
        None => mark.to_owned(),
    }
}

/// `?` marks what is ambiguous.
fn check_request(fields: &str, expect: &str) {
    let head = format!("POST / HTTP/1.1\n{fields}\n");
    let seen = framing(Kind::Request, Answered::Other, &head);
    assert_eq!(seen, expect, "{fields}");
}

fn check_response(answered: Answered, status: u16, fields: &str, expect: &str) {
    let head = format!("HTTP/1.1 {status} X\n{fields}\n");
    let seen = framing(Kind::Response, answered, &head);
    assert_eq!(seen, expect, "{fields}");
}

#[test]
fn framing_of_requests() {
    check_request("", "Known(0)");
    check_request("Content-Length: 5\n", "Known(5)");
    check_request("Content-Length: 5, 5\nContent-Length: 5\n", "Known(5)");
    check_request("Content-Length: 5\nContent-Length: 6\n", "?");
    check_request("Content-Length: +5\n", "?");
    check_request("Content-Length: \n", "?");
    check_request("Content-Length: 99999999999999999999\n", "?");
    check_request("Transfer-Encoding: Chunked\n", "Chunked");
    check_request(
        "Transfer-Encoding: chunked\nContent-Length: 5\n",
        "Chunked?",
    );
    check_request("Transfer-Encoding: chunked, chunked\n", "Chunked?");
    check_request("Transfer-Encoding: gzip\n", "?");
    check_request("Transfer-Encoding: gzip, chunked\n", "Chunked?");
    check_request("Transfer-Encoding: chunked, identity\n", "?");
    check_request(
        "Transfer-Encoding: identity\nContent-Length: 5\n",
        "Known(5)?",
    );
    check_request("Transfer-Encoding: \nContent-Length: 5\n", "?");
    check_request("Transfer-Encoding: xchunked\n", "?");
}

#[test]
fn framing_of_responses() {
    check_response(Answered::Other, 200, "", "UntilClose");
    check_response(Answered::Other, 200, "Content-Length: 5\n", "Known(5)");
    check_response(Answered::Head, 200, "Content-Length: 5\n", "Known(0)");
    check_response(Answered::Other, 304, "Content-Length: 5\n", "Known(0)");
    check_response(Answered::Other, 204, "", "Known(0)");
    check_response(Answered::Other, 100, "", "Known(0)");
    check_response(Answered::Connect, 200, "Content-Length: 5\n", "Known(0)");
    check_response(Answered::Connect, 407, "Content-Length: 5\n", "Known(5)");
    check_response(
        Answered::Other,
        200,
        "Transfer-Encoding: gzip\n",
        "UntilClose",
    );
    let identity = "Transfer-Encoding: identity\nContent-Length: 5\n";
    check_response(Answered::Other, 200, identity, "Known(5)");
    let both = "Transfer-Encoding: chunked\nContent-Length: 5\n";
    check_response(Answered::Other, 200, both, "Chunked?");
}

#[test]
fn a_coding_in_http_1_0_may_be_read_as_something_else() {
    let framing = |fields: &str| {
        let head = format!("POST / HTTP/1.0\n{fields}\n");
        framing(Kind::Request, Answered::Other, &head)
    };
    assert_eq!(framing("Transfer-Encoding: chunked\n"), "Chunked?");
    assert_eq!(framing("Content-Length: 5\n"), "Known(5)");
}

#[test]
fn a_method_says_how_its_response_is_framed() {
    assert_eq!(Answered::by_method("HEAD"), Answered::Head);
    assert_eq!(Answered::by_method("CONNECT"), Answered::Connect);
    for method in ["GET", "POST", "head", ""] {
        assert_eq!(Answered::by_method(method), Answered::Other, "{method}");
    }
}

/// Decodes `text` in one piece, split at every byte, and byte by byte: always the same body and rest.
fn check(length: BodyLength, text: &str, expect: Result<(&str, &str), Unreadable>) {
    let expect = expect.map(|(body, rest)| (body.to_owned(), rest.to_owned()));
    let bytes: Vec<_> = text.as_bytes().chunks(1).collect();
    assert_eq!(decode(length, &bytes), expect, "{text:?} byte by byte");
    for at in 0..=text.len() {
        let (left, right) = text.as_bytes().split_at(at);
        assert_eq!(decode(length, &[left, right]), expect, "{text:?} at {at}");
    }
}

fn decode(length: BodyLength, pieces: &[&[u8]]) -> Result<(String, String), Unreadable> {
    let mut decoder = Decoder::new(length);
    let (mut body, mut rest) = (Vec::new(), Vec::new());
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        while !decoder.is_done() && !input.is_empty() {
            body.extend(decoder.decode(&mut input)?);
        }
        rest.extend(input);
    }
    if decoder.ambiguity().is_some() {
        body.push(b'?');
    }
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ok((text(body), text(rest)))
}

#[test]
fn a_length_ends_the_body() {
    check(BodyLength::Known(0), "abc", Ok(("", "abc")));
    check(BodyLength::Known(2), "abc", Ok(("ab", "c")));
    check(BodyLength::UntilClose, "abc", Ok(("abc", "")));
}

#[test]
fn chunks_are_undone() {
    check(
        BodyLength::Chunked,
        "3\r\nabc\r\n0\r\n\r\nnext",
        Ok(("abc", "next")),
    );
    check(
        BodyLength::Chunked,
        "03 ;x=\"y\"\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
        Ok(("abc0123456789", "")),
    );
    check(
        BodyLength::Chunked,
        "12\r\n0123456789abcdefgh\r\n0\r\n\r\n",
        Ok(("0123456789abcdefgh", "")),
    );
    check(
        BodyLength::Chunked,
        "1\r\na\r\n0\r\nT: 1\r\nU: 2\r\n\r\nnext",
        Ok(("a", "next")),
    );
}

#[test]
fn odd_chunks_are_read_and_marked() {
    for text in [
        "3 \r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\t\r\n\r\n",
        "3;\r\nabc\r\n0\r\n\r\n",
        "3 x\r\nabc\r\n0\r\n\r\n",
        "3;a=\"b\r\nabc\r\n0\r\n\r\n",
        "3;;a\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nContent-Length: 7\r\n\r\n",
        "3\r\nabc\r\n0\r\nA: b\r\nTRANSFER-encoding: x\r\n\r\n",
    ] {
        check(BodyLength::Chunked, text, Ok(("abc?", "")));
    }
    for text in [
        "3;a;b=c;d=\"e;\\\"\"\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nDigest: Content-Length: 7\r\n\r\n",
        "3\r\nabc\r\n0\r\nContent-Lengthy: 7\r\n\r\n",
    ] {
        check(BodyLength::Chunked, text, Ok(("abc", "")));
    }
}

#[test]
fn an_ambiguous_framing_says_why() {
    let check = |fields: &str, why: Ambiguity| {
        let head = format!("POST / HTTP/1.1\n{fields}\n").replace('\n', "\r\n");
        let parsed = Head::parse(Kind::Request, &head.into()).unwrap().unwrap();
        let framing = Framing::of(&parsed.message, Answered::Other);
        assert_eq!(framing.ambiguity, Some(why), "{fields}");
    };
    check(
        "Content-Length: 5\nContent-Length: 6\n",
        Ambiguity::ContentLength,
    );
    check("Content-Length: x\n", Ambiguity::ContentLength);
    check(
        "Content-Length: 5\nTransfer-Encoding: chunked\n",
        Ambiguity::LengthAndCoding,
    );
    check(
        "Transfer-Encoding: gzip, chunked\n",
        Ambiguity::TransferCoding,
    );
    check("Transfer-Encoding: gzip\n", Ambiguity::TransferCoding);
    check(
        "Content-Length: 5\nTransfer-Encoding: x\n",
        Ambiguity::TransferCoding,
    );
}

#[test]
fn trailers_are_kept_in_order_and_spelling() {
    let text = b"1\r\na\r\n0\r\nDigest: x  \r\nexpires:0\r\nDigest: y\r\n\r\nnext";
    for size in 1..text.len() {
        let mut decoder = Decoder::new(BodyLength::Chunked);
        for piece in text.chunks(size) {
            let mut input = Bytes::copy_from_slice(piece);
            while !decoder.is_done() && !input.is_empty() {
                decoder.decode(&mut input).unwrap();
            }
        }
        let trailers = decoder.trailers();
        let fields: Vec<_> = trailers.iter().collect();
        let expect: [(&str, &[u8]); 3] = [("Digest", b"x"), ("expires", b"0"), ("Digest", b"y")];
        assert_eq!(fields, expect, "in pieces of {size}");
    }
    let none = Decoder::new(BodyLength::Known(0));
    assert!(none.trailers().is_empty());
}

#[test]
fn bad_chunks_are_unreadable() {
    for text in [
        "x\r\n",
        "\r\n",
        " 3\r\n",
        "3\nabc\n",
        "3\r\nabcd",
        "3\r\nabc\rx",
        "-1\r\n",
        "+1\r\n",
        "0x3\r\n",
        "1_0\r\n",
        "1234567890123456\r\n",
        "3;\n",
        "3;a\rb\r\n",
        "0\r\nT: u\nV: w\r\n\r\n",
        "0\r\n\n",
    ] {
        check(BodyLength::Chunked, text, Err(Unreadable));
    }
}

#[test]
fn what_is_passed_over_in_a_body_has_a_limit() {
    let decode = |text: String| decode(BodyLength::Chunked, &[text.as_bytes()]);
    let extended = |length: usize| format!("1;{}\r\na\r\n", "x".repeat(length));
    let trailed = |length: usize| format!("0\r\n{}\r\n\r\n", "x".repeat(length));
    const MAX: usize = 64 << 10;
    // The limit is one chunk's, and the trailers' own.
    let most = extended(MAX) + &extended(MAX) + &trailed(MAX);
    assert_eq!(decode(most), Ok(("aa".into(), String::new())));
    assert_eq!(decode(extended(MAX + 1)), Err(Unreadable));
    assert_eq!(decode(trailed(MAX + 1)), Err(Unreadable));
}

#[test]
fn lost_bytes_inside_the_body_keep_the_framing() {
    let mut length = Decoder::Length(5);
    assert!(length.skip(5) && length.is_done());
    assert!(!Decoder::Length(5).skip(6));
    assert!(Decoder::UntilClose.skip(6));
    assert!(!Decoder::new(BodyLength::Chunked).skip(1));
    let mut chunked = Decoder::new(BodyLength::Chunked);
    let mut input = Bytes::from_static(b"6\r\na");
    assert_eq!(chunked.decode(&mut input).unwrap(), "a");
    assert!(!chunked.skip(6));
    assert!(chunked.skip(5) && !chunked.skip(1));
    let mut rest = Bytes::from_static(b"\r\n0\r\n\r\n");
    assert_eq!(chunked.decode(&mut rest).unwrap(), "");
    assert!(chunked.is_done());
}
