//! The example patterns: data that changes at every read, and answers that are alike all the same.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use mirror_tests::agent::Agent;
use mirror_tests::http::wait_listening;
use mirror_tests::load::{Answers, Call, Load};
use mirror_tests::net::{Host, Network};
use mirror_tests::process::Process;
use mirror_tests::redis::Redis;
use mirror_tests::scratch::Scratch;
use mirror_tests::workspace::{Profile, binary};

const REQUESTS: usize = 90;

#[test]
fn every_pattern_answers_alike_in_the_mirror() -> Result<()> {
    if !mirror_tests::runs_as_root("patterns") {
        return Ok(());
    }
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let _redis = Redis::start(&network, &scratch)?;
    let program = binary("patterns", Profile::Debug)?;
    let start = |host: Host, profile: &str| -> Result<Process> {
        let address = SocketAddr::from((host.address(), 8080));
        let mut command = network.command(host, &program);
        command.args([
            "--profile",
            profile,
            "--listen",
            &address.to_string(),
            "--redis",
            &Redis::url(),
        ]);
        let process = Process::spawn(profile, command, scratch.path())?;
        wait_listening(&network, host, address, Duration::from_secs(10))?;
        Ok(process)
    };
    let _services = (
        start(Host::Production, "production")?,
        start(Host::Mirror, "mirror")?,
    );
    let rules = std::process::Command::new(&program)
        .args(["--redis", "-", "--rules"])
        .output()?;
    let rules = String::from_utf8(rules.stdout)?;
    let store = Redis::url();
    let mut args = vec!["--redis", &store, "--allow", "POST /orders"];
    args.extend(rules.lines().flat_map(|rule| ["--rule", rule]));
    let target = format!("http://{}:8080", Host::Mirror.address());
    let agent = Agent::start(&network, 8080, &target, &args, Profile::Debug, &scratch)?;

    let base = format!("http://{}:8080", Host::Production.address());
    let call = |n: usize| match n % 3 {
        0 => Call::post(
            format!("{base}/orders"),
            format!(r#"{{"userId":{n},"productId":7}}"#),
        ),
        // Identical ones in one second: told apart by their order.
        1 => Call::get(format!("{base}/catalogue/{}", n % 2)),
        _ => Call::get(format!("{base}/checkout")),
    };
    let calls: Vec<_> = (0..REQUESTS).map(call).collect();
    let answers = Load::start(&network, &calls, 60, &scratch)?.finish()?;
    assert_eq!(
        answers,
        Answers {
            ok: REQUESTS,
            failed: 0
        }
    );
    let report = agent.stop()?.report;
    assert_eq!(report.seen, REQUESTS as u64, "{:#}", report.json);
    assert_eq!(
        report.outcome("matched"),
        REQUESTS as u64,
        "{:#}",
        report.json
    );
    Ok(())
}

/// The master dies in the middle of a run: production goes on, and every request has an outcome.
#[test]
fn a_failover_in_the_middle_of_a_run_leaves_the_ledger_balanced() -> Result<()> {
    if !mirror_tests::runs_as_root("patterns: failover") {
        return Ok(());
    }
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let host = Host::Mirror.address();
    let mut master = Redis::start(&network, &scratch)?;
    let _replica = Redis::on_port(
        &network,
        &scratch,
        6380,
        &["--replicaof", &format!("{host} 6379")],
    )?;
    let trio: Result<Vec<_>> = [26379, 26380, 26381]
        .map(|p| Redis::sentinel(&network, &scratch, p))
        .into_iter()
        .collect();
    let _trio = trio?;
    mirror_tests::wait_until("the trio's agreement", Duration::from_secs(30), || {
        Redis::ask(&network, 26379, &["sentinel", "replicas", "main"])
            .is_ok_and(|t| t.contains("runid"))
            && Redis::ask(&network, 26379, &["sentinel", "ckquorum", "main"])
                .is_ok_and(|t| t.starts_with("OK 3"))
    })?;
    let store = format!("redis+sentinel://{host}:26379,{host}:26380,{host}:26381/main");
    let program = binary("patterns", Profile::Debug)?;
    let start = |host: Host, profile: &str| -> Result<Process> {
        let address = SocketAddr::from((host.address(), 8080));
        let mut command = network.command(host, &program);
        command.args([
            "--profile",
            profile,
            "--listen",
            &address.to_string(),
            "--redis",
            &store,
        ]);
        let process = Process::spawn(profile, command, scratch.path())?;
        wait_listening(&network, host, address, Duration::from_secs(10))?;
        Ok(process)
    };
    let _services = (
        start(Host::Production, "production")?,
        start(Host::Mirror, "mirror")?,
    );
    let target = format!("http://{host}:8080");
    let args = ["--redis", &store, "--rule", "response-header:x-request-id"];
    let agent = Agent::start(&network, 8080, &target, &args, Profile::Debug, &scratch)?;
    let base = format!("http://{}:8080", Host::Production.address());
    let calls: Vec<_> = (0..900)
        .map(|_| Call::get(format!("{base}/checkout")))
        .collect();
    let load = Load::start(&network, &calls, 60, &scratch)?;
    std::thread::sleep(Duration::from_secs(3));
    master.kill();
    // Production never fails for it.
    assert_eq!(
        load.finish()?,
        Answers {
            ok: calls.len(),
            failed: 0
        }
    );
    let finished = agent.stop()?;
    let report = &finished.report;
    assert_eq!(report.seen, calls.len() as u64, "{:#}", report.json);
    assert!(
        report.is_balanced() && report.outcome("differed") == 0,
        "{:#}",
        report.json
    );
    let matched = report.outcome("matched");
    assert!((180..900).contains(&matched), "{:#}", report.json);
    println!("matched {matched} of 900: {:?}", report.json["ledger"]);
    Ok(())
}
