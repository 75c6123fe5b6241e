//! Fetches a kernel of another release of the distribution, with the machine's own package manager but
//! with lists and caches of its own, so that the machine stays as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cargo::check;

const META: &str = "linux-image-cloud-amd64";

pub(super) struct Kernel {
    pub(super) release: String,
    pub(super) image: PathBuf,
    /// Where its modules are.
    pub(super) modules: PathBuf,
}

/// The kernel of a suite, unpacked below `directory`; one that is there already is used again.
pub(super) fn fetch(suite: &str, directory: &Path) -> Result<Kernel> {
    let root = directory.join("root");
    if let Ok(kernel) = unpacked(&root) {
        return Ok(kernel);
    }
    for folder in ["state/lists/partial", "cache/archives/partial"] {
        let path = directory.join(folder);
        fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
    }
    let sources = directory.join("sources.list");
    let line = format!("deb [arch=amd64] {} {suite} main\n", archive()?);
    fs::write(&sources, line).with_context(|| format!("writing {}", sources.display()))?;
    check(apt("apt-get", directory).args(["update", "-qq"]))?;
    let package = depends(META, directory)?
        .into_iter()
        .find(|name| name.starts_with("linux-image-"))
        .with_context(|| format!("{suite} has no kernel in {META}"))?;
    // Newer packages have kernel and modules in packages of their own.
    let parts = depends(&package, directory)?
        .into_iter()
        .filter(|name| name.starts_with("linux-binary-") || name.starts_with("linux-modules-"));
    let packages: Vec<String> = parts.chain([package.clone()]).collect();
    check(
        apt("apt-get", directory)
            .args(["download", "-qq"])
            .args(&packages)
            .current_dir(directory),
    )?;
    for entry in fs::read_dir(directory)?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|ending| ending == "deb") {
            check(Command::new("dpkg").arg("-x").arg(&path).arg(&root))?;
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    unpacked(&root)
}

/// The kernel lies in /boot, or with its modules.
fn unpacked(root: &Path) -> Result<Kernel> {
    let modules = ["lib/modules", "usr/lib/modules"]
        .iter()
        .filter_map(|place| fs::read_dir(root.join(place)).ok())
        .flat_map(Iterator::flatten)
        .next()
        .context("the package has no modules")?;
    let release = modules.file_name().to_string_lossy().into_owned();
    let image = [
        root.join("boot").join(format!("vmlinuz-{release}")),
        modules.path().join("vmlinuz"),
    ]
    .into_iter()
    .find(|path| path.is_file())
    .context("the package has no kernel")?;
    Ok(Kernel {
        release,
        image,
        modules: modules.path(),
    })
}

fn depends(package: &str, directory: &Path) -> Result<Vec<String>> {
    let output = apt("apt-cache", directory)
        .args(["depends", package])
        .output()
        .context("asking apt-cache")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "));
    Ok(names.map(str::to_owned).collect())
}

/// Where this machine has its own packages from.
fn archive() -> Result<String> {
    let output = Command::new("apt-get")
        .args([
            "indextargets",
            "--format",
            "$(ORIGIN) $(LABEL) $(SITE) $(BASE_URI)",
        ])
        .output()
        .context("asking apt-get for its sources")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let base = text
        .lines()
        .filter(|line| line.starts_with("Debian Debian "))
        .find_map(|line| line.split(' ').next_back()?.split_once("/dists/"))
        .map(|(base, _)| base.to_owned());
    base.context("this machine has no package source of Debian's: kernels are fetched from there")
}

fn apt(program: &str, directory: &Path) -> Command {
    let mut command = Command::new(program);
    let mut option = |name: &str, value: &Path| {
        command.arg("-o").arg(format!("{name}={}", value.display()));
    };
    option("Dir::Etc::sourcelist", &directory.join("sources.list"));
    option("Dir::Etc::sourceparts", Path::new("/dev/null"));
    option("Dir::State", &directory.join("state"));
    option("Dir::Cache", &directory.join("cache"));
    // Only the list of packages, and readable for the user that apt drops to.
    option(
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled",
        Path::new("false"),
    );
    option("Acquire::Languages", Path::new("none"));
    option("APT::Sandbox::User", Path::new("root"));
    command
}

/// Decompresses a module where it is compressed.
pub(super) fn module(kernel: &Kernel, name: &str) -> Result<Option<Vec<u8>>> {
    let directory = kernel.modules.join("kernel/net/sched");
    for (ending, decompressor) in [
        ("ko", None),
        ("ko.xz", Some("xz")),
        ("ko.zst", Some("zstd")),
    ] {
        let path = directory.join(format!("{name}.{ending}"));
        if !path.is_file() {
            continue;
        }
        let Some(decompressor) = decompressor else {
            return Ok(Some(fs::read(&path)?));
        };
        let output = Command::new(decompressor)
            .args(["-dc"])
            .arg(&path)
            .output()?;
        ensure!(output.status.success(), "decompressing {}", path.display());
        return Ok(Some(output.stdout));
    }
    // Built in, or not there: the probe tells.
    Ok(None)
}
