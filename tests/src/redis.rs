//! A Redis server with nothing on disk, on the mirror's host.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::http::wait_listening;
use crate::net::{Host, Network};
use crate::process::{Process, Signal};
use crate::scratch::Scratch;

const PORT: u16 = 6379;

/// No one's, but clients do not have it.
const PASSWORD: &str = "locked";

#[derive(Debug)]
pub struct Redis {
    process: Process,
}

/// What may happen to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    Killed,
    /// It takes connections and answers nothing.
    Frozen,
    /// It takes no more values.
    Full,
    /// It asks for a password that its clients do not have.
    Refusing,
}

impl Trouble {
    pub const ALL: [Self; 4] = [Self::Killed, Self::Frozen, Self::Full, Self::Refusing];
}

impl Redis {
    pub fn start(network: &Network, scratch: &Scratch) -> Result<Self> {
        Self::on_port(network, scratch, PORT, &[])
    }

    /// One on a port of its own, with more of its options.
    pub fn on_port(
        network: &Network,
        scratch: &Scratch,
        port: u16,
        options: &[&str],
    ) -> Result<Self> {
        let directory = scratch.join(format!("redis-{port}"));
        std::fs::create_dir_all(&directory).context("making a directory for Redis")?;
        let mut command = network.command(Host::Mirror, "redis-server");
        command
            .args(["--port", &port.to_string()])
            .args(["--bind", &Host::Mirror.address().to_string()])
            .args(["--protected-mode", "no", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(&directory)
            .args(options);
        Self::listening(network, scratch, command, port)
    }

    /// A sentinel over the master `main` on [`Redis::url`]'s port, which counts as down after half a second.
    pub fn sentinel(network: &Network, scratch: &Scratch, port: u16) -> Result<Self> {
        let host = Host::Mirror.address();
        let file = scratch.join(format!("sentinel-{port}.conf"));
        let text = format!(
            "port {port}\nbind {host}\nprotected-mode no\nsentinel monitor main {host} {PORT} 2\n\
             sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n"
        );
        std::fs::write(&file, text).context("writing a sentinel's configuration")?;
        let mut command = network.command(Host::Mirror, "redis-server");
        command.arg(&file).arg("--sentinel");
        Self::listening(network, scratch, command, port)
    }

    fn listening(
        network: &Network,
        scratch: &Scratch,
        command: Command,
        port: u16,
    ) -> Result<Self> {
        let process = Process::spawn(&format!("redis-{port}"), command, scratch.path())?;
        let address = SocketAddr::from((Host::Mirror.address(), port));
        wait_listening(network, Host::Mirror, address, Duration::from_secs(10))
            .with_context(|| process.log())?;
        Ok(Self { process })
    }

    /// What `redis-cli` prints for a command to the server on `port`.
    pub fn ask(network: &Network, port: u16, command: &[&str]) -> Result<String> {
        let output = network
            .command(Host::Mirror, "redis-cli")
            .args(["-h", &Host::Mirror.address().to_string()])
            .args(["-p", &port.to_string()])
            .args(command)
            .output()
            .context("running redis-cli")?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Whether a request's snapshot is there.
    pub fn has_snapshot(network: &Network, id: &str) -> bool {
        let key = format!("snapshot:{id}");
        Self::ask(network, PORT, &["exists", &key]).is_ok_and(|answer| answer == "1")
    }

    pub fn url() -> String {
        format!("redis://{}:{PORT}", Host::Mirror.address())
    }

    pub fn strike(&mut self, network: &Network, trouble: Trouble) -> Result<()> {
        match trouble {
            Trouble::Killed => {
                self.kill();
                Ok(())
            }
            Trouble::Frozen => self.freeze(),
            Trouble::Full => done(network, &["config", "set", "maxmemory", "1"]),
            Trouble::Refusing => {
                done(network, &["config", "set", "requirepass", PASSWORD])?;
                // Who is in stays in.
                let out = ["client", "kill", "type", "normal"];
                Self::ask(network, PORT, &[&KEY[..], &out[..]].concat()).map(drop)
            }
        }
    }

    /// The end of that trouble.
    pub fn recover(
        &mut self,
        network: &Network,
        scratch: &Scratch,
        trouble: Trouble,
    ) -> Result<()> {
        match trouble {
            Trouble::Killed => {
                *self = Self::start(network, scratch)?;
                Ok(())
            }
            Trouble::Frozen => self.thaw(),
            Trouble::Full => done(network, &["config", "set", "maxmemory", "0"]),
            Trouble::Refusing => {
                let open = ["config", "set", "requirepass", ""];
                done(network, &[&KEY[..], &open[..]].concat())
            }
        }
    }

    /// From now on it takes connections and answers nothing.
    pub fn freeze(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    pub fn thaw(&self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }
}

const KEY: [&str; 3] = ["--no-auth-warning", "-a", PASSWORD];

/// A command to the usual one that must be done.
fn done(network: &Network, command: &[&str]) -> Result<()> {
    let answer = Redis::ask(network, PORT, command)?;
    ensure!(answer == "OK", "redis-cli {}: {answer}", command.join(" "));
    Ok(())
}
