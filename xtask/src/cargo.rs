//! Running programs, first of all the cargo that runs us, in the workspace.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use mirror_tests::workspace;

use crate::leave::Registered;
use crate::progress::Progress;
use crate::say::note;

static THIS_PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// A build may put another program in the place of this one, whose file then has lost its name.
pub(crate) fn remember_this_program() {
    if let Ok(path) = std::env::current_exe() {
        THIS_PROGRAM.get_or_init(|| path);
    }
}

/// This program, for another task.
pub(crate) fn this_program() -> Result<Command> {
    let path = THIS_PROGRAM.get().context("finding this program")?;
    let mut command = Command::new(path);
    command.current_dir(workspace::root());
    Ok(command)
}

pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root());
    command
}

/// Runs a command with its output on ours. A failure names the command.
pub(crate) fn check(command: &mut Command) -> Result<()> {
    let line = spell(command);
    note!("+ {line}");
    let mut child = command.spawn().with_context(|| format!("running {line}"))?;
    let registered = Registered::new(&child, false);
    let status = child
        .wait()
        .with_context(|| format!("waiting for {line}"))?;
    drop(registered);
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}

/// Runs a command that is of no interest unless it fails, under a line that says `what` it does.
pub(crate) fn check_quietly(what: &str, command: &mut Command) -> Result<String> {
    let line = spell(command);
    let _progress = Progress::begin(what);
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("running {line}"))?;
    let registered = Registered::new(&child, false);
    let output = child
        .wait_with_output()
        .with_context(|| format!("waiting for {line}"))?;
    drop(registered);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{line}: {}\n{text}{errors}", output.status);
    }
    Ok(text)
}

/// The command as one would type it.
pub(crate) fn spell(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Builds the programs that demo and benchmarks start: always all of them, so that their dependencies have the same features for
/// every task and are built once.
pub(crate) fn build_programs() -> Result<()> {
    let mut build = cargo();
    build.args(["build", "--release"]);
    for name in ["mirror-agent", "orders", "patterns"] {
        build.args(["-p", name]);
    }
    check(&mut build)
}

/// Builds the agent and the probe of kernels as static binaries, and gives their folder. Both in one command, because image and
/// kernels share all that they are built of.
pub(crate) fn build_static() -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut build = cargo();
    build
        .args(["build", "--release", "--target", &target])
        .args(["-p", "mirror-agent", "-p", "kernel-probe"])
        .args(["--features", "mirror-agent/kafka"])
        // With --target, this reaches the binaries and not the build scripts.
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        // pkg-config would name the shared libraries of the system.
        .env("OPENSSL_STATIC", "1")
        .env("OPENSSL_INCLUDE_DIR", "/usr/include")
        .env("OPENSSL_LIB_DIR", debian_libraries());
    check(&mut build)?;
    Ok(workspace::target_dir()?.join(target).join("release"))
}

/// Where Debian keeps the libraries of this machine's kind.
fn debian_libraries() -> String {
    format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH)
}

/// Builds all that tests run and all that they start. In one command, because dependencies have other features where those
/// of tests are added.
pub(crate) fn build_tests() -> Command {
    let mut build = cargo();
    build.args([
        "build",
        "--workspace",
        "--lib",
        "--bins",
        "--tests",
        "--examples",
    ]);
    build
}
