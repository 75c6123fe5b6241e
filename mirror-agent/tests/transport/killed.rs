//! Hosts and replayers that are killed at any moment. `MIRROR_KILLS=500` kills so many; a few dozen otherwise.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use mirror_agent::report::{FleetRole, ReportData};
use mirror_tests::needs;
use mirror_tests::process::Process;
use mirror_tests::scratch::Scratch;

use super::ends::{Replayer, options};
use super::engine::{TestEngine, with_each};
use super::processes::Role;
use super::{count, fleet, redelivered, wait_for};

/// Kills of processes, unless the environment says how many.
const KILLS: u32 = 24;
const KILLS_VARIABLE: &str = "MIRROR_KILLS";

fn kills() -> u32 {
    let given = std::env::var(KILLS_VARIABLE).ok();
    given.and_then(|given| given.parse().ok()).unwrap_or(KILLS)
}

/// Numbers that look random, from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

#[needs(redis)]
pub(crate) fn whoever_is_killed_when_nothing_handed_over_is_lost_or_counted_twice() -> Result<()> {
    with_each(|engine| {
        let scratch = Scratch::new()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let seed = u64::from(now.subsec_nanos());
        println!("seed {seed}");
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ seed);
        let mut hosts = vec![Role::Host.start(&engine.url(), &scratch)?];
        hosts.push(Role::Host.start(&engine.url(), &scratch)?);
        let mut replayers = vec![Role::Replayer.start(&engine.url(), &scratch)?];
        replayers.push(Role::Replayer.start(&engine.url(), &scratch)?);
        wait_for(engine, "the first are judged", |report| {
            count(report, "matched") > 0
        })?;
        for kill in 0..kills() {
            std::thread::sleep(Duration::from_millis(100 + random.below(900)));
            let (role, all) = match random.below(3) {
                0 => (Role::Host, &mut hosts),
                _ => (Role::Replayer, &mut replayers),
            };
            let place = usize::try_from(random.below(2))?;
            all[place].kill();
            all[place] = role.start(&engine.url(), &scratch)?;
            adds_up(engine, kill)?;
        }
        for host in &mut hosts {
            host.kill();
        }
        end(engine, replayers)
    })
}

/// Seen is what has ended and what has not, at every moment.
fn adds_up(engine: &TestEngine, kill: u32) -> Result<()> {
    let report = fleet(&engine.url())?;
    let ledger = &report.results.ledger;
    let ended: u64 = ledger.outcomes.values().sum();
    ensure!(ended <= ledger.seen, "after kill {kill}: {ledger:?}");
    Ok(())
}

fn end(engine: &TestEngine, mut replayers: Vec<Process>) -> Result<()> {
    // One that lives takes over from those that do not.
    for replayer in &mut replayers {
        replayer.kill();
    }
    let last = Replayer::start(&engine.url(), options())?;
    let handed_over = |report: &ReportData| -> u64 {
        let fleet = report.fleet.iter().flat_map(|fleet| &fleet.processes);
        fleet.map(|process| process.handed_over).sum()
    };
    let report = wait_for(engine, "everything is judged", |report| {
        count(report, "matched") >= handed_over(report)
    })?;
    assert_eq!(count(&report, "matched"), handed_over(&report), "each once");
    assert_eq!(count(&report, "lost: trimmed"), 0);
    assert!(redelivered(&report) > 0, "no replayer held anything");
    assert!(handed_over(&report) > 100, "{:?}", report.results.ledger);
    last.end()?;
    let fleet = fleet(&engine.url())?.fleet.unwrap_or_default();
    let of = |role| fleet.processes.iter().filter(move |one| one.role == role);
    let judged: u64 = of(FleetRole::Replay).map(|one| one.judged).sum();
    let shipped: u64 = of(FleetRole::Capture).map(|one| one.handed_over).sum();
    assert_eq!(judged, shipped);
    Ok(())
}
