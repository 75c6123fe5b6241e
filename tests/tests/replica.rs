//! A mirror that reads a replica: requests wait until it has replayed past production's position.

use std::time::Duration;

use anyhow::{Context, Result};
use mirror_agent::snapshot::replica::{Caught, Position, Replica};
use mirror_tests::net::{Host, Network};
use mirror_tests::postgres::Pair;
use mirror_tests::scratch::Scratch;

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
