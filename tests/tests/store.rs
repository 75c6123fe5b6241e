//! The snapshot SDK on a real Redis: what services and agent rely on.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mirror_snapshot::{
    DEFAULT_POLL, DEFAULT_WAIT, LoadError, OnMiss, Profile, RedisStore, RequestId, Snapshots,
    Source, StoreError, WaitOptions, Waited,
};
use mirror_tests::net::{Host, Network};
use mirror_tests::redis::Redis;
use mirror_tests::scratch::Scratch;

const LIMIT: Duration = Duration::from_secs(5);

/// Runs `story` with a Redis, on the host where that is.
fn with_redis(test: &str, story: impl AsyncFnOnce(&mut World) -> Result<()> + Send) -> Result<()> {
    if !mirror_tests::runs_as_root(test) {
        return Ok(());
    }
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let redis = Redis::start(&network, &scratch)?;
    let mut world = World {
        redis: Some(redis),
        network: &network,
        scratch: &scratch,
    };
    network.on(Host::Mirror, || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(story(&mut world))
    })
}

struct World<'a> {
    redis: Option<Redis>,
    network: &'a Network,
    scratch: &'a Scratch,
}

impl World<'_> {
    fn stop_redis(&mut self) {
        self.redis = None;
    }

    fn start_redis(&mut self) -> Result<()> {
        self.redis = Some(Redis::start(self.network, self.scratch)?);
        Ok(())
    }
}

fn store() -> Result<RedisStore, StoreError> {
    RedisStore::connect(&Redis::url())
}

fn id(text: &str) -> RequestId {
    RequestId::new(text).expect("a valid id")
}

#[test]
fn a_snapshot_is_there_until_its_ttl_is_over() -> Result<()> {
    with_redis("store: ttl", async |_| {
        let store = store()?;
        let ids = [id("other"), id("short")];
        store
            .put(&ids[1], b"data", Duration::from_millis(300))
            .await?;
        let (found, value) = store.first_of(&ids).await?.context("found at once")?;
        assert_eq!((found, &value[..]), (ids[1].clone(), &b"data"[..]));
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(store.first_of(&ids).await?, None);
        Ok(())
    })
}

#[test]
fn a_wait_ends_with_the_snapshot_or_with_its_time() -> Result<()> {
    with_redis("store: wait", async |_| {
        let store = store()?;
        let late = id("late");
        let writer = {
            let (store, late) = (store.clone(), late.clone());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(250)).await;
                store.put(&late, b"data", Duration::from_secs(5)).await
            })
        };
        let ids = [id("never"), late.clone()];
        match store.wait(&ids, WaitOptions::default()).await {
            Waited::Hit { id, value, waited } => {
                assert_eq!((id, &value[..]), (late, &b"data"[..]));
                let soonest = Duration::from_millis(250) - DEFAULT_POLL;
                assert!(waited > soonest && waited < DEFAULT_WAIT, "{waited:?}");
            }
            other => panic!("{other:?}"),
        }
        writer.await??;

        match store.wait(&ids[..1], WaitOptions::default()).await {
            Waited::Missing { waited } => assert!(waited >= DEFAULT_WAIT, "{waited:?}"),
            other => panic!("{other:?}"),
        }
        Ok(())
    })
}

#[test]
fn a_store_that_is_gone_is_tried_again_and_found_again() -> Result<()> {
    with_redis("store: recovery", async |world| {
        let store = store()?;
        let options = WaitOptions::default();
        let ids = [id("one")];
        store.ping().await?;
        world.stop_redis();
        let began = Instant::now();
        let gone = store.wait(&ids, options).await;
        assert!(matches!(gone, Waited::Unavailable(_)), "{gone:?}");
        let pauses = options.retry_after * (options.tries - 1);
        assert!(began.elapsed() >= pauses, "{:?}", began.elapsed());

        world.start_redis()?;
        // The connection that broke is found broken by the first try, and made anew by the next.
        store
            .wait(
                &ids,
                WaitOptions {
                    timeout: Duration::ZERO,
                    ..options
                },
            )
            .await;
        store.put(&ids[0], b"data", Duration::from_secs(5)).await?;
        let back = store.wait(&ids, options).await;
        assert!(matches!(back, Waited::Hit { .. }), "{back:?}");
        Ok(())
    })
}

#[test]
fn the_mirror_reads_what_production_read() -> Result<()> {
    with_redis("store: strategy", async |_| {
        let price = AtomicU32::new(100);
        let database = async || Ok::<_, String>(price.fetch_add(1, Ordering::Relaxed));
        let production = Snapshots::new(Profile::Production, Some(store()?), OnMiss::Error);
        let mirror = Snapshots::new(Profile::Mirror, Some(store()?), OnMiss::Error);
        let request = id("request");

        let there = production.load(Some(&request), database).await?;
        assert_eq!((there.value, there.source), (100, Source::Database));
        let here = mirror.load(Some(&request), database).await?;
        assert_eq!((here.value, here.source), (100, Source::Snapshot));

        let unknown = id("unknown");
        let missing = mirror.load(Some(&unknown), database).await;
        assert!(matches!(missing, Err(LoadError::Missing)), "{missing:?}");
        let lenient = Snapshots::new(Profile::Mirror, Some(store()?), OnMiss::Fallback);
        let fallback = lenient.load(Some(&unknown), database).await?;
        assert_eq!((fallback.value, fallback.source), (101, Source::Fallback));
        Ok(())
    })
}

#[test]
fn production_never_waits_for_the_store() -> Result<()> {
    with_redis("store: production", async |world| {
        let production = Snapshots::new(Profile::Production, Some(store()?), OnMiss::Error);
        let database = async || Ok::<_, String>(7);
        let redis = world.redis.as_ref().context("a Redis")?;
        redis.freeze()?;
        let began = Instant::now();
        for n in 0..50 {
            production.load(Some(&id(&n.to_string())), database).await?;
        }
        // To wait for a store that hangs would cost each of them half a second.
        ensure!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
        while production.dropped() < 50 {
            ensure!(
                began.elapsed() < 2 * LIMIT,
                "{} dropped",
                production.dropped()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    })
}
