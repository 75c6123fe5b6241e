//! Snapshots that would not live until their replay, on a real Redis: copied or extended, and nothing else is changed.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use mirror_agent::gate::{FoundSnapshot, Gate, GateOptions, SnapshotOutcome, TtlCare};
use mirror_core::exchange::{Exchange, Request, Timing};
use mirror_core::identity::{Identifier, Identity};
use mirror_core::policy::{Envelope, Policy};
use mirror_core::time::Timestamp;
use mirror_snapshot::{
    Candidates, DEFAULT_TTL, RedisStore, RequestId, RequestTarget, request_hash,
};
use mirror_tests::net::{Host, Network};
use mirror_tests::redis::Redis;
use mirror_tests::scratch::Scratch;
use mirror_tests::{needs, testing};

const TTL: Duration = Duration::from_secs(20);
const RUN: &str = "run-1";

fn id() -> RequestId {
    RequestId::new("one").expect("an id")
}

fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(since.as_nanos() as u64)
}

fn envelope() -> Result<Envelope> {
    let address = "10.0.0.1:80".parse()?;
    let exchange = Exchange {
        timing: Timing {
            request_first: now(),
            request_last: now(),
            ..Timing::default()
        },
        ..Exchange::new(address, address, Request::new("GET", "/a"))
    };
    let candidates = Candidates {
        ids: vec![id()],
        ..Candidates::default()
    };
    let identify = |exchange: &Exchange| Identity {
        candidates,
        ..Identifier::default().identify(exchange)
    };
    let envelope = Policy::default().admit(&"host".into(), exchange, identify);
    envelope.ok().context("policy lets a GET out")
}

/// A snapshot that was found, and the gate that found it.
async fn found(store: &RedisStore, care: TtlCare) -> Result<(Gate, FoundSnapshot)> {
    let at = now().as_millis();
    let request = request_hash("GET", Some(&RequestTarget::parse("GET", "/a")));
    let document = format!(r#"{{"mirror":1,"at":{at},"request":"{request}","reads":[]}}"#);
    store.set(&id(), document.as_bytes(), TTL).await?;
    let options = GateOptions {
        care,
        ..GateOptions::default()
    };
    let gate = Gate::new(store.clone(), None, RUN, &options, 1);
    let envelope = envelope()?;
    let entered = gate.enter(&envelope);
    match gate.wait(&envelope, entered).await {
        SnapshotOutcome::Found(found) => Ok((gate, found)),
        other => anyhow::bail!("{other:?}"),
    }
}

fn main() -> ExitCode {
    testing::main()
}

#[needs(root)]
fn a_snapshot_is_copied_or_extended_before_it_is_gone() -> Result<()> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let _redis = Redis::start(&network, &scratch)?;
    let story = async {
        let store = RedisStore::connect(&Redis::url())?;
        let copies = store.with_keys(store.keys().within(RUN)?);
        let left = async |store: &RedisStore| store.ttls(&[id()]).await[0];

        let (gate, mut copied) = found(&store, TtlCare::Copy).await?;
        assert!(
            copied.at.is_some() && copied.ttl.is_some_and(|ttl| ttl <= TTL),
            "{copied:?}"
        );
        // In time for a replay that takes five seconds.
        let care_at = gate
            .care_at(&copied, Duration::from_secs(5))
            .context("a time")?;
        let until = care_at.saturating_duration_since(tokio::time::Instant::now());
        assert!(until < TTL - Duration::from_secs(5), "{until:?}");
        assert_eq!(gate.keep(&mut copied).await, Ok(()));
        assert_eq!(copied.namespace.as_deref(), Some(RUN));
        assert!(
            left(&copies)
                .await
                .is_some_and(|ttl| ttl > TTL && ttl <= DEFAULT_TTL)
        );
        assert!(
            left(&store).await.is_some_and(|ttl| ttl <= TTL),
            "production's key is as it was"
        );

        let (gate, mut extended) = found(&store, TtlCare::Extend).await?;
        assert_eq!(gate.keep(&mut extended).await, Ok(()));
        assert_eq!(extended.namespace, None);
        assert!(
            left(&store)
                .await
                .is_some_and(|ttl| ttl > TTL && ttl <= DEFAULT_TTL)
        );

        let (gate, untouched) = found(&store, TtlCare::Off).await?;
        assert_eq!(gate.care_at(&untouched, TTL), None);

        let (gate, mut late) = found(&store, TtlCare::Copy).await?;
        store.set(&id(), b"{}", Duration::from_millis(1)).await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(gate.keep(&mut late).await.is_err(), "it was gone before");
        Ok(())
    };
    network.on(Host::Mirror, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(story)
    })
}

/// The outcome of one request whose snapshot stands in a store with this URL.
async fn outcome(url: &str) -> Result<SnapshotOutcome> {
    let options = GateOptions {
        wait: Duration::from_millis(300),
        ..GateOptions::default()
    };
    let gate = Gate::new(RedisStore::connect(url)?, None, RUN, &options, 1);
    let envelope = envelope()?;
    let entered = gate.enter(&envelope);
    Ok(gate.wait(&envelope, entered).await)
}

#[needs(root)]
fn what_the_store_refuses_is_named_with_what_to_do() -> Result<()> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let _redis = Redis::start(&network, &scratch)?;
    let ask = |command: &[&str]| Redis::ask(&network, 6379, command);
    let user = |name: &str, rights: &[&str]| {
        let known = ["acl", "setuser", name, "on", ">pw", "~snapshot:*", "+ping"];
        ask(&[&known[..], rights].concat())
    };
    assert_eq!(user("blind", &["+pttl"])?, "OK");
    assert_eq!(user("reader", &["+mget", "+pttl"])?, "OK");
    let url = |name: &str| format!("redis://{name}:pw@{}:6379", Host::Mirror.address());
    let story = async {
        let blind = outcome(&url("blind")).await?;
        let SnapshotOutcome::Unavailable { error } = &blind else {
            anyhow::bail!("{blind:?}");
        };
        for part in ["NOPERM", "MGET", "+mget ~snapshot*"] {
            assert!(error.contains(part), "{part}: {error}");
        }

        let reader = RedisStore::connect(&url("reader"))?;
        let (_, mut copied) = found(&RedisStore::connect(&Redis::url())?, TtlCare::Copy).await?;
        let gate = Gate::new(reader, None, RUN, &GateOptions::default(), 1);
        let why = gate.keep(&mut copied).await.unwrap_err();
        assert!(why.contains("NOPERM") && why.contains("+set"), "{why}");

        ask(&["del", "snapshot:one"])?;
        ask(&["hset", "snapshot:one", "a", "b"])?;
        let odd = outcome(&Redis::url()).await?;
        let SnapshotOutcome::Missing { why: Some(why), .. } = &odd else {
            anyhow::bail!("{odd:?}");
        };
        for part in ["WRONGTYPE", "`snapshot:one` holds a hash", "prefix="] {
            assert!(why.contains(part), "{part}: {why}");
        }
        Ok(())
    };
    network.on(Host::Mirror, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(story)
    })
}
