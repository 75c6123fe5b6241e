//! Whatever production's server may answer is read from the mirror too.

use super::*;

async fn check(answer: &str, closes: bool, expect: &str) {
    let script = Script::answering(answer, closes).await;
    let client = script.client(|_| {});
    for _ in 0..2 {
        let sent = sent(&client, request("GET", ""));
        assert_eq!(text(sent.await), expect, "{answer:?}");
    }
}

#[tokio::test]
async fn answers_are_read_by_every_framing() {
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        false,
        "200 ok",
    )
    .await;
    check("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true, "200 ").await;
    check("HTTP/1.1 204 No\r\n\r\n", false, "204 ").await;
    check(
        "HTTP/1.1 200 OK\r\n\r\nuntil the close",
        true,
        "200 until the close",
    )
    .await;
    check("HTTP/1.0 200 OK\n\nold", true, "200 old").await;
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        false,
        "200 ok",
    )
    .await;
    check(
        "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
        false,
        "302 ",
    )
    .await;
    check(
        "HTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
        false,
        "200 a",
    )
    .await;
}

#[tokio::test]
async fn folded_lines_and_many_fields_are_read_as_production_s_are() {
    let fields: String = (0..1000).map(|n| format!("A{n}: b\r\n")).collect();
    let answer = format!("HTTP/1.1 200 OK\r\n{fields}B: c\r\n d\r\nContent-Length: 0\r\n\r\n");
    let script = Script::answering(answer, false).await;
    let (response, _) = answered(script.get(|_| {}).await);
    assert_eq!(response.headers.len(), 1002);
    let folded = response.headers.first("b").unwrap();
    assert!(folded.starts_with(b"c ") && folded.ends_with(b" d"));
}

#[tokio::test]
async fn trailers_are_kept() {
    let answer =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nDigest: x\r\n\r\n";
    let script = Script::answering(answer, false).await;
    let (response, _) = answered(script.get(|_| {}).await);
    assert_eq!(response.trailers.first("digest"), Some(&b"x"[..]));
}

#[tokio::test]
async fn an_answer_to_head_has_no_body() {
    let script = Script::answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false).await;
    let client = script.client(|_| {});
    for _ in 0..3 {
        let sent = sent(&client, request("HEAD", ""));
        assert_eq!(text(sent.await), "200 ");
    }
    let same = ["0: HEAD /a HTTP/1.1"; 3];
    assert_eq!(script.received(), same);
}

#[tokio::test]
async fn an_answer_in_single_bytes_is_whole() {
    let script = Script::new(|mut peer| async move {
        peer.head().await;
        for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n"
        {
            peer.send([*byte]).await;
            tokio::task::yield_now().await;
        }
        peer.stall().await;
    })
    .await;
    assert_eq!(text(script.get(|_| {}).await), "200 whole");
}

#[tokio::test]
async fn a_body_over_the_cap_is_read_to_its_end_and_the_connection_goes_on() {
    let body = "x".repeat(LIMITS.max_body + 1);
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let script = Script::answering(answer, false).await;
    let client = script.client(|_| {});
    for _ in 0..2 {
        let sent = sent(&client, request("GET", ""));
        let (response, _) = answered(sent.await);
        assert_eq!(response.fault, Some(mirror_core::exchange::Fault::TooLarge));
        assert_eq!(response.body.len(), LIMITS.max_body);
    }
    assert_eq!(script.received(), ["0: GET /a HTTP/1.1"; 2]);
}

#[tokio::test]
async fn a_body_waits_for_the_word_that_it_is_wanted() {
    let script = Script::new(|mut peer| async move {
        peer.head().await;
        // Nothing of the body came with the head.
        assert!(peer.buffer.is_empty());
        peer.send("HTTP/1.1 100 Continue\r\n\r\n").await;
        assert_eq!(peer.body(3).await.unwrap(), b"abc");
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
        peer.stall().await;
    })
    .await;
    let mut asks = request("PUT", "abc");
    asks.headers.append("Expect", b"100-continue");
    assert_eq!(text(script.send(&asks, |_| {}).await), "200 ");
}

#[tokio::test]
async fn a_body_that_is_not_wanted_is_not_sent() {
    let script = Script::new(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
            .await;
        assert!(peer.body(1).await.is_none(), "the connection ends");
    })
    .await;
    let mut asks = request("PUT", "abc");
    asks.headers.append("Expect", b"100-continue");
    assert_eq!(text(script.send(&asks, |_| {}).await), "417 ");
}

#[tokio::test]
async fn without_a_word_the_body_is_sent_after_a_second() {
    let script = Script::new(|mut peer| async move {
        peer.head().await;
        assert_eq!(peer.body(3).await.unwrap(), b"abc");
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
        peer.stall().await;
    })
    .await;
    let mut asks = request("PUT", "abc");
    asks.headers.append("Expect", b"100-continue");
    assert_eq!(text(script.send(&asks, |_| {}).await), "200 ");
}

/// Larger than what the sockets hold.
fn large() -> Request {
    let mut large = request("PUT", "");
    large.set_body(vec![b'x'; 8 << 20].into());
    large
}

#[tokio::test]
async fn an_answer_before_the_upload_s_end_is_the_answer() {
    for resets in [false, true] {
        let script = Script::new(move |mut peer| async move {
            peer.head().await;
            peer.send("HTTP/1.1 413 Large\r\nContent-Length: 3\r\n\r\nbig")
                .await;
            if resets {
                // Unread bytes make it a reset.
                return;
            }
            peer.stall().await;
        })
        .await;
        assert_eq!(text(script.send(&large(), |_| {}).await), "413 big");
    }
}

#[tokio::test]
async fn a_large_body_arrives_whole_at_a_slow_reader() {
    let script = Script::new(|mut peer| async move {
        peer.head().await;
        let body = peer.body(8 << 20).await.unwrap();
        assert!(body.iter().all(|byte| *byte == b'x'));
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
        peer.stall().await;
    })
    .await;
    assert_eq!(text(script.send(&large(), |_| {}).await), "200 ");
}
