//! A Redis server with nothing on disk, on the mirror's host.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::http::wait_listening;
use crate::net::{Host, Network};
use crate::process::{Process, Signal};
use crate::scratch::Scratch;

const PORT: u16 = 6379;

#[derive(Debug)]
pub struct Redis {
    process: Process,
}

impl Redis {
    pub fn start(network: &Network, scratch: &Scratch) -> Result<Self> {
        let mut command = network.command(Host::Mirror, "redis-server");
        command
            .args([
                "--port",
                &PORT.to_string(),
                "--bind",
                &Host::Mirror.address().to_string(),
            ])
            .args([
                "--protected-mode",
                "no",
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
            ])
            .arg(scratch.path());
        let process = Process::spawn("redis", command, scratch.path())?;
        let address = SocketAddr::from((Host::Mirror.address(), PORT));
        wait_listening(network, Host::Mirror, address, Duration::from_secs(10))
            .with_context(|| process.log())?;
        Ok(Self { process })
    }

    pub fn url() -> String {
        format!("redis://{}:{PORT}", Host::Mirror.address())
    }

    /// From now on it takes connections and answers nothing.
    pub fn freeze(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }
}
