//! `cargo xtask demo`: the main job in three acts on three hosts, with the programs a user has.
//!
//! 1. same version, no snapshots: the false differences people suffer today
//! 2. same version, with snapshots: none
//! 3. version 2, with snapshots: exactly the planted mistake

mod act;
mod story;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use mirror_tests::orders::Service;
use mirror_tests::workspace;

use crate::cargo::build_programs;
use crate::install::{self, CURL, IP, JDK, MAVEN, REDIS, SETPRIV};
use crate::java;
use crate::say::say;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Print one JSON object on stdout and nothing else there
    #[arg(long)]
    json: bool,
    /// Which service the acts are played with
    #[arg(long, value_enum, default_value_t = ServiceName::Orders)]
    service: ServiceName,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ServiceName {
    /// The order service in Rust, over SQLite
    Orders,
    /// The same in Spring Boot, over H2; needs a JDK and Maven
    Spring,
}

impl ServiceName {
    fn service(self) -> Service {
        match self {
            Self::Orders => Service::Rust,
            Self::Spring => Service::Spring,
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let service = options.service.service();
    install::ensure(&[IP, CURL, SETPRIV, REDIS])?;
    if service == Service::Spring {
        install::ensure(&[JDK, MAVEN])?;
    }
    build_programs()?;
    if service == Service::Spring {
        java::build_orders()?;
    }
    if !play(service, options.json)? {
        bail!("not every act came out as it should");
    }
    Ok(())
}

/// All three acts; true when each came out as it should.
fn play(service: Service, json: bool) -> Result<bool> {
    let mut results = Vec::new();
    if !json {
        story::open(service);
    }
    for act in &act::ACTS {
        if !json {
            story::announce(act);
        }
        let result = act::play(act, service).with_context(|| format!("act {}", act.number))?;
        if !json {
            story::tell(&result);
        }
        results.push(result);
    }
    if json {
        say!("{:#}", story::json(service, &results));
    } else {
        story::close(&results);
    }
    Ok(results.iter().all(|result| result.as_expected()))
}

/// Where an act's report stays when the demo is over.
fn report_dir(service: Service, act: u32) -> Result<PathBuf> {
    let demo = match service {
        Service::Rust => "demo",
        Service::Spring => "demo-spring",
    };
    Ok(workspace::target_dir()?
        .join(demo)
        .join(format!("act-{act}")))
}
