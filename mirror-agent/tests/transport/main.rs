//! What every engine must do that carries requests from host to host, on real servers: order, redelivery, takeover, trouble, and
//! processes that are killed. One more engine is one more arm of [`TestEngine`].

mod ends;
mod engine;
mod frames;
#[cfg(feature = "kafka")]
mod kafka;
mod killed;
mod order;
mod processes;
mod trouble;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mirror_agent::report::ReportData;
use mirror_tests::testing;

use ends::fleet;
use engine::TestEngine;

/// No story takes longer, unless something is wrong.
const LIMIT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    match processes::role() {
        Some(role) => role.play(),
        None => {
            let code = testing::main();
            #[cfg(feature = "kafka")]
            kafka::end();
            code
        }
    }
}

/// Waits for a report of the fleet that is as wanted. Each one on the way must add up.
fn wait_for(
    engine: &TestEngine,
    what: &str,
    is_so: impl Fn(&ReportData) -> bool,
) -> Result<ReportData> {
    let until = Instant::now() + LIMIT;
    let (mut last, mut trouble) = (None, None);
    while Instant::now() < until {
        let report = fleet(&engine.url()).map_err(|error| trouble = Some(error));
        if let Ok(report) = report {
            let ledger = &report.results.ledger;
            let ended: u64 = ledger.outcomes.values().sum();
            anyhow::ensure!(
                ended <= ledger.seen,
                "{ended} of {} requests ended: {ledger:?}",
                ledger.seen
            );
            if is_so(&report) {
                return Ok(report);
            }
            last = Some(report);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let last = last.map(|report| (report.results.ledger, report.fleet));
    bail!("{what}: not within {LIMIT:?}; the last report: {last:?}; the last error: {trouble:?}")
}

/// So many were seen, and each has its outcome.
fn all_ended(seen: u64) -> impl Fn(&ReportData) -> bool {
    move |report| {
        let ledger = &report.results.ledger;
        ledger.seen == seen && ledger.in_flight() == 0
    }
}

fn count(report: &ReportData, outcome: &str) -> u64 {
    let outcomes = &report.results.ledger.outcomes;
    outcomes.get(outcome).copied().unwrap_or(0)
}

fn redelivered(report: &ReportData) -> u64 {
    report.fleet.as_ref().map_or(0, |fleet| fleet.redelivered)
}
