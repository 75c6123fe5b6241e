//! `cargo xtask ebpf`: builds the kernel object that the agent embeds, and proves that it belongs to its source.
//!
//! The object is committed with a stamp: digests of its sources and of itself, and the compiler that made it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use mirror_tests::workspace;

const OBJECT: &str = "mirror-ebpf/mirror.bpf.o";
const STAMP: &str = "mirror-ebpf/mirror.bpf.stamp";
/// The object with log lines is for debugging and not committed.
const LOG_OBJECT: &str = "mirror-ebpf/mirror-log.bpf.o";
/// What the object is made of: these files, and all in these folders.
const SOURCE_FILES: [&str; 2] = ["mirror-ebpf/Cargo.lock", "mirror-ebpf/Cargo.toml"];
const SOURCE_FOLDERS: [&str; 2] = ["mirror-common/src", "mirror-ebpf/src"];
const LINKER: &str = "0.10.3";

pub(crate) fn run(check: bool, log: bool) -> Result<()> {
    let root = workspace::root();
    if check {
        return verify(root);
    }
    let compiler = Compiler::find_or_install()?;
    let built = compiler.build(root, log)?;
    if log {
        fs::copy(&built, root.join(LOG_OBJECT)).context("copying the object")?;
        println!("{LOG_OBJECT} is written: build the agent with `--features ebpf-log`");
        return Ok(());
    }
    fs::copy(&built, root.join(OBJECT)).context("copying the object")?;
    fs::write(root.join(STAMP), stamp(root, &compiler.version()?)?)?;
    println!("{OBJECT} and its stamp are written: commit them with the source");
    Ok(())
}

fn verify(root: &Path) -> Result<()> {
    let committed = fs::read_to_string(root.join(STAMP)).context("reading the object's stamp")?;
    let compiler = committed.lines().last().unwrap_or_default();
    ensure!(
        committed == stamp(root, compiler)?,
        "{OBJECT} does not belong to the source beside it: run `cargo xtask ebpf` and commit the result"
    );
    println!("{OBJECT} belongs to its source");
    Ok(())
}

/// Three lines: the sources' digest, the object's, the compiler.
fn stamp(root: &Path, compiler: &str) -> Result<String> {
    let mut sources = Sha256::new();
    for path in source_paths(root)? {
        sources.update(fs::read(&path).with_context(|| format!("reading {}", path.display()))?);
    }
    let object = fs::read(root.join(OBJECT)).with_context(|| format!("reading {OBJECT}"))?;
    Ok(format!(
        "{}\n{}\n{compiler}\n",
        hex(&sources.finalize()),
        hex(&Sha256::digest(object))
    ))
}

/// In an order that is the same everywhere.
fn source_paths(root: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = SOURCE_FILES.map(|name| root.join(name)).to_vec();
    for folder in SOURCE_FOLDERS {
        let entries =
            fs::read_dir(root.join(folder)).with_context(|| format!("listing {folder}"))?;
        for entry in entries {
            paths.push(entry.with_context(|| format!("listing {folder}"))?.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A compiler with the source of `core`: nightly, or the distribution's under the name `bpf`.
struct Compiler {
    toolchain: &'static str,
}

impl Compiler {
    fn find_or_install() -> Result<Self> {
        if Command::new("bpf-linker")
            .arg("--version")
            .output()
            .is_err()
        {
            println!("installing bpf-linker {LINKER} with cargo");
            run_command(Command::new("cargo").args([
                "install",
                "bpf-linker",
                "--version",
                LINKER,
                "--locked",
            ]))?;
        }
        for toolchain in ["nightly", "bpf"] {
            let found = Self { toolchain };
            if found.has_source() {
                return Ok(found);
            }
        }
        println!(
            "installing the distribution's compiler with the source of core: rustc-web, cargo-web, rust-web-src"
        );
        run_command(Command::new("apt-get").args(["update", "-qq"]))?;
        run_command(Command::new("apt-get").args([
            "install",
            "-y",
            "--no-install-recommends",
            "rustc-web",
            "cargo-web",
            "rust-web-src",
        ]))
        .context(
            "or install nightly yourself: rustup toolchain install nightly --component rust-src",
        )?;
        run_command(Command::new("rustup").args(["toolchain", "link", "bpf", "/usr"]))?;
        Ok(Self { toolchain: "bpf" })
    }

    fn rustc(&self, argument: &str) -> Option<String> {
        let toolchain = format!("+{}", self.toolchain);
        let output = Command::new("rustc")
            .args([&toolchain, argument, "sysroot"])
            .output();
        let output = output.ok().filter(|o| o.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn has_source(&self) -> bool {
        self.rustc("--print").is_some_and(|sysroot| {
            Path::new(&sysroot)
                .join("lib/rustlib/src/rust/library/core")
                .exists()
        })
    }

    fn version(&self) -> Result<String> {
        let toolchain = format!("+{}", self.toolchain);
        let output = Command::new("rustc")
            .args([&toolchain, "--version"])
            .output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn build(&self, root: &Path, log: bool) -> Result<PathBuf> {
        let crate_dir = root.join("mirror-ebpf");
        let toolchain = format!("+{}", self.toolchain);
        let mut command = Command::new("cargo");
        command
            .args([&toolchain, "build", "--release", "-Z", "build-std=core"])
            .args(["--target", "bpfel-unknown-none"])
            .current_dir(&crate_dir)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", crate_dir.join("target"))
            // The outer cargo's own compiler must not be taken for this build.
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("RUSTC")
            // Where the distribution's compiler has the LLVM that the linker loads.
            .env(
                "LD_LIBRARY_PATH",
                format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH),
            );
        if log {
            command.args(["--features", "log"]);
        }
        run_command(&mut command)?;
        Ok(crate_dir.join("target/bpfel-unknown-none/release/mirror"))
    }
}

fn run_command(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("running {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}
