//! Maven on the SDK in Java and the service that uses it: the one place that knows how to run it.

use std::process::Command;

use anyhow::{Context, Result};
use mirror_tests::java::{self, Jdk};
use mirror_tests::workspace;

use crate::cargo::check;
use crate::install;

/// Whether all that Maven needs is here.
pub(crate) fn is_there() -> bool {
    install::JDK.is_there() && install::MAVEN.is_there()
}

/// The jar of the order service, with the SDK of this repository in it.
pub(crate) fn build_orders() -> Result<()> {
    build(":orders-spring")
}

pub(crate) fn build_benchmarks() -> Result<()> {
    build(":mirror-snapshot-benchmarks")
}

/// A module and those that it needs, without tests.
fn build(module: &str) -> Result<()> {
    eprintln!("building with Maven, which downloads what it needs the first time");
    let mut build = maven(&java::jdk().context(NO_JDK)?);
    build
        .args(["--quiet", "--projects", module, "--also-make"])
        .args([
            "-Dmaven.test.skip",
            "-Dmaven.javadoc.skip",
            "-Dmaven.source.skip",
        ])
        .arg(format!("-Doutput.directory={}", java::output_directory()))
        .arg("package")
        // Our own stdout is for results.
        .stdout(std::io::stderr());
    check(&mut build)
}

/// Builds and tests all of it on the oldest JDK here, which is what services of that version get, and the SDK alone again on the
/// newest of those that are kept for years. The first one's jars are what the end-to-end tests drive.
pub(crate) fn verify() -> Result<()> {
    let jdks = java::jdks();
    let oldest = jdks.first().context(NO_JDK)?;
    eprintln!("the SDK in Java on JDK {}", oldest.version);
    let mut all = maven(oldest);
    all.arg(format!("-Doutput.directory={}", java::output_directory()));
    check(all.arg("verify"))?;

    let newest = jdks.iter().rfind(|jdk| jdk.is_long_term());
    let Some(newest) = newest.filter(|newest| newest.version > oldest.version) else {
        return Ok(());
    };
    eprintln!("the SDK in Java on JDK {}", newest.version);
    let mut sdk = maven(newest);
    sdk.args(["--projects", SDK, TRIED_ONCE])
        .arg(format!("-Doutput.directory=target-jdk{}", newest.version));
    check(sdk.arg("test"))
}

const SDK: &str = ":mirror-snapshot,:mirror-snapshot-spring-boot-starter";
/// What takes long and does not depend on the JDK is tried once.
const TRIED_ONCE: &str = "-Dsurefire.excludes=**/StoreTopologiesTest.java,**/StoreFaultsTest.java,**/AbsentJarsTest.java";
const NO_JDK: &str = "a JDK is missing, with javac: set JAVA_HOME to one of version 17 or newer";

fn maven(jdk: &Jdk) -> Command {
    let mut command = Command::new("mvn");
    command
        .args(["--batch-mode", "--no-transfer-progress", "--file"])
        .arg(workspace::root().join("sdk/java/pom.xml"))
        .env("JAVA_HOME", &jdk.home);
    command
}
