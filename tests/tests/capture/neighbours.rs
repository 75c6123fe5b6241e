//! Programs of others at the same interface.

use mirror_agent::capture::net::links;
use mirror_tests::foreign::{self, Act, Foreign};

use super::*;

/// Where others redirect to.
const SIDE: &str = "eth8";

/// A classic filter that takes every packet and lets it pass: the chain ends there.
const PASSES: &[&str] = &["bpf", "bytecode", "1,6 0 0 4294967295", "flowid", "1:1"];
const REDIRECTS: &[&str] = &[
    "protocol", "ip", "u32", "match", "u32", "0", "0", "action", "mirred", "egress", "redirect",
    "dev", SIDE,
];

/// Another's program neither loses its effect nor hides traffic from us, before ours or behind.
#[needs(root)]
fn other_programs_live_beside_ours() -> Result<()> {
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
            let _behind = Foreign::attach(there, Act::Pass, false)?;
            let before = copied(capture);
            echo(&network, address)?;
            assert!(
                copied(capture) - before >= both,
                "hidden by a program behind"
            );
        }
        {
            let _first = Foreign::attach(there, Act::Pass, true)?;
            // Ours goes first again within a second or so.
            mirror_tests::wait_until("our program first", LIMIT, || {
                let before = copied(capture);
                echo(&network, address).is_ok() && copied(capture) - before >= both
            })?;
        }
        network.add_wire(SIDE)?;
        let side = links::list()?;
        let side = side.values().find(|link| link.name == SIDE);
        let side = side.context("the other interface")?.index;
        for act in [Act::Drop, Act::Redirect(side)] {
            let _other = Foreign::attach(there, act, false)?;
            let before = copied(capture);
            assert!(!answers(&network, address)?, "{act:?} lost its effect");
            assert!(copied(capture) > before, "{act:?} hid the packets");
        }
        ensure!(sent(SIDE)? > 0, "nothing was redirected");
        Ok(())
    })?;
    Ok(())
}

/// Below TCX: ours stands before the filters of others, whose effect stays, and takes only itself away.
#[needs(root)]
fn other_filters_live_beside_ours() -> Result<()> {
    let address = SocketAddr::from((Host::Production.address(), PORT));
    for (priority, there_before) in [(1, true), (1, false), (10, true), (10, false)] {
        let network = Network::new()?;
        network.add_wire(SIDE)?;
        let theirs = |words| foreign::add_filter(INTERFACE, priority, words);
        network.on(Host::Production, || {
            foreign::add_clsact(INTERFACE)?;
            if there_before {
                theirs(PASSES)?;
            }
            let options = CaptureOptions {
                hook: Hook::Tc,
                ..options(port())?
            };
            let (mut capture, rings) = TcCapture::start(&options)?;
            if !there_before {
                theirs(PASSES)?;
            }
            mirror_tests::wait_until("our filter first", LIMIT, || {
                let shown = foreign::filters(INTERFACE).unwrap_or_default();
                let places = (shown.find("mirror_ingress"), shown.find("bytecode"));
                // While it moves it is nowhere, and listed again once both directions are attached.
                matches!(places, (Some(ours), Some(theirs)) if ours < theirs)
                    && !capture.attachments().is_empty()
            })?;
            echo(&network, address)?;
            foreign::add_filter(INTERFACE, 20, REDIRECTS)?;
            capture.detach();
            let left = foreign::filters(INTERFACE)?;
            assert!(
                left.contains("bytecode") && left.contains("mirred"),
                "{left}"
            );
            assert!(!left.contains("mirror_"), "{left}");
            let whole: Vec<u8> = SIZES.into_iter().flat_map(noise).collect();
            let found = streams(&drain(rings)?);
            assert!(
                found == (whole.clone(), whole),
                "priority {priority}, there before: {there_before}"
            );
            Ok(())
        })?;
    }
    Ok(())
}

/// Filters of another kind keep their priority for themselves: ours goes right after those that are first.
#[needs(root)]
fn a_priority_that_cannot_be_shared_is_left_to_its_owner() -> Result<()> {
    const MATCHES_NOTHING: &[&str] = &[
        "u32",
        "match",
        "u32",
        "0xffffffff",
        "0xffffffff",
        "flowid",
        "1:1",
    ];
    let network = Network::new()?;
    let address = SocketAddr::from((Host::Production.address(), PORT));
    let options = CaptureOptions {
        hook: Hook::Tc,
        ..options(port())?
    };
    let (segments, _) = network.on(Host::Production, || {
        foreign::add_clsact(INTERFACE)?;
        foreign::add_filter(INTERFACE, 1, MATCHES_NOTHING)?;
        foreign::add_filter(INTERFACE, 10, PASSES)?;
        capture_with(&network, options, |capture| {
            echo(&network, address)?;
            assert!(
                capture.blind_times().is_empty(),
                "{:?}",
                capture.blind_times()
            );
            Ok(())
        })
    })?;
    let whole: Vec<u8> = SIZES.into_iter().flat_map(noise).collect();
    assert!(streams(&segments) == (whole.clone(), whole));
    Ok(())
}

/// A filter that redirects does so behind ours; and when its owner clears all that there is, ours comes back.
#[needs(root)]
fn a_filter_that_was_cleared_is_put_back() -> Result<()> {
    let network = Network::new()?;
    network.add_wire(SIDE)?;
    let address = SocketAddr::from((Host::Production.address(), PORT));
    let options = CaptureOptions {
        hook: Hook::Tc,
        ..options(port())?
    };
    capture_with(&network, options, |capture| {
        let copied = |capture: &TcCapture| capture.counters.read()["copied"];
        foreign::add_filter(INTERFACE, 20, REDIRECTS)?;
        let before = copied(capture);
        assert!(!answers(&network, address)?, "it lost its effect");
        ensure!(sent(SIDE)? > 0, "nothing was redirected");
        assert!(copied(capture) > before, "it hid the packets");
        foreign::clear_filters(INTERFACE)?;
        mirror_tests::wait_until("our filter", LIMIT, || {
            foreign::filters(INTERFACE).is_ok_and(|shown| shown.contains("mirror_ingress"))
        })?;
        echo(&network, address)
    })?;
    Ok(())
}

/// A network plug-in hands packets to a pod past the host's end of its wire: the root cgroup sees them all the same.
#[needs(root)]
fn packets_redirected_past_an_interface_are_seen_at_the_root_cgroup() -> Result<()> {
    let network = Network::new()?;
    // Of its own: the root cgroup sees other tests' hosts too.
    const PORT: u16 = 8083;
    let address = SocketAddr::from((Host::Production.address(), PORT));
    let port_of_production = Network::port_of(Host::Production);
    let _plugin = network.on_switch(|| {
        let links = links::list()?;
        let index = |name: String| {
            let link = links.values().find(|link| link.name == name);
            link.map(|link| link.index).context("a port of the switch")
        };
        let to = index(port_of_production.clone())?;
        Foreign::attach(
            index(Network::port_of(Host::Client))?,
            Act::RedirectPeer(to),
            true,
        )
    })?;
    let filter = FilterChange::default().with("port", [PORT.to_string()]);
    let sent: usize = SIZES.into_iter().sum();
    for (hook, interfaces) in [
        (Hook::Auto, vec![port_of_production.clone()]),
        (Hook::Cgroup, Vec::new()),
    ] {
        let options = CaptureOptions {
            hook,
            interfaces,
            ..options(filter.clone())?
        };
        let segments = network.on_switch(|| {
            let (mut capture, rings) = TcCapture::start(&options)?;
            echo(&network, address)?;
            capture.detach();
            drain(rings)
        })?;
        let bytes = |to_server: bool| -> usize {
            let side = |s: &&Segment| (s.flow.addr(s.side.other()).port() == PORT) == to_server;
            segments.iter().filter(side).map(|s| s.payload.len()).sum()
        };
        assert!(bytes(false) >= sent, "{hook:?}: what production said");
        match hook {
            Hook::Cgroup => assert!(bytes(true) >= sent, "what production was told"),
            _ => assert_eq!(bytes(true), 0, "nothing was redirected past {hook:?}"),
        }
    }
    Ok(())
}

/// Whether a connection to production can be opened.
fn answers(network: &Network, address: SocketAddr) -> Result<bool> {
    let _listener = listen(network, address)?;
    network.on(Host::Client, || {
        Ok(TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok())
    })
}

/// Packets that an interface of this namespace has sent.
fn sent(interface: &str) -> Result<u64> {
    let output = std::process::Command::new("ip")
        .args(["-s", "-j", "link", "show", "dev", interface])
        .output()?;
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    shown[0]["stats64"]["tx"]["packets"]
        .as_u64()
        .context("the packets sent")
}
