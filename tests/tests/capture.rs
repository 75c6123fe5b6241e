//! The kernel program, byte for byte: what two hosts say to each other on a captured port comes
//! out of the ring as it was, whatever the size of the packets, and other ports stay unseen.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mirror_agent::capture::attach::Hook;
use mirror_agent::capture::filter::{FilterChange, FilterSettings};
use mirror_agent::capture::links;
use mirror_agent::capture::namespace::Namespace;
use mirror_agent::capture::ring::RingReader;
use mirror_agent::capture::tc::{TcCapture, TcOptions};
use mirror_agent::packet::{self, Segment, Side};
use mirror_common::{flow_hash, mapped};
use mirror_tests::foreign::{self, Foreign};
use mirror_tests::net::{Host, INTERFACE, Network};
use mirror_tests::tun::Tun;

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
        for side in [Side::Low, Side::High] {
            let fin = segments.iter().any(|s| s.flags.fin && s.side == side);
            assert!(fin, "a FIN of {side:?}");
        }
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

/// Every way of attaching sees both directions, each packet once or again as a retransmission would be.
#[test]
fn every_hook_captures_both_directions() -> Result<()> {
    if !mirror_tests::runs_as_root("capture, hooks") {
        return Ok(());
    }
    let network = Network::new()?;
    let address = SocketAddr::from((Host::Production.address(), PORT));
    for (hook, how) in [
        (Hook::Tcx, "tcx"),
        (Hook::Tc, "clsact"),
        (Hook::Cgroup, "cgroup"),
    ] {
        let mut options = options(port())?;
        options.hook = hook;
        if hook == Hook::Cgroup {
            options.interfaces.clear();
        }
        let (segments, _) = capture_with(&network, options, |capture| {
            assert_eq!(capture.hook(), how);
            echo(&network, address)
        })?;
        let sent: Vec<u8> = SIZES.into_iter().flat_map(noise).collect();
        assert!(streams(&segments) == (sent.clone(), sent), "{how}");
    }
    Ok(())
}

#[test]
fn a_namespace_is_captured_in_from_outside() -> Result<()> {
    if !mirror_tests::runs_as_root("capture, namespaces") {
        return Ok(());
    }
    let network = Network::new()?;
    let address = SocketAddr::from((Host::Production.address(), PORT));
    let mut sleeper = network
        .command(Host::Production, "sleep")
        .arg("60")
        .spawn()?;
    // Until it has entered the namespace it is in ours.
    let name = network.namespace(Host::Production);
    let inside = |pid: u32| {
        let number = |path: String| std::fs::metadata(path).map(|m| m.ino()).ok();
        number(format!("/proc/{pid}/ns/net")) == number(format!("/run/netns/{name}"))
    };
    mirror_tests::wait_until("a process inside", LIMIT, || inside(sleeper.id()))?;
    for namespace in [
        Namespace::Named(name.clone().into()),
        Namespace::Process(sleeper.id()),
    ] {
        let mut options = options(port())?;
        options.namespaces = vec![namespace.clone()];
        // From the client's host, where the interface has the same name.
        let segments = network.on(Host::Client, || {
            let (mut capture, rings) = TcCapture::start(&options)?;
            echo(&network, address)?;
            capture.detach();
            drain(rings)
        })?;
        assert!(!segments.is_empty(), "{namespace}");
    }
    sleeper.kill()?;
    sleeper.wait()?;
    let gone = options_in(Namespace::Named("mirror-no-such".into()))?;
    let error = TcCapture::start(&gone).err().context("it was accepted")?;
    assert!(format!("{error:#}").contains("ip netns"), "{error:#}");
    Ok(())
}

/// A filter changes while packets pass, without attaching anew.
#[test]
fn filters_change_while_running() -> Result<()> {
    if !mirror_tests::runs_as_root("capture, filters") {
        return Ok(());
    }
    let network = Network::new()?;
    let address = SocketAddr::from((Host::Production.address(), PORT));
    let client = Host::Client.address().to_string();
    let deny = |network: &str| FilterChange {
        deny_net: vec![network.to_owned()],
        ..FilterChange::default()
    };
    let allow = |network: &str| FilterChange {
        allow_net: vec![network.to_owned()],
        deny_net: vec!["none".into()],
        ..FilterChange::default()
    };
    let steps = [
        (deny("10.77.0.0/24"), "filtered"),
        (deny(&client), "filtered"),
        (deny("10.78.0.0/24"), "copied"),
        (allow("fd00::/8"), "filtered"),
        (allow("10.0.0.0/8"), "copied"),
        (sample("0%"), "sampled_out"),
        (sample("100%"), "copied"),
    ];
    capture_with(&network, options(port())?, |capture| {
        let mut before = capture.counters.read();
        for (change, moves) in &steps {
            let settings = change.apply_to(capture.filters.settings())?;
            capture.filters.apply(&settings)?;
            echo(&network, address)?;
            let after = capture.counters.read();
            for name in ["filtered", "copied", "sampled_out"] {
                let moved = after[name] > before[name];
                assert_eq!(moved, name == *moves, "{name} after {change:?}: {after:?}");
            }
            before = after;
        }
        capture.filters.exclude(address)?;
        echo(&network, address)?;
        assert!(capture.counters.read()["excluded"] > 0);
        Ok(())
    })?;
    Ok(())
}

/// Another's program neither loses its effect nor hides traffic from us, before ours or behind.
#[test]
fn other_programs_live_beside_ours() -> Result<()> {
    if !mirror_tests::runs_as_root("capture, others") {
        return Ok(());
    }
    let network = Network::new()?;
    let address = SocketAddr::from((Host::Production.address(), PORT));
    let there = network.on(Host::Production, || {
        let all = links::list()?;
        let eth = all.values().find(|link| link.name == INTERFACE);
        Ok(eth.context("the interface")?.index)
    })?;
    capture_with(&network, options(port())?, |capture| {
        let copied = |capture: &TcCapture| capture.counters.read()["copied"];
        // At least one packet of each size in each direction.
        let both = 2 * SIZES.len() as u64;
        {
            let _behind = Foreign::attach(there, foreign::PASS, false)?;
            let before = copied(capture);
            echo(&network, address)?;
            assert!(
                copied(capture) - before >= both,
                "hidden by a program behind"
            );
        }
        {
            let _first = Foreign::attach(there, foreign::PASS, true)?;
            // Ours goes first again within a second or so.
            mirror_tests::wait_until("our program first", LIMIT, || {
                let before = copied(capture);
                echo(&network, address).is_ok() && copied(capture) - before >= both
            })?;
        }
        let _drops = Foreign::attach(there, foreign::DROP, false)?;
        let listener = network.on(Host::Production, || Ok(TcpListener::bind(address)?))?;
        let refused = network.on(Host::Client, || {
            Ok(TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_err())
        })?;
        drop(listener);
        assert!(refused, "the other program lost its effect");
        Ok(())
    })?;
    Ok(())
}

/// A sampled connection is taken whole, and which ones are is what the hash says.
#[test]
fn a_sample_is_of_whole_connections() -> Result<()> {
    if !mirror_tests::runs_as_root("capture, sample") {
        return Ok(());
    }
    let network = Network::new()?;
    let address = SocketAddr::from((Host::Production.address(), PORT));
    let mut change = port();
    change.sample = Some("50%".into());
    let (segments, _) = capture_with(&network, options(change)?, |_| {
        (0..24).try_for_each(|_| echo(&network, address))
    })?;
    let mut flows: BTreeMap<u16, Vec<Segment>> = BTreeMap::new();
    for segment in segments {
        let [a, b] = [segment.side, segment.side.other()].map(|s| segment.flow.addr(s));
        let client = if a.port() == PORT { b } else { a };
        flows.entry(client.port()).or_default().push(segment);
    }
    assert!((1..24).contains(&flows.len()), "{} of 24", flows.len());
    let sent: Vec<u8> = SIZES.into_iter().flat_map(noise).collect();
    for (port, segments) in &flows {
        assert!(
            streams(segments) == (sent.clone(), sent.clone()),
            "port {port}"
        );
        let v4 = |host: Host| mapped(host.address().octets());
        let (client, server) = (v4(Host::Client), v4(Host::Production));
        let hash = flow_hash(0, &client, *port, &server, PORT);
        assert!((hash >> 32) as u32 <= u32::MAX / 2, "port {port}");
    }
    Ok(())
}

#[test]
fn interfaces_are_found_when_they_come_and_forgotten_when_they_go() -> Result<()> {
    if !mirror_tests::runs_as_root("capture, interfaces") {
        return Ok(());
    }
    let network = Network::new()?;
    let mut options = options(port())?;
    options.interfaces = vec!["eth*".into()];
    capture_with(&network, options, |capture| {
        let names = |capture: &TcCapture| -> Vec<String> {
            capture.places().into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(capture), [INTERFACE]);
        let address = network.add_wire("eth7")?;
        mirror_tests::wait_until("the new interface", LIMIT, || names(capture).len() == 2)?;
        echo(&network, SocketAddr::from((address, PORT)))?;
        let counts = capture.counters.by_interface();
        assert!(counts["eth7"]["copied"] > 0, "{counts:?}");
        network.remove_wire("eth7")?;
        mirror_tests::wait_until("its end", LIMIT, || names(capture) == [INTERFACE])
    })?;
    let nothing = TcOptions {
        interfaces: vec!["wlan*".into()],
        ..self::options(port())?
    };
    let error = network.on(Host::Production, || Ok(TcCapture::start(&nothing).err()))?;
    let error = format!("{:#}", error.context("it was accepted")?);
    assert!(
        error.contains("wlan*") && error.contains(INTERFACE),
        "{error}"
    );
    Ok(())
}

/// As tun and WireGuard have them: packets start with their IP header.
#[test]
fn an_interface_without_ethernet_header_is_captured() -> Result<()> {
    if !mirror_tests::runs_as_root("capture, tun") {
        return Ok(());
    }
    let network = Network::new()?;
    let (segments, _) = network.on(Host::Production, || {
        let mut tun = Tun::open("eth9")?;
        let options = TcOptions {
            interfaces: vec!["eth9".into()],
            ..options(port())?
        };
        let (mut capture, rings) = TcCapture::start(&options)?;
        tun.send(&packet_to(PORT, b"GET /tun HTTP/1.1\r\n\r\n"))?;
        capture.detach();
        Ok((drain(rings)?, capture.counters.read()))
    })?;
    let payloads: Vec<&[u8]> = segments.iter().map(|s| &s.payload[..]).collect();
    assert_eq!(payloads, [b"GET /tun HTTP/1.1\r\n\r\n"]);
    Ok(())
}

/// What production's interface captures of `traffic`, and the kernel's counters.
fn capture(
    network: &Network,
    traffic: impl FnOnce() -> Result<()> + Send,
) -> Result<(Vec<Segment>, BTreeMap<&'static str, u64>)> {
    capture_with(network, options(port())?, |_| traffic())
}

fn port() -> FilterChange {
    FilterChange {
        port: vec![PORT.to_string()],
        ..FilterChange::default()
    }
}

fn sample(share: &str) -> FilterChange {
    FilterChange {
        sample: Some(share.into()),
        allow_net: vec!["none".into()],
        ..FilterChange::default()
    }
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

fn options_in(namespace: Namespace) -> Result<TcOptions> {
    Ok(TcOptions {
        namespaces: vec![namespace],
        ..options(port())?
    })
}

fn capture_with(
    network: &Network,
    options: TcOptions,
    traffic: impl FnOnce(&mut TcCapture) -> Result<()> + Send,
) -> Result<(Vec<Segment>, BTreeMap<&'static str, u64>)> {
    network.on(Host::Production, || {
        let (mut capture, rings) = TcCapture::start(&options)?;
        traffic(&mut capture)?;
        capture.detach();
        Ok((drain(rings)?, capture.counters.read()))
    })
}

/// All that the rings hold.
fn drain(rings: Vec<RingReader>) -> Result<Vec<Segment>> {
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
    Ok(segments)
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

/// An IPv4 packet with a TCP segment of its own.
fn packet_to(port: u16, payload: &[u8]) -> Vec<u8> {
    let total = (40 + payload.len()) as u16;
    let mut bytes = vec![0x45, 0];
    bytes.extend_from_slice(&total.to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 0, 64, 6, 0, 0, 10, 79, 0, 1, 10, 79, 0, 2]);
    bytes.extend_from_slice(&40_000_u16.to_be_bytes());
    bytes.extend_from_slice(&port.to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(payload);
    bytes
}
