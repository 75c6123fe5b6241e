//! Where the repository and the programs built from it are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The root of the repository this was built from.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are a folder of the workspace")
}

/// The target directory of the running program: `target/debug/deps/test-…` and
/// `target/debug/xtask` both lie in `target`, wherever CARGO_TARGET_DIR puts that.
pub fn target_dir() -> Result<PathBuf> {
    let program = std::env::current_exe().context("finding the running program")?;
    let mut dir = program.parent().context("a program lies in a directory")?;
    if dir.ends_with("deps") {
        dir = dir.parent().context("deps lies in a profile's directory")?;
    }
    let target = dir.parent().context("a profile lies in target")?;
    Ok(target.to_owned())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Debug,
    Release,
}

impl Profile {
    fn dir(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }
}

/// The path of a program of this workspace, which must have been built before.
pub fn binary(name: &str, profile: Profile) -> Result<PathBuf> {
    let path = target_dir()?.join(profile.dir()).join(name);
    if !path.is_file() {
        bail!(
            "{} is not built: run `cargo xtask test`, or `cargo build -p mirror-agent -p orders`",
            path.display()
        );
    }
    Ok(path)
}
