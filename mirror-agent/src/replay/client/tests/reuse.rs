//! Connections that are used again, and those that turn out to be closed.

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// So many requests one after the other; how many were sent twice.
async fn send_all(client: &Client, method: &str, count: usize) -> usize {
    let mut repeated = 0;
    for _ in 0..count {
        let body = if method == "POST" { "x" } else { "" };
        let sent = sent(client, request(method, body));
        let (response, attempts) = answered(sent.await);
        assert_eq!(response.status, 200);
        repeated += usize::from(attempts > 1);
    }
    repeated
}

#[tokio::test]
async fn one_connection_is_used_again_and_again() {
    let script = Script::answering(OK, false).await;
    assert_eq!(send_all(&script.client(|_| {}), "GET", 100).await, 0);
    assert_eq!(script.received(), vec!["0: GET /a HTTP/1.1"; 100]);
}

#[tokio::test]
async fn a_target_that_closes_after_each_answer_costs_no_request() {
    let script = Script::answering(OK, true).await;
    let client = script.client(|_| {});
    let repeated = send_all(&client, "GET", 300).await;
    // Each request was answered once; one that was sent again came to a connection whose end was on its way.
    assert_eq!(script.received().len(), 300, "{repeated} were repeated");
}

#[tokio::test]
async fn where_the_answer_says_close_no_connection_is_used_again() {
    let closing = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    for answer in [closing, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"] {
        let script = Script::answering(answer, false).await;
        assert_eq!(send_all(&script.client(|_| {}), "GET", 3).await, 0);
        let connections = [
            "0: GET /a HTTP/1.1",
            "1: GET /a HTTP/1.1",
            "2: GET /a HTTP/1.1",
        ];
        assert_eq!(script.received(), connections, "{answer:?}");
    }
}

#[tokio::test]
async fn bytes_after_an_answer_are_not_the_next_one() {
    let script = Script::answering(format!("{OK}HTTP/1.1 500 Smuggled\r\n\r\n"), false).await;
    assert_eq!(send_all(&script.client(|_| {}), "GET", 3).await, 0);
    assert!(script.received()[2].starts_with("2:"));
}

/// The target closes its connection when the second request comes.
async fn closing_on_second() -> Script {
    Script::new(|mut peer| async move {
        if peer.head().await.is_some() {
            peer.send(OK).await;
        }
        // On a later connection too: only the first answer comes.
        peer.head().await;
    })
    .await
}

#[tokio::test]
async fn an_idempotent_request_is_sent_once_more() {
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        let script = closing_on_second().await;
        let client = script.client(|_| {});
        assert_eq!(send_all(&client, method, 2).await, 1, "{method}");
        assert_eq!(client.parts.sent_twice.load(Ordering::Relaxed), 1);
        let line = format!("{method} /a HTTP/1.1");
        let expect = [
            format!("0: {line}"),
            format!("0: {line}"),
            format!("1: {line}"),
        ];
        assert_eq!(script.received(), expect);
    }
}

#[tokio::test]
async fn a_request_that_may_have_been_done_is_not_sent_again() {
    let script = closing_on_second().await;
    let client = script.client(|_| {});
    let first = sent(&client, request("POST", "x"));
    answered(first.await);
    let second = sent(&client, request("POST", "x"));
    let outcome = text(second.await);
    assert!(
        outcome.starts_with("failed: the target ") && outcome.contains("before it answered"),
        "{outcome}"
    );
    assert_eq!(script.received().len(), 2);
}

/// A first connection that works once, and others that never do.
#[tokio::test]
async fn nothing_is_sent_a_third_time() {
    let script = Script::new(|mut peer| async move {
        peer.head().await;
        if peer.number == 0 {
            peer.send(OK).await;
            peer.head().await;
        }
    })
    .await;
    let client = script.client(|_| {});
    assert_eq!(send_all(&client, "GET", 1).await, 0);
    let sent = sent(&client, request("GET", ""));
    let outcome = text(sent.await);
    assert!(
        outcome.ends_with("; sent a second time, after an idle connection turned out to be closed"),
        "{outcome}"
    );
    assert_eq!(script.received().len(), 3);
}

/// What may be an answer came: it is not sent again.
#[tokio::test]
async fn an_answer_that_begins_is_not_asked_for_again() {
    let script = Script::new(|mut peer| async move {
        peer.head().await;
        peer.send(OK).await;
        peer.head().await;
        peer.send("HTTP/1.1 2").await;
    })
    .await;
    let client = script.client(|_| {});
    assert_eq!(send_all(&client, "GET", 1).await, 0);
    let sent = sent(&client, request("GET", ""));
    let outcome = text(sent.await);
    assert!(
        outcome.contains("inside the head of its answer"),
        "{outcome}"
    );
    assert_eq!(script.received().len(), 2);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_noticed_before_it_is_used() {
    let closed = Arc::new(tokio::sync::Notify::new());
    let told = Arc::clone(&closed);
    let script = Script::new(move |mut peer| {
        let told = Arc::clone(&told);
        async move {
            peer.head().await;
            peer.send(OK).await;
            drop(peer);
            told.notify_one();
        }
    })
    .await;
    let client = script.client(|_| {});
    for number in 0..20 {
        // POST would not be sent again.
        assert_eq!(send_all(&client, "POST", 1).await, 0, "{number}");
        closed.notified().await;
        // The end is there; the runtime looks for it once more.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn what_is_idle_for_too_long_is_not_used() {
    let idle = Duration::from_millis(50);
    let script = Script::answering(OK, false).await;
    let client = script.client(|options| options.idle_timeout = idle);
    assert_eq!(send_all(&client, "GET", 2).await, 0);
    tokio::time::sleep(idle * 2).await;
    assert_eq!(send_all(&client, "GET", 1).await, 0);
    let connections: Vec<_> = script
        .received()
        .iter()
        .map(|line| line[..1].to_owned())
        .collect();
    assert_eq!(connections, ["0", "0", "1"]);
}

#[tokio::test]
async fn the_target_s_own_limit_counts_where_it_is_shorter() {
    let answer = |timeout: u64| {
        format!(
            "HTTP/1.1 200 OK\r\nKeep-Alive: max=9, timeout={timeout}\r\nContent-Length: 0\r\n\r\n"
        )
    };
    for (seconds, expect) in [(0, "1"), (600, "0")] {
        let script = Script::answering(answer(seconds), false).await;
        assert_eq!(send_all(&script.client(|_| {}), "GET", 2).await, 0);
        assert!(script.received()[1].starts_with(expect), "{seconds}");
    }
}

#[tokio::test]
async fn no_more_connections_are_kept_than_are_used_at_once() {
    let script = Script::answering(OK, false).await;
    let client = script.client(|options| options.concurrency = 2.try_into().unwrap());
    let (get, marks) = (request("GET", ""), Marks::default());
    let sends = (0..5).map(|_| client.send(&get, &marks, LONG));
    for outcome in futures_util::future::join_all(sends).await {
        answered(outcome);
    }
    assert_eq!(send_all(&client, "GET", 6).await, 0);
    let used: std::collections::BTreeSet<_> = script.received().into_iter().collect();
    assert!(used.len() <= 5, "the kept ones are used again: {used:?}");
}
