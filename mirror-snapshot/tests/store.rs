//! The snapshot SDK on a real Redis: what services and agent rely on.

mod request;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mirror_snapshot::{
    DEFAULT_TTL, Filed, IdRules, LoadError, OnMiss, OnWrite, Profile, RedisStore, RequestId,
    Settings, SnapshotSource, Snapshots, StoreError, WriteError, store::Put,
};
use mirror_tests::local_redis::{LocalRedis, with_redis};
use mirror_tests::{needs, testing};
use request::Request;

const LIMIT: Duration = Duration::from_secs(5);

fn store(redis: &LocalRedis) -> Result<RedisStore, StoreError> {
    RedisStore::connect(&redis.url())
}

fn id(text: &str) -> RequestId {
    RequestId::new(text).expect("a valid id")
}

fn main() -> ExitCode {
    testing::main()
}

#[needs(redis)]
fn a_snapshot_is_there_until_its_ttl_is_over() -> Result<()> {
    with_redis(async |redis| {
        let store = store(redis)?;
        let ids = [id("other"), id("short")];
        let put = store
            .put(&ids[1], b"data", Duration::from_millis(300))
            .await?;
        assert_eq!(put, Put::Filed);
        assert_eq!(store.look(&ids).await?, [None, Some("data".into())]);
        let left = store.ttls(&ids).await;
        assert!(left[0].is_none() && left[1].is_some_and(|t| t <= Duration::from_millis(300)));
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(store.look(&ids).await?, [None, None]);
        assert!(!store.extend(&ids[1], DEFAULT_TTL).await?);
        Ok(())
    })
}

#[needs(redis)]
fn a_second_request_with_the_id_leaves_the_mark_of_a_collision() -> Result<()> {
    with_redis(async |redis| {
        let store = store(redis)?;
        let ids = [id("one")];
        assert_eq!(store.put(&ids[0], b"1", DEFAULT_TTL).await?, Put::Filed);
        assert_eq!(store.put(&ids[0], b"2", DEFAULT_TTL).await?, Put::Collided);
        let value = store.look(&ids).await?.remove(0).context("a value")?;
        assert_eq!(Filed::read(&value), Filed::Collided);
        assert!(store.ttls(&ids).await[0].is_some());
        Ok(())
    })
}

fn snapshots(redis: &LocalRedis, settings: Settings) -> Result<Snapshots> {
    let rules = IdRules::parse(&["none(\"{path:1}\")"])?;
    Ok(Snapshots::new(settings, rules, store(redis)?))
}

fn begin(snapshots: &Snapshots, target: &'static str) -> SnapshotSource {
    snapshots.begin(&Request::new(target), None)
}

#[needs(redis)]
fn the_mirror_reads_what_production_read() -> Result<()> {
    with_redis(async |redis| {
        let price = AtomicU32::new(100);
        let database = async || Ok::<_, String>(price.fetch_add(1, Ordering::Relaxed));
        let production = snapshots(redis, Settings::new(Profile::Production))?;
        let mirror = snapshots(redis, Settings::new(Profile::Mirror))?;

        let there = begin(&production, "/request");
        assert_eq!(there.load("price", 1, database).await?, 100);
        assert_eq!(
            there
                .write("stock", 1, &(), async || Ok::<_, String>(7))
                .await?,
            7
        );
        assert_eq!(there.load("price", 1, database).await?, 101);
        assert_eq!(there.load("price", 2, database).await?, 102);
        assert_eq!(
            there
                .load("none", "", async || Ok::<_, String>(None::<u32>))
                .await?,
            None
        );
        let failed = async || Err::<u32, _>("no connection".to_string());
        assert!(there.load("user", 3, failed).await.is_err());
        let number = there.random_id().await?;
        let (now, id) = (there.now(), there.id());
        drop(there);

        let forbidden = async || Err::<u32, _>("the mirror's database was read".to_string());
        let here = begin(&mirror, "/request");
        assert_eq!(here.id(), id);
        assert_eq!(here.load("price", 2, forbidden).await?, 102);
        assert_eq!(here.load("price", 1, forbidden).await?, 100);
        assert_eq!(here.write("stock", 1, &(), forbidden).await?, 7);
        assert_eq!(here.writes(), [("stock".to_string(), "1".to_string())]);
        assert_eq!(here.load("price", 1, forbidden).await?, 101);
        assert_eq!(
            here.load("none", "", async || Err::<Option<u32>, _>("read"))
                .await?,
            None
        );
        let recorded = here.load("user", 3, forbidden).await;
        assert!(
            matches!(&recorded, Err(LoadError::Recorded(why)) if why == "no connection"),
            "{recorded:?}"
        );
        assert_eq!(here.random_id().await?, number);
        assert!(
            ["hit", "late"].contains(&here.state().name()),
            "{}",
            here.state()
        );
        // A third read of the same was not done in production.
        let more = here.load("price", 1, forbidden).await;
        assert!(
            matches!(more, Err(LoadError::NotRecorded { .. })),
            "{more:?}"
        );
        assert_eq!(here.state().name(), "incomplete");
        assert_eq!(here.load_or("price", 1, forbidden, || 5).await?, 5);
        let _ = now;
        Ok(())
    })
}

#[needs(redis)]
fn a_mirror_without_a_snapshot_does_what_it_was_told() -> Result<()> {
    with_redis(async |redis| {
        let database = async || Ok::<_, String>(1);
        let mirror = |settings: fn(&mut Settings)| {
            let mut given = Settings::new(Profile::Mirror);
            given.wait.timeout = Duration::from_millis(150);
            settings(&mut given);
            snapshots(redis, given)
        };
        let strict = mirror(|_| {})?;
        let here = begin(&strict, "/unknown");
        let missing = here.load("price", 1, database).await;
        assert!(matches!(missing, Err(LoadError::Missing)), "{missing:?}");
        assert_eq!(here.state().name(), "missing");
        let lenient = mirror(|s| s.on_miss = OnMiss::Database)?;
        assert_eq!(
            begin(&lenient, "/unknown")
                .load("price", 1, database)
                .await?,
            1
        );
        let guarded = mirror(|s| s.on_write = OnWrite::Refuse)?;
        let refused = begin(&guarded, "/unknown")
            .write("stock", 1, &(), database)
            .await;
        assert!(
            matches!(refused, Err(WriteError::Refused(_))),
            "{refused:?}"
        );
        assert_eq!(guarded.counts().writes_refused, 1);
        Ok(())
    })
}

#[needs(redis)]
fn what_is_filed_says_where_the_database_was() -> Result<()> {
    with_redis(async |redis| {
        let production = snapshots(redis, Settings::new(Profile::Production))?;
        let source = begin(&production, "/placed");
        source.set_position("16/B374D848");
        drop(source);
        let filed = filed(&store(redis)?, "placed").await?;
        let Filed::Stamped(stamp) = Filed::read(&filed) else {
            panic!("{filed:?} has no stamp")
        };
        assert_eq!(stamp.position.as_deref(), Some("16/B374D848"));
        Ok(())
    })
}

/// What is filed under an id, as soon as it is.
async fn filed(store: &RedisStore, text: &str) -> Result<bytes::Bytes> {
    loop {
        if let Some(value) = store.look(&[id(text)]).await?.remove(0) {
            return Ok(value);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[needs(redis)]
fn a_mirror_says_how_its_look_for_the_snapshot_ended() -> Result<()> {
    with_redis(async |redis| {
        let store = store(redis)?;
        let document = br#"{"mirror":1,"at":1,"request":"x","reads":[]}"#;
        for _ in 0..2 {
            store.put(&id("twice"), document, DEFAULT_TTL).await?;
        }
        store.set(&id("odd"), b"{\"mirror\":1", DEFAULT_TTL).await?;
        store.set(&id("empty"), document, DEFAULT_TTL).await?;
        let copies = store.with_keys(store.keys().within("run-1")?);
        copies.set(&id("copied"), document, DEFAULT_TTL).await?;
        let mut settings = Settings::new(Profile::Mirror);
        settings.wait.timeout = Duration::from_millis(50);
        settings.wait.tries = 1;
        let mirror = snapshots(redis, settings)?;
        let database = async || Ok::<u32, String>(1);
        for (target, namespace, state) in [
            ("/twice", None, "collided"),
            ("/odd", None, "unreadable"),
            ("/none", None, "missing"),
            ("/empty", None, "incomplete"),
            ("/copied", None, "missing"),
            ("/copied", Some("run-1"), "incomplete"),
            ("/empty", Some("run-1"), "missing"),
            ("/empty", Some("a b"), "missing"),
        ] {
            let request = Request {
                namespace,
                ..Request::new(target)
            };
            let source = mirror.begin(&request, None);
            assert_eq!(source.state().name(), "unread");
            assert!(source.load("price", 1, database).await.is_err());
            assert_eq!(source.state().name(), state, "{target} {namespace:?}");
        }
        let counts = mirror.counts();
        assert_eq!((counts.collided, counts.missing), (1, 4));
        assert_eq!(counts.hit + counts.late, 2);
        redis.stop();
        let source = begin(&mirror, "/empty");
        let lost = source.load("price", 1, database).await;
        assert!(matches!(lost, Err(LoadError::Store(_))), "{lost:?}");
        assert_eq!(source.state().name(), "unavailable");
        Ok(())
    })
}

#[needs(redis)]
fn production_never_waits_for_the_store() -> Result<()> {
    with_redis(async |redis| {
        let production = snapshots(redis, Settings::new(Profile::Production))?;
        let database = async || Ok::<_, String>(7);
        redis.freeze()?;
        let began = Instant::now();
        for _ in 0..50 {
            begin(&production, "/frozen")
                .load("price", 1, database)
                .await?;
        }
        // To wait for a store that hangs would cost each of them half a second.
        ensure!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
        while production.counts().failed + production.counts().dropped < 50 {
            ensure!(began.elapsed() < 2 * LIMIT, "{:?}", production.counts());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    })
}

#[needs(redis)]
fn a_snapshot_that_is_too_large_is_not_filed() -> Result<()> {
    with_redis(async |redis| {
        let mut settings = Settings::new(Profile::Production);
        settings.max_bytes = 1000;
        let production = snapshots(redis, settings)?;
        let source = begin(&production, "/large");
        source
            .load("page", 1, async || Ok::<_, String>("x".repeat(2000)))
            .await?;
        drop(source);
        assert_eq!(production.counts().too_large, 1);
        Ok(())
    })
}
