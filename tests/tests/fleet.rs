//! Hosts that capture and hosts that replay, as processes of their own with one engine between them: one run, one decision.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mirror_tests::agent::Report;
use mirror_tests::load::{Call, Load};
use mirror_tests::net::{Host, INTERFACE};
use mirror_tests::nginx::Nginx;
use mirror_tests::process::{Process, Signal};
use mirror_tests::redis::Redis;
use mirror_tests::stage::{Role, Stage};
use mirror_tests::workspace::{Profile, binary};
use mirror_tests::{needs, testing, wait_until};

const LIMIT: Duration = Duration::from_secs(40);
const GROUP: [&str; 2] = ["--group", "candidate"];
/// The second service of production.
const OTHER_PORT: u16 = 8081;

fn main() -> ExitCode {
    testing::main()
}

type Versions = Stage<Nginx, Nginx>;

/// A stage on which agents can be started by their names.
struct Fleet {
    stage: Versions,
    other: Nginx,
    _redis: Redis,
    program: PathBuf,
    url: String,
}

impl Fleet {
    /// Two services on production's host, one mirror that answers otherwise, and an engine.
    fn new() -> Result<Self> {
        let stage = Stage::new()?
            .production(Nginx::answering(r#"{"price":1}"#))?
            .mirror(Nginx::answering(r#"{"price":2}"#))?;
        let (network, scratch) = (&stage.network, &stage.scratch);
        let same = Nginx::answering(r#"{"price":1}"#);
        let other = same.start(network, scratch, Host::Production, OTHER_PORT)?;
        Ok(Self {
            _redis: Redis::start(network, scratch)?,
            program: binary("mirror-agent", Profile::Debug)?,
            url: format!("{}/shop", Redis::url()),
            other,
            stage,
        })
    }

    /// Returns when it has said that it begins.
    fn agent(&self, name: &str, host: Host, args: &[&str]) -> Result<Process> {
        let mut command = self.stage.network.command(host, &self.program);
        let socket = self.stage.scratch.join(format!("{name}.sock"));
        command.args(args).arg("--socket").arg(socket);
        command.args(["--max-cpu-when-busy", "100%", "--quick", "--no-repeats"]);
        let mut agent = Process::spawn(name, command, self.stage.scratch.path())?;
        agent.wait_ready(name, LIMIT, |agent| {
            ["capturing on", "replaying what"]
                .iter()
                .any(|said| agent.log().contains(said))
        })?;
        Ok(agent)
    }

    fn capture(&self, name: &str, port: u16, more: &[&str]) -> Result<Process> {
        let port = port.to_string();
        let args = ["capture", "--interface", INTERFACE, "--port", &port];
        let to = ["--to", &self.url, "--json"];
        self.agent(name, Host::Production, &[&args[..], &to, more].concat())
    }

    fn replay(&self, name: &str, more: &[&str]) -> Result<Process> {
        let target = self.stage.mirror.url();
        let args = ["replay", "--from", &self.url, "--target", &target];
        let usual = ["--takeover-after", "1s", "--json"];
        let args = [&args[..], &GROUP, &usual, more].concat();
        self.agent(name, Host::Mirror, &args)
    }

    /// One agent that does all of it.
    fn single(&self) -> Result<Process> {
        let target = self.stage.mirror.url();
        let args = ["run", "--interface", INTERFACE, "--target", &target];
        let ports = ["--port", "8080", "--port", "8081", "--json"];
        self.agent("single", Host::Production, &[&args[..], &ports].concat())
    }

    fn report(&self, format: &str) -> Result<Output> {
        let mut command = self.stage.network.command(Host::Client, &self.program);
        command.args(["report", "--fleet", &self.url]).args(GROUP);
        command.args(["--format", format]);
        command.output().context("running mirror-agent report")
    }

    fn read(&self) -> Result<(Report, Option<i32>)> {
        let output = self.report("json")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.stdout.is_empty(), "{said}");
        let report = Report::parse(std::str::from_utf8(&output.stdout)?)?;
        let ended: u64 = report.outcomes.values().sum();
        ensure!(ended <= report.seen, "{:#}", report.json["ledger"]);
        Ok((report, output.status.code()))
    }

    fn load(&self, count: usize) -> Result<Load> {
        let services = [self.stage.production.url(), self.other.url()];
        let call = |n: usize| Call::get(format!("{}/items/{n}", services[n % 2]));
        let calls: Vec<Call> = (0..count).map(call).collect();
        Load::start(&self.stage.network, &calls, 300, &self.stage.scratch)
    }

    fn wait_settled(&self, seen: u64) -> Result<(Report, Option<i32>)> {
        let mut last = None;
        let settled = wait_until("every request's outcome", LIMIT, || {
            last = self.read().ok();
            last.as_ref()
                .is_some_and(|(report, _)| report.seen == seen && report.is_balanced())
        });
        let (report, code) = last.context("there is no report")?;
        settled
            .with_context(|| format!("{:#} {:#}", report.json["ledger"], report.json["fleet"]))?;
        Ok((report, code))
    }
}

/// Ends an agent, and reads what it printed.
fn end(mut agent: Process) -> Result<(Report, Option<i32>)> {
    agent.signal(Signal::TERM)?;
    let status = agent.wait(LIMIT)?;
    let log = agent.log();
    let json = log.find("\n{\n").map(|at| &log[at + 1..]);
    let json = json.or_else(|| log.starts_with("{\n").then_some(&*log));
    let json = json.with_context(|| format!("it printed no report: {log}"))?;
    let json = json.rfind("\n}").map_or(json, |at| &json[..at + 2]);
    Ok((Report::parse(json)?, status.code()))
}

#[needs(root)]
fn two_hosts_and_two_replayers_of_which_one_is_killed_decide_as_one_agent_would() -> Result<()> {
    let fleet = Fleet::new()?;
    let hosts = [
        fleet.capture("host-1", 8080, &[])?,
        // So that there is something in each partition.
        fleet.capture("host-2", OTHER_PORT, &["--order", "none"])?,
    ];
    let mut killed = fleet.replay("replayer-1", &[])?;
    let other = fleet.replay("replayer-2", &[])?;
    let single = fleet.single()?;
    let load = fleet.load(1500)?;
    let judges = |report: &Report| {
        let processes = report.json["fleet"]["processes"].as_array();
        let judged = processes.into_iter().flatten();
        judged
            .filter(|one| one["judged"].as_u64() > Some(0))
            .count()
    };
    let both = wait_until("both judge", LIMIT, || {
        fleet.read().is_ok_and(|(report, _)| judges(&report) == 2)
    });
    both.with_context(|| format!("{:?}", fleet.read().map(|(r, _)| r.json["fleet"].clone())))?;
    killed.kill();
    let answers = load.finish()?;
    assert_eq!((answers.ok, answers.failed), (1500, 0));
    let (report, code) = fleet.wait_settled(1500)?;

    let (alone, alone_code) = end(single)?;
    assert_eq!(
        (report.seen, &report.outcomes),
        (alone.seen, &alone.outcomes)
    );
    assert_eq!(report.outcome("differed"), 1500);
    assert_eq!((code, alone_code), (Some(1), Some(1)));
    assert_eq!(
        report.json["verdict"]["decision"],
        alone.json["verdict"]["decision"]
    );
    let routes = |report: &Report| -> Vec<_> {
        let all = report.json["routes"].as_array().into_iter().flatten();
        all.map(|route| (route["route"].clone(), route["compared"].clone()))
            .collect()
    };
    assert_eq!(routes(&report), routes(&alone));

    for host in hosts {
        let (captured, code) = end(host)?;
        assert_eq!((captured.outcome("handed over"), code), (750, Some(0)));
    }
    end(other)?;
    // The one that was killed is named once it has been silent for long enough.
    let named = wait_until("the dead one is named", LIMIT, || {
        fleet.read().is_ok_and(|(report, _)| {
            let said = report.json["unfinished"].as_str().unwrap_or_default();
            said.contains("died") && said.contains("judged") && !said.contains("goes on")
        })
    });
    named.with_context(|| {
        format!(
            "{:?}",
            fleet.read().map(|(r, _)| r.json["unfinished"].clone())
        )
    })?;
    for format in ["text", "markdown", "junit", "html"] {
        let output = fleet.report(format)?;
        assert_eq!(output.status.code(), Some(1), "{format}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            text.contains("died") || format == "junit",
            "{format}: {text}"
        );
    }
    Ok(())
}

#[needs(root)]
fn a_write_that_a_dead_replayer_may_have_sent_is_not_sent_again() -> Result<()> {
    let fleet = Fleet::new()?;
    let writes = ["--allow", "POST /orders", "--allow-unsnapshotted-writes"];
    let host = fleet.capture("host", 8080, &[&writes[..], &["--order", "none"]].concat())?;
    let slow = ["--max-rps", "2"];
    let mut killed = fleet.replay("replayer-1", &[&writes[..], &slow].concat())?;
    let url = format!("{}/orders", fleet.stage.production.url());
    let calls: Vec<Call> = (0..20).map(|n| Call::post(&url, format!("{n}"))).collect();
    fleet.stage.send(&calls, 100)?;
    wait_until("it has judged some", LIMIT, || {
        let read = fleet.read();
        read.is_ok_and(|(report, _)| report.seen == 20 && report.outcome("differed") > 0)
    })?;
    killed.kill();
    let other = fleet.replay("replayer-2", &writes)?;
    let (report, _) = fleet.wait_settled(20)?;
    let of = |name| report.outcome(name);
    assert_eq!(of("differed") + of("filtered: sent before"), 20);
    assert!(of("filtered: sent before") >= 5, "{:?}", report.outcomes);
    assert_eq!(
        report.json["fleet"]["redelivered"].as_u64(),
        Some(of("filtered: sent before"))
    );
    end(host)?;
    end(other)?;
    Ok(())
}

#[needs(root)]
fn a_replayer_that_stood_still_for_too_long_ends_and_counts_nothing_twice() -> Result<()> {
    let fleet = Fleet::new()?;
    let host = fleet.capture("host", 8080, &["--order", "none"])?;
    let mut still = fleet.replay("replayer-1", &["--max-rps", "20"])?;
    fleet.stage.get(200)?;
    wait_until("it has judged some", LIMIT, || {
        let read = fleet.read();
        read.is_ok_and(|(report, _)| report.seen == 200 && report.outcome("differed") > 0)
    })?;
    still.signal(Signal::STOP)?;
    let other = fleet.replay("replayer-2", &[])?;
    let (report, _) = fleet.wait_settled(200)?;
    assert_eq!(report.outcome("differed"), 200);
    still.signal(Signal::CONT)?;
    let status = still.wait(LIMIT)?;
    assert_eq!(status.code(), Some(3), "{}", still.log());
    assert!(still.log().contains("took over"), "{}", still.log());
    let (report, _) = fleet.wait_settled(200)?;
    assert_eq!(report.outcome("differed"), 200);
    end(host)?;
    end(other)?;
    Ok(())
}

#[needs(root)]
fn without_an_engine_nothing_is_started_and_the_error_says_where_it_was_looked_for() -> Result<()> {
    let fleet = Fleet::new()?;
    let nowhere = "redis://user:secret@10.77.0.3:1/shop";
    let refused = |host, args: &[&str]| -> Result<String> {
        let mut command: Command = fleet.stage.network.command(host, &fleet.program);
        let output = command.args(args).output()?;
        assert_eq!(output.status.code(), Some(2));
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let target = fleet.stage.mirror.url();
    let capture = ["capture", "--interface", INTERFACE, "--port", "8080"];
    let told = [
        refused(
            Host::Production,
            &[&capture[..], &["--to", nowhere]].concat(),
        )?,
        refused(
            Host::Mirror,
            &["replay", "--from", nowhere, "--target", &target],
        )?,
        refused(Host::Client, &["report", "--fleet", nowhere])?,
    ];
    for said in told {
        assert!(said.contains("10.77.0.3:1/shop"), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
    let both = [&capture[..], &["--to", &fleet.url, "--target", &target]].concat();
    let said = refused(Host::Production, &both)?;
    assert!(said.contains("replay --from"), "{said}");
    Ok(())
}
