//! The snapshot SDK on a real Redis: what services and agent rely on.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mirror_snapshot::{
    DEFAULT_POLL, DEFAULT_TTL, DEFAULT_WAIT, Fields, Filed, HEADER_REQUEST_ID, IdRules, LoadError,
    OnMiss, OnWrite, Profile, RedisStore, RequestId, RequestTarget, Settings, SnapshotSource,
    Snapshots, StoreError, WaitOptions, Waited, WriteError,
    store::{Put, WaitHit, Waiter},
};
use mirror_tests::net::{Host, Network};
use mirror_tests::redis::Redis;
use mirror_tests::scratch::Scratch;
use mirror_tests::{needs, testing};

const LIMIT: Duration = Duration::from_secs(5);

/// Runs `story` with a Redis, on the host where that is.
fn with_redis(story: impl AsyncFnOnce(&mut World) -> Result<()> + Send) -> Result<()> {
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

async fn wait(store: &RedisStore, ids: &[RequestId], options: WaitOptions) -> Waited {
    let waiter = Waiter::new(store.clone(), options);
    waiter.wait(ids.to_vec(), Box::new(|_, _| true)).await
}

fn main() -> ExitCode {
    testing::main()
}

#[needs(root)]
fn a_snapshot_is_there_until_its_ttl_is_over() -> Result<()> {
    with_redis(async |_| {
        let store = store()?;
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

#[needs(root)]
fn a_second_request_with_the_id_leaves_the_mark_of_a_collision() -> Result<()> {
    with_redis(async |_| {
        let store = store()?;
        let ids = [id("one")];
        assert_eq!(store.put(&ids[0], b"1", DEFAULT_TTL).await?, Put::Filed);
        assert_eq!(store.put(&ids[0], b"2", DEFAULT_TTL).await?, Put::Collided);
        let value = store.look(&ids).await?.remove(0).context("a value")?;
        assert_eq!(Filed::read(&value), Filed::Collided);
        assert!(store.ttls(&ids).await[0].is_some());
        Ok(())
    })
}

#[needs(root)]
fn a_wait_ends_with_the_snapshot_or_with_its_time() -> Result<()> {
    with_redis(async |_| {
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
        match wait(&store, &ids, WaitOptions::default()).await {
            Waited::Hit(hit) => {
                assert_eq!((hit.id, &hit.value[..]), (late, &b"data"[..]));
                assert!(!hit.at_once && hit.ttl.is_some());
                let soonest = Duration::from_millis(250) - DEFAULT_POLL;
                assert!(
                    hit.waited > soonest && hit.waited < DEFAULT_WAIT,
                    "{:?}",
                    hit.waited
                );
            }
            other => panic!("{other:?}"),
        }
        writer.await??;

        match wait(&store, &ids[..1], WaitOptions::default()).await {
            Waited::Missing {
                waited,
                refused: false,
            } => assert!(waited >= DEFAULT_WAIT, "{waited:?}"),
            other => panic!("{other:?}"),
        }
        Ok(())
    })
}

#[needs(root)]
fn a_wait_is_woken_by_the_stores_notification() -> Result<()> {
    with_redis(async |world| {
        Redis::ask(
            world.network,
            6379,
            &["config", "set", "notify-keyspace-events", "K$"],
        )?;
        let store = store()?;
        // Without notifications it would be found by the next tick, half a minute later.
        let options = WaitOptions {
            timeout: Duration::from_secs(60),
            poll: Duration::from_secs(30),
            notify: true,
            ..WaitOptions::default()
        };
        let waiter = Waiter::new(store.clone(), options);
        let began = Instant::now();
        let waiting = waiter.wait(vec![id("told")], Box::new(|_, _| true));
        let writing = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            store.put(&id("told"), b"data", DEFAULT_TTL).await
        };
        let (found, put) = tokio::join!(waiting, writing);
        put?;
        assert!(
            matches!(found, Waited::Hit(WaitHit { at_once: false, .. })),
            "{found:?}"
        );
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{:?}",
            began.elapsed()
        );
        Ok(())
    })
}

/// 20,000 at once: one look for each and tick, in few commands.
#[needs(root)]
fn thousands_wait_at_once_with_few_commands() -> Result<()> {
    const IDS: usize = 20_000;
    with_redis(async |_| {
        let store = store()?;
        store.ping().await?;
        // All of them are there before the first gives up, also on a busy machine.
        let options = WaitOptions {
            timeout: LIMIT,
            ..WaitOptions::default()
        };
        let waiter = Waiter::new(store.clone(), options);
        let waits: Vec<_> = (0..IDS)
            .map(|n| {
                let waiter = waiter.clone();
                let ids = vec![id(&format!("many-{n}"))];
                tokio::spawn(async move { waiter.wait(ids, Box::new(|_, _| true)).await })
            })
            .collect();
        let began = Instant::now();
        while waiter.waiting() < IDS {
            ensure!(began.elapsed() < LIMIT, "{} wait", waiter.waiting());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        store.put(&id("many-7"), b"data", DEFAULT_TTL).await?;
        let mut hits = 0;
        for wait in waits {
            hits += usize::from(matches!(wait.await?, Waited::Hit(_)));
        }
        assert_eq!((hits, waiter.waiting()), (1, 0));
        Ok(())
    })
}

#[needs(root)]
fn a_store_that_is_gone_is_tried_again_and_found_again() -> Result<()> {
    with_redis(async |world| {
        let store = store()?;
        let options = WaitOptions::default();
        let ids = [id("one")];
        store.ping().await?;
        world.stop_redis();
        let began = Instant::now();
        let gone = wait(&store, &ids, options).await;
        assert!(matches!(gone, Waited::Unavailable(_)), "{gone:?}");
        let pauses = options.poll * (options.tries - 1);
        assert!(began.elapsed() >= pauses, "{:?}", began.elapsed());

        world.start_redis()?;
        // The pause before the next connection is over sooner than the first wait.
        tokio::time::sleep(Duration::from_secs(2)).await;
        store.put(&ids[0], b"data", Duration::from_secs(5)).await?;
        let back = wait(&store, &ids, options).await;
        assert!(matches!(back, Waited::Hit(_)), "{back:?}");
        Ok(())
    })
}

/// A request as a service sees it: named by its target in production, by the header in the mirror.
struct Request(RequestTarget);

impl Fields for Request {
    fn method(&self) -> &str {
        "GET"
    }
    fn target(&self) -> Option<&RequestTarget> {
        Some(&self.0)
    }
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        (name == HEADER_REQUEST_ID && nth == 0).then(|| &self.0.as_bytes()[1..])
    }
    fn body(&self) -> Option<&[u8]> {
        None
    }
}

fn snapshots(settings: Settings) -> Result<Snapshots> {
    let rules = IdRules::parse(&["none(\"{path:1}\")"])?;
    Ok(Snapshots::new(settings, rules, store()?))
}

fn begin(snapshots: &Snapshots, target: &'static str) -> SnapshotSource {
    snapshots.begin(&Request(RequestTarget::parse("GET", target)), None)
}

#[needs(root)]
fn the_mirror_reads_what_production_read() -> Result<()> {
    with_redis(async |_| {
        let price = AtomicU32::new(100);
        let database = async || Ok::<_, String>(price.fetch_add(1, Ordering::Relaxed));
        let production = snapshots(Settings::new(Profile::Production))?;
        let mirror = snapshots(Settings::new(Profile::Mirror))?;

        let there = begin(&production, "/request");
        assert_eq!(there.load("price", 1, database).await?, 100);
        assert_eq!(
            there.write("stock", 1, async || Ok::<_, String>(7)).await?,
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
        assert_eq!(here.write("stock", 1, forbidden).await?, 7);
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

#[needs(root)]
fn a_mirror_without_a_snapshot_does_what_it_was_told() -> Result<()> {
    with_redis(async |_| {
        let database = async || Ok::<_, String>(1);
        let mirror = |settings: fn(&mut Settings)| {
            let mut given = Settings::new(Profile::Mirror);
            given.wait.timeout = Duration::from_millis(150);
            settings(&mut given);
            snapshots(given)
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
            .write("stock", 1, database)
            .await;
        assert!(
            matches!(refused, Err(WriteError::Refused(_))),
            "{refused:?}"
        );
        assert_eq!(guarded.counts().writes_refused, 1);
        Ok(())
    })
}

#[needs(root)]
fn production_never_waits_for_the_store() -> Result<()> {
    with_redis(async |world| {
        let production = snapshots(Settings::new(Profile::Production))?;
        let database = async || Ok::<_, String>(7);
        let redis = world.redis.as_ref().context("a Redis")?;
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

#[needs(root)]
fn a_snapshot_that_is_too_large_is_not_filed() -> Result<()> {
    with_redis(async |_| {
        let mut settings = Settings::new(Profile::Production);
        settings.max_bytes = 1000;
        let production = snapshots(settings)?;
        let source = begin(&production, "/large");
        source
            .load("page", 1, async || Ok::<_, String>("x".repeat(2000)))
            .await?;
        drop(source);
        assert_eq!(production.counts().too_large, 1);
        Ok(())
    })
}
