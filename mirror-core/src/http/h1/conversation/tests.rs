use super::super::super::script::{GET, OK, Script, check, check_midway};
use super::*;

const GET_B: &str = "c GET /b HTTP/1.1\r\n\r\n";
const POST: &str = "c POST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 26\r\n\r\n";
/// As long as the body that was announced.
const HIDDEN: &str = "c GET /hidden HTTP/1.1\r\n\r\n\r\n";
const REFUSED: &str = "s HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno";
const CONTINUE: &str = "s HTTP/1.1 100 Continue\r\n\r\n";
const EARLY: &str = "s HTTP/1.1 103 Early\r\n\r\n";
const BAD: &str = "s HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_body_that_the_answer_made_needless_is_not_read_from_the_next_request() {
    check(
        &[POST, REFUSED, GET, OK],
        "POST /p!Truncated 417; GET /a 200",
    );
    check(&[POST, OK, GET, OK], "POST /p!Truncated 200; GET /a 200");
}

#[test]
fn a_body_that_was_asked_for_is_a_body_whatever_it_begins_with() {
    check(
        &[POST, CONTINUE, HIDDEN, OK, GET, OK],
        "POST /p 200; GET /a 200",
    );
    check(&[POST, HIDDEN, OK, GET, OK], "POST /p 200; GET /a 200");
    let body = "c 0123456789012345678901234!";
    check(&[POST, REFUSED, body, GET, OK], "POST /p 417; GET /a 200");
    check(&[POST, EARLY, CONTINUE, HIDDEN, OK], "POST /p 200");
    // What says neither yes nor no leaves it open.
    check(&[POST, EARLY, HIDDEN, CONTINUE, OK], "POST /p 200");
    let plain = "c POST /p HTTP/1.1\r\nContent-Length: 26\r\n\r\n";
    check(&[plain, REFUSED, HIDDEN], "POST /p 417");
}

/// The client's packet is captured before the server's, though it was sent after.
fn early(steps: &[&str], request: &str) -> Script {
    let mut script = Script::new(true);
    steps.iter().for_each(|step| script.step(step));
    script.early(request, 40);
    script
}

#[test]
fn what_follows_waits_for_the_answer_that_tells_what_it_is() {
    let mut script = early(&[POST], GET);
    assert_eq!(script.ready(), "");
    assert!(script.conversation().is_waiting());
    script.step(REFUSED);
    assert_eq!(script.ready(), "POST /p!Truncated 417");
    script.step(OK);
    assert_eq!(script.finish(), "GET /a 200");
    let mut script = early(&[POST], HIDDEN);
    script.step(CONTINUE);
    script.step(OK);
    assert_eq!(script.finish(), "POST /p 200");
    let mut script = early(&[POST], HIDDEN);
    // A step takes a nanosecond itself.
    script.step("+98");
    assert!(script.conversation().is_waiting());
    script.step("+0");
    assert!(!script.conversation().is_waiting());
    assert_eq!(script.finish(), "POST /p -");
}

#[test]
fn a_malformed_head_is_a_request_when_it_is_answered() {
    let old = "c GET /x HTTP/9.9\r\n\r\n";
    check(&[old, BAD], "GET /x!StartLine 400");
    check(
        &["c \x01\x02 /x\r\n\r\n", BAD],
        "? \x01\x02 /x!StartLine 400",
    );
    check(
        &[GET, OK, "c get it\r\n\r\n", BAD],
        "GET /a 200; get it!StartLine 400",
    );
    check(
        &[GET, "c~get it\r\n\r\n", OK, BAD],
        "GET /a 200; get it!StartLine 400",
    );
    check_midway(&[old, BAD], "GET /x!StartLine 400");
    let counts = check(&[GET, OK, "c get it\r\n\r\n"], "GET /a 200");
    assert_eq!(counts.bad_heads, 1);
    // Nobody answers the end of a body.
    check_midway(&["c some body\r\n", OK, GET, OK], "GET /a 200");
}

#[test]
fn several_malformed_heads_are_requests_when_each_is_answered() {
    let steps = ["c get it\r\n\r\n", BAD, "c get more\r\n\r\n", BAD, GET, OK];
    let expect = "get it!StartLine 400; get more!StartLine 400; GET /a 200";
    check(&steps, expect);
}

#[test]
fn what_follows_an_ambiguous_head_in_its_packet_is_a_request_when_it_is_answered() {
    let both = "c GET /o HTTP/1.1\r\nHost : a\r\n\r\nGET /b HTTP/1.1\r\n\r\n";
    let second = "GET /o!FieldLine 200; GET /b!AfterAmbiguous 200; GET /a 200";
    check(&[both, OK, OK, GET, OK], second);
    check(&[both, OK, GET, OK], "GET /o!FieldLine 200; GET /a 200");
    let body = "c GET /o HTTP/1.1\r\nHost : a\r\n\r\nsome body\r\n";
    check(&[body, OK, OK, GET, OK], "GET /o!FieldLine 200; GET /a 200");
}

#[test]
fn the_request_after_a_needless_body_may_be_longer_than_its_packet() {
    let steps = [POST, REFUSED, "c GET /lo", "c ng HTTP/1.1\r\n\r\n", OK];
    check(&steps, "POST /p!Truncated 417; GET /long 200");
    check(&[POST, REFUSED, "c GET", OK], "POST /p!Truncated 417");
}

#[test]
fn a_real_request_after_a_malformed_head_is_the_one_that_is_answered() {
    let noise = "c ping\r\n\r\n";
    let again = "c~GET /a HTTP/1.1\r\n\r\n";
    check(&[GET_B, OK, noise, again, OK], "GET /b 200; GET /a 200");
    check(
        &[GET_B, OK, noise, again, BAD],
        "GET /b 200; ? ping!StartLine 400; GET /a -",
    );
}

#[test]
fn an_ambiguous_head_is_counted_wherever_it_stands() {
    let odd = "c GET /o HTTP/1.1\r\nHost : a\r\n\r\n";
    check_midway(&[odd, OK], "GET /o!FieldLine 200");
    check(
        &[odd, OK, odd, OK, GET, OK],
        "GET /o!FieldLine 200; GET /o!FieldLine 200; GET /a 200",
    );
}

#[test]
fn the_side_that_lost_its_first_head_is_searched_to_the_end() {
    for packets in [1, 8, 20, 200] {
        let mut steps = vec![GET, "s-1448"];
        steps.extend(vec!["s xxxxxxxxxxxxxxxx"; packets]);
        steps.extend([GET_B, OK, GET_B, OK]);
        let counts = check(&steps, "GET /a -; GET /b 200; GET /b 200");
        assert_eq!(counts.unread, u64::from(packets >= 64), "{packets}");
    }
}

#[test]
fn a_side_in_which_nothing_was_found_is_named() {
    let counts = check(&[GET, "s-9", "s \x01\x02", "s \x03"], "GET /a -");
    assert_eq!((counts.unread, counts.not_http), (1, 0));
    let example = counts.unread_examples.iter().next().unwrap();
    assert_eq!(example.first_bytes, Protocol::Binary);
    assert_eq!(example.from.to_string(), "10.0.0.1:80");
    let counts = check(&[GET, "s-9"], "GET /a -");
    assert_eq!(counts.unread, 0);
    // Without a gap too, if it is the server's.
    assert_eq!(check(&[GET, "s not http"], "GET /a -").unread, 1);
    assert_eq!(check(&["c-9", "c some body", "s-9"], "").unread, 1);
    // A malformed request was found, though nobody answered it.
    assert_eq!(check(&[GET_B, OK, "c not http"], "GET /b 200").unread, 0);
}

#[test]
fn a_switched_connection_is_a_tunnel_to_its_end() {
    let upgrade = "c GET /ws HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let switched = "s HTTP/1.1 101 Switching Protocols\r\n\r\n";
    let counts = check(&[upgrade, switched, GET, OK, GET, OK], "GET /ws 101");
    assert_eq!((counts.tunnels, counts.bad_heads, counts.unread), (1, 0, 0));
    let connect = "c CONNECT a:1 HTTP/1.1\r\n\r\n";
    let counts = check(
        &[connect, "s HTTP/1.1 200 OK\r\n\r\n", GET, OK],
        "CONNECT a:1 200",
    );
    assert_eq!(counts.tunnels, 1);
    // Sent before the answer, and dropped with it.
    let counts = check(
        &[
            connect,
            "c~GET /t HTTP/1.1\r\n\r\n",
            "s HTTP/1.1 200 OK\r\n\r\n",
        ],
        "CONNECT a:1 200",
    );
    assert_eq!(counts.requests, 1);
    let denied = "s HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n";
    let counts = check(&[connect, denied, GET, OK], "CONNECT a:1 407; GET /a 200");
    assert_eq!(counts.tunnels, 0);
    check(&[connect, "c~GET /t HTTP/1.1\r\n\r\n"], "CONNECT a:1 -");
    let mut script = Script::new(true);
    for step in [connect, "c~GET /t HTTP/1.1\r\n\r\n", denied] {
        script.step(step);
    }
    assert_eq!(script.counts.requests, 2);
}

#[test]
fn a_request_that_was_cut_by_the_switch_is_truncated() {
    let begun = "c POST /p HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc";
    check(
        &[begun, "s HTTP/1.1 101 Switching\r\n\r\n", GET],
        "POST /p!Truncated 101",
    );
}

#[test]
fn a_response_to_an_unseen_request_may_have_no_body() {
    // It may have been HEAD.
    let head = "s HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n";
    check_midway(&[head, GET, OK], "GET /a 200");
    let body = "s 0123456789012345678901234567890123456789";
    check_midway(&[head, body, GET, OK], "GET /a 200");
    // This one has: what looks like a response is its body.
    check(&[GET, head, OK, GET_B, OK], "GET /a 200; GET /b 200");
}

#[test]
fn a_response_waits_for_a_request_that_is_captured_late() {
    let mut script = Script::new(true);
    script.step("c-0");
    script.step("s HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert!(script.conversation().is_waiting());
    script.step("+50");
    assert!(script.conversation().is_waiting());
    script.step("+50");
    assert!(!script.conversation().is_waiting());
    assert_eq!(script.counts.orphan_responses, 1);
}

#[test]
fn a_response_is_not_waited_for_when_too_much_comes_or_the_client_is_done() {
    let mut script = Script::new(true);
    script.step(OK);
    script.step(&format!("s {}", "x".repeat(2001)));
    assert_eq!(script.counts.orphan_responses, 1);
    let mut script = Script::new(true);
    script.step("c.");
    script.step(OK);
    assert_eq!(script.counts.orphan_responses, 1);
    assert!(!script.conversation().is_waiting());
}

#[test]
fn bytes_that_are_no_head_are_counted_on_both_sides() {
    let bad = |steps: &[&str], expect: &str| check(steps, expect).bad_heads;
    assert_eq!(bad(&[GET, "s not http", "s at all"], "GET /a -"), 1);
    assert_eq!(bad(&[GET, OK, "c not http", "c at all"], "GET /a 200"), 1);
    // A head that is begun when the connection switches.
    let steps = [GET, "c~PUT", "s HTTP/1.1 101 Switching\r\n\r\n", GET];
    assert_eq!(bad(&steps, "GET /a 101"), 1);
}

#[test]
fn what_waits_has_a_limit() {
    let orphans = |length: usize| {
        let mut script = Script::new(true);
        script.step(GET);
        script.step(OK);
        script.step("s HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n");
        script.step(&format!("s {}", "x".repeat(length)));
        script.counts.requests
            + script.counts.orphan_responses
            + u64::from(!script.conversation().is_waiting())
    };
    assert_eq!((orphans(2000), orphans(2001)), (1, 2));
    // What waits for the answer to `Expect` is taken for the body.
    let body = |length: usize| {
        let ask = "c POST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9999\r\n\r\n";
        let text = format!("{}{}", HIDDEN, "x".repeat(length - HIDDEN.len() + 2));
        early(&[ask], &text).conversation().is_waiting()
    };
    assert_eq!((body(2000), body(2001)), (true, false));
    // What waits for the answer to CONNECT is dropped.
    let held = |length: usize| {
        let connect = "c CONNECT a:1 HTTP/1.1\r\n\r\n";
        let text = format!("c~{}", "x".repeat(length));
        let mut script = Script::new(true);
        script.step(connect);
        script.step(&text);
        script.conversation().held_bytes()
    };
    assert_eq!((held(2000), held(2001)), (2000, 0));
}

#[test]
fn interim_responses_are_counted_apart() {
    let early = "s HTTP/1.1 103 Early Hints\r\n\r\n";
    let counts = check(&[GET, early, OK, GET_B, OK], "GET /a 200; GET /b 200");
    assert_eq!((counts.responses, counts.interim_responses), (2, 1));
    // The final one after it was lost.
    let counts = check(&[GET, early, "s-40", GET_B, OK], "GET /a -; GET /b 200");
    assert_eq!(counts.orphan_responses, 0);
}

#[test]
fn one_side_alone_is_told() {
    let mut script = Script::new(true);
    script.step(GET);
    assert!(script.exchanges()[0].one_sided);
    let mut script = Script::new(true);
    script.step("c GET /a HTTP/1.1\r\n");
    script.step("c \r\n");
    script.step("s-0");
    let exchange = &script.exchanges()[0];
    assert!(!exchange.one_sided);
    assert_eq!(exchange.timing.request_first, Timestamp(1));
    assert_eq!(exchange.timing.request_last, Timestamp(2));
    assert_eq!(exchange.timing.response_first, None);
    let mut script = Script::new(true);
    script.step(GET);
    script.step(OK);
    let exchange = &script.exchanges()[0];
    assert!(!exchange.one_sided);
    assert_eq!(
        (exchange.connection, exchange.origin, exchange.index),
        (7, 3, 0)
    );
    assert_eq!(exchange.timing.request_first, Timestamp(1));
    assert_eq!(exchange.timing.response_last, Some(Timestamp(2)));
}

#[test]
fn held_bytes_are_those_of_unfinished_messages() {
    let mut script = Script::new(true);
    script.step("c POST /p HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc");
    assert_eq!(script.conversation().held_bytes(), 3);
    script.step("c defghi");
    assert_eq!(script.conversation().held_bytes(), 9);
    script.step("s HTTP/1.1 200 OK\r\nContent-Le");
    assert_eq!(script.conversation().held_bytes(), 9 + 27);
    script.step("s ngth: 0\r\n\r\n");
    assert_eq!(script.conversation().held_bytes(), 0);
}
