//! axe-core, by which a browser checks whether a page can be used by everybody. It is fetched, and never committed.

use std::path::PathBuf;

use crate::workspace;

/// The version that is fetched.
pub const VERSION: &str = "4.14.1";
pub const PLACE: &str = "axe-core in target/axe, which `cargo xtask test` fetches with npm";

/// Where it is kept.
pub fn folder() -> Option<PathBuf> {
    let target = workspace::target_dir().ok()?;
    Some(target.join("axe"))
}

/// The script, where it was fetched.
pub fn script() -> Option<PathBuf> {
    let script = folder()?.join("node_modules/axe-core/axe.min.js");
    script.is_file().then_some(script)
}
