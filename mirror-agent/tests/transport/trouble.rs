//! Engines that are away, stand still, are full or forget everything.

use std::time::{Duration, Instant};

use anyhow::Result;
use mirror_agent::transport::TransportOptions;
use mirror_core::ledger::Outcome;
use mirror_tests::needs;

use super::ends::{Host, Replayer, options};
use super::engine::{with_each, with_each_forgetful, with_sentinels};
use super::{all_ended, count, wait_for};

fn room_for(exchanges: usize) -> TransportOptions {
    TransportOptions {
        exchanges: exchanges.try_into().expect("more than none"),
        ..TransportOptions::default()
    }
}

#[needs(redis)]
pub(crate) fn an_engine_that_is_killed_and_comes_back_loses_nothing() -> Result<()> {
    with_each(|engine| {
        let host = Host::start(&engine.url(), "web-1", options())?;
        let replayer = Replayer::start(&engine.url(), options())?;
        let mut number = 0;
        for _ in 0..3 {
            for _ in 0..100 {
                host.capture(number % 7, number);
                number += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            engine.kill();
            for _ in 0..100 {
                host.capture(number % 7, number);
                number += 1;
            }
            std::thread::sleep(Duration::from_millis(300));
            engine.start_again()?;
        }
        let report = wait_for(engine, "everything is judged", all_ended(600))?;
        assert_eq!(count(&report, "matched"), 600);
        host.end(false)?;
        replayer.end()
    })
}

#[needs(redis)]
pub(crate) fn an_engine_that_stands_still_never_holds_capture_up_and_what_has_no_room_is_shed()
-> Result<()> {
    with_each(|engine| {
        let host = Host::start_with(&engine.url(), "web-1", options(), room_for(50))?;
        host.capture(1, 0);
        wait_for(engine, "the first one is handed over", |report| {
            report.results.ledger.seen == 1
        })?;
        engine.freeze()?;
        let begun = Instant::now();
        for number in 1..500 {
            host.capture(1, number);
        }
        assert!(begun.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_secs(2));
        host.capture(1, 500);
        assert_eq!(host.count(Outcome::ShedTransport), 450);
        engine.thaw()?;
        let replayer = Replayer::start(&engine.url(), options())?;
        let report = wait_for(engine, "everything ends", all_ended(501))?;
        assert_eq!(
            (count(&report, "matched"), count(&report, "shed: transport")),
            (51, 450)
        );
        host.end(false)?;
        replayer.end()
    })
}

#[needs(redis)]
fn a_full_engine_sheds_with_its_reason_and_is_emptied_by_replayers() -> Result<()> {
    with_each(|engine| {
        let host = Host::start(&engine.url(), "web-1", options())?;
        for number in 0..20 {
            host.capture(1, number);
        }
        wait_for(engine, "all are handed over", |report| {
            let fleet = report.fleet.as_ref();
            fleet.is_some_and(|fleet| fleet.processes[0].handed_over == 20)
        })?;
        engine.fill(true)?;
        for number in 20..30 {
            host.capture(1, number);
        }
        let shed = wait_for(engine, "what it refuses is shed", |report| {
            count(report, "shed: transport") == 10
        })?;
        let why = shed
            .results
            .outcomes
            .iter()
            .find(|one| one.outcome == "shed: transport");
        let why = why.and_then(|one| one.groups.first()?.reason.clone());
        assert!(
            why.as_ref().is_some_and(|why| why.contains("OOM")),
            "{why:?}"
        );
        let replayer = Replayer::start(&engine.url(), options())?;
        let report = wait_for(engine, "everything ends", all_ended(30))?;
        assert_eq!(count(&report, "matched"), 20);
        engine.fill(false)?;
        host.end(false)?;
        replayer.end()
    })
}

#[needs(redis)]
pub(crate) fn a_host_that_ends_while_the_engine_is_away_says_what_it_could_not_hand_over()
-> Result<()> {
    with_each(|engine| {
        let host = Host::start(&engine.url(), "web-1", options())?;
        host.capture(1, 0);
        wait_for(engine, "the first one is handed over", |report| {
            report.results.ledger.seen == 1
        })?;
        engine.kill();
        for number in 1..10 {
            host.capture(1, number);
        }
        let count = host.counter();
        host.end(true)?;
        let [handed_over, shed] = [Outcome::HandedOver, Outcome::ShedTransport].map(count);
        // What a client had sent before it noticed that nobody is there may have arrived, and counts as handed over.
        assert_eq!(handed_over + shed, 10);
        assert!(handed_over >= 1, "{handed_over}");
        Ok(())
    })
}

#[needs(redis)]
fn an_engine_that_forgets_everything_is_told_again_what_was_counted() -> Result<()> {
    with_each_forgetful(|engine| {
        let host = Host::start(&engine.url(), "web-1", options())?;
        let replayer = Replayer::start(&engine.url(), options())?;
        for number in 0..100 {
            host.capture(number % 4, number);
        }
        wait_for(engine, "everything is judged", all_ended(100))?;
        replayer.hold(true);
        for number in 100..150 {
            host.capture(number % 4, number);
        }
        wait_for(engine, "all are handed over", |report| {
            report.results.ledger.in_flight() == 50
        })?;
        engine.kill();
        engine.start_again()?;
        replayer.hold(false);
        for number in 150..200 {
            host.capture(number % 4, number);
        }
        let report = wait_for(engine, "everything ends", all_ended(200))?;
        let of = |name| count(&report, name);
        assert_eq!(of("matched") + of("lost: trimmed"), 200);
        assert!(of("matched") >= 150, "what had arrived is judged");
        host.end(false)?;
        replayer.end()
    })
}

#[needs(redis)]
pub(crate) fn a_slow_replayer_takes_what_it_has_room_for_and_sheds_nothing() -> Result<()> {
    with_each(|engine| {
        let host = Host::start(&engine.url(), "web-1", options())?;
        let takes = Duration::from_millis(2);
        let slow = Replayer::start_slow(&engine.url(), options(), takes, room_for(10))?;
        for number in 0..1000 {
            host.capture(number % 7, number);
        }
        let report = wait_for(engine, "everything is judged", all_ended(1000))?;
        assert_eq!(count(&report, "matched"), 1000);
        host.end(false)?;
        slow.end()
    })
}

/// What the replica did not have yet when the master died is lost, and said to be.
#[needs(root)]
fn a_failover_loses_nothing_unsaid() -> Result<()> {
    with_sentinels(|engine| {
        let host = Host::start(&engine.url(), "web-1", options())?;
        let replayer = Replayer::start(&engine.url(), options())?;
        let capture = |numbers: std::ops::Range<u64>| {
            for number in numbers {
                host.capture(number % 7, number);
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        capture(0..500);
        engine.kill();
        capture(500..1000);
        let report = wait_for(engine, "everything ends", all_ended(1000))?;
        let of = |name| count(&report, name);
        assert_eq!(of("matched") + of("lost: trimmed"), 1000);
        assert!(of("matched") > 900, "{:?}", report.results.ledger);
        capture(1000..1100);
        wait_for(engine, "everything ends", all_ended(1100))?;
        host.end(false)?;
        replayer.end()
    })
}
