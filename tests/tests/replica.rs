//! A mirror that reads a replica: requests wait until it has replayed past production's position.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_agent::gate::replica::{Caught, Position, Replica};
use mirror_tests::agent::Agent;
use mirror_tests::http::wait_listening;
use mirror_tests::load::{Call, Load};
use mirror_tests::net::{Host, Network};
use mirror_tests::postgres::Pair;
use mirror_tests::process::Process;
use mirror_tests::redis::Redis;
use mirror_tests::scratch::Scratch;
use mirror_tests::workspace::{Profile, binary};

const WAIT: Duration = Duration::from_secs(2);

#[test]
fn a_request_waits_until_the_replica_has_caught_up() -> Result<()> {
    if !mirror_tests::runs_as_root("replica") {
        return Ok(());
    }
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let _pair = Pair::start(&network, &scratch)?;
    let production = |statement: &str| Pair::ask(&network, Host::Production, statement);
    let mirror = |statement: &str| Pair::ask(&network, Host::Mirror, statement);
    production("CREATE TABLE stock (product int, left_over int)")?;
    let position = || -> Result<Position> {
        let text = production("SELECT pg_current_wal_lsn()")?;
        text.parse()
            .ok()
            .with_context(|| format!("`{text}` is no position"))
    };
    let story = async {
        let replica = Replica::follow(&Pair::url(), WAIT)?;
        let caught = replica.wait(position()?).await;
        assert!(matches!(caught, Caught::Up { .. }), "{caught:?}");

        mirror("SELECT pg_wal_replay_pause()")?;
        production("INSERT INTO stock VALUES (1, 7)")?;
        let behind = replica.wait(position()?).await;
        assert!(
            matches!(behind, Caught::Behind { waited } if waited >= WAIT),
            "{behind:?}"
        );
        assert_eq!(mirror("SELECT count(*) FROM stock")?, "0");

        let wanted = position()?;
        let (late, resumed) = tokio::join!(replica.wait(wanted), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            mirror("SELECT pg_wal_replay_resume()")
        });
        resumed?;
        assert!(
            matches!(late, Caught::Up { at_once: false, .. }),
            "{late:?}"
        );
        assert_eq!(mirror("SELECT left_over FROM stock")?, "7");

        let nowhere = Replica::follow("postgres://postgres@10.77.0.3:1/postgres", WAIT)?;
        let gone = nowhere.wait(wanted).await;
        assert!(matches!(gone, Caught::Unavailable { .. }), "{gone:?}");
        Ok(())
    };
    network.on(Host::Mirror, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(story)
    })
}

/// The position travels in the snapshot.
#[test]
fn the_agent_holds_requests_until_the_replica_is_there() -> Result<()> {
    if !mirror_tests::runs_as_root("replica: the agent") {
        return Ok(());
    }
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let _pair = Pair::start(&network, &scratch)?;
    let _redis = Redis::start(&network, &scratch)?;
    let production = |statement: &str| Pair::ask(&network, Host::Production, statement);
    let mirror = |statement: &str| Pair::ask(&network, Host::Mirror, statement);
    production("CREATE TABLE stock (product int)")?;
    mirror("SELECT pg_wal_replay_pause()")?;
    production("INSERT INTO stock VALUES (1)")?;
    let position = production("SELECT pg_current_wal_lsn()")?;
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
        command.args(["--position", &position]);
        let process = Process::spawn(profile, command, scratch.path())?;
        wait_listening(&network, host, address, Duration::from_secs(10))?;
        Ok(process)
    };
    let _services = (
        start(Host::Production, "production")?,
        start(Host::Mirror, "mirror")?,
    );
    let (store, replica) = (Redis::url(), Pair::url());
    let args = [
        "--redis",
        &store,
        "--replica",
        &replica,
        "--rule",
        "response-header:x-request-id",
    ];
    let target = format!("http://{}:8080", Host::Mirror.address());
    let agent = Agent::start(&network, 8080, &target, &args, Profile::Debug, &scratch)?;
    let base = format!("http://{}:8080", Host::Production.address());
    let calls = vec![Call::get(format!("{base}/checkout")); 20];
    // The replica stands still: all of them wait in vain.
    Load::start(&network, &calls, 60, &scratch)?.finish()?;
    let status = agent.wait_settled(20, Duration::from_secs(10))?;
    assert_eq!(
        status["ledger"]["outcomes"]["snapshot: missing"], 20,
        "{status:#}"
    );
    mirror("SELECT pg_wal_replay_resume()")?;
    Load::start(&network, &calls, 60, &scratch)?.finish()?;
    let report = agent.stop()?.report;
    assert_eq!(report.outcome("matched"), 20, "{:#}", report.json);
    Ok(())
}
