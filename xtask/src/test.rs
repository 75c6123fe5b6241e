//! `cargo xtask test`: builds what the end-to-end tests drive, runs all tests, those of the SDK in Java too, counts the skipped.

use anyhow::{Context, Result};
use mirror_tests::cluster;
use mirror_tests::workspace::{self, Profile};

use crate::cargo::{build_programs, cargo, check};
use crate::image;
use crate::install::{self, CURL, GO, IP, JDK, MAVEN, NGINX, POSTGRES, REDIS, SETPRIV, WRK};
use crate::java;

pub(crate) fn run() -> Result<()> {
    if mirror_tests::is_root() {
        install::ensure(&[IP, CURL, SETPRIV, REDIS, NGINX, POSTGRES, WRK, JDK, MAVEN])?;
    } else {
        eprintln!("not root: tests that need namespaces or eBPF will be skipped");
    }
    let skipped = workspace::target_dir()?.join("skipped-tests");
    // What a run before this one skipped is not of interest.
    let _ = std::fs::remove_file(&skipped);

    build_programs(Profile::Debug)?;
    if mirror_tests::is_root() && cluster::directory().is_some() {
        install::ensure(&[GO])?;
        image::run(&cluster::image()?)?;
    }
    if java::is_there() {
        java::verify()?;
    } else {
        let reason = "needs a JDK of version 17 or newer, and Maven";
        mirror_tests::note_skipped(&skipped, "the SDK in Java", reason)?;
    }
    // One at a time: the end-to-end tests share the cores with the load they make.
    let mut tests = cargo();
    tests
        .args(["test", "--workspace", "--", "--test-threads=1"])
        .env("MIRROR_SKIPPED", &skipped);
    if let Some(jdk) = mirror_tests::java::jdks().first() {
        tests.env("JAVA_HOME", &jdk.home);
    }
    check(&mut tests)?;
    summarise(&skipped)
}

fn summarise(skipped: &std::path::Path) -> Result<()> {
    let lines = match std::fs::read_to_string(skipped) {
        Ok(lines) => lines,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).context("reading the skipped tests"),
    };
    for line in lines.lines() {
        eprintln!("{line}");
    }
    eprintln!("all tests passed, {} skipped", lines.lines().count());
    Ok(())
}
