//! The example order service, in either profile and either language: the tests and the demo tell the same stories of both.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::http::is_listening;
use crate::java;
use crate::net::{Host, Network};
use crate::process::Process;
use crate::redis::Redis;
use crate::scratch::Scratch;
use crate::stage::{Actor, Role};
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

/// Which program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// `examples/orders`, over SQLite.
    Rust,
    /// `examples/orders-spring`, over H2 in memory.
    Spring,
}

#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    pub service: Service,
    pub api_version: u8,
    /// Milliseconds between two changes of the data; 0 for none.
    pub churn_ms: u32,
    pub snapshots: bool,
    /// Of the Rust program.
    pub build: Profile,
    /// More arguments of the program. A `--redis` among them replaces the usual one.
    pub args: &'a [&'a str],
}

impl Options<'_> {
    /// Version 1 with data that changes every 10 ms, and with snapshots.
    pub const fn production() -> Self {
        Self {
            service: Service::Rust,
            api_version: 1,
            churn_ms: 10,
            snapshots: true,
            build: Profile::Debug,
            args: &[],
        }
    }

    /// The same with data as production's was at the start.
    pub const fn mirror() -> Self {
        Self {
            churn_ms: 0,
            ..Self::production()
        }
    }
}

#[derive(Debug)]
pub struct Orders {
    process: Process,
    address: SocketAddr,
}

impl Orders {
    pub fn url(&self) -> String {
        Actor::url(self)
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }
}

impl Actor for Orders {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Role for Options<'_> {
    type Actor = Orders;

    fn start(&self, network: &Network, scratch: &Scratch, host: Host, port: u16) -> Result<Orders> {
        let side = if host == Host::Mirror {
            "mirror"
        } else {
            "production"
        };
        let name = format!("orders-{side}-{port}");
        let address = SocketAddr::from((host.address(), port));
        let (mut command, patience) = match self.service {
            Service::Rust => {
                let mut command = network.command(host, binary("orders", self.build)?);
                let database = scratch.join(format!("{name}.db"));
                self.rust_arguments(&mut command, side, address, &database);
                (command, Duration::from_secs(10))
            }
            Service::Spring => {
                let files = scratch.join(&name);
                std::fs::create_dir_all(&files)
                    .with_context(|| format!("creating {}", files.display()))?;
                let (java, jar) = java::orders_spring()?;
                let mut command = network.command(host, java);
                command
                    .args(JVM)
                    .arg(format!("-Djava.io.tmpdir={}", files.display()))
                    .arg("-jar")
                    .arg(jar);
                self.spring_arguments(&mut command, host, address);
                (command, Duration::from_secs(60))
            }
        };
        command.args(self.args);
        let mut process = Process::spawn(&name, command, scratch.path())?;
        process.wait_ready("listening", patience, |_| {
            is_listening(network, host, address)
        })?;
        Ok(Orders { process, address })
    }
}

/// Two of them share the cores with the agent and the load: one thread collects garbage, one compiler is quick to be done, and
/// nothing is left in the directory for temporary files by one that is killed.
const JVM: [&str; 4] = [
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xmx256m",
    "-XX:-UsePerfData",
];

impl Options<'_> {
    fn rust_arguments(
        &self,
        command: &mut Command,
        side: &str,
        address: SocketAddr,
        database: &Path,
    ) {
        command
            .args(["--profile", side, "--listen", &address.to_string()])
            .arg("--database")
            .arg(database)
            .args(["--api-version", &self.api_version.to_string()])
            .args(["--churn", &self.churn_ms.to_string()]);
        if self.snapshots && !self.args.contains(&"--redis") {
            command.args(["--redis", &Redis::url()]);
        }
    }

    fn spring_arguments(&self, command: &mut Command, host: Host, address: SocketAddr) {
        command
            .arg(format!("--server.address={}", address.ip()))
            .arg(format!("--server.port={}", address.port()))
            .arg(format!("--orders.api-version={}", self.api_version))
            .arg(format!("--orders.churn={}", self.churn_ms));
        match (host, self.snapshots) {
            (Host::Mirror, true) => command.arg("--spring.profiles.active=mirror"),
            // Without snapshots a mirror is one more service with a copy of the data.
            (Host::Mirror, false) => &mut *command,
            _ => command.arg("--spring.profiles.active=production"),
        };
        if self.snapshots {
            command.arg(format!("--mirror.snapshot.store={}", Redis::url()));
        } else {
            command.arg("--mirror.snapshot.enabled=false");
        }
    }
}
