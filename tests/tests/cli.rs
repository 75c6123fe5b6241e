//! Bad input: one clear message with the remedy, exit code 2, nothing started.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::net::{Host, INTERFACE};
use mirror_tests::nginx::Nginx;
use mirror_tests::process::Process;
use mirror_tests::stage::Stage;
use mirror_tests::workspace::{Profile, binary};
use mirror_tests::{needs, testing};

/// A mirror that is not to be asked anything.
struct Refusals {
    stage: Stage<(), Nginx>,
    target: String,
}

impl Refusals {
    fn new() -> Result<Self> {
        let stage = Stage::new()?.mirror(Nginx::answering("{}"))?;
        Ok(Self {
            target: stage.mirror.url(),
            stage,
        })
    }

    /// `mirror-agent run` with these options is refused with a message that has all of `words`.
    fn check(
        &self,
        interface: &str,
        port: &str,
        target: &str,
        more: &[&str],
        words: &[&str],
    ) -> Result<()> {
        let agent = binary("mirror-agent", Profile::Debug)?;
        let mut command = self.stage.network.command(Host::Production, agent);
        command
            .args([
                "run",
                "--interface",
                interface,
                "--port",
                port,
                "--target",
                target,
            ])
            .args(more);
        self.refused(command, words)
    }

    fn refused(&self, mut command: Command, words: &[&str]) -> Result<()> {
        let (report, socket) = (
            self.stage.scratch.join("report"),
            self.stage.scratch.join("agent.sock"),
        );
        command
            .arg("--report")
            .arg(&report)
            .arg("--socket")
            .arg(&socket);
        let line = format!("{command:?}");
        let log = self.stage.scratch.join("refused.log");
        if log.exists() {
            std::fs::remove_file(&log).context("removing the log of the case before")?;
        }
        let mut process = Process::spawn("refused", command, self.stage.scratch.path())?;
        let status = process.wait(Duration::from_secs(20))?;
        let output = process.log();
        assert_eq!(status.code(), Some(2), "{line}\n{output}");
        assert_eq!(
            output.matches("error:").count(),
            1,
            "one message\n{line}\n{output}"
        );
        for word in words {
            assert!(
                output.contains(word),
                "no `{word}` in the message\n{line}\n{output}"
            );
        }
        assert!(!output.contains("capturing on"), "{line}\n{output}");
        assert!(
            !report.join("report.json").exists() && !socket.exists(),
            "something was started\n{line}"
        );
        Ok(())
    }
}

fn main() -> ExitCode {
    testing::main()
}

#[needs(root)]
fn bad_input_is_refused_with_one_message() -> Result<()> {
    let refusals = Refusals::new()?;
    let target = refusals.target.as_str();
    refusals.check("eth7", "8080", target, &[], &["eth7"])?;
    refusals.check(
        INTERFACE,
        "0",
        target,
        &[],
        &["invalid --port `0`: use a number from 1 to 65535"],
    )?;
    refusals.check(
        INTERFACE,
        "8080",
        "http://10.77.0.3:9999",
        &[],
        &["10.77.0.3:9999"],
    )?;
    refusals.check(
        INTERFACE,
        "8080",
        "http://10.77.0.2:8080",
        &[],
        &["captured service"],
    )?;
    refusals.check(INTERFACE, "8080", "mirror", &[], &["target"])?;

    let config = refusals.stage.scratch.join("agent.toml");
    std::fs::write(&config, "rule = [\"colour:blue\"]\n").context("writing a configuration")?;
    let config = config.to_str().context("a path in plain letters")?;
    refusals.check(
        INTERFACE,
        "8080",
        target,
        &["--config", config],
        &["colour:blue", "header:NAME"],
    )?;
    Ok(())
}

#[needs(root)]
fn a_user_without_rights_is_told_what_is_missing() -> Result<()> {
    let refusals = Refusals::new()?;
    // The target directory may lie where others cannot look.
    let agent = refusals.stage.scratch.join("mirror-agent");
    std::fs::copy(binary("mirror-agent", Profile::Debug)?, &agent).context("copying the agent")?;
    let mut command = refusals
        .stage
        .network
        .command(Host::Production, Path::new("setpriv"));
    command
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(&agent)
        .args([
            "run",
            "--interface",
            INTERFACE,
            "--port",
            "8080",
            "--target",
            &refusals.target,
        ]);
    refusals.refused(command, &["root"])
}
