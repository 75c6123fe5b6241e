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
pub struct Options {
    pub host: Host,
    pub port: u16,
    pub api_version: u8,
    /// Milliseconds between two changes of the data; 0 for none.
    pub churn_ms: u32,
    pub snapshots: bool,
    /// Of the Rust program.
    pub build: Profile,
}

#[derive(Debug)]
pub struct Orders {
    process: Process,
    address: SocketAddr,
}

impl Orders {
    /// The Rust program.
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
        Service::Rust.start(network, options, scratch, args)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
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

impl Service {
    /// Returns when it listens. `args` are arguments of the program.
    pub fn start(
        self,
        network: &Network,
        options: Options,
        scratch: &Scratch,
        args: &[&str],
    ) -> Result<Orders> {
        let name = match options.host {
            Host::Mirror => "orders-mirror",
            Host::Client | Host::Production => "orders-production",
        };
        let name = format!("{name}-{}", options.port);
        let address = SocketAddr::from((options.host.address(), options.port));
        let (mut command, patience) = match self {
            Self::Rust => {
                let mut command = network.command(options.host, binary("orders", options.build)?);
                let database = scratch.join(format!("{name}.db"));
                rust_arguments(&mut command, options, address, &database);
                if options.snapshots && !args.contains(&"--redis") {
                    command.args(["--redis", &Redis::url()]);
                }
                (command, Duration::from_secs(10))
            }
            Self::Spring => {
                let (java, jar) = java::orders_spring()?;
                let mut command = network.command(options.host, java);
                let files = scratch.join(&name);
                std::fs::create_dir_all(&files)
                    .with_context(|| format!("creating {}", files.display()))?;
                command
                    .args(JVM)
                    .arg(format!("-Djava.io.tmpdir={}", files.display()));
                command.arg("-jar").arg(jar);
                spring_arguments(&mut command, options, address);
                (command, Duration::from_secs(60))
            }
        };
        command.args(args);
        let mut process = Process::spawn(&name, command, scratch.path())?;
        process.wait_ready("listening", patience, |_| {
            is_listening(network, options.host, address)
        })?;
        Ok(Orders { process, address })
    }
}

fn rust_arguments(command: &mut Command, options: Options, address: SocketAddr, database: &Path) {
    let profile = match options.host {
        Host::Mirror => "mirror",
        Host::Client | Host::Production => "production",
    };
    command
        .args(["--profile", profile, "--listen", &address.to_string()])
        .arg("--database")
        .arg(database)
        .args(["--api-version", &options.api_version.to_string()])
        .args(["--churn", &options.churn_ms.to_string()]);
}

/// Two of them share the cores with the agent and the load: one thread collects garbage, one compiler is quick to be done, and
/// nothing is left in the directory for temporary files by one that is killed.
const JVM: [&str; 4] = [
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xmx256m",
    "-XX:-UsePerfData",
];

fn spring_arguments(command: &mut Command, options: Options, address: SocketAddr) {
    command
        .arg(format!("--server.address={}", address.ip()))
        .arg(format!("--server.port={}", address.port()))
        .arg(format!("--orders.api-version={}", options.api_version))
        .arg(format!("--orders.churn={}", options.churn_ms));
    match (options.host, options.snapshots) {
        (Host::Mirror, true) => command.arg("--spring.profiles.active=mirror"),
        // Without snapshots a mirror is one more service with a copy of the data.
        (Host::Mirror, false) => &mut *command,
        _ => command.arg("--spring.profiles.active=production"),
    };
    if options.snapshots {
        command.arg(format!("--mirror.snapshot.store={}", Redis::url()));
    } else {
        command.arg("--mirror.snapshot.enabled=false");
    }
}
