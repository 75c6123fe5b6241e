//! Several agents at one place, and programs of others among them. Each agent sees all that it is to see, whoever
//! comes, goes or is killed.

use aya::programs::{SchedClassifier, TcAttachType};
use mirror_agent::capture::net::links;
use mirror_agent::capture::tc::{BlindTime, clsact};
use mirror_tests::agent::{Agent, Report};
use mirror_tests::foreign::{self, Act, Foreign};
use mirror_tests::load::{Answers, Call, Load};
use mirror_tests::nginx::Nginx;
use mirror_tests::scratch::Scratch;
use mirror_tests::workspace::{Profile, binary};

use super::*;

const PER_SECOND: u32 = 500;
/// A filter that never matches: the chain goes on.
const NEVER: &[&str] = &["bpf", "bytecode", "1,6 0 0 0", "flowid", "1:1"];

#[needs(root)]
fn agents_by_tcx_cost_each_other_nothing() -> Result<()> {
    come_and_go("tcx", [25_000, 25_001])
}

#[needs(root)]
fn agents_by_clsact_cost_each_other_nothing() -> Result<()> {
    come_and_go("tc", [25_000, 25_001])
}

/// The root cgroup sees other tests' hosts too: these ports are its own.
#[needs(root)]
fn agents_at_the_root_cgroup_cost_each_other_nothing() -> Result<()> {
    come_and_go("cgroup", [25_010, 25_011])
}

/// One agent stays, while others come, see all of theirs and go, or are killed.
fn come_and_go(hook: &str, [lasting, passing]: [u16; 2]) -> Result<()> {
    let network = Network::new()?;
    let scratch = [Scratch::new()?, Scratch::new()?];
    let servers = [
        Nginx::start(&network, Host::Production, lasting, "{}", &scratch[0])?,
        Nginx::start(&network, Host::Production, passing, "{}", &scratch[1])?,
    ];
    // The log of each tells when that one is attached.
    let start = |port, scratch: &Scratch| {
        Agent::observe(&network, port, &["--hook", hook], Profile::Debug, scratch)
    };
    let own = Scratch::new()?;
    let stays = start(lasting, &own)?;
    let load = Load::start(&network, &calls(&servers[0], 3000), PER_SECOND, &scratch[0])?;
    for end in ["stopped", "killed", "stopped"] {
        let own = Scratch::new()?;
        let mut agent = start(passing, &own)?;
        sent(
            Load::start(&network, &calls(&servers[1], 400), PER_SECOND, &scratch[1])?,
            400,
        )?;
        if end == "killed" {
            agent.kill();
        } else {
            saw_all(&agent.stop()?.report, 400, hook);
        }
    }
    sent(load, 3000)?;
    let report = stays.stop()?.report;
    saw_all(&report, 3000, hook);
    assert_eq!(report.json["advice"], serde_json::json!([]), "{hook}");
    Ok(())
}

/// Another's program that hides nothing comes first again and again: each agent goes before it without losing a
/// packet, and tells for how long it could not know.
#[needs(root)]
fn coming_first_again_costs_no_request() -> Result<()> {
    for hook in ["tcx", "tc"] {
        let network = Network::new()?;
        let ports = [25_000, 25_001];
        let scratches = [Scratch::new()?, Scratch::new()?];
        let mut servers = Vec::new();
        let mut agents = Vec::new();
        let mut loads = Vec::new();
        for (port, scratch) in ports.into_iter().zip(&scratches) {
            let server = Nginx::start(&network, Host::Production, port, "{}", scratch)?;
            let args = ["--hook", hook];
            agents.push(Agent::observe(
                &network,
                port,
                &args,
                Profile::Debug,
                scratch,
            )?);
            loads.push(Load::start(
                &network,
                &calls(&server, 2000),
                PER_SECOND,
                scratch,
            )?);
            servers.push(server);
        }
        let mut others = Vec::new();
        for _ in 0..2 {
            if hook == "tcx" {
                let there = index_of(&network)?;
                others.push(
                    network.on(Host::Production, || Foreign::attach(there, Act::Next, true))?,
                );
            } else {
                network.on(Host::Production, || {
                    foreign::add_filter(INTERFACE, 1, NEVER)
                })?;
            }
            mirror_tests::wait_until("both agents first", LIMIT, || {
                order(&network, hook).is_ok_and(|names| {
                    let ours = |name: &String| name == "mirror_ingress";
                    names.len() > 2 && names[..2].iter().all(ours)
                })
            })?;
        }
        for load in loads {
            sent(load, 2000)?;
        }
        for agent in agents {
            let report = agent.stop()?.report;
            saw_all(&report, 2000, hook);
            let advice = report.json["advice"].to_string();
            assert!(
                advice.contains("capture on eth0 may have been blind"),
                "{advice}"
            );
        }
    }
    Ok(())
}

/// What another's program hides until the agents are first again is in no counter: it is told as a time.
#[needs(root)]
fn what_others_hide_is_told_as_a_time() -> Result<()> {
    let network = Network::new()?;
    let there = index_of(&network)?;
    let address = SocketAddr::from((Host::Production.address(), PORT));
    let times = network.on(Host::Production, || {
        let (mut first, first_rings) = TcCapture::start(&options(port())?)?;
        let (mut second, second_rings) = TcCapture::start(&options(port())?)?;
        assert!(first.blind_times().is_empty() && second.blind_times().is_empty());
        let _other = Foreign::attach(there, Act::Pass, true)?;
        mirror_tests::wait_until("both captures first", LIMIT, || {
            !first.blind_times().is_empty() && !second.blind_times().is_empty()
        })?;
        echo(&network, address)?;
        let times = [first.blind_times(), second.blind_times()].concat();
        first.detach();
        second.detach();
        for rings in [first_rings, second_rings] {
            let whole: Vec<u8> = SIZES.into_iter().flat_map(noise).collect();
            assert!(streams(&drain(rings)?) == (whole.clone(), whole));
        }
        Ok(times)
    })?;
    for time in &times {
        assert_eq!(
            (time.interface.as_str(), time.times, time.goes_on),
            (INTERFACE, 1, false)
        );
        assert!(time.seconds > 0.0 && time.seconds < 5.0, "{time:?}");
        assert!(
            time.advice().contains("another program was before"),
            "{}",
            time.advice()
        );
    }
    assert_eq!(times.len(), 2, "{times:?}");
    Ok(())
}

/// An agent that ends looks once more: what others did just before is not left out.
#[needs(root)]
fn what_others_hid_just_before_the_end_is_told() -> Result<()> {
    let network = Network::new()?;
    let there = index_of(&network)?;
    network.on(Host::Production, || {
        let (mut capture, _rings) = TcCapture::start(&options(port())?)?;
        let _other = Foreign::attach(there, Act::Pass, true)?;
        capture.detach();
        let times = capture.blind_times();
        let [time] = &times[..] else {
            anyhow::bail!("{times:?}");
        };
        assert!(!time.goes_on && time.advice().contains("another program was before"));
        Ok(())
    })
}

/// The kernel runs TCX before clsact: what ends the chain there hides all from a filter, wherever it stands.
#[needs(root)]
fn a_filter_knows_of_programs_that_run_before_all_filters() -> Result<()> {
    let network = Network::new()?;
    let there = index_of(&network)?;
    let options = CaptureOptions {
        hook: Hook::Tc,
        ..options(port())?
    };
    network.on(Host::Production, || {
        let (capture, _rings) = TcCapture::start(&options)?;
        let other = Foreign::attach(there, Act::Pass, true)?;
        let goes_on = || capture.blind_times().iter().any(|time| time.goes_on);
        mirror_tests::wait_until("a blind time", LIMIT, goes_on)?;
        drop(other);
        mirror_tests::wait_until("its end", LIMIT, || !goes_on())
    })
}

/// Filters that others clear come back, and each capture removes its own later, not those of the other.
#[needs(root)]
fn filters_of_agents_are_told_apart() -> Result<()> {
    let network = Network::new()?;
    let address = SocketAddr::from((Host::Production.address(), PORT));
    network.on(Host::Production, || {
        let options = CaptureOptions {
            hook: Hook::Tc,
            ..options(port())?
        };
        let ours = || {
            Ok::<_, anyhow::Error>(
                foreign::filters(INTERFACE)?
                    .matches("direct-action")
                    .count(),
            )
        };
        let (mut first, _first_rings) = TcCapture::start(&options)?;
        let (mut second, rings) = TcCapture::start(&options)?;
        foreign::clear_filters(INTERFACE)?;
        mirror_tests::wait_until("both captures", LIMIT, || {
            let told = |capture: &TcCapture| capture.blind_times().iter().any(removed);
            told(&first) && told(&second) && ours().is_ok_and(|n| n == 2)
        })?;
        assert!(clsact::find_all()?.is_empty(), "both live");
        first.detach();
        assert_eq!(ours()?, 1, "each removes its own");
        echo(&network, address)?;
        second.detach();
        assert_eq!(ours()?, 0);
        let whole: Vec<u8> = SIZES.into_iter().flat_map(noise).collect();
        assert!(streams(&drain(rings)?) == (whole.clone(), whole));
        Ok(())
    })
}

fn removed(time: &BlindTime) -> bool {
    time.advice().contains("others removed the agent's program")
}

/// As of a container: the processes of the living agent are not to be seen from there.
#[needs(root)]
fn a_living_agent_keeps_its_filters_whoever_looks() -> Result<()> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let production = Nginx::start(&network, Host::Production, PORT, "{}", &scratch)?;
    let args = ["--hook", "tc"];
    let agent = Agent::observe(&network, PORT, &args, Profile::Debug, &scratch)?;
    let doctor = || {
        let output = network
            .command(Host::Production, "unshare")
            .args(["--fork", "--pid", "--mount-proc", "--"])
            .arg(binary("mirror-agent", Profile::Debug)?)
            .args(["doctor", "--fix"])
            .output()?;
        Ok::<_, anyhow::Error>(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let shown = doctor()?;
    assert!(shown.contains("nothing was left"), "{shown}");
    sent(
        Load::start(&network, &calls(&production, 100), PER_SECOND, &scratch)?,
        100,
    )?;
    let mut agent = agent;
    agent.wait_settled(100, LIMIT)?;
    agent.kill();
    let shown = doctor()?;
    assert!(shown.contains("removed: eth0 mirror_"), "{shown}");
    Ok(())
}

fn calls(server: &Nginx, count: usize) -> Vec<Call> {
    (0..count)
        .map(|n| Call::get(format!("{}/{n}", server.url())))
        .collect()
}

fn sent(load: Load, count: usize) -> Result<()> {
    let answers = Answers {
        ok: count,
        failed: 0,
    };
    ensure!(load.finish()? == answers, "not all requests were answered");
    Ok(())
}

fn saw_all(report: &Report, count: u64, hook: &str) {
    assert_eq!(report.seen, count, "{hook}: {:#}", report.json);
    assert_eq!(
        report.outcome("observed"),
        count,
        "{hook}: {:#}",
        report.json
    );
}

fn index_of(network: &Network) -> Result<u32> {
    network.on(Host::Production, || {
        let all = links::list()?;
        let there = all.values().find(|found| found.name == INTERFACE);
        Ok(there.context("the interface")?.index)
    })
}

/// The programs at production's ingress, in their order.
fn order(network: &Network, hook: &str) -> Result<Vec<String>> {
    network.on(Host::Production, || {
        if hook == "tcx" {
            let (_, chain) = SchedClassifier::query_tcx(INTERFACE, TcAttachType::Ingress)?;
            let name = |program: &aya::programs::ProgramInfo| {
                program.name_as_str().unwrap_or_default().to_owned()
            };
            return Ok(chain.iter().map(name).collect());
        }
        let shown = foreign::filters(INTERFACE)?;
        let name = |line: &str| {
            let names = ["mirror_ingress", "bytecode"];
            let name = names.into_iter().find(|name| line.contains(name))?;
            Some(name.to_owned())
        };
        Ok(shown.lines().filter_map(name).collect())
    })
}
