//! One act: fresh services, the agent on production's interface, real traffic, the agent's report.

use std::path::PathBuf;

use anyhow::{Context, Result};
use mirror_tests::agent::{Difference, Finished, Report};
use mirror_tests::load::{Answers, Load, orders_mix};
use mirror_tests::orders::{self, Options, Service};
use mirror_tests::stage::Stage;
use mirror_tests::workspace::Profile;

use super::report_dir;
use crate::progress::Progress;

const REQUESTS: usize = 300;
const PER_SECOND: u32 = 75;
/// Milliseconds between two changes of production's data.
const CHURN_MS: u32 = 10;
/// What a PASS has to show. The smallest route has 75 requests, and 41 without a difference do for this; the usual 0.1 % takes 4,104.
const MAX_MISMATCH: &str = "10%";

#[derive(Clone, Copy, Debug)]
pub(super) struct Act {
    pub(super) number: u32,
    pub(super) title: &'static str,
    /// Of the mirror; production runs 1.
    version: u8,
    snapshots: bool,
    expected: Expected,
}

#[derive(Clone, Copy, Debug)]
enum Expected {
    FalseDifferences,
    Nothing,
    ThePlantedMistake,
}

pub(super) const ACTS: [Act; 3] = [
    Act {
        number: 1,
        title: "same version, no snapshots: the data has moved on when the mirror answers",
        version: 1,
        snapshots: false,
        expected: Expected::FalseDifferences,
    },
    Act {
        number: 2,
        title: "same version, with snapshots: the mirror answers from production's data",
        version: 1,
        snapshots: true,
        expected: Expected::Nothing,
    },
    Act {
        number: 3,
        title: "version 2, with snapshots: what differs now is the code",
        version: 2,
        snapshots: true,
        expected: Expected::ThePlantedMistake,
    },
];

#[derive(Debug)]
pub(super) struct Played {
    pub(super) act: Act,
    pub(super) answers: Answers,
    pub(super) report: Report,
    /// As `report.json` and the exit code say it.
    pub(super) decision: String,
    pub(super) exit: i32,
    pub(super) report_dir: PathBuf,
}

impl Played {
    pub(super) fn as_expected(&self) -> bool {
        let report = &self.report;
        let all_accounted_for = report.is_balanced() && report.seen == REQUESTS as u64;
        let (matched, differed) = (report.outcome("matched"), report.outcome("differed"));
        let all_compared = matched + differed == report.seen;
        let as_told = match self.act.expected {
            Expected::FalseDifferences => differed > 0 && self.decision != "pass",
            Expected::Nothing => {
                let is_differing = differed > 0 || !report.differences.is_empty();
                !is_differing && matches!(self.decision.as_str(), "pass" | "hold")
            }
            Expected::ThePlantedMistake => {
                let is_only_planted = report.differences.iter().all(is_planted);
                differed > 0 && is_only_planted && self.decision == "fail" && self.finds_planted()
            }
        };
        self.answers.failed == 0 && all_accounted_for && all_compared && as_told
    }

    /// Whether the planted mistake is what the run fails on, and nothing else is.
    fn finds_planted(&self) -> bool {
        let findings = self.report.json["verdict"]["findings"].as_array();
        let [finding] = findings.map_or(&[][..], Vec::as_slice) else {
            return false;
        };
        let place = finding["place"]["json"].as_str();
        let place = place.map(|pointer| format!("body {pointer}"));
        finding["route"] == orders::PLANTED.route && place.as_deref() == Some(orders::PLANTED.place)
    }

    /// Why it was decided so.
    pub(super) fn reason(&self) -> &str {
        self.report.json["verdict"]["reason"]
            .as_str()
            .unwrap_or_default()
    }

    /// What this act shows, when it came out as it should.
    pub(super) fn moral(&self) -> &'static str {
        match self.act.expected {
            Expected::FalseDifferences => {
                "differences, and none of them is a mistake of the new version"
            }
            Expected::Nothing => "same request, same data, same code: no difference",
            Expected::ThePlantedMistake => "exactly the planted mistake, and nothing else",
        }
    }
}

fn is_planted(difference: &Difference) -> bool {
    orders::PLANTED.route == difference.route && orders::PLANTED.place == difference.place
}

pub(super) fn play(act: &Act, service: Service) -> Result<Played> {
    let production = Options {
        service,
        churn_ms: CHURN_MS,
        snapshots: act.snapshots,
        build: Profile::Release,
        ..Options::production()
    };
    // The mirror has a copy of the data from the start of the act.
    let mirror = Options {
        api_version: act.version,
        churn_ms: 0,
        ..production
    };
    let mut stage = Stage::with(Profile::Release)?;
    if act.snapshots {
        stage = stage.redis()?;
    }
    let number = act.number;
    let starting = Progress::begin(format!("act {number}: starting production and mirror"));
    let stage = stage.production(production)?.mirror(mirror)?;
    drop(starting);
    let mut options = vec!["--allow", "POST /orders", "--max-mismatch", MAX_MISMATCH];
    if act.snapshots {
        options.extend(["--rule", "header:x-request-id"]);
    } else {
        options.push("--allow-unsnapshotted-writes");
    }
    let agent = stage.agent(&options)?;
    let sending = Progress::begin(format!(
        "act {number}: sending {REQUESTS} requests, {PER_SECOND} a second"
    ));
    let calls = orders_mix(
        &stage.production.url(),
        REQUESTS,
        &format!("act{}", act.number),
    );
    let answers = Load::start(&stage.network, &calls, PER_SECOND, &stage.scratch)?.finish()?;
    let finished = agent.stop()?;
    drop(sending);

    let decision = finished.decision()?.to_owned();
    let Finished { exit, report, .. } = finished;
    let report_dir = report_dir(service, act.number)?;
    copy_files(&stage.scratch.join("report"), &report_dir)?;
    Ok(Played {
        act: *act,
        answers,
        report,
        decision,
        exit,
        report_dir,
    })
}

fn copy_files(from: &std::path::Path, to: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("listing {}", from.display()))? {
        let entry = entry.with_context(|| format!("listing {}", from.display()))?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))
            .with_context(|| format!("copying {}", entry.path().display()))?;
    }
    Ok(())
}
