//! The admin side as strangers see it: bytes as they are, over a real socket.

mod events;
mod orders;
mod tls;
mod verdict;

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use mirror_agent::control::ControlOptions;
use mirror_agent::control::answers::PauseAnswer;
use mirror_agent::control::http::{Admin, Pages};
use mirror_agent::report::{
    CaptureCounters, Recorder, ReportData, RunInfo, StoredAnswers, StoredBody, StoredMessage,
};
use mirror_tests::scratch::Scratch;

const LIMIT: Duration = Duration::from_secs(20);
const CONNECTIONS: usize = 4;

/// A running admin side, and what it was asked for.
struct Side {
    address: SocketAddr,
    state: Arc<State>,
    _runtime: tokio::runtime::Runtime,
}

struct State {
    ready: AtomicBool,
    paused: AtomicBool,
    /// How often the text of the metrics, and a report, was made.
    metrics: AtomicU64,
    reports: AtomicU64,
    report: Mutex<ReportData>,
}

fn empty_report() -> ReportData {
    Recorder::new(RunInfo::default()).finish(CaptureCounters::default())
}

impl Side {
    fn start() -> Self {
        Self::with(&ControlOptions::default(), CONNECTIONS, empty_report())
    }

    fn with(options: &ControlOptions, connections: usize, report: ReportData) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let any_port = "127.0.0.1:0".parse().unwrap();
        let admin = runtime.block_on(Admin::bind(any_port, options)).unwrap();
        let address = admin.address().unwrap();
        let state = Arc::new(State {
            ready: AtomicBool::new(true),
            paused: AtomicBool::new(false),
            metrics: AtomicU64::new(0),
            reports: AtomicU64::new(0),
            report: Mutex::new(report),
        });
        runtime.spawn(admin.serve(pages(&state), connections));
        Self {
            address,
            state,
            _runtime: runtime,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// All that comes back until the server closes the connection.
    fn send(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // It may close before all is written.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut part) {
            answer.extend_from_slice(&part[..read]);
        }
        String::from_utf8(answer).unwrap()
    }

    fn get(&self, path: &str) -> String {
        self.ask("GET", path, "")
    }

    /// `fields` end with a line end, each.
    fn ask(&self, method: &str, path: &str, fields: &str) -> String {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        self.send(request.as_bytes())
    }
}

fn pages(state: &Arc<State>) -> Pages {
    let of = || Arc::clone(state);
    let (counted, shown, asked, told) = (of(), of(), of(), of());
    Pages {
        metrics: Box::new(move |_| {
            let number = counted.metrics.fetch_add(1, Relaxed) + 1;
            format!("mirror_requests_seen_total {number}\n")
        }),
        report: Box::new(move || {
            let number = shown.reports.fetch_add(1, Relaxed) + 1;
            let mut report = shown.report.lock().unwrap().clone();
            report.results.ledger.seen = number;
            report
        }),
        answers: Box::new(|number| Ok((number == 7).then(stored_answers))),
        ready: Box::new(move || asked.ready.load(Relaxed).then_some(()).ok_or("draining")),
        pause: Box::new(move |is_paused| {
            told.paused.store(is_paused, Relaxed);
            PauseAnswer { paused: is_paused }
        }),
    }
}

fn stored_answers() -> StoredAnswers {
    let message = |first_line: &str| StoredMessage {
        first_line: first_line.into(),
        status: None,
        headers: Vec::new(),
        headers_cut: 0,
        body: StoredBody {
            text: Some("{}".into()),
            base64: None,
            bytes: 2,
            is_cut: false,
            sha256: String::new(),
        },
    };
    StoredAnswers {
        number: 7,
        request: message("GET /a HTTP/1.1"),
        production: message("HTTP/1.1 200 OK"),
        mirror: message("HTTP/1.1 500 Oops"),
    }
}

/// A token file of `scratch`, for its owner alone.
fn token_file(scratch: &Scratch, token: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = scratch.join("token");
    std::fs::write(&path, format!("{token}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("nothing")
}

#[test]
fn pages_are_answered_and_the_connection_closes() {
    let admin = Side::start();
    let metrics = admin.get("/metrics");
    assert_eq!(status(&metrics), "200", "{metrics}");
    assert!(metrics.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert!(metrics.ends_with("\r\n\r\nmirror_requests_seen_total 1\n"));
    assert_eq!(status(&admin.get("/healthz")), "200");
    assert_eq!(status(&admin.get("/readyz")), "200");
    assert_eq!(status(&admin.get("/nothing")), "404");
    let page = admin.get("/");
    assert_eq!(status(&page), "200", "{page}");
    assert!(page.contains("data-live=\"watch\""), "{page}");
    assert!(page.contains("content-type: text/html; charset=utf-8\r\n"));
    let head = admin.send(b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(
        head.ends_with("\r\n\r\n") && status(&head) == "200",
        "{head}"
    );
}

#[test]
fn metrics_are_read_ten_times_a_second_at_most_and_are_always_new() {
    let admin = Side::start();
    let began = Instant::now();
    for _ in 0..200 {
        assert_eq!(status(&admin.get("/metrics")), "200");
    }
    let most = began.elapsed().as_millis() / 100 + 1;
    let made = admin.state.metrics.load(Relaxed);
    assert!(u128::from(made) <= most, "{made} in {:?}", began.elapsed());
    while admin.get("/metrics").ends_with(&format!("total {made}\n")) {
        assert!(began.elapsed() < LIMIT, "never made again");
    }
}

#[test]
fn an_agent_that_drains_is_alive_and_not_ready() {
    let admin = Side::start();
    admin.state.ready.store(false, Relaxed);
    let ready = admin.get("/readyz");
    assert_eq!(status(&ready), "503", "{ready}");
    assert!(ready.ends_with("draining\n"), "{ready}");
    assert_eq!(status(&admin.get("/healthz")), "200");
}

#[test]
fn what_is_not_a_plain_request_is_refused() {
    let admin = Side::start();
    let check = |bytes: &[u8], expect: &str| {
        let answer = admin.send(bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert_eq!(status(&answer), expect, "{shown}: {answer}");
    };
    check(b"POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "405");
    check(
        b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\nx",
        "413",
    );
    check(
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        "413",
    );
    let long = format!(
        "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "x".repeat(100_000)
    );
    check(long.as_bytes(), "431");
    let large = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nA: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    check(large.as_bytes(), "431");
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(500));
    check(many.as_bytes(), "431");
    check(b"GET /metrics\r\n\r\n", "400");
    check(
        b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03\r\n\r\n",
        "400",
    );
    // HTTP/2 is not spoken here, and its preface is not answered.
    check(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "nothing");
}

#[test]
fn answers_are_given_in_full_by_their_number() {
    let admin = Side::start();
    let answers = admin.get("/answers/7");
    assert_eq!(status(&answers), "200", "{answers}");
    let read: StoredAnswers = serde_json::from_str(body(&answers)).unwrap();
    assert_eq!(read, stored_answers());
    assert_eq!(status(&admin.get("/answers/8")), "404");
    for wrong in ["/answers/", "/answers/x", "/answers/-1", "/answers/7/8"] {
        assert!(
            ["400", "404"].contains(&status(&admin.get(wrong))),
            "{wrong}"
        );
    }
}

#[test]
fn a_scraper_gets_the_format_that_it_asks_for() {
    let admin = Side::start();
    let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.5\r\n";
    let metrics = admin.ask("GET", "/metrics", accept);
    let media_type = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert!(metrics.contains(media_type), "{metrics}");
}

#[test]
fn nothing_is_kept_framed_or_taken_for_something_else() {
    let admin = Side::start();
    for path in ["/", "/verdict", "/metrics", "/healthz", "/nothing"] {
        let answer = admin.get(path);
        for field in [
            "cache-control: no-store\r\n",
            "content-security-policy: frame-ancestors 'none'\r\n",
            "x-content-type-options: nosniff\r\n",
            "x-frame-options: DENY\r\n",
            "referrer-policy: no-referrer\r\n",
            "cross-origin-resource-policy: same-origin\r\n",
        ] {
            assert!(answer.contains(field), "{path}: {answer}");
        }
        assert!(!answer.contains("access-control"), "{path}: {answer}");
    }
}

#[test]
fn what_is_pipelined_is_not_answered() {
    let admin = Side::start();
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = admin.send(&request.repeat(200));
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
}

/// Far more than there are places, and none of them ever ends by itself.
#[test]
fn silent_clients_keep_nobody_out_and_are_sent_away() {
    let admin = Side::start();
    let begun: [&[u8]; 3] = [b"", b"GET /metrics HT", b"GET /metrics HTTP/1.1\r\nA: "];
    let mut silent: Vec<TcpStream> = (0..50 * CONNECTIONS)
        .map(|number| {
            let mut client = admin.connect();
            let _ = client.write_all(begun[number % begun.len()]);
            client
        })
        .collect();
    assert_eq!(status(&admin.get("/metrics")), "200");
    for client in &mut silent[..40 * CONNECTIONS] {
        let mut nothing = Vec::new();
        // Closed without an answer, or reset.
        let _ = client.read_to_end(&mut nothing);
        assert!(!nothing.starts_with(b"HTTP/1.1 200"));
    }
}

#[test]
fn a_head_that_comes_byte_by_byte_is_not_waited_for() {
    let admin = Side::start();
    let mut slow = admin.connect();
    slow.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
    slow.set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let began = Instant::now();
    let closed = loop {
        let _ = slow.write_all(b"A");
        match slow.read(&mut [0; 64]) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            _ => break true,
        }
        if began.elapsed() > LIMIT {
            break false;
        }
    };
    assert!(closed, "still served after {LIMIT:?}");
}

#[test]
fn a_client_that_closes_its_side_is_answered() {
    let admin = Side::start();
    // The end may come before the answer is made.
    for path in ["/healthz", "/verdict", "/metrics", "/readyz"].repeat(5) {
        let mut client = admin.connect();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client.write_all(request.as_bytes()).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(status(&answer), "200", "{path}: {answer}");
    }
}
