//! What a mirror files about replayed requests, on a real Redis.

mod request;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mirror_snapshot::{
    Document, Effect, EffectsDocument, Encoding, IdRules, OnMiss, OnWrite, Profile, RedisStore,
    RequestId, SendId, Settings, SnapshotSource, Snapshots, WaitOptions, Waited, Written,
    store::Waiter,
};
use mirror_tests::local_redis::{LocalRedis, with_redis};
use mirror_tests::{needs, testing};
use request::Request;
use serde_json::json;

fn main() -> ExitCode {
    testing::main()
}

/// One service on both sides.
struct Sides {
    store: RedisStore,
    production: Snapshots,
    mirror: Snapshots,
}

impl Sides {
    fn new(redis: &LocalRedis, change: impl Fn(&mut Settings)) -> Result<Self> {
        let store = RedisStore::connect(&format!("{}?prefix=shop:", redis.url()))?;
        let side = |profile| -> Result<Snapshots> {
            let mut settings = Settings::new(profile);
            settings.wait.timeout = Duration::from_millis(50);
            change(&mut settings);
            let rules = IdRules::parse(&["none(\"{path:1}\")"])?;
            Ok(Snapshots::new(settings, rules, store.clone()))
        };
        Ok(Self {
            production: side(Profile::Production)?,
            mirror: side(Profile::Mirror)?,
            store,
        })
    }

    /// A request of production.
    fn begin(&self, target: &'static str) -> SnapshotSource {
        self.production.begin(&Request::new(target), None)
    }

    /// What production filed, as soon as it is there, also where the mirror of this namespace reads.
    async fn snapshot(&self, id: &str) -> Result<Vec<u8>> {
        let id = RequestId::new(id).context("an id")?;
        let value = loop {
            match self.store.look(std::slice::from_ref(&id)).await?.remove(0) {
                Some(value) => break value,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        let copies = self.store.with_keys(self.store.keys().within("run-1")?);
        copies.set(&id, &value, Duration::from_secs(60)).await?;
        Ok(value.to_vec())
    }

    fn send(&self, target: &'static str, send: Option<&str>) -> SnapshotSource {
        let request = Request {
            send,
            // It plays no part in where effects are filed.
            namespace: Some("run-1"),
            ..Request::new(target)
        };
        self.mirror.begin(&request, None)
    }

    /// What is filed for one send, as soon as it is.
    async fn filed(&self, send: &str, id: &str) -> Result<EffectsDocument> {
        let waiter = Waiter::new(self.store.clone(), WaitOptions::default());
        let send = SendId::new(send).context("a send")?;
        let id = RequestId::new(id).context("an id")?;
        match waiter.wait_for_effects(&send, id).await {
            Waited::Hit(hit) => {
                ensure!(hit.ttl.is_none(), "nobody needs it");
                Ok(EffectsDocument::from_bytes(&hit.value)?)
            }
            other => bail!("{other:?}"),
        }
    }
}

fn read(name: &str, key: &str) -> Effect {
    Effect::Read {
        name: name.into(),
        key: key.into(),
    }
}

fn write(name: &str, key: &str, json: &str) -> Effect {
    Effect::Write {
        name: name.into(),
        key: key.into(),
        written: Written::of_json(json),
    }
}

async fn database() -> Result<u32, String> {
    Ok(7)
}

async fn forbidden() -> Result<u32, String> {
    Err("the mirror's database was used".into())
}

#[needs(redis)]
fn a_mirror_files_what_it_would_have_written_as_production_files_it() -> Result<()> {
    check_both_sides(Encoding::Json)?;
    #[cfg(feature = "msgpack")]
    check_both_sides(Encoding::MessagePack)?;
    Ok(())
}

fn check_both_sides(encoding: Encoding) -> Result<()> {
    with_redis(async |redis| {
        let sides = Sides::new(redis, |settings| settings.encoding = encoding)?;
        let booking = json!({ "sku": "a-1", "amount": 12.5 });
        let there = sides.begin("/one");
        there.load("price", 1, database).await?;
        there.write("book", 4, &booking, database).await?;
        there.write("mail", 5, &(), database).await?;
        ensure!(!there.files_effects(), "production files its snapshot only");
        drop(there);
        let snapshot = Document::from_bytes(&sides.snapshot("one").await?)?;

        let here = sides.send("/one", Some("run-7.c"));
        ensure!(here.files_effects(), "it must be announced");
        ensure!(here.load("price", 1, forbidden).await? == 7);
        ensure!(here.load("stock", 2, forbidden).await.is_err());
        ensure!(here.write("book", 4, &booking, forbidden).await? == 7);
        ensure!(here.write("mail", 5, &(), forbidden).await? == 7);
        drop(here);
        let filed = sides.filed("run-7.c", "one").await?;
        let amount = r#"{"amount":12.5,"sku":"a-1"}"#;
        let expect = [
            read("price", "1"),
            read("stock", "2"),
            write("book", "4", amount),
            write("mail", "5", "null"),
        ];
        assert_eq!(filed.effects(), expect);
        let written = |at: usize| snapshot.reads[at].written.clone();
        assert_eq!(written(0), None);
        assert_eq!(written(1), Written::of_json(amount));
        assert_eq!(written(2), None);
        ensure!(sides.mirror.counts().effects_filed == 1);
        Ok(())
    })
}

/// What a handler does on both sides, whose calls end in another order than they began, or not at all.
async fn unsteady(source: &SnapshotSource, is_mirror: bool) {
    let never = async || std::future::pending::<Result<u32, String>>().await;
    let soon = async || match is_mirror {
        true => forbidden().await,
        false => database().await,
    };
    let later = async || {
        tokio::task::yield_now().await;
        soon().await
    };
    let cancelled = async {
        let booking = json!({ "amount": 3 });
        tokio::select! {
            biased;
            _ = source.load("slow", 1, never) => {}
            _ = source.write("book", 2, &booking, never) => {}
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
    };
    let (a, b, ()) = tokio::join!(
        source.load("price", 1, later),
        source.load("price", 2, soon),
        cancelled
    );
    assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
    drop(source.load("unawaited", 1, soon));
    assert!(source.load("last", 1, soon).await.is_ok());
}

#[needs(redis)]
fn calls_that_are_parallel_cancelled_or_never_awaited_are_alike_on_both_sides() -> Result<()> {
    with_redis(async |redis| {
        let sides = Sides::new(redis, |_| {})?;
        let there = sides.begin("/one");
        unsteady(&there, false).await;
        drop(there);
        let snapshot = sides.snapshot("one").await?;
        ensure!(sides.production.counts().unfinished == 1);
        let here = sides.send("/one", Some("c"));
        unsteady(&here, true).await;
        drop(here);
        let filed = sides.filed("c", "one").await?;
        let expect = [
            read("price", "1"),
            read("price", "2"),
            read("slow", "1"),
            write("book", "2", r#"{"amount":3}"#),
            read("last", "1"),
        ];
        assert_eq!(filed.effects(), expect);
        let production = EffectsDocument::of_snapshot(&snapshot).context("a document")?;
        assert_eq!(production.effects(), expect);
        let ended: Vec<_> = Document::from_bytes(&snapshot)?.reads;
        let keys: Vec<_> = ended.iter().map(|read| (&*read.name, &*read.key)).collect();
        assert_eq!(keys, [("price", "1"), ("price", "2"), ("last", "1")]);
        Ok(())
    })
}

/// A write that is done by a write and two reads.
async fn nested(source: &SnapshotSource) -> Result<u32, String> {
    let row = async || {
        source
            .load("row", 1, database)
            .await
            .map_err(|e| e.to_string())
    };
    let inner = async || {
        let (one, other) = tokio::join!(row(), source.load("tax", 1, database));
        let (one, other) = (one?, other.map_err(|e| e.to_string())?);
        let written = source.write("entry", 1, &one, database).await;
        Ok::<_, String>(written.map_err(|e| e.to_string())? + other)
    };
    let gave = source.write("book", 1, &1, inner).await;
    let gave = gave.map_err(|e| e.to_string())?;
    let after = source.load("after", 1, database).await;
    Ok(gave + after.map_err(|e| e.to_string())?)
}

#[needs(redis)]
fn what_is_done_inside_of_a_call_is_no_effect_of_its_own() -> Result<()> {
    with_redis(async |redis| {
        let sides = Sides::new(redis, |_| {})?;
        let there = sides.begin("/one");
        assert_eq!(nested(&there).await, Ok(21));
        drop(there);
        let snapshot = sides.snapshot("one").await?;
        let here = sides.send("/one", Some("c"));
        assert_eq!(nested(&here).await, Ok(21));
        drop(here);
        let expect = [write("book", "1", "1"), read("after", "1")];
        assert_eq!(sides.filed("c", "one").await?.effects(), expect);
        let production = EffectsDocument::of_snapshot(&snapshot).context("a document")?;
        assert_eq!(production.effects(), expect);
        // Another version may ask for what was done inside.
        let newer = sides.send("/one", Some("k"));
        ensure!(newer.load("tax", 1, forbidden).await? == 7);
        Ok(())
    })
}

#[needs(redis)]
fn a_mirror_that_reads_itself_files_the_outer_read_only() -> Result<()> {
    with_redis(async |redis| {
        let sides = Sides::new(redis, |settings| settings.on_miss = OnMiss::Database)?;
        let here = sides.send("/none", Some("c"));
        let outer = async || {
            let inner = here.load("row", 1, database).await;
            inner.map_err(|error| error.to_string())
        };
        ensure!(here.load("order", 1, outer).await? == 7);
        drop(here);
        let filed = sides.filed("c", "none").await?;
        assert_eq!(filed.effects(), [read("order", "1")]);
        Ok(())
    })
}

#[needs(redis)]
fn effects_are_filed_where_no_snapshot_came_and_writes_are_refused() -> Result<()> {
    with_redis(async |redis| {
        let sides = Sides::new(redis, |settings| settings.on_write = OnWrite::Refuse)?;
        let here = sides.send("/none", Some("k"));
        ensure!(here.load("price", 1, forbidden).await.is_err());
        ensure!(here.write("book", 1, &3, forbidden).await.is_err());
        drop(here);
        let filed = sides.filed("k", "none").await?;
        assert_eq!(
            filed.effects(),
            [read("price", "1"), write("book", "1", "3")]
        );
        // Another sending of the same request is another document.
        let again = sides.send("/none", Some("r"));
        drop(again);
        assert_eq!(sides.filed("r", "none").await?.effects(), []);
        assert_eq!(sides.filed("k", "none").await?.effects().len(), 2);
        Ok(())
    })
}

#[needs(redis)]
fn nothing_is_filed_for_who_did_not_ask() -> Result<()> {
    with_redis(async |redis| {
        let sides = Sides::new(redis, |_| {})?;
        for (target, send) in [("/a", None), ("/a", Some("a b")), ("/", Some("c"))] {
            let here = sides.send(target, send);
            ensure!(!here.files_effects(), "{target} {send:?}");
        }
        // What comes out of the same queue later is there: nothing came before it.
        drop(sides.send("/last", Some("c")));
        sides.filed("c", "last").await?;
        ensure!(sides.mirror.counts().effects_filed == 1);
        Ok(())
    })
}

#[needs(redis)]
fn effects_that_the_store_does_not_take_are_counted() -> Result<()> {
    with_redis(async |redis| {
        let sides = Sides::new(redis, |_| {})?;
        redis.stop();
        drop(sides.send("/a", Some("c")));
        while sides.mirror.counts().effects_failed == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    })
}
