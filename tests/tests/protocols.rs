//! What connections become that begin as HTTP, or never are: seen on the wire, and said to the user.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::net::{Host, Network};
use mirror_tests::stage::{PRODUCTION_PORT as PORT, Stage};
use mirror_tests::{needs, testing};

const LIMIT: Duration = Duration::from_secs(10);

/// What client and server say in turn.
const CONVERSATIONS: [&[&[u8]]; 4] = [
    &[
        b"POST /orders HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"{}",
        b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
    ],
    &[
        b"GET /live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"\x81\x05GET /",
        b"\x81\x04HTTP",
    ],
    &[
        b"CONNECT db.internal:5432 HTTP/1.1\r\nHost: db.internal:5432\r\n\r\n",
        b"HTTP/1.1 200 Connection established\r\n\r\n",
        b"GET /not-a-request HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
    // A TLS record with the beginning of a ClientHello (RFC 8446 §4.1.2).
    &[
        b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03\x55\x55\x55\x55\x55\x55\x55\x55\x55\x55",
        b"\x15\x03\x03\x00\x02\x02\x28",
    ],
];

fn main() -> ExitCode {
    testing::main()
}

#[needs(root)]
fn what_is_no_plain_http_is_named() -> Result<()> {
    let stage = Stage::new()?;
    let agent = stage.observer(&[])?;
    for conversation in CONVERSATIONS {
        converse(&stage.network, conversation).with_context(|| format!("{conversation:?}"))?;
    }
    agent.wait_settled(3, LIMIT)?;
    mirror_tests::wait_until("TLS to be recognised", LIMIT, || {
        agent
            .status()
            .is_ok_and(|status| status["dissect"]["tls"] == 1)
    })?;
    // The ledger is ahead of what the dissector has counted, which is shown after each look at the ring.
    let status = agent.status()?;
    assert_eq!(status["ledger"]["seen"], 3, "{status:#}");
    assert_eq!(status["dissect"]["tunnels"], 2, "{status:#}");
    assert_eq!(status["dissect"]["interim_responses"], 1, "{status:#}");
    let (code, text) = agent.tell(&["doctor"])?;
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("port 8080 speaks TLS: capture behind its termination"),
        "{text}"
    );
    let report = agent.stop()?.report;
    assert!(report.is_balanced(), "{report:?}");
    Ok(())
}

/// Both sides say their parts in turn, each after it has heard the one before.
fn converse(network: &Network, parts: &[&[u8]]) -> Result<()> {
    let address = SocketAddr::from((Host::Production.address(), PORT));
    let listener = network.on(Host::Production, || Ok(TcpListener::bind(address)?))?;
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let (connection, _) = listener.accept()?;
            take_turns(connection, parts, 1)
        });
        network.on(Host::Client, || {
            take_turns(TcpStream::connect_timeout(&address, LIMIT)?, parts, 0)
        })?;
        server.join().expect("the server does not panic")
    })
}

fn take_turns(mut connection: TcpStream, parts: &[&[u8]], speaker: usize) -> Result<()> {
    connection.set_read_timeout(Some(LIMIT))?;
    for (turn, part) in parts.iter().enumerate() {
        if turn % 2 == speaker {
            connection.write_all(part)?;
        } else {
            let mut heard = vec![0; part.len()];
            connection.read_exact(&mut heard)?;
        }
    }
    Ok(())
}
