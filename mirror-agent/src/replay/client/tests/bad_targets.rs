//! Every failure has its reason: which phase, what was seen, how long it took.

use std::io::Write as _;

use super::*;

async fn check(answer: &str, closes: bool, expect: &str) {
    let script = Script::answering(answer, closes).await;
    let outcome = text(script.get(|_| {}).await);
    assert_eq!(outcome, expect, "{answer:?}");
    assert_eq!(script.received().len(), 1, "nothing is sent twice");
}

#[tokio::test]
async fn an_answer_that_breaks_off_says_where() {
    check(
        "",
        true,
        "failed: the target closed the connection before it answered",
    )
    .await;
    check(
        "HTTP/1.1 200 OK\r\nA:",
        true,
        "failed: the target closed the connection inside the head of its answer, after 19 bytes",
    )
    .await;
    check(
        "HTTP/1.1 100 Continue\r\n\r\n",
        true,
        "failed: the target closed the connection after an interim answer (1xx) and before the final one",
    )
    .await;
    let cut = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n{}",
        "x".repeat(120)
    );
    check(
        &cut,
        true,
        "failed: the target closed the connection after 120 of 4,096 body bytes",
    )
    .await;
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        true,
        "failed: the target closed the connection after 3 body bytes",
    )
    .await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_trusted_says_why() {
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        false,
        "failed: the answer is ambiguous: Content-Length is not one number",
    )
    .await;
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        false,
        "failed: the answer is ambiguous: both Content-Length and Transfer-Encoding",
    )
    .await;
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        false,
        "failed: the answer is ambiguous: a malformed chunk",
    )
    .await;
    check(
        "SSH-2.0-OpenSSH\r\n",
        false,
        "failed: what came is not an HTTP/1 answer: it begins with \"SSH-2.0-OpenSSH\"",
    )
    .await;
    check(
        "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
        false,
        "failed: the target switched to another protocol, which was not asked for",
    )
    .await;
}

#[tokio::test]
async fn endless_heads_and_interim_answers_end() {
    let endless = |begin: &'static str, more: &'static str| async move {
        let script = Script::new(move |mut peer| async move {
            peer.head().await;
            peer.send(begin).await;
            while peer.send(more).await {}
        })
        .await;
        text(script.get(|_| {}).await)
    };
    assert_eq!(
        endless(
            "HTTP/1.1 200 OK\r\n",
            "A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n"
        )
        .await,
        "failed: the head of the answer is larger than 16,384 bytes (--max-head)"
    );
    assert_eq!(
        endless("HTTP/1.1 200 ", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").await,
        "failed: the head of the answer is larger than 16,384 bytes (--max-head)"
    );
    assert_eq!(
        endless("", "HTTP/1.1 102 Processing\r\n\r\n").await,
        "failed: more than 32 interim answers (1xx) and no final one"
    );
}

#[tokio::test]
async fn a_reset_says_where() {
    let script = Script::new(|mut peer| async move {
        peer.head().await;
        peer.reset();
    })
    .await;
    let expect = "failed: the target reset the connection before it answered";
    assert_eq!(text(script.get(|_| {}).await), expect);

    let script = Script::new(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
            .await;
        // Its bytes are read before the reset comes.
        tokio::time::sleep(Duration::from_millis(100)).await;
        peer.reset();
    })
    .await;
    let expect = "failed: the target reset the connection after 3 of 9 body bytes";
    assert_eq!(text(script.get(|_| {}).await), expect);
    // Without a length the close would be its end, and a reset is not a close.
    let script = Script::new(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\n\r\nabc").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        peer.reset();
    })
    .await;
    let expect = "failed: the target reset the connection after 3 body bytes";
    assert_eq!(text(script.get(|_| {}).await), expect);
}

#[tokio::test]
async fn a_connection_that_is_refused_says_to_where() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let script = Script {
        address: listener.local_addr().unwrap(),
        received: Arc::default(),
    };
    drop(listener);
    let outcome = text(script.get(|_| {}).await);
    let expect = format!("connect failed: connecting to {}: ", script.address);
    assert!(outcome.starts_with(&expect), "{outcome}");
}

/// Which phase it is in when the time is over.
async fn check_slow(answer: &'static str, change: impl FnOnce(&mut ReplayOptions), expect: &str) {
    let script = Script::new(move |mut peer| async move {
        peer.head().await;
        peer.send(answer).await;
        peer.stall().await;
    })
    .await;
    assert_eq!(text(script.get(change).await), expect);
    assert_eq!(script.received().len(), 1, "nothing is sent twice");
}

#[tokio::test]
async fn each_phase_has_its_limit() {
    let limit = Duration::from_millis(60);
    check_slow(
        "",
        |options| options.head_timeout = Some(limit),
        "timeout: no byte of an answer came within 60ms (--head-timeout)",
    )
    .await;
    check_slow(
        "",
        |options| options.timeout = limit,
        "timeout: no byte of an answer came within 60ms (--replay-timeout)",
    )
    .await;
    check_slow(
        "HTTP/1.1 200",
        |options| options.body_timeout = Some(limit),
        "timeout: a part of the answer's head came, and no more within 60ms (--body-timeout)",
    )
    .await;
    let part = "HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\nabc";
    check_slow(
        part,
        |options| options.body_timeout = Some(limit),
        "timeout: 3 of 4,096 body bytes came, and no more within 60ms (--body-timeout)",
    )
    .await;
    check_slow(
        part,
        |options| options.timeout = limit,
        "timeout: only 3 of 4,096 body bytes came within 60ms (--replay-timeout)",
    )
    .await;
    check_slow(
        "HTTP/1.1 100 Continue\r\n\r\n",
        |options| options.body_timeout = Some(limit),
        "timeout: a part of the answer's head came, and no more within 60ms (--body-timeout)",
    )
    .await;
}

/// Each byte comes in time, and all of them do not.
#[tokio::test]
async fn a_drip_ends_with_the_whole_answer_s_limit() {
    let script = Script::new(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\n\r\n").await;
        while peer.send("x").await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let outcome = script.get(|options| options.timeout = Duration::from_millis(150));
    let outcome = text(outcome.await);
    assert!(
        outcome.starts_with("timeout: only ")
            && outcome.ends_with(" body bytes came within 150ms (--replay-timeout)"),
        "{outcome}"
    );
}

#[tokio::test]
async fn where_production_was_slow_the_mirror_may_be() {
    let script = Script::new(|mut peer| async move {
        peer.head().await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
            .await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        peer.send("a").await;
        peer.stall().await;
    })
    .await;
    let client = script.client(|options| {
        let limit = Duration::from_millis(20);
        options.timeout = limit;
        (options.head_timeout, options.body_timeout) = (Some(limit), Some(limit));
    });
    let sent = sent(&client, request("GET", ""));
    assert_eq!(text(sent.await), "200 a");
}

#[tokio::test]
async fn an_upload_that_is_not_taken_says_how_far_it_came() {
    let mut large = request("PUT", "");
    large.set_body(vec![b'x'; 16 << 20].into());
    let script = Script::new(|mut peer| async move {
        peer.head().await;
        peer.stall().await;
    })
    .await;
    let limit = Duration::from_millis(200);
    let outcome = script.send(&large, |options| options.head_timeout = Some(limit));
    let outcome = text(outcome.await);
    assert!(
        outcome.starts_with("timeout: the target took only ")
            && outcome.ends_with(" request bytes, and no more within 200ms (--head-timeout)"),
        "{outcome}"
    );
    let script = Script::new(|mut peer| async move {
        peer.head().await;
        peer.reset();
    })
    .await;
    let outcome = text(script.send(&large, |_| {}).await);
    assert!(
        outcome.starts_with("failed: the target reset the connection before it answered; "),
        "{outcome}"
    );
}

#[tokio::test]
async fn a_flood_without_end_has_its_limit() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // A thread of its own: the client finds bytes whenever it looks.
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let begin = std::time::Instant::now();
        while begin.elapsed() < LONG && stream.write_all(&[b'x'; 1 << 16]).is_ok() {}
    });
    let script = Script {
        address,
        received: Arc::default(),
    };
    let limit = Duration::from_millis(300);
    let outcome = text(script.get(|options| options.timeout = limit).await);
    assert!(outcome.starts_with("timeout: only "), "{outcome}");
    assert!(
        outcome.ends_with("came within 300ms (--replay-timeout)"),
        "{outcome}"
    );
}

#[tokio::test]
async fn what_an_answer_says_that_is_none_is_not_repeated() {
    for (answer, word) in [
        ("token=secret\r\n", "token"),
        ("{\"pin\":\"secret\"}", "{"),
        ("GET /?token=secret HTTP/1.1\r\n", "GET"),
    ] {
        let expect =
            format!("failed: what came is not an HTTP/1 answer: it begins with \"{word}\"");
        check(answer, true, &expect).await;
    }
}
