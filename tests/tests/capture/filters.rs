//! Which packets are copied: by network, share and exclusion, changed while packets pass.

use mirror_common::{flow_hash, mapped};

use super::*;

/// A filter changes while packets pass, without attaching anew.
#[needs(root)]
fn filters_change_while_running() -> Result<()> {
    let network = Network::new()?;
    let address = SocketAddr::from((Host::Production.address(), PORT));
    let client = Host::Client.address().to_string();
    let deny = |network: &str| FilterChange::default().with("deny-net", [network]);
    let allow = |network: &str| {
        FilterChange::default()
            .with("allow-net", [network])
            .with("deny-net", ["none"])
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
        for (change, moves) in &steps {
            let settings = change.apply_to(capture.filters.settings())?;
            capture.filters.apply(&settings)?;
            // Only now: the last packets of the connection before may come after its ends are closed.
            let before = capture.counters.read();
            echo(&network, address)?;
            let after = capture.counters.read();
            for name in ["filtered", "copied", "sampled_out"] {
                let moved = after[name] > before[name];
                assert_eq!(moved, name == *moves, "{name} after {change:?}: {after:?}");
            }
        }
        capture.filters.exclude(address)?;
        echo(&network, address)?;
        assert!(capture.counters.read()["excluded"] > 0);
        Ok(())
    })?;
    Ok(())
}

/// A sampled connection is taken whole, and which ones are is what the hash says.
#[needs(root)]
fn a_sample_is_of_whole_connections() -> Result<()> {
    let network = Network::new()?;
    let address = SocketAddr::from((Host::Production.address(), PORT));
    let change = port().with("sample", ["50%"]);
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

fn sample(share: &str) -> FilterChange {
    FilterChange::default()
        .with("sample", [share])
        .with("allow-net", ["none"])
}
