//! The compiler and the linker of the kernel object: found, or installed, saying so.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cargo::check;
use crate::install;

const LINKER: &str = "bpf-linker";
/// Newer ones want a newer LLVM than the compiler's.
const LINKER_VERSION: &str = "0.10.3";

/// What a stamp says about a tool chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stated {
    /// `rustc 1.96.0 (…), LLVM 22.1.8`
    pub(super) compiler: String,
    /// `bpf-linker 0.10.3`
    pub(super) linker: String,
}

/// A compiler with the source of `core`, and the linker.
pub(super) struct Toolchain {
    compiler: Compiler,
    /// `bpf-linker`, in the PATH or where cargo installs programs.
    linker: PathBuf,
}

#[derive(Clone, Copy, Debug)]
enum Compiler {
    /// rustup's.
    Nightly,
    /// The distribution's, for which its own names are used here: rustup need not be there.
    Distribution,
}

impl Toolchain {
    /// Any that can build the object.
    pub(super) fn find_or_install() -> Result<Self> {
        let found = Compiler::ALL.into_iter().find(|c| c.has_source());
        let compiler = match found {
            Some(compiler) => compiler,
            None => install_distribution().context(
                "or install nightly yourself: rustup toolchain install nightly --component rust-src",
            )?,
        };
        Ok(Self {
            compiler,
            linker: install::exactly_with_cargo(LINKER, LINKER_VERSION)?,
        })
    }

    /// The one that is stated; an error says why it cannot be had.
    pub(super) fn find(stated: &Stated) -> Result<Self> {
        let is_it = |compiler: &Compiler| {
            compiler.has_source() && compiler.version().is_ok_and(|v| v == stated.compiler)
        };
        let found = Compiler::ALL.into_iter().find(is_it);
        let compiler = match found {
            Some(compiler) => compiler,
            None if Compiler::Distribution.has_source() => Compiler::Distribution,
            None => install_distribution()?,
        };
        let version = compiler.version()?;
        ensure!(
            version == stated.compiler,
            "it was made by {}, and here is {version}",
            stated.compiler
        );
        let toolchain = Self {
            compiler,
            linker: install::exactly_with_cargo(LINKER, LINKER_VERSION)?,
        };
        let linker = toolchain.linker_version()?;
        ensure!(
            linker == stated.linker,
            "it was linked by {}, and here is {linker}",
            stated.linker
        );
        Ok(toolchain)
    }

    pub(super) fn stated(&self) -> Result<Stated> {
        Ok(Stated {
            compiler: self.compiler.version()?,
            linker: self.linker_version()?,
        })
    }

    fn linker_version(&self) -> Result<String> {
        let mut command = Command::new(&self.linker);
        with_libraries(&mut command);
        first_line(command.arg("--version"))
    }

    /// The path of the object.
    pub(super) fn build(&self, root: &Path, log: bool) -> Result<PathBuf> {
        let folder = root.join("mirror-ebpf");
        let target = folder.join("target");
        let mut command = self.compiler.cargo();
        command
            .args(["build", "--release", "-Z", "build-std=core"])
            .args(["--target", "bpfel-unknown-none"])
            .current_dir(&folder)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", &target)
            .env("PATH", path_with(self.linker.parent()));
        with_libraries(&mut command);
        if log {
            command.args(["--features", "log"]);
        }
        check(&mut command)?;
        Ok(target.join("bpfel-unknown-none/release/mirror"))
    }
}

impl Compiler {
    const ALL: [Self; 2] = [Self::Nightly, Self::Distribution];

    fn program(self, name: &str) -> Command {
        let mut command = match self {
            Self::Nightly => {
                let mut command = Command::new(name);
                command.arg("+nightly");
                command
            }
            Self::Distribution => Command::new(Path::new("/usr/bin").join(name)),
        };
        // The outer cargo's own compiler must not be taken.
        for name in [
            "RUSTUP_TOOLCHAIN",
            "RUSTC",
            "CARGO",
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
        ] {
            command.env_remove(name);
        }
        command
    }

    fn cargo(self) -> Command {
        let mut command = self.program("cargo");
        if matches!(self, Self::Distribution) {
            // Not the one that is first in the PATH.
            command.env("RUSTC", "/usr/bin/rustc");
        }
        command
    }

    fn has_source(self) -> bool {
        first_line(self.program("rustc").args(["--print", "sysroot"])).is_ok_and(|sysroot| {
            Path::new(&sysroot)
                .join("lib/rustlib/src/rust/library/core")
                .exists()
        })
    }

    /// As in [`Stated`].
    fn version(self) -> Result<String> {
        let text = output(self.program("rustc").arg("-vV"))?;
        let llvm = text
            .lines()
            .find_map(|line| line.strip_prefix("LLVM version: "));
        let first = text.lines().next().context("rustc says no version")?;
        Ok(format!("{first}, LLVM {}", llvm.unwrap_or("unknown")))
    }
}

/// The distribution's current compiler, which has names of its own.
fn install_distribution() -> Result<Compiler> {
    let packages = ["rustc-web", "cargo-web", "rust-web-src"];
    install::packages(&packages).context("the compiler is not here and cannot be installed")?;
    ensure!(
        Compiler::Distribution.has_source(),
        "{} brought no source of `core`",
        packages.join(", ")
    );
    Ok(Compiler::Distribution)
}

/// Where the distribution's compiler has the LLVM that the linker loads.
fn with_libraries(command: &mut Command) {
    let folder = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    command.env("LD_LIBRARY_PATH", folder);
}

/// The PATH with one more folder in front.
fn path_with(folder: Option<&Path>) -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = folder
        .map(Path::to_owned)
        .into_iter()
        .chain(std::env::split_paths(&path));
    // A folder with a colon in its name cannot be in a PATH anyway.
    std::env::join_paths(folders).unwrap_or(path)
}

fn first_line(command: &mut Command) -> Result<String> {
    let text = output(command)?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("running {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
