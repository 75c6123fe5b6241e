//! Programs of the distribution that a task needs: installed when missing, saying so.
//!
//! A package that brings a service must not change the machine by it, so nothing is started on
//! installation and nothing at the next boot. What was there before is left as it was.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use mirror_tests::java;

use crate::cargo::check;

/// A program and the Debian package that has it.
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
pub(crate) const NGINX: Need = Need {
    program: "nginx",
    package: "nginx-light",
    service: Some("nginx"),
};

impl Need {
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
    if !is_there("apt-get") {
        let programs: Vec<&str> = missing.iter().map(|need| need.program).collect();
        bail!(
            "missing: {}. There is no apt-get here to install them with",
            programs.join(", ")
        );
    }
    eprintln!(
        "installing with apt-get: {} (not there yet)",
        packages.join(", ")
    );
    let barred = BarredServices::new()?;
    check(Command::new("apt-get").args(["update", "-qq"]))?;
    check(
        Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(&packages)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(std::io::stderr()),
    )?;
    drop(barred);
    for service in missing.iter().filter_map(|need| need.service) {
        eprintln!("the service {service} stays off: it is only used by our own instances");
        check(Command::new("update-rc.d").args([service, "disable"]))?;
    }
    Ok(())
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Root's PATH may lack the sbin directories, where nginx is.
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .any(|dir| dir.join(program).is_file())
}

/// Debian's own hook that bars packages from starting services, for as long as this lives.
/// One that the machine's owner has put there is left alone.
struct BarredServices {
    ours: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl BarredServices {
    fn new() -> Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        let ours = !Path::new(POLICY).exists();
        if ours {
            // 101: "action forbidden by policy".
            std::fs::write(POLICY, "#!/bin/sh\nexit 101\n")
                .with_context(|| format!("writing {POLICY}"))?;
            let runnable = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(POLICY, runnable)
                .with_context(|| format!("making {POLICY} executable"))?;
        }
        Ok(Self { ours })
    }
}

impl Drop for BarredServices {
    fn drop(&mut self) {
        if self.ours {
            let _ = std::fs::remove_file(POLICY);
        }
    }
}
