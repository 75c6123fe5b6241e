//! The built agent, started on production's host and stopped as a user stops it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::net::{Host, INTERFACE, Network};
use crate::process::{Process, Signal};
use crate::schema;
use crate::scratch::Scratch;
use crate::wait_until;
use crate::workspace::{Profile, binary};

#[derive(Debug)]
pub struct Agent {
    process: Process,
    program: PathBuf,
    report: PathBuf,
    socket: PathBuf,
}

/// What a run came to.
#[derive(Debug)]
pub struct Finished {
    pub exit: i32,
    pub report: Report,
    /// What it printed.
    pub output: String,
}

/// The decisions by their names in `report.json`, with the exit codes that README promises.
const EXIT_CODES: [(&str, i32); 4] = [("pass", 0), ("fail", 1), ("invalid", 3), ("hold", 4)];

impl Finished {
    /// The decision as `report.json` names it; an error where the exit code is another one's.
    pub fn decision(&self) -> Result<&str> {
        let name = self.report.json["verdict"]["decision"].as_str();
        let name = name.context("the report has no decision")?;
        let code = EXIT_CODES.iter().find(|(known, _)| *known == name);
        match code {
            Some((_, code)) if *code == self.exit => Ok(name),
            _ => bail!("the decision is {name}, and the exit code {}", self.exit),
        }
    }
}

impl Agent {
    /// Starts `mirror-agent run` on production's interface with the options in `args` added, and
    /// returns when capture is attached.
    pub fn start(
        network: &Network,
        port: u16,
        target: &str,
        args: &[&str],
        build: Profile,
        scratch: &Scratch,
    ) -> Result<Self> {
        let args = [&["--target", target], args].concat();
        Self::observe(network, port, &args, build, scratch)
    }

    /// As `start`, without replaying to anything. With `--hook cgroup` in `args` it is at no interface, but outside of all hosts,
    /// where the root cgroup can be seen.
    pub fn observe(
        network: &Network,
        port: u16,
        args: &[&str],
        build: Profile,
        scratch: &Scratch,
    ) -> Result<Self> {
        let program = binary("mirror-agent", build)?;
        let command = if args.contains(&"cgroup") {
            let mut command = Command::new("setpriv");
            command
                .args(["--pdeathsig", "KILL"])
                .arg(&program)
                .arg("run");
            command
        } else {
            let mut command = network.command(Host::Production, &program);
            command.args(["run", "--interface", INTERFACE]);
            command
        };
        Self::spawn(command, port, args, build, scratch)
    }

    /// As `start`, in a process that may have so many files open.
    pub fn start_with_files(
        network: &Network,
        files: u32,
        target: &str,
        args: &[&str],
        scratch: &Scratch,
    ) -> Result<Self> {
        let program = binary("mirror-agent", Profile::Debug)?;
        let mut command = network.command(Host::Production, "prlimit");
        command
            .arg(format!("--nofile={files}:{files}"))
            .arg(&program)
            .args(["run", "--interface", INTERFACE]);
        let args = [&["--target", target], args].concat();
        Self::spawn(command, 8080, &args, Profile::Debug, scratch)
    }

    fn spawn(
        mut command: Command,
        port: u16,
        args: &[&str],
        build: Profile,
        scratch: &Scratch,
    ) -> Result<Self> {
        let (report, socket) = (scratch.join("report"), scratch.join("agent.sock"));
        // A log of its own: what an agent before it said is not yet true of this one.
        let log = scratch.join("agent.log");
        if log.exists() {
            std::fs::remove_file(&log).context("removing the log of the agent before")?;
        }
        // Most tests send too few requests for a decision with a stated error, and count what the mirror gets.
        if !args.contains(&"--max-mismatch") {
            command.args(["--quick", "--no-repeats"]);
        }
        // Builds that are not optimized, of tests that run beside each other, make this host busy and need much of it.
        if build == Profile::Debug && !args.contains(&"--max-cpu-when-busy") {
            command.args(["--max-cpu-when-busy", "100%"]);
        }
        command
            .args(["--port", &port.to_string()])
            .arg("--report")
            .arg(&report)
            .arg("--socket")
            .arg(&socket)
            .args(args);
        if !args.contains(&"--runs") {
            command.arg("--runs").arg(scratch.join("runs"));
        }
        let mut process = Process::spawn("agent", command, scratch.path())?;
        process.wait_ready("attached capture", Duration::from_secs(20), |process| {
            process.log().contains("capturing on")
        })?;
        Ok(Self {
            process,
            program: binary("mirror-agent", build)?,
            report,
            socket,
        })
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Files that it has open.
    pub fn open_files(&self) -> Result<usize> {
        let directory = format!("/proc/{}/fd", self.id());
        Ok(std::fs::read_dir(directory)
            .context("counting open files")?
            .count())
    }

    /// `mirror-agent stop`, waiting for its report.
    pub fn stopping(&self, scratch: &Scratch) -> Result<Process> {
        let mut command = Command::new(&self.program);
        command.arg("stop").arg("--socket").arg(&self.socket);
        Process::spawn("stop", command, scratch.path())
    }

    /// Waits until it has printed `text`.
    pub fn wait_log(&mut self, text: &str, limit: Duration) -> Result<()> {
        self.process
            .wait_ready(text, limit, |process| process.log().contains(text))
    }

    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// What `mirror-agent status --json` prints.
    pub fn status(&self) -> Result<Value> {
        let output = Command::new(&self.program)
            .args(["status", "--json", "--socket"])
            .arg(&self.socket)
            .output()
            .context("running mirror-agent status")?;
        if !output.status.success() {
            bail!("status: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).context("parsing the status")
    }

    /// A command to the running agent, as `filter` or `reload`; its exit code and what it printed.
    pub fn tell(&self, args: &[&str]) -> Result<(i32, String)> {
        let output = Command::new(&self.program)
            .args(args)
            .arg("--socket")
            .arg(&self.socket)
            .output()
            .context("running mirror-agent")?;
        let text = [output.stdout, output.stderr].concat();
        let code = output.status.code().context("it was ended by a signal")?;
        Ok((code, String::from_utf8_lossy(&text).into_owned()))
    }

    /// Waits until `requests` have been seen and each has its outcome.
    pub fn wait_settled(&self, requests: u64, limit: Duration) -> Result<Value> {
        let mut last = Value::Null;
        let settled = wait_until("every request's outcome", limit, || {
            last = self.status().unwrap_or(Value::Null);
            let outcomes = last["ledger"]["outcomes"].as_object();
            let sum: u64 = outcomes
                .into_iter()
                .flatten()
                .filter_map(|(_, count)| count.as_u64())
                .sum();
            sum >= requests && last["ledger"]["seen"] == sum
        });
        settled.with_context(|| format!("{last:#}"))?;
        Ok(last)
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// SIGKILL: the agent gets no chance to clean up.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    pub fn report_dir(&self) -> &Path {
        &self.report
    }

    /// SIGTERM: it drains what is in flight, writes its report and ends.
    pub fn stop(self) -> Result<Finished> {
        self.end(Signal::TERM, Duration::from_secs(30))
    }

    /// Ends it by a signal that it heeds.
    pub fn end(mut self, signal: Signal, limit: Duration) -> Result<Finished> {
        self.process.signal(signal)?;
        let status = self.process.wait(limit)?;
        let output = self.process.log();
        let exit = status
            .code()
            .with_context(|| format!("the agent was ended by a signal: {status}\n{output}"))?;
        let report =
            Report::read(&self.report.join("report.json")).with_context(|| output.clone())?;
        Ok(Finished {
            exit,
            report,
            output,
        })
    }
}

/// `report.json`, as far as the stories need it.
#[derive(Clone, Debug)]
pub struct Report {
    pub seen: u64,
    pub outcomes: BTreeMap<String, u64>,
    pub differences: Vec<Difference>,
    /// All of it.
    pub json: Value,
}

/// One place where answers differed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub route: String,
    pub place: String,
    pub count: u64,
}

impl Report {
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    /// One that is not by the published schema is an error.
    pub fn parse(text: &str) -> Result<Self> {
        let json: Value = serde_json::from_str(text).context("parsing the report")?;
        schema::check(&json).context("by docs/report.schema.json")?;
        Self::of(json)
    }

    fn of(json: Value) -> Result<Self> {
        let outcomes = json["ledger"]["outcomes"]
            .as_object()
            .context("ledger.outcomes")?;
        let differences = json["differences"].as_array().context("differences")?;
        Ok(Self {
            seen: json["ledger"]["seen"].as_u64().context("ledger.seen")?,
            outcomes: outcomes
                .iter()
                .map(|(name, count)| {
                    Ok((name.clone(), count.as_u64().context("an outcome's count")?))
                })
                .collect::<Result<_>>()?,
            differences: differences
                .iter()
                .map(Difference::parse)
                .collect::<Result<_>>()?,
            json,
        })
    }

    pub fn outcome(&self, name: &str) -> u64 {
        self.outcomes.get(name).copied().unwrap_or(0)
    }

    /// The ledger as an equation: everything seen has exactly one outcome.
    pub fn is_balanced(&self) -> bool {
        self.outcomes.values().sum::<u64>() == self.seen
    }
}

impl Difference {
    fn parse(json: &Value) -> Result<Self> {
        Ok(Self {
            route: json["route"]
                .as_str()
                .context("a difference's route")?
                .to_owned(),
            place: json["place"]
                .as_str()
                .context("a difference's place")?
                .to_owned(),
            count: json["count"].as_u64().context("a difference's count")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_read_and_balanced() {
        let report = Report::of(json!({
            "ledger": {"seen": 3, "outcomes": {"matched": 2, "differed": 1}},
            "differences": [{"route": "GET /a", "place": "body.x", "count": 1, "examples": []}],
        }))
        .unwrap();
        assert!(report.is_balanced());
        assert_eq!(report.outcome("matched"), 2);
        assert_eq!(report.outcome("replay: timeout"), 0);
        assert_eq!(report.differences[0].place, "body.x");
    }

    #[test]
    fn a_decision_with_the_exit_code_of_another_one_is_an_error() {
        let report = json!({
            "ledger": {"seen": 0, "outcomes": {}},
            "differences": [],
            "verdict": {"decision": "hold"},
        });
        let finished = |exit| Finished {
            exit,
            report: Report::of(report.clone()).unwrap(),
            output: String::new(),
        };
        assert_eq!(finished(4).decision().unwrap(), "hold");
        assert!(finished(0).decision().is_err());
    }

    #[test]
    fn what_is_not_a_report_by_the_schema_is_an_error() {
        let error = format!("{:#}", Report::parse("{}").unwrap_err());
        assert!(error.contains("missing properties"), "{error}");
    }
}
