//! Order, large requests, and how the work is shared.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use mirror_tests::needs;

use super::ends::{Host, Replayer, options};
use super::engine::{TestEngine, with_cluster, with_each, with_sentinels};
use super::{all_ended, count, redelivered, wait_for};

/// The numbers of each lane, in the order in which they were judged.
fn by_lane(judged: &[(u64, u64)]) -> BTreeMap<u64, Vec<u64>> {
    let mut lanes: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (lane, number) in judged {
        lanes.entry(*lane).or_default().push(*number);
    }
    lanes
}

#[needs(redis)]
pub(crate) fn requests_of_a_lane_come_in_their_order_and_each_once() -> Result<()> {
    with_each(in_order)
}

#[needs(root)]
fn in_a_cluster_requests_of_a_lane_come_in_their_order_and_each_once() -> Result<()> {
    with_cluster(in_order)
}

#[needs(root)]
fn behind_sentinels_requests_of_a_lane_come_in_their_order_and_each_once() -> Result<()> {
    with_sentinels(in_order)
}

fn in_order(engine: &mut TestEngine) -> Result<()> {
    let hosts = [
        Host::start(&engine.url(), "web-1", options())?,
        Host::start(&engine.url(), "web-2", options())?,
    ];
    let replayer = Replayer::start(&engine.url(), options())?;
    for number in 0..200 {
        for lane in 0..10 {
            hosts[(lane % 2) as usize].capture(lane, number);
        }
    }
    let report = wait_for(engine, "everything is judged", all_ended(2000))?;
    assert_eq!((count(&report, "matched"), redelivered(&report)), (2000, 0));
    for (lane, numbers) in by_lane(&replayer.judged()) {
        let expect: Vec<u64> = (0..200).collect();
        assert_eq!(numbers, expect, "lane {lane}");
    }
    for host in hosts {
        host.end(false)?;
    }
    replayer.end()?;
    let report = wait_for(engine, "all have ended", |report| {
        report.unfinished.is_none()
    })?;
    assert_eq!(report.hosts, ["replayer", "web-1", "web-2"]);
    Ok(())
}

#[needs(redis)]
pub(crate) fn a_large_request_is_cut_and_put_together() -> Result<()> {
    with_each(|engine| {
        let host = Host::start(&engine.url(), "web-1", options())?;
        let replayer = Replayer::start(&engine.url(), options())?;
        for (number, body) in (0..).zip([0, 3 << 20, 10, 512 << 10, 700_000]) {
            host.capture_large(1, number, body);
        }
        let report = wait_for(engine, "everything is judged", all_ended(5))?;
        assert_eq!(count(&report, "matched"), 5);
        assert_eq!(by_lane(&replayer.judged())[&1], [0, 1, 2, 3, 4]);
        host.end(false)?;
        replayer.end()
    })
}

#[needs(redis)]
pub(crate) fn replayers_that_come_and_go_share_the_work_without_losing_or_doubling_any()
-> Result<()> {
    with_each(|engine| {
        let host = Host::start(&engine.url(), "web-1", options())?;
        let first = Replayer::start(&engine.url(), options())?;
        let capture = |numbers: std::ops::Range<u64>| {
            for number in numbers {
                for lane in 0..8 {
                    host.capture(lane, number);
                }
            }
        };
        capture(0..50);
        wait_for(engine, "the first part is judged", all_ended(400))?;
        let second = Replayer::start(&engine.url(), options())?;
        let mut number = 50;
        while second.judged().len() < 200 && number < 400 {
            capture(number..number + 1);
            number += 1;
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        ensure!(number < 400, "the second replayer was given nothing");
        first.end()?;
        capture(number..number + 50);
        let seen = (number + 50) * 8;
        let report = wait_for(engine, "everything is judged", all_ended(seen))?;
        assert_eq!(count(&report, "matched"), seen);
        for (lane, numbers) in by_lane(&second.judged()) {
            let sorted: BTreeSet<u64> = numbers.iter().copied().collect();
            assert!(numbers.iter().eq(&sorted), "lane {lane}: {numbers:?}");
        }
        second.end()?;
        host.end(false)
    })
}
