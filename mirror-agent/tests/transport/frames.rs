//! What is in an engine that is not as it was written, or not there any more.

use anyhow::Result;
use mirror_agent::transport::parcel::{ParcelId, ProcessId};
use mirror_tests::needs;

use super::ends::{Host, Replayer, options};
use super::engine::{TestEngine, with_each};
use super::{all_ended, count, wait_for};
use mirror_agent::transport::FleetOptions;

/// With one partition, so that it is known where everything is.
fn one() -> FleetOptions {
    FleetOptions {
        partitions: 1,
        ..options()
    }
}

fn parcel(sequence: u64, payload: &[u8]) -> Result<Vec<u8>> {
    let id = ParcelId {
        origin: ProcessId::random()?,
        sequence,
    };
    Ok(id.frames(payload, 4096).remove(0).to_vec())
}

fn judged(engine: &TestEngine, outcome: &str, expect: u64) -> Result<()> {
    let name = format!("{expect} end as `{outcome}`");
    wait_for(engine, &name, |report| count(report, outcome) == expect)?;
    Ok(())
}

#[needs(redis)]
pub(crate) fn what_is_damaged_or_of_another_version_ends_as_that_and_holds_nothing_up() -> Result<()>
{
    with_each(|engine| {
        let host = Host::start(&engine.url(), "web-1", one())?;
        let replayer = Replayer::start(&engine.url(), one())?;
        host.capture(1, 0);
        wait_for(engine, "the first one is judged", all_ended(1))?;
        // Nobody's frame, an envelope of a later version, and one that is cut.
        engine.write(0, b"nobody's")?;
        engine.write(0, &parcel(0, &[250, 1, 2, 3])?)?;
        engine.write(0, &parcel(0, &[3, 1])?)?;
        let mut changed = parcel(0, b"payload")?;
        *changed.last_mut().expect("a payload") ^= 1;
        engine.write(0, &changed)?;
        host.capture(1, 1);
        // Of three processes that nobody knows more of.
        let report = wait_for(engine, "everything ends", all_ended(5))?;
        assert_eq!(replayer.judged(), [(1, 0), (1, 1)]);
        let of = |name| count(&report, name);
        assert_eq!(
            (
                of("matched"),
                of("lost: damaged"),
                of("lost: other version")
            ),
            (2, 2, 1)
        );
        host.end(false)?;
        replayer.end()
    })
}

#[needs(redis)]
pub(crate) fn what_the_engine_trims_is_lost_with_a_number() -> Result<()> {
    with_each(|engine| {
        let host = Host::start(&engine.url(), "web-1", one())?;
        for number in 0..10 {
            host.capture(1, number);
        }
        wait_for(engine, "all are handed over", |report| {
            let fleet = report.fleet.as_ref();
            fleet.is_some_and(|fleet| fleet.processes[0].handed_over == 10)
        })?;
        engine.trim(0, 4)?;
        let replayer = Replayer::start(&engine.url(), one())?;
        judged(engine, "lost: trimmed", 6)?;
        // At the end too, where no other parcel shows the gap.
        replayer.hold(true);
        for number in 10..13 {
            host.capture(1, number);
        }
        replayer.hold(false);
        wait_for(engine, "everything ends", all_ended(13))?;
        replayer.end()?;
        for number in 13..15 {
            host.capture(1, number);
        }
        wait_for(engine, "all are handed over", |report| {
            report.results.ledger.in_flight() == 2
        })?;
        engine.trim(0, 0)?;
        let other = Replayer::start(&engine.url(), one())?;
        let report = wait_for(engine, "everything ends", all_ended(15))?;
        assert_eq!(
            (count(&report, "lost: trimmed"), count(&report, "matched")),
            (8, 7)
        );
        other.end()?;
        host.end(false)
    })
}
