//! The kernel program, byte for byte: what two hosts say to each other on a captured port comes
//! out of the ring as it was, whatever the size of the packets, and other ports stay unseen.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mirror_agent::capture::attach::Hook;
use mirror_agent::capture::filter::{FilterChange, FilterSettings};
use mirror_agent::capture::namespace::Namespace;
use mirror_agent::capture::tc::{TcCapture, TcOptions};
use mirror_agent::packet::{self, Segment};
use mirror_tests::net::{Host, INTERFACE, Network};

const PORT: u16 = 8080;
const OTHER_PORT: u16 = 8081;
const LIMIT: Duration = Duration::from_secs(10);

/// Sizes of single writes: one byte, the borders of the record's size classes less the headers,
/// and more than one GSO packet holds.
const SIZES: [usize; 14] = [
    1, 100, 189, 190, 191, 1448, 1981, 1982, 1983, 16_318, 16_319, 65_483, 65_484, 300_000,
];

#[test]
fn payloads_of_every_size_arrive_whole() -> Result<()> {
    if !mirror_tests::runs_as_root("capture") {
        return Ok(());
    }
    let network = Network::new()?;
    for address in [
        IpAddr::V4(Host::Production.address()),
        IpAddr::V6(Host::Production.address_v6()),
    ] {
        let sent: Vec<u8> = SIZES.into_iter().flat_map(noise).collect();
        let (segments, counters) =
            capture(&network, || echo(&network, SocketAddr::new(address, PORT)))?;
        let (request, response) = streams(&segments);
        assert!(request == sent, "what the client sent, over {address}");
        assert!(response == sent, "what the server sent, over {address}");
        for lost in ["ring_full", "load_error", "truncated"] {
            assert_eq!(counters[lost], 0, "{lost}: {counters:?}");
        }
        assert!(
            segments.iter().any(|s| s.payload.len() > 60_000),
            "no packet of many segments in one: the large classes were not tried"
        );
    }
    Ok(())
}

#[test]
fn other_ports_are_not_copied() -> Result<()> {
    if !mirror_tests::runs_as_root("capture, other port") {
        return Ok(());
    }
    let network = Network::new()?;
    let address = SocketAddr::from((Host::Production.address(), OTHER_PORT));
    let (segments, counters) = capture(&network, || echo(&network, address))?;
    assert!(segments.is_empty(), "{segments:?}");
    assert!(counters["other_port"] > 0, "{counters:?}");
    assert_eq!(counters["copied"], 0, "{counters:?}");
    Ok(())
}

/// What production's interface captures of `traffic`, and the kernel's counters.
fn capture(
    network: &Network,
    traffic: impl FnOnce() -> Result<()> + Send,
) -> Result<(Vec<Segment>, BTreeMap<&'static str, u64>)> {
    let change = FilterChange {
        port: vec![PORT.to_string()],
        ..FilterChange::default()
    };
    capture_with(network, options(change)?, traffic)
}

fn options(change: FilterChange) -> Result<TcOptions> {
    Ok(TcOptions {
        interfaces: vec![INTERFACE.to_owned()],
        namespaces: vec![Namespace::Own],
        hook: Hook::Auto,
        filter: change.apply_to(FilterSettings::default())?,
        ring_bytes: 64 << 20,
        rings: 2,
    })
}

fn capture_with(
    network: &Network,
    options: TcOptions,
    traffic: impl FnOnce() -> Result<()> + Send,
) -> Result<(Vec<Segment>, BTreeMap<&'static str, u64>)> {
    network.on(Host::Production, || {
        let (mut capture, rings) = TcCapture::start(&options)?;
        traffic()?;
        capture.detach();
        let mut segments = Vec::new();
        let mut unparsed = 0;
        let mut keep = |packet| match packet::parse(&packet) {
            Ok(segment) => segments.push(segment),
            Err(_) => unparsed += 1,
        };
        for mut ring in rings {
            while ring.read(Duration::from_millis(100), &mut keep)? > 0 {}
        }
        ensure!(unparsed == 0, "{unparsed} records are no TCP segments");
        Ok((segments, capture.counters.read()))
    })
}

/// One connection from the client that sends each size and reads it back before the next.
fn echo(network: &Network, address: SocketAddr) -> Result<()> {
    let listener = network.on(Host::Production, || Ok(TcpListener::bind(address)?))?;
    let server = std::thread::spawn(move || -> Result<()> {
        let (mut connection, _) = listener.accept()?;
        limit(&connection)?;
        for size in SIZES {
            let mut got = vec![0; size];
            connection.read_exact(&mut got)?;
            connection.write_all(&got)?;
        }
        Ok(())
    });
    network.on(Host::Client, || {
        let mut connection = TcpStream::connect_timeout(&address, LIMIT)?;
        limit(&connection)?;
        for size in SIZES {
            let data = noise(size);
            connection.write_all(&data)?;
            let mut back = vec![0; size];
            connection.read_exact(&mut back)?;
            ensure!(back == data, "the echo of {size} bytes");
        }
        Ok(())
    })?;
    server
        .join()
        .expect("the server does not panic")
        .context("the server")
}

fn limit(connection: &TcpStream) -> Result<()> {
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(LIMIT))?;
    connection.set_write_timeout(Some(LIMIT))?;
    Ok(())
}

/// Bytes that differ along the way, so that a misplaced piece shows.
fn noise(size: usize) -> Vec<u8> {
    let mut state = size as u32 | 1;
    (0..size)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

/// The bytes to and from the server, put together by sequence number from the SYNs on. A
/// retransmission must say the same again; a hole is a zero, which then differs from what was sent.
fn streams(segments: &[Segment]) -> (Vec<u8>, Vec<u8>) {
    let side = |to_server: bool| {
        let mine = || {
            segments
                .iter()
                .filter(move |s| (s.flow.addr(s.side.other()).port() == PORT) == to_server)
        };
        let syn = mine().find(|s| s.flags.syn).expect("a SYN");
        assert!(mine().any(|s| s.flags.fin), "a FIN");
        let mut stream = Vec::new();
        for segment in mine().filter(|s| !s.payload.is_empty()) {
            let at = segment.seq.0.wrapping_sub(syn.seq.0).wrapping_sub(1) as usize;
            let end = at + segment.payload.len();
            stream.resize(stream.len().max(end), 0);
            stream[at..end].copy_from_slice(&segment.payload);
        }
        stream
    };
    (side(true), side(false))
}
