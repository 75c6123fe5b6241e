//! Programs of the distribution that a task needs: installed when missing, saying so.
//!
//! A package that brings a service must not change the machine by it, so nothing is started on
//! installation and nothing at the next boot. What was there before is left as it was.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use mirror_tests::{java, workspace};

use crate::cargo::{cargo, check, check_quietly};
use crate::leave;
use crate::say::note;

/// A program, or a file by its path, and the Debian package that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    program: &'static str,
    package: &'static str,
    /// The service that the package would start.
    service: Option<&'static str>,
}

const fn plain(program: &'static str, package: &'static str) -> Need {
    Need {
        program,
        package,
        service: None,
    }
}

pub(crate) const IP: Need = plain("ip", "iproute2");
pub(crate) const CURL: Need = plain("curl", "curl");
/// Java tests stop and continue servers by it.
pub(crate) const KILL: Need = plain("kill", "procps");
/// Makes certificates for tests in Java.
pub(crate) const OPENSSL: Need = plain("openssl", "openssl");
/// Compiles libFuzzer, and a part of librdkafka.
pub(crate) const CXX: Need = plain("c++", "g++");
/// librdkafka is built by it.
const MAKE: Need = plain("make", "make");
/// With [`LIBSSL`], TLS for librdkafka.
const PKG_CONFIG: Need = plain("pkg-config", "pkg-config");
const LIBSSL: Need = plain("/usr/include/openssl/ssl.h", "libssl-dev");
pub(crate) const SETPRIV: Need = plain("setpriv", "util-linux");
/// For the small images of the test cluster.
pub(crate) const GO: Need = plain("go", "golang-go");
pub(crate) const QEMU: Need = plain("qemu-system-x86_64", "qemu-system-x86");
pub(crate) const BUSYBOX: Need = plain("busybox", "busybox-static");
pub(crate) const CPIO: Need = plain("cpio", "cpio");
pub(crate) const XZ: Need = plain("xz", "xz-utils");
pub(crate) const WRK: Need = plain("wrk", "wrk");
pub(crate) const TCPDUMP: Need = plain("tcpdump", "tcpdump");
pub(crate) const H2LOAD: Need = plain("h2load", "nghttp2-client");
/// With the compiler; any that the SDK in Java can be built with will do.
pub(crate) const JDK: Need = plain("javac", "openjdk-17-jdk-headless");
pub(crate) const MAVEN: Need = plain("mvn", "maven");
/// The browser that the report's page is tested in, and what drives it.
pub(crate) const CHROMIUM: Need = plain("chromium", "chromium");
pub(crate) const CHROMEDRIVER: Need = plain("chromedriver", "chromium-driver");
pub(crate) const REDIS: Need = Need {
    program: "redis-server",
    package: "redis-server",
    service: Some("redis-server"),
};
/// A primary and a replica; the programs themselves stand outside of the PATH.
pub(crate) const POSTGRES: Need = Need {
    program: "pg_ctlcluster",
    package: "postgresql",
    service: Some("postgresql"),
};
/// Checks metrics and alert rules; the server itself is not started.
pub(crate) const PROMTOOL: Need = Need {
    program: "promtool",
    package: "prometheus",
    service: Some("prometheus"),
};
pub(crate) const NGINX: Need = Need {
    program: "nginx",
    package: "nginx-light",
    service: Some("nginx"),
};

impl Need {
    pub(crate) const fn package(&self) -> &'static str {
        self.package
    }

    pub(crate) fn is_there(&self) -> bool {
        if *self == JDK {
            // One that is too old does not help, and a good one need not be in the PATH.
            java::jdk().is_some()
        } else {
            is_there(self.program)
        }
    }
}

/// Refuses users other than root, because everything that calls this makes namespaces too.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !need.is_there()).collect();
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    if !mirror_tests::is_root() {
        let first = match packages.as_slice() {
            [] => String::new(),
            some => format!(" (it would also install {})", some.join(", ")),
        };
        bail!(
            "this makes network namespaces and loads eBPF: run it as root, as in `sudo -E cargo xtask …`{first}"
        );
    }
    if missing.is_empty() {
        return Ok(());
    }
    packages_for(&packages, &missing)
}

/// What compiles librdkafka, for an agent that knows Kafka.
pub(crate) fn for_kafka() -> Result<()> {
    let missing = [CXX, MAKE, PKG_CONFIG, LIBSSL]
        .into_iter()
        .filter(|need| !need.is_there());
    let missing: Vec<&str> = missing.map(|need| need.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    packages(&missing).context("an agent with Kafka cannot be built")
}

/// Installs packages that are not there yet.
pub(crate) fn packages(names: &[&str]) -> Result<()> {
    if !mirror_tests::is_root() {
        bail!("missing: {}. Only root can install them", names.join(", "));
    }
    packages_for(names, &[])
}

fn packages_for(packages: &[&str], missing: &[&Need]) -> Result<()> {
    if !is_there("apt-get") {
        bail!(
            "missing: {}. There is no apt-get here to install them with",
            packages.join(", ")
        );
    }
    note!(
        "installing with apt-get: {} (not there yet)",
        packages.join(", ")
    );
    let barred = BarredServices::new()?;
    check_quietly(
        "reading the lists of packages",
        // It waits while another apt runs.
        Command::new("apt-get").args(["-o", WAIT_FOR_LOCK, "update", "-qq"]),
    )?;
    check_quietly(
        "downloading and unpacking",
        Command::new("apt-get")
            .args(["-o", WAIT_FOR_LOCK, "install", "-y", "-qq"])
            .arg("--no-install-recommends")
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )?;
    drop(barred);
    for service in missing.iter().filter_map(|need| need.service) {
        note!("the service {service} stays off: it is only used by our own instances");
        check(Command::new("update-rc.d").args([service, "disable"]))?;
    }
    Ok(())
}

const WAIT_FOR_LOCK: &str = "DPkg::Lock::Timeout=300";

/// A program of cargo's registry: any version that is here, or else this one.
pub(crate) fn with_cargo(name: &str, version: &str) -> Result<PathBuf> {
    match cargo_program(name) {
        Some(found) => Ok(found),
        None => cargo_install(name, version, &cargo_home()?),
    }
}

/// A program of cargo's registry, in this version. One of another version stays as it is.
pub(crate) fn exactly_with_cargo(name: &str, version: &str) -> Result<PathBuf> {
    let ours = workspace::target_dir()?.join("tools");
    let own = Some(ours.join("bin").join(name)).filter(|path| path.is_file());
    let found = own.or_else(|| cargo_program(name));
    match found {
        Some(found) if has_version(&found, version) => Ok(found),
        Some(_) => cargo_install(name, version, &ours),
        None => cargo_install(name, version, &cargo_home()?),
    }
}

/// In the PATH or where cargo installs programs.
fn cargo_program(name: &str) -> Option<PathBuf> {
    let installed = cargo_home().ok().map(|home| home.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(installed)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

fn cargo_home() -> Result<PathBuf> {
    let given = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let usual = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"));
    given
        .or_else(usual)
        .context("neither CARGO_HOME nor HOME is set")
}

fn has_version(program: &Path, version: &str) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split_whitespace().any(|word| word == version)
    })
}

fn cargo_install(name: &str, version: &str, root: &Path) -> Result<PathBuf> {
    note!("installing {name} {version} with cargo, which takes some minutes (not there yet)");
    let mut install = cargo();
    install
        .args(["install", name, "--version", version, "--locked"])
        .arg("--root")
        .arg(root)
        // Flags for our own programs are not for it.
        .env_remove("RUSTFLAGS");
    check(&mut install)?;
    Ok(root.join("bin").join(name))
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Root's PATH may lack the sbin directories, where nginx is.
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        // A path that begins with `/` stays what it is.
        .any(|dir| dir.join(program).is_file())
}

/// Debian's own hook that bars packages from starting services, for as long as this lives.
/// One that the machine's owner has put there is left alone.
struct BarredServices;

const POLICY: &str = "/usr/sbin/policy-rc.d";
/// Whether the hook that is there is ours.
static BARRED: AtomicBool = AtomicBool::new(false);

impl BarredServices {
    fn new() -> Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        if !Path::new(POLICY).exists() {
            BARRED.store(true, Ordering::SeqCst);
            leave::also(remove_bar);
            // 101: "action forbidden by policy".
            std::fs::write(POLICY, "#!/bin/sh\nexit 101\n")
                .with_context(|| format!("writing {POLICY}"))?;
            let runnable = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(POLICY, runnable)
                .with_context(|| format!("making {POLICY} executable"))?;
        }
        Ok(Self)
    }
}

impl Drop for BarredServices {
    fn drop(&mut self) {
        remove_bar();
    }
}

/// Also for a task that ends in the middle of an installation.
fn remove_bar() {
    if BARRED.swap(false, Ordering::SeqCst) {
        let _ = std::fs::remove_file(POLICY);
    }
}
