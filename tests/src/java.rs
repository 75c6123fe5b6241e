//! The JDKs of this machine, and what Maven has built.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace;

/// The oldest that the SDK supports.
pub const OLDEST: u32 = 17;

/// Where distributions put theirs.
const INSTALLED: &str = "/usr/lib/jvm";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jdk {
    pub version: u32,
    pub home: PathBuf,
}

/// Those that can build and run the SDK, oldest first; JAVA_HOME's is among them.
pub fn jdks() -> Vec<Jdk> {
    let installed = std::fs::read_dir(INSTALLED).into_iter().flatten();
    let homes = installed.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<Jdk> = std::env::var_os("JAVA_HOME")
        .map(PathBuf::from)
        .into_iter()
        .chain(homes)
        .filter_map(|home| Jdk::at(&home))
        .filter(|jdk| jdk.version >= OLDEST)
        .collect();
    found.sort_by(|a, b| (a.version, &a.home).cmp(&(b.version, &b.home)));
    // Several names may lead to one.
    found.dedup();
    found
}

/// The one that programs run on: JAVA_HOME's if it can, else the oldest.
pub fn jdk() -> Option<Jdk> {
    let all = jdks();
    let home =
        std::env::var_os("JAVA_HOME").and_then(|home| PathBuf::from(home).canonicalize().ok());
    let chosen = all.iter().find(|jdk| Some(&jdk.home) == home.as_ref());
    chosen.or(all.first()).cloned()
}

impl Jdk {
    fn at(home: &Path) -> Option<Self> {
        let home = home.canonicalize().ok()?;
        let release = std::fs::read_to_string(home.join("release")).ok()?;
        let version = version(&release)?;
        home.join("bin/javac")
            .is_file()
            .then_some(Self { version, home })
    }

    /// Of those that distributions keep for years: 17, 21, 25, …
    pub fn is_long_term(&self) -> bool {
        self.version % 4 == 1
    }
}

/// From a JDK's own file `release`.
fn version(release: &str) -> Option<u32> {
    let line = release
        .lines()
        .find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    let digits = line.trim_matches('"').split(['.', '-', '+']).next()?;
    digits.parse().ok()
}

/// The java program, and the jar of the order service in Spring Boot, which must have been built before.
pub fn orders_spring() -> Result<(PathBuf, PathBuf)> {
    let jdk = jdk().with_context(|| {
        format!("no JDK of version {OLDEST} or newer in JAVA_HOME or {INSTALLED}")
    })?;
    let jar = workspace::root()
        .join("examples/orders-spring")
        .join(output_directory())
        .join("orders-spring.jar");
    if !jar.is_file() {
        bail!(
            "{} is not built: run `cargo xtask test`, or `mvn -f sdk/java/pom.xml package -DskipTests`",
            jar.display()
        );
    }
    Ok((jdk.home.join("bin/java"), jar))
}

/// What [`derive_ids`] needs.
pub const DERIVE_IDS_NEEDS: &str =
    "a JDK and `mvn -f sdk/java/pom.xml -pl mirror-snapshot test-compile`";

/// The program of the SDK's tests that names requests; None where it or a JDK is missing.
pub fn derive_ids() -> Option<Command> {
    let built = workspace::root()
        .join("sdk/java/mirror-snapshot")
        .join(output_directory());
    let libraries = std::fs::read_to_string(built.join("test-classpath.txt")).ok()?;
    let classes = built.join("test-classes");
    if !classes
        .join("dev/mirror/snapshot/rules/DeriveIds.class")
        .is_file()
    {
        return None;
    }
    let classes = format!(
        "{}:{}:{}",
        built.join("classes").display(),
        classes.display(),
        libraries.trim()
    );
    let mut command = Command::new(jdk()?.home.join("bin/java"));
    command.args(["-cp", &classes, "dev.mirror.snapshot.rules.DeriveIds"]);
    Some(command)
}

/// Maven's output folder in each module; MIRROR_JAVA_OUTPUT is another one than usual.
pub fn output_directory() -> String {
    std::env::var("MIRROR_JAVA_OUTPUT").unwrap_or_else(|_| "target".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read() {
        let check = |text: &str, expect| assert_eq!(version(text), expect, "{text}");
        check("IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"17.0.15\"\n", Some(17));
        check("JAVA_VERSION=\"25\"", Some(25));
        check("JAVA_VERSION=\"26-ea\"", Some(26));
        check("JAVA_VERSION=\"1.8.0_202\"", Some(1));
        check("nothing", None);
    }

    #[test]
    fn long_term_versions_come_every_other_year() {
        let is = |version| {
            Jdk {
                version,
                home: PathBuf::new(),
            }
            .is_long_term()
        };
        let all: Vec<u32> = (17..30).filter(|version| is(*version)).collect();
        assert_eq!(all, [17, 21, 25, 29]);
    }
}
