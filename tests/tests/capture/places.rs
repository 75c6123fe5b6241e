//! Where capture is attached: namespaces, and interfaces that come and go.

use std::os::unix::fs::MetadataExt;

use mirror_tests::tun::Tun;

use super::*;

#[needs(root)]
fn a_namespace_is_captured_in_from_outside() -> Result<()> {
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
    for namespaces in [
        named(&name),
        Namespaces {
            processes: vec![sleeper.id()],
            ..Namespaces::default()
        },
    ] {
        let mut options = options(port())?;
        options.namespaces = namespaces.clone();
        // From the client's host, where the interface has the same name.
        let segments = network.on(Host::Client, || {
            let (mut capture, rings) = TcCapture::start(&options)?;
            echo(&network, address)?;
            capture.detach();
            drain(rings)
        })?;
        assert!(!segments.is_empty(), "{namespaces:?}");
    }
    sleeper.kill()?;
    sleeper.wait()?;
    let gone = options_in(named("mirror-no-such"))?;
    let error = TcCapture::start(&gone).err().context("it was accepted")?;
    assert!(format!("{error:#}").contains("ip netns"), "{error:#}");
    Ok(())
}

#[needs(root)]
fn interfaces_are_found_when_they_come_and_forgotten_when_they_go() -> Result<()> {
    let network = Network::new()?;
    let mut options = options(port())?;
    options.interfaces = vec!["eth*".into()];
    capture_with(&network, options, |capture| {
        let names = |capture: &TcCapture| -> Vec<String> {
            capture
                .attachments()
                .into_iter()
                .map(|attachment| attachment.interface)
                .collect()
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
    let nothing = CaptureOptions {
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

/// One that is wanted and cannot be captured on is not passed over in silence.
#[needs(root)]
fn an_interface_that_cannot_be_read_is_named() -> Result<()> {
    // include/uapi/linux/if_arp.h
    const ARPHRD_X25: u16 = 271;
    let network = Network::new()?;
    let mut options = options(port())?;
    options.interfaces = vec!["eth*".into()];
    network.on(Host::Production, || {
        let _tun = Tun::of_kind("eth6", ARPHRD_X25)?;
        let (mut capture, _rings) = TcCapture::start(&options)?;
        let named = |capture: &TcCapture| {
            let advice = capture.advice();
            let named = advice
                .iter()
                .any(|a| a.contains("not captured: attaching to eth6"));
            assert!(named && advice.len() == 1, "{advice:?}");
        };
        named(&capture);
        assert_eq!(capture.attachments().len(), 1);
        capture.detach();
        named(&capture);
        Ok(())
    })
}

/// What vanishes takes nothing else along.
#[needs(root)]
fn capture_goes_on_when_one_of_its_namespaces_vanishes() -> Result<()> {
    let network = Network::new()?;
    let address = SocketAddr::from((Host::Production.address(), PORT));
    let mut sleeper = network.command(Host::Mirror, "sleep").arg("60").spawn()?;
    let there = format!("/run/netns/{}", network.namespace(Host::Mirror));
    let number = |path: &str| std::fs::metadata(path).map(|m| m.ino()).ok();
    mirror_tests::wait_until("a process inside", LIMIT, || {
        number(&format!("/proc/{}/ns/net", sleeper.id())) == number(&there)
    })?;
    let options = CaptureOptions {
        namespaces: Namespaces {
            processes: vec![sleeper.id()],
            // The agent's own.
            names: vec!["/proc/thread-self/ns/net".into()],
        },
        ..options(port())?
    };
    let (segments, _) = capture_with(&network, options, |capture| {
        assert_eq!(capture.attachments().len(), 2);
        sleeper.kill()?;
        sleeper.wait()?;
        mirror_tests::wait_until("one place only", LIMIT, || capture.attachments().len() == 1)?;
        echo(&network, address)
    })?;
    let sent: Vec<u8> = SIZES.into_iter().flat_map(noise).collect();
    assert!(streams(&segments) == (sent.clone(), sent));
    Ok(())
}

fn named(name: &str) -> Namespaces {
    Namespaces {
        names: vec![name.into()],
        ..Namespaces::default()
    }
}

fn options_in(namespaces: Namespaces) -> Result<CaptureOptions> {
    Ok(CaptureOptions {
        namespaces,
        ..options(port())?
    })
}
