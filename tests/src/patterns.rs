//! The service of `examples/patterns`, which shows three ways to use snapshots.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::http::wait_listening;
use crate::net::{Host, Network};
use crate::process::Process;
use crate::scratch::Scratch;
use crate::stage::{Actor, Role};
use crate::workspace::{Profile, binary};

/// With the store that it uses, and with more arguments.
#[derive(Clone, Copy, Debug)]
pub struct Patterns<'a> {
    pub store: &'a str,
    pub args: &'a [&'a str],
}

#[derive(Debug)]
pub struct Running {
    _process: Process,
    address: SocketAddr,
}

impl Patterns<'_> {
    /// The rules by which production's ids are found, one per line.
    pub fn rules() -> Result<String> {
        let output = Command::new(binary("patterns", Profile::Debug)?)
            .args(["--redis", "-", "--rules"])
            .output()
            .context("running patterns")?;
        String::from_utf8(output.stdout).context("the rules")
    }
}

impl Running {
    pub fn url(&self) -> String {
        Actor::url(self)
    }
}

impl Role for Patterns<'_> {
    type Actor = Running;

    fn start(
        &self,
        network: &Network,
        scratch: &Scratch,
        host: Host,
        port: u16,
    ) -> Result<Running> {
        let profile = match host {
            Host::Mirror => "mirror",
            Host::Client | Host::Production => "production",
        };
        let address = SocketAddr::from((host.address(), port));
        let mut command = network.command(host, binary("patterns", Profile::Debug)?);
        command
            .args(["--profile", profile, "--listen", &address.to_string()])
            .args(["--redis", self.store])
            .args(self.args);
        let process = Process::spawn(&format!("patterns-{profile}"), command, scratch.path())?;
        wait_listening(network, host, address, Duration::from_secs(10))
            .with_context(|| process.log())?;
        Ok(Running {
            _process: process,
            address,
        })
    }
}

impl Actor for Running {
    fn address(&self) -> SocketAddr {
        self.address
    }
}
