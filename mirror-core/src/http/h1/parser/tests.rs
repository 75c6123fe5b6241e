//! A side's messages, however its bytes were cut into packets.

use super::*;
use crate::exchange::Body;

const LIMITS: HttpLimits = HttpLimits {
    max_head: 200,
    max_body: 10,
};

fn arrival(at: u64, seq: u32) -> Arrival {
    Arrival {
        at: Timestamp(at),
        seq: Seq(seq),
        ..Arrival::default()
    }
}

/// Events of one stream: `-3` a gap, `Fin` and `Reset` closes, anything else data. Messages as
/// `<method or status>:<body>!<fault>`.
fn run(kind: Kind, events: &[&[u8]]) -> String {
    let mut parser = Parser::new(kind, LIMITS);
    let mut out = Vec::new();
    let mut seq = 0;
    for (at, event) in events.iter().enumerate() {
        let (event, len) = match *event {
            b"Fin" => (
                StreamEvent::Close {
                    reason: CloseReason::Fin,
                },
                0,
            ),
            b"Reset" => (
                StreamEvent::Close {
                    reason: CloseReason::Reset,
                },
                0,
            ),
            [b'-', digits @ ..] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
                let len: u64 = std::str::from_utf8(digits).unwrap().parse().unwrap();
                (StreamEvent::Gap { len }, len as u32)
            }
            bytes => (
                StreamEvent::Data(Bytes::copy_from_slice(bytes)),
                bytes.len() as u32,
            ),
        };
        parser.push(event, arrival(at as u64, seq));
        seq += len;
        while let Some(parsed) = parser.poll() {
            match parsed {
                Parsed::Head => parser.proceed(Answered::Other),
                Parsed::Message { message, .. } => out.push(text(&message)),
                Parsed::Lost => out.push("lost".to_owned()),
                Parsed::BadHead { .. } => out.push("bad".to_owned()),
                Parsed::Unread(protocol) => out.push(format!("unread {protocol:?}")),
                Parsed::Closed => out.push("closed".to_owned()),
            }
        }
    }
    assert_eq!(parser.queued_bytes(), 0);
    out.join(" ")
}

fn text(message: &Message) -> String {
    let (name, body, fault) = match message {
        Message::Request(request) => (request.method.to_string(), &request.body, request.fault),
        Message::Response(response) => {
            (response.status.to_string(), &response.body, response.fault)
        }
    };
    let fault = match fault {
        Some(Fault::Ambiguous(why)) => format!("!{why:?}"),
        Some(fault) => format!("!{fault:?}"),
        None => String::new(),
    };
    format!("{name}:{}{fault}", String::from_utf8_lossy(body))
}

fn check(kind: Kind, events: &[&str], expect: &str) {
    let events: Vec<_> = events.iter().map(|event| event.as_bytes()).collect();
    assert_eq!(run(kind, &events), expect);
}

#[test]
fn pipelined_messages_split_at_every_byte() {
    let text = "\r\nPOST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\nPUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nxy\r\n1;e\r\nz\r\n0\r\nT: u\r\n\r\n";
    let expect = "POST:abc GET: PUT:xyz";
    let bytes: Vec<_> = text.as_bytes().chunks(1).collect();
    assert_eq!(run(Kind::Request, &bytes), expect);
    for at in 1..text.len() {
        let (left, right) = text.as_bytes().split_at(at);
        assert_eq!(run(Kind::Request, &[left, right]), expect, "at {at}");
    }
}

/// Where each message of a stream begins and ends. Its last packet is followed by its end.
fn places(kind: Kind, packets: &[&[u8]]) -> Vec<(u32, u32)> {
    let mut parser = Parser::new(kind, LIMITS);
    let mut seq = 100;
    for packet in packets {
        let data = StreamEvent::Data(Bytes::copy_from_slice(packet));
        parser.push(data, arrival(1, seq));
        seq += packet.len() as u32;
    }
    let reason = CloseReason::Fin;
    parser.push(StreamEvent::Close { reason }, arrival(1, seq));
    let mut places = Vec::new();
    while let Some(parsed) = parser.poll() {
        match parsed {
            Parsed::Head => parser.proceed(Answered::Other),
            Parsed::Message { first, end, .. } => places.push((first.seq.0, end.0)),
            _ => {}
        }
    }
    places
}

#[test]
fn a_message_is_where_its_bytes_are_however_they_are_split() {
    let text = b"\r\n\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc\r\nHTTP/1.1 204 No\r\n\r\nHTTP/1.0 200 OK\r\n\r\nxy";
    let expect = [(103, 144), (146, 165), (165, 186)];
    let bytes: Vec<_> = text.chunks(1).collect();
    assert_eq!(places(Kind::Response, &bytes), expect);
    for at in 0..=text.len() {
        let (left, right) = text.split_at(at);
        assert_eq!(places(Kind::Response, &[left, right]), expect, "at {at}");
    }
}

#[test]
fn a_cut_head_ends_after_its_last_byte() {
    let cut = b"GET / HTTP/1.1\r\nA: b";
    assert_eq!(places(Kind::Request, &[cut]), [(100, 120)]);
    let long = [b'a'; 190];
    assert_eq!(places(Kind::Request, &[cut, &long]), [(100, 310)]);
}

#[test]
fn lost_bytes_of_a_body_move_its_end() {
    let mut parser = Parser::new(Kind::Request, LIMITS);
    let head = Bytes::from_static(b"PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\n");
    let length = head.len() as u32;
    parser.push(StreamEvent::Data(head), arrival(1, 100));
    assert!(matches!(parser.poll(), Some(Parsed::Head)));
    parser.proceed(Answered::Other);
    parser.push(StreamEvent::Gap { len: 5 }, arrival(2, 100 + length));
    let Some(Parsed::Message { end, .. }) = parser.poll() else {
        panic!("it is over")
    };
    assert_eq!(end, Seq(100 + length + 5));
}

/// Bytes of a body that came, and of those that it will have if that is known; none between messages.
type Progress = Option<(u64, Option<u64>)>;

#[test]
fn how_far_a_body_is_can_be_asked_while_it_is_read() {
    let check = |field: &str, packets: &[(&str, Progress)]| {
        let mut parser = Parser::new(Kind::Response, LIMITS);
        assert_eq!(parser.body_progress(), None);
        let head = format!("HTTP/1.1 200 OK\r\n{field}\r\n");
        parser.push(StreamEvent::Data(head.into()), arrival(1, 0));
        assert!(matches!(parser.poll(), Some(Parsed::Head)));
        assert_eq!(parser.body_progress(), None);
        parser.proceed(Answered::Other);
        for (packet, progress) in packets {
            let data = Bytes::copy_from_slice(packet.as_bytes());
            parser.push(StreamEvent::Data(data), arrival(1, 0));
            while parser.poll().is_some() {}
            assert_eq!(parser.body_progress(), *progress, "{field} {packet}");
        }
    };
    let length = "Content-Length: 5\r\n";
    let read = |came| Some((came, Some(5)));
    check(length, &[("ab", read(2)), ("cd", read(4)), ("e", None)]);
    let chunked = "Transfer-Encoding: chunked\r\n";
    check(chunked, &[("3\r\nab", Some((2, None)))]);
    check("", &[("ab", Some((2, None)))]);
    // Bytes that are not kept came all the same.
    let long = "Content-Length: 20\r\n";
    check(long, &[("0123456789ab", Some((12, Some(20))))]);
}

#[test]
fn the_close_ends_a_body_without_length() {
    check(
        Kind::Response,
        &["HTTP/1.0 200 OK\r\n\r\nab", "cd", "Fin"],
        "200:abcd closed",
    );
    check(
        Kind::Response,
        &["HTTP/1.0 200 OK\r\n\r\nab", "Reset"],
        "200:ab!Truncated closed",
    );
    check(
        Kind::Response,
        &["HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nab", "Fin"],
        "200:ab!Truncated closed",
    );
}

#[test]
fn a_gap_inside_a_known_length_costs_one_message() {
    let head = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na";
    check(
        Kind::Request,
        &[head, "-3", "eGET / HTTP/1.1\r\n\r\n"],
        "POST:ae!Gap GET:",
    );
    check(
        Kind::Request,
        &[head, "-4", "GET / HTTP/1.1\r\n\r\n"],
        "POST:a!Gap GET:",
    );
}

#[test]
fn a_head_whose_rest_never_came_was_a_message() {
    let cut = "GET /a HTTP/1.1\r\nHost: a\r\nCoo";
    check(Kind::Request, &[cut, "Fin"], "GET:!Truncated closed");
    check(
        Kind::Request,
        &[cut, "-9", "kie: b\r\n\r\n", "PUT / HTTP/1.1\r\n\r\n"],
        "GET:!Gap lost PUT:",
    );
    check(
        Kind::Response,
        &["HTTP/1.1 200 OK\r\n", "Fin"],
        "200:!Truncated closed",
    );
    // Not even its first line came.
    check(Kind::Request, &["GET /a HT", "Fin"], "bad lost closed");
}

#[test]
fn another_gap_resumes_at_a_packet_with_a_start_line() {
    let head = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na";
    check(
        Kind::Request,
        &[
            head,
            "-6",
            "xGET / HTTP/1.1\r\n\r\n",
            "GET /no",
            "GET / HTTP/1.1\r\n",
            "\r\n",
        ],
        "POST:a!Gap lost bad lost GET:",
    );
    check(
        Kind::Request,
        &[
            head,
            "-6",
            "x\nGET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\n",
            "\r\n",
        ],
        "POST:a!Gap lost GET:",
    );
    check(
        Kind::Request,
        &["GET / HT", "-6", "GET / HTTP/1.1\r\n\r\n"],
        "lost GET:",
    );
}

#[test]
fn a_body_over_the_cap_keeps_its_prefix_and_the_framing() {
    check(
        Kind::Request,
        &["POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\n012345678901GET / HTTP/1.1\r\n\r\n"],
        "POST:0123456789!TooLarge GET:",
    );
    check(
        Kind::Request,
        &[
            "POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\n012345",
            "678901GET / HTTP/1.1\r\n\r\n",
        ],
        "POST:0123456789!TooLarge GET:",
    );
    check(
        Kind::Request,
        &["POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789"],
        "POST:0123456789",
    );
}

#[test]
fn a_response_over_the_cap_has_the_digest_of_all_its_bytes() {
    let sent = Bytes::from_static(b"0123456789abcdef");
    let expect = Body::from(sent.clone()).digester().finish();
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n";
    let run = |pieces: &[&[u8]], reason: CloseReason| {
        let mut parser = Parser::new(Kind::Response, LIMITS);
        for piece in [&[head.as_bytes()], pieces].concat() {
            let data = StreamEvent::Data(Bytes::copy_from_slice(piece));
            parser.push(data, Arrival::default());
        }
        parser.push(StreamEvent::Close { reason }, Arrival::default());
        assert!(matches!(parser.poll(), Some(Parsed::Head)));
        parser.proceed(Answered::Other);
        let Some(Parsed::Message {
            message: Message::Response(response),
            ..
        }) = parser.poll()
        else {
            panic!("a response")
        };
        (response.fault, response.body.digest(), response.body.len())
    };
    for size in 1..=16 {
        let pieces: Vec<_> = sent.chunks(size).collect();
        let whole = (Some(Fault::TooLarge), Some(expect), 10);
        assert_eq!(run(&pieces, CloseReason::Fin), whole, "{size}");
    }
    // One that breaks off is not known.
    let cut = (Some(Fault::Truncated), None, 10);
    assert_eq!(run(&[&sent[..15]], CloseReason::Fin), cut);
}

#[test]
fn ambiguous_messages_end_the_trust_in_the_stream() {
    check(
        Kind::Request,
        &[
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
        ],
        "POST:!LengthAndCoding bad lost GET:",
    );
    // Both lengths end right before it: even so it may be the body of one to somebody.
    check(
        Kind::Request,
        &[
            "POST / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
        ],
        "POST:!ContentLength bad lost",
    );
    check(
        Kind::Request,
        &[
            "GET / HTTP/1.1\r\nHost : a\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
        ],
        "GET:!FieldLine bad lost GET:",
    );
    check(
        Kind::Response,
        &[
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
        ],
        "200:abc!Chunk 204:",
    );
    check(
        Kind::Request,
        &["POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET / HTTP/1.1\r\n\r\n"],
        "POST:!Chunk lost",
    );
}

#[test]
fn what_is_no_head_is_told_and_a_later_one_found() {
    let get = "GET / HTTP/1.1\r\n\r\n";
    let socks = "\x05\x01\0";
    check(Kind::Request, &[socks, socks, get], "bad lost GET:");
    check(
        Kind::Request,
        &[&[socks; 63][..], &[get]].concat(),
        "bad lost GET:",
    );
    check(Kind::Request, &["EHLO a\r\n", "Fin"], "bad lost closed");
    check(Kind::Request, &["Fin"], "closed");
    check(Kind::Request, &["-0", "some body", get], "lost GET:");
}

#[test]
fn a_side_without_a_message_is_told_once_and_searched_on() {
    let body = "xxx";
    let ok = "HTTP/1.1 204 No\r\n\r\n";
    let packets = [&["-9"][..], &[body; 63], &[ok]].concat();
    check(Kind::Response, &packets, "lost 204:");
    let packets = [&["-9"][..], &[body; 64], &[ok]].concat();
    check(Kind::Response, &packets, "lost unread Text 204:");
    let packets = [&["-9"][..], &[body; 500], &[ok]].concat();
    check(Kind::Response, &packets, "lost unread Text 204:");
    // Not one that had a message before.
    let packets = [&[ok, "-9"][..], &[body; 500], &[ok]].concat();
    check(Kind::Response, &packets, "204: lost 204:");
}

#[test]
fn an_ambiguous_head_after_a_gap_is_a_request_all_the_same() {
    let ambiguous = "GET /a HTTP/1.1\r\nHost : a\r\n\r\n";
    check(
        Kind::Request,
        &["-0", ambiguous],
        "lost GET:!FieldLine lost",
    );
    check(
        Kind::Request,
        &[ambiguous, ambiguous, "GET / HTTP/1.1\r\n\r\n"],
        "GET:!FieldLine lost GET:!FieldLine lost GET:",
    );
}

#[test]
fn after_a_gap_only_a_request_line_of_sorts_is_told_as_bad() {
    for line in ["GET / HTTP/9.9\r\n\r\n", "FETCH / HTTP/1.1\r\n\r\n"] {
        check(Kind::Request, &["-0", line], "lost bad lost");
    }
    for line in ["GET / HTTP/9.9", "some body\r\n", "\0\r\n"] {
        check(Kind::Request, &["-0", line], "lost");
    }
    check(Kind::Response, &["-0", "GET / HTTP/9.9\r\n"], "lost");
}

#[test]
fn a_first_line_longer_than_its_packet_after_a_gap_is_unsure() {
    let rest = " HTTP/1.1\r\n\r\n";
    let get = "GET / HTTP/1.1\r\n\r\n";
    check(
        Kind::Request,
        &["-0", "GET /aaaa", "aaaa", rest, get],
        "lost GET:!UnseenStart lost GET:",
    );
    check(Kind::Request, &["GET /aaaa", "aaaa", rest], "GET:");
    check(
        Kind::Request,
        &["-0", "GET / HTTP/1.1\r\n", "\r\n"],
        "lost GET:",
    );
    check(
        Kind::Response,
        &["-0", "HTTP/1", ".1 204 No\r\n\r\n"],
        "lost 204:",
    );
}

#[test]
fn a_head_over_the_limit_is_a_message_with_a_fault() {
    let long = format!("A: {}\r\n", "a".repeat(150));
    let get = "GET / HTTP/1.1\r\n\r\n";
    check(
        Kind::Request,
        &["GET /a HTTP/1.1\r\n", &long, &long, &long, "\r\n", get],
        "GET:!HeadTooLarge lost GET:",
    );
    let whole = format!("GET /a HTTP/1.1\r\n{long}{long}");
    check(Kind::Request, &[&whole, get], "GET:!HeadTooLarge lost GET:");
    let fits = format!("GET /a HTTP/1.1\r\n{long}\r\n");
    check(Kind::Request, &[&fits, get], "GET: GET:");
    let response = format!("HTTP/1.1 200 OK\r\n{long}{long}");
    check(Kind::Response, &[&response], "200:!HeadTooLarge lost");
    let fields = "A:\r\n".repeat(5000);
    let many = format!("GET / HTTP/1.1\r\n{fields}\r\n");
    check(Kind::Request, &[&many, get], "GET:!HeadTooLarge lost GET:");
}

#[test]
fn a_first_line_is_judged_as_soon_as_it_is_there() {
    check(Kind::Request, &["GET / HT", "TP/9.9\r\n"], "bad lost");
    check(Kind::Response, &["HTT", "P/2.0 200"], "bad lost");
    // What is not a method in one packet is none in two.
    let rest = "2 / HTTP/1.1\r\n\r\n";
    check(Kind::Request, &[&format!("M{rest}")], "bad lost");
    check(Kind::Request, &["M", rest], "bad lost");
}

#[test]
fn an_endless_first_line_is_given_up() {
    let long = "a".repeat(150);
    check(
        Kind::Request,
        &["GET / HTTP/1.1\r\n\r\n", "GET /", &long, &long, &long],
        "GET: bad lost",
    );
}

/// Messages of packets of which those with a `!` before them brought urgent data.
fn check_urgent(packets: &[&str], expect: &str) {
    let mut parser = Parser::new(Kind::Request, LIMITS);
    let mut out = Vec::new();
    for packet in packets {
        let text = packet.trim_start_matches('!');
        let data = StreamEvent::Data(Bytes::copy_from_slice(text.as_bytes()));
        let urgent = text.len() < packet.len();
        parser.push(
            data,
            Arrival {
                urgent,
                ..Arrival::default()
            },
        );
        while let Some(parsed) = parser.poll() {
            match parsed {
                Parsed::Head => parser.proceed(Answered::Other),
                Parsed::Message { message, .. } => out.push(self::text(&message)),
                _ => {}
            }
        }
    }
    assert_eq!(out.join(" "), expect);
}

#[test]
fn urgent_data_makes_its_message_ambiguous() {
    let head = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n";
    let (begin, end) = head.split_at(10);
    check_urgent(&[head, "ab"], "POST:ab");
    check_urgent(&[&format!("!{head}"), "ab"], "POST:ab!UrgentData");
    check_urgent(&[begin, &format!("!{end}"), "ab"], "POST:ab!UrgentData");
    check_urgent(&[head, "!ab"], "POST:ab!UrgentData");
    check_urgent(&[head, "!a", "b"], "POST:ab!UrgentData");
    check_urgent(&[head, "ab", head, "ab"], "POST:ab POST:ab");
}

#[test]
fn trailers_belong_to_their_message() {
    let mut parser = Parser::new(Kind::Request, LIMITS);
    let text = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: u\r\n\r\n";
    parser.push(StreamEvent::Data(text.into()), Arrival::default());
    assert!(matches!(parser.poll(), Some(Parsed::Head)));
    parser.proceed(Answered::Other);
    let Some(Parsed::Message {
        message: Message::Request(request),
        ..
    }) = parser.poll()
    else {
        panic!("a whole request")
    };
    assert_eq!(request.trailers.first("t"), Some(&b"u"[..]));
    assert_eq!(request.fault, None);
}
