//! What is sent when: the order of a connection and of a session, pauses, a mirror in trouble, and the time of a capture file.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use mirror_tests::net::{Host, Network};
use mirror_tests::stage::{Actor, Stage};
use mirror_tests::wire::{self, Answering, Received};
use mirror_tests::{needs, testing};

const LIMIT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    testing::main()
}

/// A register: PUT sets it, GET answers with it. A PUT takes `time`, in which what does not keep the order overtakes it.
fn register(time: Duration) -> Answering<impl Fn(&Received) -> Vec<u8> + Clone> {
    let value = Arc::new(Mutex::new(String::from("none")));
    Answering(move |request: &Received| {
        if request.line().starts_with(b"PUT") {
            sleep(time);
            *value.lock().unwrap() = String::from_utf8_lossy(&request.body).into_owned();
        }
        wire::answer("200 OK", &value.lock().unwrap())
    })
}

/// A client's connection, on which a request is sent when the one before it was answered.
struct Client(TcpStream);

impl Client {
    fn connect(network: &Network, to: SocketAddr) -> Result<Self> {
        network.on(Host::Client, || {
            let stream = TcpStream::connect_timeout(&to, LIMIT)?;
            stream.set_read_timeout(Some(LIMIT))?;
            stream.set_nodelay(true)?;
            Ok(Self(stream))
        })
    }

    fn send(&mut self, line: &str, headers: &str, body: &str) -> Result<()> {
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\nHost: shop\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        self.0.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        while !is_whole(&answer) {
            let read = self.0.read(&mut part)?;
            anyhow::ensure!(read > 0, "production closed the connection");
            answer.extend_from_slice(&part[..read]);
        }
        Ok(())
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    length.is_some_and(|length| length.parse() == Ok(body.len()))
}

#[needs(root)]
fn a_put_is_never_overtaken_by_the_get_after_it() -> Result<()> {
    const PAIRS: usize = 1000;
    let stage = Stage::new()?
        .production(register(Duration::ZERO))?
        .mirror(register(Duration::from_millis(1)))?;
    let agent = stage.agent(&["--allow", "PUT /register", "--allow-unsnapshotted-writes"])?;
    let mut client = Client::connect(&stage.network, stage.production.address())?;
    for n in 0..PAIRS {
        client.send("PUT /register", "", &n.to_string())?;
        client.send(&format!("GET /register?{n}"), "", "")?;
    }
    agent.wait_settled(2 * PAIRS as u64, LIMIT)?;
    let report = agent.stop()?.report;
    assert_eq!(
        report.outcome("matched"),
        2 * PAIRS as u64,
        "{:#}",
        report.json
    );
    assert!(report.is_balanced(), "{:#}", report.json);
    assert_eq!(stage.mirror.lines(), stage.production.lines());
    Ok(())
}

/// Each request of the session comes on a connection of its own.
#[needs(root)]
fn a_session_keeps_its_order_over_its_connections() -> Result<()> {
    const PAIRS: usize = 100;
    let stage = Stage::new()?
        .production(register(Duration::ZERO))?
        .mirror(register(Duration::from_millis(20)))?;
    let order = [
        "--order",
        "session:cookie:sid",
        "--allow",
        "PUT /register",
        "--allow-unsnapshotted-writes",
    ];
    let agent = stage.agent(&order)?;
    for n in 0..PAIRS {
        for line in ["PUT /register".into(), format!("GET /register?{n}")] {
            let mut client = Client::connect(&stage.network, stage.production.address())?;
            client.send(&line, "Cookie: a=b; sid=7\r\n", &n.to_string())?;
        }
    }
    agent.wait_settled(2 * PAIRS as u64, LIMIT)?;
    let report = agent.stop()?.report;
    assert_eq!(
        report.outcome("matched"),
        2 * PAIRS as u64,
        "{:#}",
        report.json
    );
    // The cookie is a secret: it made the lane and never came to the mirror.
    let received = stage.mirror.received();
    assert!(
        received
            .iter()
            .all(|request| request.header("cookie").is_none())
    );
    assert_eq!(stage.mirror.lines(), stage.production.lines());
    Ok(())
}
