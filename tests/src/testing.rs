//! The tests' own harness: a test whose needs are not met is counted as skipped, with what it needs, and not as passed.
//!
//! The standard harness decides at compile time which tests are ignored. Whether the user is root, or whether a kernel has TCX,
//! is known when the program runs. So a test target has `harness = false`, its tests have `#[needs(…)]` instead of `#[test]`,
//! and its `main` is [`main`]. Output and options are those of the standard harness.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::Result;
use libtest_mimic::{Arguments, Completion, Trial};

use crate::{axe, browser, captures, cluster, java, kafka, local_redis, note, peers};

/// A function with `#[needs(…)]`.
#[derive(Debug)]
pub struct Test {
    /// With the crate and the modules that it is in.
    pub path: &'static str,
    pub needs: &'static [Need],
    pub run: fn() -> Result<()>,
}

inventory::collect!(Test);

/// What a test may return.
pub trait Ended {
    fn ended(self) -> Result<()>;
}

impl Ended for () {
    fn ended(self) -> Result<()> {
        Ok(())
    }
}

impl Ended for Result<()> {
    fn ended(self) -> Result<()> {
        self
    }
}

/// What a test may need besides a compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// For network namespaces and eBPF.
    Root,
    /// Programs that go with the process that attached them.
    Tcx,
    /// A Redis server on the loopback interface.
    Redis,
    /// A Kafka broker on the loopback interface.
    Kafka,
    /// Captures that others made.
    Captures,
    /// A Kubernetes that can be started here.
    Cluster,
    /// The SDK in Java, built.
    Java,
    /// Chromium, and what drives it.
    Browser,
    /// The rules of accessibility, by which a browser checks a page.
    Axe,
    /// Prometheus' own checks.
    Promtool,
    /// Another program that mirrors traffic.
    Goreplay,
    /// A generator of load that runs scripts.
    K6,
    /// A runner of Postman's collections.
    Newman,
    /// A driver of browsers that writes archives and serves from them.
    Playwright,
}

impl Need {
    /// Why a test with this need cannot run here.
    fn lack(self) -> Option<String> {
        let (is_met, what) = match self {
            Self::Root => (is_root(), "root, for network namespaces and eBPF".into()),
            Self::Tcx => (
                kernel() >= Some((6, 6)),
                "TCX, which Linux has since 6.6".into(),
            ),
            Self::Redis => (
                local_redis::is_installed(),
                "the programs redis-server, redis-cli and setpriv".into(),
            ),
            Self::Kafka => (kafka::is_installed(), kafka::NEEDS.into()),
            Self::Captures => (captures::folder().is_some(), captures::PLACE.into()),
            Self::Cluster => (cluster::directory().is_some(), cluster::PLACE.into()),
            Self::Promtool => (
                Command::new("promtool").arg("--version").output().is_ok(),
                "the program promtool, of the package prometheus".into(),
            ),
            Self::Browser => (
                browser::is_installed(),
                format!("the programs of {}", browser::NEEDS),
            ),
            Self::Axe => (axe::script().is_some(), axe::PLACE.into()),
            Self::Goreplay => (peers::GOREPLAY.path().is_some(), peers::GOREPLAY.place()),
            Self::Newman => (peers::NEWMAN.path().is_some(), peers::NEWMAN.place()),
            Self::K6 => (peers::K6.path().is_some(), peers::K6.place()),
            Self::Playwright => (
                peers::playwright().is_some(),
                peers::PLAYWRIGHT_PLACE.into(),
            ),
            Self::Java => (java::derive_ids().is_some(), java::DERIVE_IDS_NEEDS.into()),
        };
        let what: String = what;
        (!is_met).then(|| format!("needs {what}"))
    }
}

/// Network namespaces and eBPF need root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn kernel() -> Option<(u32, u32)> {
    let system = rustix::system::uname();
    let mut numbers = system.release().to_str().ok()?.split(['.', '-', '+']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Tests that take longer say so, so that one can see where the time goes.
const LONG: Duration = Duration::from_secs(10);

/// The `main` of a test target.
pub fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One at a time: the tests share the cores with the load that they make.
    arguments.test_threads.get_or_insert(1);
    let tests = inventory::iter::<Test>.into_iter();
    let mut trials: Vec<Trial> = tests
        .map(|test| Trial::ignorable_test(name(test.path), || run(test)))
        .collect();
    trials.sort_by(|a, b| a.name().cmp(b.name()));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn run(test: &Test) -> Result<Completion, libtest_mimic::Failed> {
    if let Some(lack) = test.needs.iter().find_map(|need| need.lack()) {
        return Ok(Completion::ignored_with(lack));
    }
    let began = Instant::now();
    let result = (test.run)();
    if began.elapsed() > LONG {
        // The line of the test is not at its end yet.
        note!("\n  {} took {} s", test.path, began.elapsed().as_secs());
    }
    match result {
        Ok(()) => Ok(Completion::Completed),
        Err(error) => Err(format!("{error:?}").into()),
    }
}

/// As the standard harness names it: without the crate.
fn name(path: &str) -> &str {
    path.split_once("::").map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_named_by_its_modules() {
        assert_eq!(name("capture::frames::tagged"), "frames::tagged");
    }

    #[test]
    fn a_test_whose_need_is_not_met_does_not_run() {
        // On a kernel, and with captures, that this machine may or may not have.
        for need in [Need::Root, Need::Tcx, Need::Captures] {
            let test = Test {
                path: "crate::test",
                needs: Box::leak(Box::new([need])),
                run: || anyhow::bail!("it ran"),
            };
            let ended = run(&test);
            match need.lack() {
                None => assert!(ended.is_err()),
                Some(lack) => assert!(
                    matches!(ended, Ok(Completion::Ignored { reason: Some(why) }) if why == lack)
                ),
            }
        }
    }
}
