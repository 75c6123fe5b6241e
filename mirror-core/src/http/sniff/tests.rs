use super::super::script::{GET, OK, Script, check, check_midway};
use super::*;
use crate::exchange::Fault;

const SOCKS: &str = "c \u{5}\u{1}\0";

#[test]
fn http_may_begin_after_what_a_proxy_is_told() {
    let told = [
        SOCKS,
        "s \u{5}\0",
        "c \u{5}\u{1}\0\u{1}\n",
        "s \u{5}\0\0\u{1}",
        GET,
        OK,
    ];
    check(&told, "GET /a 200");
    check(&[&[SOCKS; 7][..], &[GET, OK]].concat(), "GET /a 200");
    let counts = check(&[&[SOCKS; 8][..], &[GET, OK]].concat(), "");
    assert_eq!((counts.not_http, counts.unread), (1, 0));
    let protocols: Vec<_> = counts.protocols.iter().collect();
    assert_eq!(protocols, [(Protocol::Binary, 1)]);
    let example = counts.unread_examples.iter().next().unwrap();
    assert_eq!(example.from.to_string(), "10.0.0.2:40000");
}

#[test]
fn the_first_start_line_tells_who_the_client_is() {
    for side in ["c", "s"] {
        let other = if side == "c" { "s" } else { "c" };
        let turned = |step: &str, side: &str| format!("{side}{}", &step[1..]);
        let (get, ok) = (turned(GET, side), turned(OK, other));
        for handshake in [true, false] {
            let mut script = Script::new(handshake);
            script.step(&get);
            script.step(&ok);
            let exchanges = script.exchanges();
            assert_eq!(exchanges.len(), 1, "{side} {handshake}");
            let port = if side == "c" { 40000 } else { 80 };
            assert_eq!(exchanges[0].client.port(), port);
            assert_eq!(exchanges[0].response.as_ref().unwrap().status, 200);
        }
    }
    // The answer comes first, to a request that was lost.
    let counts = check_midway(&[OK, GET, OK], "GET /a 200");
    assert_eq!(counts.orphan_responses, 1);
    // The side that did not open the connection needs a usual method to become the client.
    check(&["s FETCH /a HTTP/1.1\r\n\r\n"], "");
    check(&["c FETCH /a HTTP/1.1\r\n\r\n", OK], "FETCH /a 200");
}

#[test]
fn empty_lines_before_the_first_request_are_passed_over() {
    check(&["c \r\nGET /a HTTP/1.1\r\n\r\n", OK], "GET /a 200");
    check(&["c \r\n", GET, OK], "GET /a 200");
}

#[test]
fn packets_after_a_gap_do_not_count() {
    for packets in [1, 8, 63, 64, 500] {
        let steps = [&vec!["c some body"; packets][..], &[GET, OK]].concat();
        let counts = check_midway(&steps, "GET /a 200");
        assert_eq!(counts.unread, u64::from(packets >= 64), "{packets}");
        assert_eq!(counts.not_http, 0);
    }
    let mut script = Script::new(false);
    (0..100).for_each(|_| script.step("c some body"));
    assert_eq!(script.conversation().held_bytes(), 0);
}

#[test]
fn what_stays_unread_is_named_once() {
    for packets in [1, 63, 64, 100] {
        let counts = check_midway(&vec!["s some body"; packets], "");
        assert_eq!((counts.unread, counts.not_http), (1, 0), "{packets}");
        let example = counts.unread_examples.iter().next().unwrap();
        assert_eq!(example.first_bytes, Protocol::Text);
        assert_eq!(example.from.to_string(), "10.0.0.1:80");
        assert_eq!(counts.unread_examples.iter().count(), 1);
    }
    let counts = check(&["c.", "s."], "");
    assert_eq!((counts.unread, counts.not_http), (0, 0));
}

#[test]
fn a_first_line_may_be_longer_than_its_packet() {
    let long = "q".repeat(1448);
    let begin = format!("c GET /long?{long}");
    let steps = [
        &begin,
        &format!("c {long}"),
        "c qq HTTP/1.1\r\n\r\n",
        OK,
        GET,
        OK,
    ];
    let target = format!("/long?{long}{long}qq");
    check(&steps, &format!("GET {target} 200; GET /a 200"));
    let unsure = format!("GET {target}!UnseenStart 200; GET /a 200");
    check_midway(&steps, &unsure);
    // Its answer is captured before its end.
    check_midway(&[GET, OK], "GET /a 200");
    check(&["c GET /begun"], "");
}

#[test]
fn a_first_line_that_does_not_end_is_given_up() {
    let long = format!("c {}", "q".repeat(1448));
    let mut script = Script::new(true);
    script.step("c FETCH /");
    (0..20).for_each(|_| script.step(&long));
    assert_eq!(script.counts.not_http, 1);
    assert_eq!(script.conversation().held_bytes(), 0);
    // With a usual method it is a request, if it is answered.
    for answer in ["s HTTP/1.1 414 Long\r\nContent-Length: 0\r\n\r\n", "c."] {
        let mut script = Script::new(true);
        script.step("c GET /");
        (0..20).for_each(|_| script.step(&long));
        assert_eq!(script.conversation().held_bytes(), 0);
        script.step(answer);
        let is_answered = answer.starts_with('s');
        if is_answered {
            script.step(GET);
            script.step(OK);
        }
        let exchanges = script.exchanges();
        assert_eq!(exchanges.len(), usize::from(is_answered) * 2);
        if is_answered {
            assert_eq!(exchanges[0].request.fault, Some(Fault::HeadTooLarge));
            assert_eq!(exchanges[1].request.target, "/a");
        }
    }
}

#[test]
fn a_proxy_header_is_taken_off_and_names_the_client() {
    let line = "PROXY TCP4 192.0.2.1 192.0.2.2 1111 80\r\n";
    let binary =
        "\r\n\r\n\0\r\nQUIT\n!\u{11}\0\u{c}\u{c0}\0\u{2}\u{1}\u{c0}\0\u{2}\u{2}\u{4}\u{57}\0P";
    for header in [line, binary] {
        for handshake in [true, false] {
            for at in 0..=header.chars().count() {
                let before: String = header.chars().take(at).collect();
                let after: String = header.chars().skip(at).collect();
                let mut script = Script::new(handshake);
                if at > 0 {
                    script.step(&format!("c {before}"));
                }
                script.step(&format!("c {after}{}", &GET[2..]));
                script.step(OK);
                script.step(GET);
                script.step(OK);
                let exchanges = script.exchanges();
                assert_eq!(exchanges.len(), 2, "{header:?} at {at}");
                for exchange in &exchanges {
                    assert_eq!(exchange.client.to_string(), "192.0.2.1:1111");
                    assert_eq!(exchange.peer.to_string(), "10.0.0.2:40000");
                    assert!(exchange.response.is_some() && exchange.request.fault.is_none());
                }
                assert_eq!(script.counts.bad_heads, 0);
            }
        }
    }
    let alone = format!("c {line}");
    check(&[&alone, GET, OK], "GET /a 200");
    check(&["c PROXY UNKNOWN\r\n", GET, OK], "GET /a 200");
    // What the server sends cannot name the client.
    let mut script = Script::new(true);
    script.step(&format!("s {line}"));
    script.step(GET);
    assert_eq!(script.exchanges()[0].client.to_string(), "10.0.0.2:40000");
}

#[test]
fn tls_after_a_proxy_header_is_tls() {
    let counts = check(&["c PROXY UNKNOWN\r\n\u{16}\u{3}\u{1}\u{2}\0", GET], "");
    assert_eq!((counts.tls, counts.not_http), (1, 0));
    let ports: Vec<_> = counts.tls_ports.iter().collect();
    assert_eq!(ports, [(80, 1)]);
}

#[test]
fn other_protocols_are_counted_by_name() {
    let counts = check(&["c SSH-2.0-x\r\n", GET], "");
    assert_eq!(
        counts.protocols.iter().collect::<Vec<_>>(),
        [(Protocol::Ssh, 1)]
    );
    assert_eq!(counts.not_http, 1);
    let counts = check(&["c PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", GET], "");
    assert_eq!((counts.http2, counts.not_http), (1, 0));
    let counts = check(&["c EHLO a\r\n", "s 250 ok\r\n"], "");
    assert_eq!(
        counts.protocols.iter().collect::<Vec<_>>(),
        [(Protocol::Text, 1)]
    );
}

#[test]
fn http2_is_recognised_midway() {
    let ack = "\0\0\0\u{4}\u{1}\0\0\0\0";
    let data = "\0\0\u{2}\0\u{1}\0\0\0\u{1}ab";
    let headers = "\0\0\u{1}\u{1}\u{4}\0\0\0\u{1}\u{82}";
    let ping = "\0\0\u{8}\u{6}\0\0\0\0\0abcdefgh";
    let window = "\0\0\u{4}\u{8}\0\0\0\0\0\0\0\u{1}\0";
    for first in [ack, data, headers, ping, window] {
        let packet = format!("c {first}{headers}{data}");
        let counts = check_midway(&[&packet], "");
        assert_eq!((counts.http2, counts.unread), (1, 0), "{first:?}");
        assert_eq!(counts.http2_ports.iter().collect::<Vec<_>>(), [(80, 1)]);
        // Over packets, and over both sides.
        let steps = [format!("c {first}"), format!("s {headers}{data}")];
        let counts = check_midway(&[&steps[0], &steps[1]], "");
        assert_eq!(counts.http2, 1, "{first:?}");
        // Two frames are enough when no more come, one is not.
        let two = format!("c {first}{data}");
        assert_eq!(check_midway(&[&two], "").http2, 1);
        let counts = check_midway(&[&steps[0]], "");
        assert_eq!((counts.http2, counts.unread), (0, 1));
    }
    // In the middle of a frame.
    let counts = check_midway(
        &["c the rest of data", &format!("c {ack}{headers}{data}")],
        "",
    );
    assert_eq!(counts.http2, 1);
}

#[test]
fn a_body_of_frames_is_no_http2_where_the_other_side_speaks_http() {
    let ack = "s \0\0\0\u{4}\u{1}\0\0\0\0";
    let counts = check(
        &[GET, "s-100", ack, ack, ack, GET, OK],
        "GET /a -; GET /a 200",
    );
    assert_eq!(counts.http2, 0);
}
