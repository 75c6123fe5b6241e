//! Snapshots of rules that name single requests.

use super::*;

#[needs(redis)]
fn a_snapshot_that_says_the_request_is_its_own() -> Result<()> {
    with_redis(async |_, store| {
        let asked = Asked::default();
        let own = asked.stamp();
        let gate = gate(&store, &hasty());
        let envelope = asked.envelope()?;
        store.set(&id("one"), &document(&own), TTL).await?;
        let begun = Instant::now();
        let hit = found(pass(&gate, &envelope).await)?;
        assert_eq!((&hit.id, hit.at), (&id("one"), Some(own.at)));
        assert!(hit.at_once && !hit.is_collided() && !hit.is_expired());
        assert!(hit.settles_at > begun);
        assert_eq!((hit.doubt(), hit.position), (None, None));
        assert_eq!(SnapshotOutcome::Found(hit).name(), "hit");
        Ok(())
    })
}

#[needs(redis)]
fn a_snapshot_of_another_request_is_refused() -> Result<()> {
    let others: [fn(&mut Stamp); 3] = [
        |stamp| stamp.request = request_hash("GET", Some(&RequestTarget::parse("GET", "/b"))),
        |stamp| stamp.peer = Some("10.0.0.3:40000".into()),
        |stamp| stamp.at += 60_000,
    ];
    with_redis(async |_, store| {
        for change in others {
            let asked = Asked::default();
            let mut stamp = asked.stamp();
            change(&mut stamp);
            store.set(&id("one"), &document(&stamp), TTL).await?;
            let outcome = pass(&gate(&store, &hasty()), &asked.envelope()?).await;
            let SnapshotOutcome::Missing {
                refused: true, why, ..
            } = &outcome
            else {
                bail!("{stamp:?}: {outcome:?}")
            };
            assert!(why.as_ref().is_some_and(|why| why.contains("another")));
        }
        Ok(())
    })
}

#[needs(redis)]
fn a_bare_snapshot_is_taken_without_proof() -> Result<()> {
    with_redis(async |_, store| {
        store.set(&id("one"), b"17", TTL).await?;
        let gate = gate(&store, &hasty());
        let hit = found(pass(&gate, &Asked::default().envelope()?).await)?;
        assert_eq!((hit.at, hit.position), (None, None));
        Ok(())
    })
}

#[needs(redis)]
fn two_requests_with_one_id_collide_whichever_comes_first() -> Result<()> {
    with_redis(async |_, store| {
        let asked = Asked::default();
        let envelope = asked.envelope()?;
        let gate = gate(&store, &hasty());
        store
            .set(&id("one"), &document(&asked.stamp()), TTL)
            .await?;
        let first = found(pass(&gate, &envelope).await)?;
        assert!(!first.is_collided());
        let second = pass(&gate, &envelope).await;
        assert!(matches!(second, SnapshotOutcome::Collided), "{second:?}");
        assert!(first.is_collided());
        assert_eq!(first.doubt(), None);
        Ok(())
    })
}

#[needs(redis)]
fn the_mark_of_a_collision_is_a_collision() -> Result<()> {
    with_redis(async |_, store| {
        store.set(&id("one"), COLLIDED, TTL).await?;
        for ids in [vec![id("one")], vec![id("other"), id("one")]] {
            let asked = Asked {
                ids,
                ..Asked::default()
            };
            let outcome = pass(&gate(&store, &hasty()), &asked.envelope()?).await;
            assert!(matches!(outcome, SnapshotOutcome::Collided), "{outcome:?}");
            assert_eq!(outcome.name(), "collided");
        }
        Ok(())
    })
}

#[needs(redis)]
fn of_several_ids_the_one_with_the_requests_own_document_is_its_id() -> Result<()> {
    with_redis(async |_, store| {
        let asked = Asked {
            ids: vec![id("one"), id("two")],
            ..Asked::default()
        };
        let mut other = asked.stamp();
        other.at += 60_000;
        store.set(&id("one"), &document(&other), TTL).await?;
        store
            .set(&id("two"), &document(&asked.stamp()), TTL)
            .await?;
        let gate = gate(&store, &hasty());
        let envelope = asked.envelope()?;
        let hit = found(pass(&gate, &envelope).await)?;
        assert_eq!(hit.id, id("two"));
        // The document is not given to another request.
        let again = pass(&gate, &envelope).await;
        assert!(!matches!(again, SnapshotOutcome::Found(_)), "{again:?}");
        Ok(())
    })
}

#[needs(redis)]
fn a_gate_without_a_store_or_an_id_lets_everything_through() -> Result<()> {
    with_redis(async |_, store| {
        let envelope = Asked::default().envelope()?;
        let off = Gate::off();
        assert!(off.is_off());
        assert_eq!(off.enter(&envelope).settles, Duration::ZERO);
        assert_eq!(pass(&off, &envelope).await.name(), "off");
        let without = Asked {
            ids: Vec::new(),
            ..Asked::default()
        };
        let gate = gate(&store, &hasty());
        assert!(!gate.is_off());
        assert_eq!(pass(&gate, &without.envelope()?).await.name(), "no id");
        // It is at the gate that a snapshot is kept, and at none that it is not.
        store.set(&id("one"), b"17", TTL).await?;
        let mut hit = found(pass(&gate, &envelope).await)?;
        assert_eq!(off.care_at(&hit, TTL), None);
        assert_eq!(off.keep(&mut hit).await, Ok(()));
        assert_eq!(hit.namespace, None);
        Ok(())
    })
}

#[needs(redis)]
fn an_exchange_that_comes_after_its_snapshots_life_is_expired() -> Result<()> {
    with_redis(async |_, store| {
        for counted in [false, true] {
            let outcome = async |age: Duration| -> Result<_> {
                let asked = Asked {
                    at: Timestamp(now().0 - age.as_nanos() as u64),
                    counted,
                    ..Asked::default()
                };
                Ok(pass(&gate(&store, &hasty()), &asked.envelope()?).await)
            };
            let late = outcome(DEFAULT_TTL + Duration::from_secs(1)).await?;
            assert!(matches!(late, SnapshotOutcome::Expired), "{late:?}");
            let missing = outcome(DEFAULT_TTL - LIMIT).await?;
            let SnapshotOutcome::Missing {
                refused: false,
                waited,
                why: None,
            } = missing
            else {
                bail!("{missing:?}")
            };
            assert!(waited >= hasty().wait, "{waited:?}");
        }
        // What is there and was refused is told, however late it is.
        let asked = Asked {
            at: Timestamp(now().0 - 400 * SECOND),
            ..Asked::default()
        };
        let mut stamp = asked.stamp();
        stamp.request = "0".repeat(16);
        store.set(&id("one"), &document(&stamp), TTL).await?;
        let refused = pass(&gate(&store, &hasty()), &asked.envelope()?).await;
        assert_eq!(refused.name(), "missing");
        Ok(())
    })
}

#[needs(redis)]
fn a_request_settles_when_no_other_can_have_its_id() -> Result<()> {
    with_redis(async |_, store| {
        for (bucket_seconds, skew, settles) in [(0, 0, 1), (0, 2, 2), (1, 2, 3), (60, 1, 5)] {
            let gate = Gate::new(store.clone(), None, RUN, &hasty(), skew);
            let asked = Asked {
                bucket_seconds,
                ..Asked::default()
            };
            let entered = gate.enter(&asked.envelope()?);
            assert_eq!(entered.settles, Duration::from_secs(settles));
        }
        Ok(())
    })
}

#[needs(redis)]
fn a_mirror_with_a_store_of_its_own_gets_the_snapshot_there() -> Result<()> {
    with_redis(async |_, store| {
        let asked = Asked::default();
        let envelope = asked.envelope()?;
        let value = document(&asked.stamp());
        store.set(&id("one"), &value, 2 * DEFAULT_TTL).await?;
        let theirs = LocalRedis::start()?;
        let mirror = RedisStore::connect(&theirs.url())?;
        let gate = |mirror| Gate::new(store.clone(), Some(mirror), RUN, &hasty(), 1);
        found(pass(&gate(mirror.clone()), &envelope).await)?;
        let copy = mirror.look(&[id("one")]).await?.remove(0);
        assert_eq!(copy.as_deref(), Some(&value[..]));
        let ttl = mirror.ttls(&[id("one")]).await[0];
        assert!(ttl.is_some_and(|ttl| ttl <= DEFAULT_TTL), "{ttl:?}");
        let blind = user(&theirs, "blind", &["+pttl"])?;
        let outcome = pass(&gate(blind), &envelope).await;
        let SnapshotOutcome::Unavailable { error } = &outcome else {
            bail!("{outcome:?}")
        };
        assert!(error.contains("the mirror's store"), "{error}");
        Ok(())
    })
}

#[needs(redis)]
fn behind_a_replica_the_data_is_there_when_that_has_caught_up() -> Result<()> {
    with_redis(async |_, store| {
        // Nobody is there: it cannot catch up.
        let url = SecretUrl::new("postgres://127.0.0.1:1/a");
        let behind = |gate: Gate| anyhow::Ok(gate.behind(Replica::follow(&url, LIMIT)?));
        let told = Asked {
            position: Some("16/B374D848"),
            ..Asked::default()
        };
        assert!(!behind(Gate::off())?.is_off());
        let outcome = pass(&behind(Gate::off())?, &told.envelope()?).await;
        let SnapshotOutcome::Unavailable { error } = &outcome else {
            bail!("{outcome:?}")
        };
        assert!(error.contains("the replica"), "{error}");
        // Without a position there is nothing to wait for.
        let asked = Asked::default();
        let envelope = asked.envelope()?;
        assert_eq!(pass(&behind(Gate::off())?, &envelope).await.name(), "no id");
        store
            .set(&id("one"), &document(&asked.stamp()), TTL)
            .await?;
        let both = behind(gate(&store, &hasty()))?;
        assert_eq!(pass(&both, &envelope).await.name(), "no id");
        // A snapshot may tell it.
        let stamp = Stamp {
            position: Some("16/B374D848".into()),
            ..asked.stamp()
        };
        store.set(&id("one"), &document(&stamp), TTL).await?;
        let both = behind(gate(&store, &hasty()).on_host(|_| true))?;
        let outcome = pass(&both, &envelope).await;
        assert!(
            matches!(outcome, SnapshotOutcome::Unavailable { .. }),
            "{outcome:?}"
        );
        Ok(())
    })
}
