//! Waiting for snapshots on a real Redis: when it looks, and how it ends.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use mirror_snapshot::{
    DEFAULT_TTL, RedisStore, RequestId, WaitOptions, Waited,
    store::{WaitHit, Waiter},
};
use mirror_tests::local_redis::{LocalRedis, with_redis};
use mirror_tests::{needs, testing};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const PATIENT: WaitOptions = WaitOptions {
    timeout: Duration::from_secs(60),
    poll: Duration::from_millis(10),
    notify: false,
    tries: 3,
};

/// It looks once, and then never again in a test's time.
const SLOW: WaitOptions = WaitOptions {
    poll: Duration::from_secs(3600),
    ..PATIENT
};

fn main() -> ExitCode {
    testing::main()
}

fn waiter(redis: &LocalRedis, options: WaitOptions) -> Result<Waiter> {
    Ok(Waiter::new(RedisStore::connect(&redis.url())?, options))
}

fn id(text: &str) -> RequestId {
    RequestId::new(text).expect("a valid id")
}

async fn wait(waiter: &Waiter, ids: &[&str]) -> Waited {
    let ids = ids.iter().map(|text| id(text)).collect();
    waiter.wait(ids, Box::new(|_, _| true)).await
}

fn hit(waited: Waited) -> Result<WaitHit> {
    match waited {
        Waited::Hit(hit) => Ok(hit),
        other => bail!("{other:?}"),
    }
}

async fn put(waiter: &Waiter, text: &str) -> Result<()> {
    waiter.store().put(&id(text), b"data", DEFAULT_TTL).await?;
    Ok(())
}

/// Until so many wait between two looks.
async fn until_waiting(waiter: &Waiter, count: usize) {
    while waiter.waiting() != count {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Begins to wait in the background; comes back when it was looked for in vain.
async fn begin(waiter: &Waiter, text: &str) -> Result<JoinHandle<Waited>> {
    // Each look finds this one, and refuses it.
    let other = id("other");
    waiter.store().set(&other, b"data", DEFAULT_TTL).await?;
    let looked = Arc::new(Notify::new());
    let ids = vec![other.clone(), id(text)];
    let (waiter, look) = (waiter.clone(), Arc::clone(&looked));
    let accept = Box::new(move |id: &RequestId, _: &[u8]| {
        look.notify_one();
        *id != other
    });
    let wait = tokio::spawn(async move { waiter.wait(ids, accept).await });
    looked.notified().await;
    Ok(wait)
}

#[needs(redis)]
fn what_is_there_is_found_by_the_first_look() -> Result<()> {
    with_redis(async |redis| {
        let waiter = waiter(redis, SLOW)?;
        put(&waiter, "there").await?;
        let found = hit(wait(&waiter, &["never", "there"]).await)?;
        assert_eq!((found.id, &found.value[..]), (id("there"), &b"data"[..]));
        assert!(found.at_once);
        assert!(found.ttl.is_some_and(|ttl| ttl <= DEFAULT_TTL));
        assert_eq!(waiter.waiting(), 0);
        // The next one is looked for again.
        assert!(hit(wait(&waiter, &["there"]).await)?.at_once);
        Ok(())
    })
}

#[needs(redis)]
fn what_comes_later_is_found_by_a_later_look() -> Result<()> {
    with_redis(async |redis| {
        let waiter = waiter(redis, PATIENT)?;
        let waits = [begin(&waiter, "late").await?, begin(&waiter, "late").await?];
        until_waiting(&waiter, 2).await;
        put(&waiter, "late").await?;
        for wait in waits {
            assert!(!hit(wait.await?)?.at_once);
        }
        assert_eq!(waiter.waiting(), 0);
        Ok(())
    })
}

#[needs(redis)]
fn a_wait_ends_with_its_time() -> Result<()> {
    with_redis(async |redis| {
        let options = WaitOptions {
            timeout: Duration::from_millis(100),
            ..PATIENT
        };
        let waiter = waiter(redis, options)?;
        put(&waiter, "anothers").await?;
        for (text, was_refused) in [("never", false), ("anothers", true)] {
            let nothing = Box::new(|_: &RequestId, _: &[u8]| false);
            let Waited::Missing { waited, refused } = waiter.wait(vec![id(text)], nothing).await
            else {
                bail!("{text} was found")
            };
            assert_eq!(refused, was_refused);
            assert!(waited >= options.timeout, "{waited:?}");
        }
        Ok(())
    })
}

#[needs(redis)]
fn between_two_looks_there_is_the_time_of_a_tick() -> Result<()> {
    with_redis(async |redis| {
        let fast = WaitOptions {
            timeout: Duration::from_millis(100),
            ..PATIENT
        };
        let waiter = waiter(redis, fast)?;
        let began = Instant::now();
        wait(&waiter, &["never"]).await;
        // The first look is besides the ticks.
        let ticks = began.elapsed().as_micros() / fast.poll.as_micros();
        let looks = u128::from(redis.calls("mget")?);
        assert!(looks <= ticks + 1, "{looks} looks in {ticks} ticks");
        Ok(())
    })
}

#[needs(redis)]
fn what_waits_already_is_looked_for_at_ticks_only() -> Result<()> {
    with_redis(async |redis| {
        let mut looks = 0;
        // Several times, because a tick and a new wait that come together are taken in any order.
        for round in 0..16 {
            let waiter = waiter(redis, SLOW)?;
            let late = format!("late-{round}");
            let waiting = begin(&waiter, &late).await?;
            put(&waiter, &late).await?;
            put(&waiter, "there").await?;
            for _ in 0..4 {
                hit(wait(&waiter, &["there"]).await)?;
            }
            looks += 5;
            assert_eq!((waiter.waiting(), waiting.is_finished()), (1, false));
            assert_eq!(redis.calls("mget")?, looks);
        }
        Ok(())
    })
}

#[needs(redis)]
fn who_does_not_wait_any_more_is_not_looked_for() -> Result<()> {
    with_redis(async |redis| {
        let waiter = waiter(redis, PATIENT)?;
        let gone = begin(&waiter, "gone").await?;
        until_waiting(&waiter, 1).await;
        gone.abort();
        until_waiting(&waiter, 0).await;
        Ok(())
    })
}

#[needs(redis)]
fn a_store_counts_as_unavailable_after_so_many_looks_in_vain() -> Result<()> {
    with_redis(async |redis| {
        let may = ["acl", "setuser", "blind", "on", ">pw", "~*", "+ping"];
        redis.command(&may)?;
        let url = redis.url().replace("//", "//blind:pw@");
        let waiter = Waiter::new(RedisStore::connect(&url)?, PATIENT);
        let refused = wait(&waiter, &["one"]).await;
        assert!(matches!(refused, Waited::Unavailable(_)), "{refused:?}");
        assert_eq!(redis.calls("mget")?, u64::from(PATIENT.tries));

        // The time is over before: what no look has answered is not known to be missing.
        let options = WaitOptions {
            timeout: Duration::ZERO,
            ..PATIENT
        };
        let hasty = Waiter::new(RedisStore::connect(&url)?, options);
        let refused = wait(&hasty, &["two"]).await;
        assert!(matches!(refused, Waited::Unavailable(_)), "{refused:?}");
        Ok(())
    })
}

#[needs(redis)]
fn a_wait_is_woken_by_the_stores_notification() -> Result<()> {
    with_redis(async |redis| {
        redis.command(&["config", "set", "notify-keyspace-events", "K$"])?;
        let options = WaitOptions {
            notify: true,
            ..SLOW
        };
        let waiter = waiter(redis, options)?;
        while redis.ask(&["pubsub", "numpat"])? != "1" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let others = begin(&waiter, "others").await?;
        for text in ["told", "told-again"] {
            let waiting = begin(&waiter, text).await?;
            put(&waiter, text).await?;
            assert!(!hit(waiting.await?)?.at_once);
        }
        assert!(!others.is_finished());
        Ok(())
    })
}

/// 20,000 at once: one look for each and tick, in few commands.
#[needs(redis)]
fn thousands_wait_at_once_with_few_commands() -> Result<()> {
    const IDS: usize = 20_000;
    with_redis(async |redis| {
        let options = WaitOptions {
            poll: Duration::from_millis(100),
            ..PATIENT
        };
        let waiter = waiter(redis, options)?;
        waiter.store().ping().await?;
        let waits: Vec<_> = (0..IDS)
            .map(|n| {
                let waiter = waiter.clone();
                tokio::spawn(async move { wait(&waiter, &[&format!("many-{n}")]).await })
            })
            .collect();
        until_waiting(&waiter, IDS).await;
        put(&waiter, "many-7").await?;
        while !waits[7].is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        until_waiting(&waiter, IDS - 1).await;
        let is_done = |wait: &&JoinHandle<Waited>| wait.is_finished();
        assert_eq!(waits.iter().filter(is_done).count(), 1);
        waits.iter().for_each(JoinHandle::abort);
        until_waiting(&waiter, 0).await;
        let commands = redis.calls("mget")?;
        ensure!(commands < IDS as u64 / 2, "{commands} commands");
        Ok(())
    })
}

#[needs(redis)]
fn a_store_that_is_gone_is_tried_again_and_found_again() -> Result<()> {
    with_redis(async |redis| {
        let options = WaitOptions::default();
        let waiter = waiter(redis, options)?;
        waiter.store().ping().await?;
        redis.stop();
        let began = Instant::now();
        let gone = wait(&waiter, &["one"]).await;
        assert!(matches!(gone, Waited::Unavailable(_)), "{gone:?}");
        let pauses = options.poll * (options.tries - 1);
        assert!(began.elapsed() >= pauses, "{:?}", began.elapsed());

        redis.start_again()?;
        put_again(&waiter, "one").await;
        hit(wait(&waiter, &["one"]).await)?;
        Ok(())
    })
}

/// Until the store takes it: after a failure there is a pause before the next connection.
async fn put_again(waiter: &Waiter, text: &str) {
    while put(waiter, text).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
