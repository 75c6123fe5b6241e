//! Snapshots of rules with ` #n`.

use super::*;

/// Files a numbered document, and lists it.
async fn list(store: &RedisStore, number: u64, stamp: &Stamp) -> Result<RequestId> {
    let number = SnapshotNumber(number);
    let entry = ListEntry::new(number, stamp);
    let derived = id("one");
    store
        .put_listed(&derived, &entry, &document(stamp), TTL)
        .await?;
    derived.numbered(number).context("a short id")
}

fn counted() -> Asked {
    Asked {
        counted: true,
        ..Asked::default()
    }
}

/// A gate that knows production's host for the capture's own.
fn at_home(store: &RedisStore, options: &GateOptions) -> Gate {
    gate(store, options).on_host(|address| address.to_string() == "10.0.0.1")
}

#[needs(redis)]
fn a_numbered_document_is_the_requests_whose_time_proves_it() -> Result<()> {
    with_redis(async |_, store| {
        let asked = counted();
        let mut other = asked.stamp();
        other.at -= 10;
        list(&store, 7, &other).await?;
        let own = list(&store, 8, &asked.stamp()).await?;
        let gate = at_home(&store, &hasty());
        let envelope = asked.envelope()?;
        let hit = found(pass(&gate, &envelope).await)?;
        assert_eq!(hit.id, own);
        assert_eq!(hit.doubt(), None);
        // An identical request at the same time makes it doubtful after all.
        let second = pass(&gate, &envelope).await;
        let overlap = Doubt::Overlap;
        assert!(
            matches!(second, SnapshotOutcome::Unproven { why } if why == overlap),
            "{second:?}"
        );
        assert_eq!(hit.doubt(), Some(overlap));
        Ok(())
    })
}

#[needs(redis)]
fn a_numbered_document_is_waited_for_and_the_wait_is_told() -> Result<()> {
    with_redis(async |_, store| {
        let asked = counted();
        let options = GateOptions {
            wait: LIMIT,
            ..hasty()
        };
        let gate = at_home(&store, &options);
        let envelope = asked.envelope()?;
        // Polled after the wait, which has begun by then.
        let listing = async {
            let began = Instant::now();
            tokio::time::sleep(Duration::from_millis(40)).await;
            let waited = began.elapsed();
            list(&store, 8, &asked.stamp()).await?;
            anyhow::Ok(waited)
        };
        let (outcome, waited) = tokio::join!(biased; pass(&gate, &envelope), listing);
        assert!(found(outcome)?.waited >= waited?);
        Ok(())
    })
}

#[needs(redis)]
fn what_cannot_be_proven_says_why() -> Result<()> {
    with_redis(async |_, store| {
        let asked = counted();
        list(&store, 8, &asked.stamp()).await?;
        let envelope = asked.envelope()?;
        let unproven = |outcome: SnapshotOutcome| match outcome {
            SnapshotOutcome::Unproven { why } => Ok(why),
            other => bail!("{other:?}"),
        };
        // Another host's clock is not known, nor is any before addresses are told.
        let away = gate(&store, &hasty()).on_host(|address| address.to_string() == "10.0.0.9");
        for gate in [gate(&store, &hasty()), away] {
            assert_eq!(unproven(pass(&gate, &envelope).await)?, Doubt::Clocks);
        }
        let endless = Asked {
            is_answered: false,
            ..counted()
        };
        let gate = at_home(&store, &hasty());
        let outcome = pass(&gate, &endless.envelope()?).await;
        assert_eq!(outcome.name(), "unproven");
        assert_eq!(unproven(outcome)?, Doubt::NoEnd);
        Ok(())
    })
}

#[needs(redis)]
fn a_numbered_document_that_says_another_moment_is_not_the_listed_one() -> Result<()> {
    with_redis(async |_, store| {
        let asked = counted();
        let own = list(&store, 8, &asked.stamp()).await?;
        let mut other = asked.stamp();
        other.at += 1;
        for value in [document(&other), COLLIDED.to_vec(), b"17".to_vec()] {
            store.set(&own, &value, TTL).await?;
            let gate = at_home(&store, &hasty());
            let outcome = pass(&gate, &asked.envelope()?).await;
            assert!(
                matches!(outcome, SnapshotOutcome::Missing { refused: true, .. }),
                "{outcome:?}"
            );
        }
        Ok(())
    })
}

#[needs(redis)]
fn lists_are_read_once_a_tick() -> Result<()> {
    with_redis(async |redis, store| {
        let options = GateOptions {
            wait: Duration::from_millis(100),
            poll: Poll(Duration::from_millis(10)),
            ..GateOptions::default()
        };
        let asked = mid_minute();
        let began = Instant::now();
        pass(&at_home(&store, &options), &asked.envelope()?).await;
        // The first look is besides the ticks.
        let ticks = began.elapsed().as_micros() / options.poll.0.as_micros();
        let looks = u128::from(redis.calls("lrange")?);
        assert!(looks <= ticks + 1, "{looks} looks in {ticks} ticks");
        Ok(())
    })
}

/// A request that only one list can have.
fn mid_minute() -> Asked {
    let minute = 60 * SECOND;
    Asked {
        at: Timestamp(now().0 / minute * minute + minute / 2),
        ..counted()
    }
}

#[needs(redis)]
fn lists_that_cannot_be_read_so_many_times_are_unavailable() -> Result<()> {
    with_redis(async |redis, _| {
        let store = user(redis, "blind", &["+pttl"])?;
        let options = GateOptions {
            wait: LIMIT,
            ..hasty()
        };
        let outcome = pass(&gate(&store, &options), &mid_minute().envelope()?).await;
        let SnapshotOutcome::Unavailable { error } = &outcome else {
            bail!("{outcome:?}")
        };
        assert!(error.contains("NOPERM"), "{error}");
        assert_eq!(redis.calls("lrange")?, 3);
        assert_eq!(outcome.name(), "store unavailable");
        Ok(())
    })
}
