//! Fetches the Kafka broker of the tests: its jars with Maven, into `target/kafka-<version>`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use mirror_tests::{java, kafka, workspace};

use crate::cargo::check_quietly;
use crate::say::note;

/// Without it, the tests that need it count as skipped.
pub(crate) fn fetch() {
    if kafka::is_fetched() {
        return;
    }
    if let Err(error) = try_fetch() {
        note!("Kafka was not fetched, so tests with a broker are skipped: {error:#}");
    }
}

fn try_fetch() -> Result<()> {
    let folder = kafka::folder()?;
    let jdk = java::jdk().context("there is no JDK")?;
    // Its own name comes last, so that a copy is whole or not there.
    let partial = folder.with_file_name(format!("kafka-{}-partial", kafka::VERSION));
    remove(&partial)?;
    let mut maven = Command::new("mvn");
    maven
        .args(["--batch-mode", "--no-transfer-progress", "--quiet"])
        .arg("--file")
        .arg(workspace::root().join("tests/kafka/pom.xml"))
        .arg("dependency:copy-dependencies")
        .arg(format!("-Dkafka.version={}", kafka::VERSION))
        .arg(format!("-DoutputDirectory={}", partial.display()))
        .env("JAVA_HOME", &jdk.home);
    let what = format!(
        "fetching Apache Kafka {} with Maven, 54 MB (not there yet)",
        kafka::VERSION
    );
    check_quietly(&what, &mut maven)?;
    remove(&folder)?;
    std::fs::rename(&partial, &folder)
        .with_context(|| format!("renaming {} to {}", partial.display(), folder.display()))
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}
