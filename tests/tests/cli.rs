//! Bad input: one clear message with the remedy, exit code 2, nothing started.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::net::{Host, INTERFACE, Network};
use mirror_tests::nginx::Nginx;
use mirror_tests::process::Process;
use mirror_tests::scratch::Scratch;
use mirror_tests::workspace::{Profile, binary};

struct Stage {
    network: Network,
    scratch: Scratch,
    target: String,
    _mirror: Nginx,
}

impl Stage {
    fn new() -> Result<Self> {
        let (network, scratch) = (Network::new()?, Scratch::new()?);
        let mirror = Nginx::start(&network, Host::Mirror, 9090, "{}", &scratch)?;
        Ok(Self {
            target: mirror.url(),
            network,
            scratch,
            _mirror: mirror,
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
        let mut command = self.network.command(Host::Production, agent);
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
        let (report, socket) = (self.scratch.join("report"), self.scratch.join("agent.sock"));
        command
            .arg("--report")
            .arg(&report)
            .arg("--socket")
            .arg(&socket);
        let line = format!("{command:?}");
        let log = self.scratch.join("refused.log");
        if log.exists() {
            std::fs::remove_file(&log).context("removing the log of the case before")?;
        }
        let mut process = Process::spawn("refused", command, self.scratch.path())?;
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

#[test]
fn bad_input_is_refused_with_one_message() -> Result<()> {
    if !mirror_tests::runs_as_root("bad input") {
        return Ok(());
    }
    let stage = Stage::new()?;
    let target = stage.target.as_str();
    stage.check("eth7", "8080", target, &[], &["eth7"])?;
    stage.check(INTERFACE, "0", target, &[], &["port 0"])?;
    stage.check(
        INTERFACE,
        "8080",
        "http://10.77.0.3:9999",
        &[],
        &["10.77.0.3:9999"],
    )?;
    stage.check(
        INTERFACE,
        "8080",
        "http://10.77.0.2:8080",
        &[],
        &["captured service"],
    )?;
    stage.check(INTERFACE, "8080", "mirror", &[], &["target"])?;

    let config = stage.scratch.join("agent.toml");
    std::fs::write(&config, "rule = [\"colour:blue\"]\n").context("writing a configuration")?;
    let config = config.to_str().context("a path in plain letters")?;
    stage.check(
        INTERFACE,
        "8080",
        target,
        &["--config", config],
        &["colour:blue", "header:NAME"],
    )?;
    Ok(())
}

#[test]
fn a_user_without_rights_is_told_what_is_missing() -> Result<()> {
    if !mirror_tests::runs_as_root("not root") {
        return Ok(());
    }
    let stage = Stage::new()?;
    // The target directory may lie where others cannot look.
    let agent = stage.scratch.join("mirror-agent");
    std::fs::copy(binary("mirror-agent", Profile::Debug)?, &agent).context("copying the agent")?;
    let mut command = stage
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
            &stage.target,
        ]);
    stage.refused(command, &["root"])
}
