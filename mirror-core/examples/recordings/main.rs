//! Writes the recordings that every later release must be able to read, with what is in them. A format's version is written once: run
//! this for a new version only, and keep the files of those before it.
//!
//! `cargo run -p mirror-core --example recordings`

#![allow(clippy::disallowed_methods, reason = "it writes files")]

mod cases;
mod told;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recordings");
    std::fs::create_dir_all(&folder)?;
    for (name, bytes) in cases::all() {
        std::fs::write(folder.join(format!("{name}.mrec")), &bytes)?;
        let told = serde_json::to_string_pretty(&told::told(&bytes))?;
        std::fs::write(folder.join(format!("{name}.json")), told + "\n")?;
    }
    Ok(())
}
