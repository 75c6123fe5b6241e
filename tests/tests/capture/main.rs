//! The kernel program on real traffic: what two hosts say to each other on a captured port comes out of
//! the ring byte for byte.

mod agents;
mod filters;
mod frames;
mod neighbours;
mod payloads;
mod places;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mirror_agent::capture::ring::RingReader;
use mirror_agent::capture::tc::{CaptureOptions, Hook, Namespaces, Rings, TcCapture};
use mirror_core::filter::{FilterChange, FilterSettings};
use mirror_core::packet;
use mirror_core::packet::{Packet, Segment};
use mirror_tests::net::{Host, INTERFACE, Network};
use mirror_tests::{needs, testing};

const PORT: u16 = 8080;
const OTHER_PORT: u16 = 8081;
const LIMIT: Duration = Duration::from_secs(10);

/// Sizes of single writes: one byte, the borders of the record's size classes less the headers,
/// and more than one GSO packet holds.
const SIZES: [usize; 14] = [
    1, 100, 189, 190, 191, 1448, 1981, 1982, 1983, 16_318, 16_319, 65_483, 65_484, 300_000,
];

/// What production's interface captures of `traffic`, and the kernel's counters.
fn capture(
    network: &Network,
    traffic: impl FnOnce() -> Result<()> + Send,
) -> Result<(Vec<Segment>, BTreeMap<&'static str, u64>)> {
    capture_with(network, options(port())?, |_| traffic())
}

fn port() -> FilterChange {
    FilterChange::default().with("port", [PORT.to_string()])
}

fn options(change: FilterChange) -> Result<CaptureOptions> {
    Ok(CaptureOptions {
        interfaces: vec![INTERFACE.to_owned()],
        filter: change.apply_to(FilterSettings::default())?,
        rings: Rings::Fixed(2),
        ..CaptureOptions::default()
    })
}

fn capture_with(
    network: &Network,
    options: CaptureOptions,
    traffic: impl FnOnce(&mut TcCapture) -> Result<()> + Send,
) -> Result<(Vec<Segment>, BTreeMap<&'static str, u64>)> {
    let (packets, counters) = packets_with(network, options, traffic)?;
    Ok((segments(&packets)?, counters))
}

fn packets_with(
    network: &Network,
    options: CaptureOptions,
    traffic: impl FnOnce(&mut TcCapture) -> Result<()> + Send,
) -> Result<(Vec<Packet>, BTreeMap<&'static str, u64>)> {
    network.on(Host::Production, || {
        let (mut capture, rings) = TcCapture::start(&options)?;
        traffic(&mut capture)?;
        capture.detach();
        Ok((packets(rings)?, capture.counters.read()))
    })
}

/// All that the rings hold.
fn drain(rings: Vec<RingReader>) -> Result<Vec<Segment>> {
    segments(&packets(rings)?)
}

fn packets(rings: Vec<RingReader>) -> Result<Vec<Packet>> {
    let mut packets = Vec::new();
    for mut ring in rings {
        while ring.read(Duration::from_millis(100), |packet| packets.push(packet))? > 0 {}
    }
    Ok(packets)
}

fn segments(packets: &[Packet]) -> Result<Vec<Segment>> {
    let parsed: Vec<Segment> = packets.iter().flat_map(packet::parse).collect();
    ensure!(
        parsed.len() == packets.len(),
        "{} of {} records are no TCP segments",
        packets.len() - parsed.len(),
        packets.len()
    );
    Ok(parsed)
}

/// One connection from the client that sends each size and reads it back before the next.
fn echo(network: &Network, address: SocketAddr) -> Result<()> {
    echo_of(network, address, &SIZES)
}

fn echo_of(network: &Network, address: SocketAddr, sizes: &[usize]) -> Result<()> {
    let listener = listen(network, address)?;
    let to_echo = sizes.to_vec();
    let server = std::thread::spawn(move || -> Result<()> {
        let (mut connection, _) = listener.accept()?;
        limit(&connection)?;
        for size in to_echo {
            let mut got = vec![0; size];
            connection.read_exact(&mut got)?;
            connection.write_all(&got)?;
        }
        Ok(())
    });
    network.on(Host::Client, || {
        let mut connection = TcpStream::connect_timeout(&address, LIMIT)?;
        limit(&connection)?;
        for &size in sizes {
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

/// Listens in production. The port of the listener before may be held for a moment longer: a program that another
/// test starts has a copy of it between fork and exec.
fn listen(network: &Network, address: SocketAddr) -> Result<TcpListener> {
    let mut bound = network.on(Host::Production, || Ok(TcpListener::bind(address)));
    mirror_tests::wait_until("the port", LIMIT, || {
        if let Ok(Err(error)) = &bound
            && error.kind() == ErrorKind::AddrInUse
        {
            bound = network.on(Host::Production, || Ok(TcpListener::bind(address)));
            return false;
        }
        true
    })?;
    bound?.context("listening in production")
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
fn main() -> ExitCode {
    testing::main()
}
