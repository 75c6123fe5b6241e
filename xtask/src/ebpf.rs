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
const SOURCES: [&str; 5] = [
    "mirror-common/src/lib.rs",
    "mirror-ebpf/Cargo.lock",
    "mirror-ebpf/Cargo.toml",
    "mirror-ebpf/src/frame.rs",
    "mirror-ebpf/src/main.rs",
];
const LINKER: &str = "0.10.3";

pub(crate) fn run(check: bool, log: bool) -> Result<()> {
    let root = workspace::root();
    if check {
        return verify(root);
    }
    let compiler = Compiler::find_or_install()?;
    let built = compiler.build(root, log)?;
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
    for name in SOURCES {
        sources.update(fs::read(root.join(name)).with_context(|| format!("reading {name}"))?);
    }
    let object = fs::read(root.join(OBJECT)).with_context(|| format!("reading {OBJECT}"))?;
    Ok(format!(
        "{}\n{}\n{compiler}\n",
        hex(&sources.finalize()),
        hex(&Sha256::digest(object))
    ))
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
            .env("LD_LIBRARY_PATH", "/usr/lib/x86_64-linux-gnu");
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
