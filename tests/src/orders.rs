//! The example order service, in either profile.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::http::wait_listening;
use crate::net::{Host, Network};
use crate::process::Process;
use crate::redis::Redis;
use crate::scratch::Scratch;
use crate::workspace::{Profile, binary};

/// The one mistake of version 2.
pub struct Planted {
    pub route: &'static str,
    pub place: &'static str,
}

pub const PLANTED: Planted = Planted {
    route: "GET /cart/{id}/total",
    place: "body /discountCents",
};

#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub host: Host,
    pub port: u16,
    pub api_version: u8,
    /// Milliseconds between two changes of the data; 0 for none.
    pub churn_ms: u32,
    pub snapshots: bool,
    pub build: Profile,
}

#[derive(Debug)]
pub struct Orders {
    process: Process,
    address: SocketAddr,
}

impl Orders {
    pub fn start(network: &Network, options: Options, scratch: &Scratch) -> Result<Self> {
        Self::start_with(network, options, scratch, &[])
    }

    /// With more arguments; a `--redis` among them goes before the usual one.
    pub fn start_with(
        network: &Network,
        options: Options,
        scratch: &Scratch,
        args: &[&str],
    ) -> Result<Self> {
        let (name, profile) = match options.host {
            Host::Mirror => ("orders-mirror", "mirror"),
            Host::Client | Host::Production => ("orders-production", "production"),
        };
        let address = SocketAddr::from((options.host.address(), options.port));
        let mut command = network.command(options.host, binary("orders", options.build)?);
        command
            .args([
                "--profile",
                profile,
                "--listen",
                &address.to_string(),
                "--database",
            ])
            .arg(scratch.join(format!("{name}.db")))
            .args(["--api-version", &options.api_version.to_string()])
            .args(["--churn", &options.churn_ms.to_string()]);
        command.args(args);
        if options.snapshots && !args.contains(&"--redis") {
            command.args(["--redis", &Redis::url()]);
        }
        let process = Process::spawn(name, command, scratch.path())?;
        wait_listening(network, options.host, address, Duration::from_secs(10))
            .with_context(|| process.log())?;
        Ok(Self { process, address })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }
}
