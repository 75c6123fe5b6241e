//! A snapshot lives until its replay, and nothing else is changed.

use super::*;

/// A snapshot that was found, and the gate that found it.
async fn cared_for(store: &RedisStore, care: TtlCare) -> Result<(Gate, FoundSnapshot)> {
    let asked = Asked::default();
    store
        .set(&id("one"), &document(&asked.stamp()), TTL)
        .await?;
    let options = GateOptions {
        care,
        ..GateOptions::default()
    };
    let gate = gate(store, &options);
    let found = found(pass(&gate, &asked.envelope()?).await)?;
    Ok((gate, found))
}

#[needs(redis)]
fn a_snapshot_is_copied_or_extended_before_it_is_gone() -> Result<()> {
    with_redis(async |_, store| {
        let copies = store.with_keys(store.keys().within(RUN)?);
        let left = async |store: &RedisStore| store.ttls(&[id("one")]).await[0];

        let (gate, mut copied) = cared_for(&store, TtlCare::Copy).await?;
        assert!(copied.ttl.is_some_and(|ttl| ttl <= TTL), "{copied:?}");
        // In time for a replay that takes five seconds.
        let replay = Duration::from_secs(5);
        let care_at = gate.care_at(&copied, replay).context("a time")?;
        let until = care_at.saturating_duration_since(Instant::now());
        assert!(until < TTL - replay, "{until:?}");
        for _ in 0..2 {
            assert_eq!(gate.keep(&mut copied).await, Ok(()));
            assert_eq!(copied.namespace.as_deref(), Some(RUN));
        }
        let kept = gate.care_at(&copied, replay).context("a time")?;
        assert!(kept > care_at && !copied.is_expired());
        assert!(
            left(&copies)
                .await
                .is_some_and(|ttl| ttl > TTL && ttl <= DEFAULT_TTL)
        );
        assert!(
            left(&store).await.is_some_and(|ttl| ttl <= TTL),
            "production's key is as it was"
        );

        let (gate, mut extended) = cared_for(&store, TtlCare::Extend).await?;
        assert_eq!(gate.keep(&mut extended).await, Ok(()));
        assert_eq!(extended.namespace, None);
        assert!(
            left(&store)
                .await
                .is_some_and(|ttl| ttl > TTL && ttl <= DEFAULT_TTL)
        );

        let (gate, mut untouched) = cared_for(&store, TtlCare::Off).await?;
        assert_eq!(gate.care_at(&untouched, TTL), None);
        assert!(gate.keep(&mut untouched).await.is_err());
        Ok(())
    })
}

#[needs(redis)]
fn a_snapshot_that_is_gone_cannot_be_kept() -> Result<()> {
    with_redis(async |redis, store| {
        for care in [TtlCare::Copy, TtlCare::Extend] {
            let (gate, mut late) = cared_for(&store, care).await?;
            redis.ask(&["del", "snapshot:one"])?;
            let why = gate.keep(&mut late).await.unwrap_err();
            assert!(why.contains("expired before"), "{why}");
        }
        let short = Duration::from_secs(1);
        store.set(&id("one"), b"17", short).await?;
        let gate = gate(&store, &hasty());
        let hit = found(pass(&gate, &Asked::default().envelope()?).await)?;
        while !hit.is_expired() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    })
}

#[needs(redis)]
fn what_the_store_refuses_is_named_with_what_to_do() -> Result<()> {
    with_redis(async |redis, store| {
        let outcome = async |store: RedisStore| -> Result<SnapshotOutcome> {
            let options = GateOptions {
                wait: Duration::from_millis(300),
                ..GateOptions::default()
            };
            Ok(pass(&gate(&store, &options), &Asked::default().envelope()?).await)
        };
        let blind = outcome(user(redis, "blind", &["+pttl"])?).await?;
        let SnapshotOutcome::Unavailable { error } = &blind else {
            bail!("{blind:?}");
        };
        for part in ["NOPERM", "MGET", "+mget ~snapshot*"] {
            assert!(error.contains(part), "{part}: {error}");
        }

        let (_, mut copied) = cared_for(&store, TtlCare::Copy).await?;
        let reader = user(redis, "reader", &["+mget", "+pttl"])?;
        let gate = gate(&reader, &GateOptions::default());
        let why = gate.keep(&mut copied).await.unwrap_err();
        assert!(why.contains("NOPERM") && why.contains("+set"), "{why}");

        redis.ask(&["del", "snapshot:one"])?;
        redis.ask(&["hset", "snapshot:one", "a", "b"])?;
        let odd = outcome(store).await?;
        let SnapshotOutcome::Missing { why: Some(why), .. } = &odd else {
            bail!("{odd:?}");
        };
        for part in ["WRONGTYPE", "`snapshot:one` holds a hash", "prefix="] {
            assert!(why.contains(part), "{part}: {why}");
        }
        Ok(())
    })
}
