//! Whether the compiler that `Cargo.toml` names as the oldest still builds the workspace.

use std::process::Command;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, ensure};
use mirror_tests::workspace;

use super::{BUILT, Found, clean};
use crate::cargo::cargo;
use crate::say::note;

pub(super) fn oldest() -> Result<Found> {
    let stated = stated()?;
    if has_version(&version(Command::new("rustc").arg("--version"))?, &stated) {
        ensure!(
            BUILT.load(Ordering::Relaxed),
            "the compiler in use is Rust {stated}, the oldest, and clippy did not get through"
        );
        note!("the compiler in use is Rust {stated}, the oldest: clippy was its build");
        return Ok(Found::Clean);
    }
    let chosen = format!("+{stated}");
    let there = version(Command::new("rustc").args([&chosen, "--version"]));
    if !there.is_ok_and(|version| has_version(&version, &stated)) {
        return Ok(Found::Skipped(format!(
            "Rust {stated} is not here: rustup toolchain install {stated}"
        )));
    }
    let mut command = Command::new("cargo");
    command
        .args([&chosen, "check", "--workspace", "--all-targets"])
        .current_dir(workspace::root())
        // rustup's own choice for the program that runs this.
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("RUSTC");
    clean(&mut command)
}

/// `rust-version` of the workspace.
fn stated() -> Result<String> {
    let output = cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .context("running cargo metadata")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("reading cargo's metadata")?;
    let version = metadata["packages"][0]["rust_version"].as_str();
    version
        .map(str::to_owned)
        .context("Cargo.toml states no rust-version")
}

fn version(command: &mut Command) -> Result<String> {
    let output = command.output().context("running rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether `rustc 1.95.0 (…)` is of the version `1.95`.
fn has_version(shown: &str, stated: &str) -> bool {
    let number = shown.split_whitespace().nth(1).unwrap_or_default();
    number == stated || number.starts_with(&format!("{stated}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_release_is_of_its_version() {
        let check = |shown: &str, is| assert_eq!(has_version(shown, "1.95"), is, "{shown}");
        check("rustc 1.95.0 (59807616e 2026-04-14)\n", true);
        check("rustc 1.95\n", true);
        check("rustc 1.96.0 (x)\n", false);
        check("rustc 1.950.0\n", false);
        check("", false);
    }
}
