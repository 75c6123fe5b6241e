//! Connections that are used again, and those that turn out to be closed.

use super::*;
use crate::replay::OwnSockets;

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

/// Many servers do what a field names, whatever the method is.
#[tokio::test]
async fn a_get_that_asks_for_another_method_is_not_sent_again() {
    let script = closing_on_second().await;
    let client = script.client(|_| {});
    let mut patch = request("GET", "");
    patch.headers.append("X-HTTP-Method-Override", b"PATCH");
    answered(sent(&client, patch.clone()).await);
    let outcome = text(sent(&client, patch).await);
    assert!(outcome.contains("before it answered"), "{outcome}");
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

/// The target ends each connection at about the time at which the next request comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_under_a_request_costs_no_request() {
    let limit = Duration::from_millis(1);
    let script = Script::new(move |mut peer| async move {
        // The first request has no limit: a new connection must be answered, however busy the machine is.
        let mut head = peer.head().await;
        while head.is_some() {
            peer.send(OK).await;
            head = tokio::time::timeout(limit, peer.head())
                .await
                .ok()
                .flatten();
        }
    })
    .await;
    let client = Arc::new(script.client(|_| {}));
    let tasks = (0..8).map(|task| {
        let client = Arc::clone(&client);
        tokio::spawn(async move {
            let mut repeated = 0;
            for pause in 0..60 {
                repeated += send_all(&client, "GET", 1).await;
                // Around the time at which the target closes.
                let micros = 700 + 90 * ((pause * 7 + task * 3) % 10);
                tokio::time::sleep(Duration::from_micros(micros)).await;
            }
            repeated
        })
    });
    let mut repeated = 0;
    for task in futures_util::future::join_all(tasks).await {
        repeated += task.unwrap();
    }
    // What was sent a second time was not read the first time.
    assert_eq!(script.received().len(), 8 * 60, "{repeated} were repeated");
    assert_eq!(
        client.parts.sent_twice.load(Ordering::Relaxed),
        repeated as u64
    );
}

/// Notes what it is told.
#[derive(Default)]
struct Told(Mutex<Vec<(bool, SocketAddr)>>);

impl OwnSockets for Told {
    fn opened(&self, local: SocketAddr) {
        self.0.lock().unwrap().push((true, local));
    }

    fn closed(&self, local: SocketAddr) {
        self.0.lock().unwrap().push((false, local));
    }
}

#[tokio::test]
async fn a_socket_is_known_as_the_agent_s_own_before_it_connects() {
    let own = Arc::new(Told::default());
    let get = async |address: SocketAddr| {
        let target = Target::from_text(&format!("http://{address}")).unwrap();
        let options = ReplayOptions::default();
        let own: Arc<dyn OwnSockets> = own.clone();
        let parts = ClientParts {
            connector: Connector::new(target, &options, Some(own)).unwrap(),
            limits: LIMITS,
            sent_twice: Arc::default(),
        };
        let client = Client::new(parts, &options);
        text(sent(&client, request("GET", "")).await)
    };
    let (seen, peers) = tokio::sync::oneshot::channel();
    let seen = Mutex::new(Some(seen));
    let script = Script::new(move |mut peer| {
        let address = peer.stream.peer_addr().unwrap();
        let seen = seen.lock().unwrap().take().unwrap();
        async move {
            seen.send(address).unwrap();
            peer.head().await;
            peer.send(OK).await;
        }
    })
    .await;
    assert_eq!(get(script.address).await, "200 ");
    let local = peers.await.unwrap();
    let told = own.0.lock().unwrap().clone();
    assert_eq!(told, [(true, local), (false, local)]);

    // No connection comes about, and its socket was told all the same.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    assert!(get(nobody).await.starts_with("connect failed"));
    let told = own.0.lock().unwrap()[2..].to_vec();
    assert_eq!(told.len(), 2);
    assert_eq!((told[0].0, told[1].0), (true, false));
}

#[tokio::test]
async fn a_body_where_none_may_be_ends_the_connection() {
    let answer = "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n";
    let script = Script::answering(answer, false).await;
    let client = script.client(|_| {});
    for number in 0..3 {
        let (response, _) = answered(sent(&client, request("GET", "")).await);
        assert_eq!(response.status, 204);
        let last = script.received().pop();
        assert_eq!(last, Some(format!("{number}: GET /a HTTP/1.1")));
    }
}
