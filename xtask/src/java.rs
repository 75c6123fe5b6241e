//! Maven on the SDK in Java and the service that uses it: the one place that knows how to run it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use mirror_tests::java::{self, Jdk};
use mirror_tests::workspace;

use crate::cargo::check_quietly;
use crate::install;
use crate::parts::Part;
use crate::tally::Counts;

/// The part that builds what the end-to-end tests drive.
pub(crate) const OLDEST: &str = "java";
const NEWEST: &str = "java on the newest JDK";

/// The jar of the order service, with the SDK of this repository in it.
pub(crate) fn build_orders() -> Result<()> {
    build(":orders-spring")
}

pub(crate) fn build_benchmarks() -> Result<()> {
    build(":mirror-snapshot-benchmarks")
}

/// A module and those that it needs, without tests.
fn build(module: &str) -> Result<()> {
    let mut build = maven(&java::jdk().context(NO_JDK)?);
    build
        .args(["--quiet", "--projects", module, "--also-make"])
        .args([
            "-Dmaven.test.skip",
            "-Dmaven.javadoc.skip",
            "-Dmaven.source.skip",
        ])
        .arg(format!("-Doutput.directory={}", java::output_directory()))
        .arg("package");
    let what = "building with Maven, which downloads what it needs the first time";
    check_quietly(what, &mut build).map(drop)
}

/// Builds and tests all of it on the oldest JDK here, which is what services of that version get, and the SDK alone again on the
/// newest of those that are kept for years. The first one's jars are what the end-to-end tests drive. What the tests make goes to
/// `temporary`.
pub(crate) fn parts(temporary: &Path) -> Vec<Part> {
    let jdks = java::jdks();
    let Some(oldest) = jdks.first().filter(|_| install::MAVEN.is_there()) else {
        return vec![Part::skipped(
            OLDEST,
            "needs a JDK of version 17 or newer, and Maven",
        )];
    };
    let mut all = tests(oldest, temporary);
    all.arg(format!("-Doutput.directory={}", java::output_directory()))
        .arg("verify");
    let mut parts = vec![Part::new(OLDEST, Counts::Maven, vec![all])];
    let newest = jdks.iter().rfind(|jdk| jdk.is_long_term());
    if let Some(newest) = newest.filter(|newest| newest.version > oldest.version) {
        let mut sdk = tests(newest, temporary);
        sdk.args(["--projects", SDK, TRIED_ONCE])
            .arg(format!("-Doutput.directory=target-jdk{}", newest.version))
            .arg("test");
        parts.push(Part::new(NEWEST, Counts::Maven, vec![sdk]).after(&[OLDEST]));
    }
    parts
}

const SDK: &str = ":mirror-snapshot,:mirror-snapshot-spring-boot-starter";
/// Tests that take long and do not depend on the JDK have this tag, and run on one JDK only.
const TRIED_ONCE: &str = "-DexcludedGroups=once";
const NO_JDK: &str = "a JDK is missing, with javac: set JAVA_HOME to one of version 17 or newer";

/// A module that fails does not keep the others from being tested, and nothing is left in the directory for temporary files.
fn tests(jdk: &Jdk, temporary: &Path) -> Command {
    let mut command = maven(jdk);
    command.arg("--fail-at-end").arg(format!(
        "-DargLine=-Djava.io.tmpdir={}",
        temporary.display()
    ));
    command
}

fn maven(jdk: &Jdk) -> Command {
    let mut command = Command::new("mvn");
    command
        .args(["--batch-mode", "--no-transfer-progress", "--file"])
        .arg(workspace::root().join("sdk/java/pom.xml"))
        .env("JAVA_HOME", &jdk.home);
    command
}
