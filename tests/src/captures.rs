//! Captures and parser inputs that others made. They are not part of this repository.

use std::path::PathBuf;

use crate::workspace;

/// Where they are looked for.
pub const PLACE: &str =
    "the captures of others, in ../shared/corpus beside the repository or in $MIRROR_CORPUS";

/// Their folder; None on a machine without them.
pub fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("MIRROR_CORPUS") {
        Some(path) => PathBuf::from(path),
        None => workspace::root().join("../shared/corpus"),
    };
    folder.join("captures.tsv").is_file().then_some(folder)
}
