//! `cargo xtask test`: all tests, those of the SDK in Java too. Each part runs whatever became of the others.

use anyhow::Result;
use mirror_tests::cluster;
use mirror_tests::java as jdk;
use mirror_tests::scratch::Scratch;

use crate::axe;
use crate::cargo::{build_tests, cargo, this_program};
use crate::install::{
    self, CHROMEDRIVER, CHROMIUM, CURL, GO, IP, JDK, KILL, MAVEN, NGINX, OPENSSL, POSTGRES,
    PROMTOOL, REDIS, SETPRIV, WRK,
};
use crate::java;
use crate::kafka;
use crate::parts::{self, Part};
use crate::say::note;
use crate::tally::Counts;

/// Compiles all that the Rust tests need.
pub(crate) const BUILD: &str = "build";

pub(crate) fn run() -> Result<()> {
    install_needs()?;
    let scratch = Scratch::new()?;
    parts::run(parts(&scratch)?)
}

/// What the tests need on this machine.
pub(crate) fn install_needs() -> Result<()> {
    axe::fetch();
    install::for_kafka()?;
    if !mirror_tests::is_root() {
        note!("not root: tests that need namespaces or eBPF are skipped");
        kafka::fetch();
        return Ok(());
    }
    install::ensure(&[
        IP,
        CURL,
        SETPRIV,
        KILL,
        OPENSSL,
        REDIS,
        NGINX,
        POSTGRES,
        PROMTOOL,
        WRK,
        JDK,
        MAVEN,
        CHROMIUM,
        CHROMEDRIVER,
    ])?;
    kafka::fetch();
    if cluster::directory().is_some() {
        install::ensure(&[GO])?;
    }
    Ok(())
}

/// `scratch` must live as long as the parts run.
pub(crate) fn parts(scratch: &Scratch) -> Result<Vec<Part>> {
    let mut parts = java::parts(scratch.path());
    let mut build = vec![build_tests()];
    if mirror_tests::is_root() && cluster::directory().is_some() {
        let mut image = this_program()?;
        image.arg("image").arg(cluster::image()?);
        build.push(image);
    }
    parts.push(Part::new(BUILD, Counts::Nothing, build));
    parts.push(Part::new("rust", Counts::Cargo, vec![tests()]).after(&[BUILD, java::OLDEST]));
    Ok(parts)
}

fn tests() -> std::process::Command {
    let mut tests = cargo();
    tests.args(["test", "--workspace", "--no-fail-fast"]);
    if let Some(jdk) = jdk::jdks().first() {
        tests.env("JAVA_HOME", &jdk.home);
    }
    tests
}
