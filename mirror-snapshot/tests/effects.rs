//! What a mirror files about replayed requests, on a real Redis.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mirror_snapshot::{
    Document, Effect, EffectsDocument, Encoding, Fields, HEADER_NAMESPACE, HEADER_REQUEST_ID,
    HEADER_SEND, IdRules, OnWrite, Profile, RedisStore, RequestId, RequestTarget, SendId, Settings,
    SnapshotSource, Snapshots, WaitOptions, Waited, Written, store::Waiter,
};
use mirror_tests::local_redis::LocalRedis;
use mirror_tests::{needs, testing};
use serde_json::json;

fn main() -> ExitCode {
    testing::main()
}

/// A request for `/ID`, which names its send in the mirror.
struct Request<'a> {
    target: RequestTarget,
    send: Option<&'a str>,
}

impl Fields for Request<'_> {
    fn method(&self) -> &str {
        "GET"
    }
    fn target(&self) -> Option<&RequestTarget> {
        Some(&self.target)
    }
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        match (name, nth) {
            (HEADER_REQUEST_ID, 0) if self.target.path().len() > 1 => {
                Some(&self.target.path()[1..])
            }
            (HEADER_SEND, 0) => self.send.map(str::as_bytes),
            // It plays no part in where effects are filed.
            (HEADER_NAMESPACE, 0) => Some(b"run-1"),
            _ => None,
        }
    }
    fn body(&self) -> Option<&[u8]> {
        None
    }
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

    fn send(&self, target: &'static str, send: Option<&str>) -> SnapshotSource {
        let target = RequestTarget::parse("GET", target);
        self.mirror.begin(&Request { target, send }, None)
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

fn story(told: impl AsyncFnOnce(&mut LocalRedis) -> Result<()>) -> Result<()> {
    let mut redis = LocalRedis::start()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(told(&mut redis))
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
    story(async |redis| {
        let sides = Sides::new(redis, |settings| settings.encoding = encoding)?;
        let booking = json!({ "sku": "a-1", "amount": 12.5 });
        let there = {
            let target = RequestTarget::parse("GET", "/one");
            let request = Request { target, send: None };
            sides.production.begin(&request, None)
        };
        there.load("price", 1, database).await?;
        there.write("book", 4, &booking, database).await?;
        there.write("mail", 5, &(), database).await?;
        ensure!(!there.files_effects(), "production files its snapshot only");
        drop(there);
        let id = RequestId::new("one").context("an id")?;
        let snapshot = loop {
            if let Some(value) = sides.store.look(std::slice::from_ref(&id)).await?.remove(0) {
                break Document::from_bytes(&value)?;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let copies = sides.store.with_keys(sides.store.keys().within("run-1")?);
        copies
            .set(&id, &snapshot.to_bytes()?, Duration::from_secs(60))
            .await?;

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

#[needs(redis)]
fn effects_are_filed_where_no_snapshot_came_and_writes_are_refused() -> Result<()> {
    story(async |redis| {
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
    story(async |redis| {
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
    story(async |redis| {
        let sides = Sides::new(redis, |_| {})?;
        redis.stop();
        drop(sides.send("/a", Some("c")));
        while sides.mirror.counts().effects_failed == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    })
}
