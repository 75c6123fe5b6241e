//! The token of an agent's admin side.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};

use crate::scratch::Scratch;

/// What clients must know.
pub const TOKEN: &str = "planted-admin-token-0123456789";

/// The option of curl that gives it.
pub const GIVE_TOKEN: [&str; 2] = ["--oauth2-bearer", TOKEN];

/// The file that the agent reads it from, for its owner alone.
pub fn token_file(scratch: &Scratch) -> Result<String> {
    let path = scratch.join("admin.token");
    fs::write(&path, format!("{TOKEN}\n"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(path.to_str().context("a path that is text")?.to_owned())
}
