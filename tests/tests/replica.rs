//! A mirror that reads a replica: requests wait until it has replayed past production's position.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_agent::gate::replica::{Caught, Position, Replica};
use mirror_agent::secret::SecretUrl;
use mirror_tests::load::Call;
use mirror_tests::net::{Host, Network};
use mirror_tests::patterns::Patterns;
use mirror_tests::postgres::Pair;
use mirror_tests::redis::Redis;
use mirror_tests::scratch::Scratch;
use mirror_tests::stage::Stage;
use mirror_tests::{needs, testing};

const WAIT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    testing::main()
}

#[needs(root)]
fn a_request_waits_until_the_replica_has_caught_up() -> Result<()> {
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
        let replica = Replica::follow(&SecretUrl::new(Pair::url()), WAIT)?;
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

        let nowhere = Replica::follow(
            &SecretUrl::new("postgres://postgres@10.77.0.3:1/postgres"),
            WAIT,
        )?;
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
#[needs(root)]
fn the_agent_holds_requests_until_the_replica_is_there() -> Result<()> {
    let stage = Stage::new()?.redis()?;
    let network = &stage.network;
    let _pair = Pair::start(network, &stage.scratch)?;
    let production = |statement: &str| Pair::ask(network, Host::Production, statement);
    let mirror = |statement: &str| Pair::ask(network, Host::Mirror, statement);
    production("CREATE TABLE stock (product int)")?;
    mirror("SELECT pg_wal_replay_pause()")?;
    production("INSERT INTO stock VALUES (1)")?;
    let position = production("SELECT pg_current_wal_lsn()")?;
    let store = Redis::url();
    let service = Patterns {
        store: &store,
        args: &["--position", &position],
    };
    let stage = stage.production(service)?.mirror(service)?;
    let args = [
        "--replica",
        &Pair::url(),
        "--rule",
        "response-header:x-request-id",
    ];
    let agent = stage.agent(&args)?;
    let calls = vec![Call::get(format!("{}/checkout", stage.production.url())); 20];
    // The replica stands still: all of them wait in vain.
    stage.send(&calls, 60)?;
    let status = agent.wait_settled(20, Duration::from_secs(10))?;
    assert_eq!(
        status["ledger"]["outcomes"]["snapshot: missing"], 20,
        "{status:#}"
    );
    Pair::ask(
        &stage.network,
        Host::Mirror,
        "SELECT pg_wal_replay_resume()",
    )?;
    stage.send(&calls, 60)?;
    let report = agent.stop()?.report;
    assert_eq!(report.outcome("matched"), 20, "{:#}", report.json);
    Ok(())
}
