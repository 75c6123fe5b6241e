//! What is said arrives whole, whatever the size of the packets and however the programs are attached.

use std::net::IpAddr;

use mirror_core::packet::Side;

use super::*;

#[needs(root)]
fn payloads_of_every_size_arrive_whole() -> Result<()> {
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

#[needs(root)]
fn other_ports_are_not_copied() -> Result<()> {
    let network = Network::new()?;
    let address = SocketAddr::from((Host::Production.address(), OTHER_PORT));
    let (segments, counters) = capture(&network, || echo(&network, address))?;
    assert!(segments.is_empty(), "{segments:?}");
    assert!(counters["other_port"] > 0, "{counters:?}");
    assert_eq!(counters["copied"], 0, "{counters:?}");
    Ok(())
}

/// Every way of attaching sees both directions, each packet once or again as a retransmission would be.
#[needs(root)]
fn every_hook_captures_both_directions() -> Result<()> {
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
