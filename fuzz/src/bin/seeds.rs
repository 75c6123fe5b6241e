//! `seeds FOLDER`: writes the seeds of each target to a folder of its name.

use std::path::Path;

use anyhow::{Context, Result};
use mirror_fuzz::{TARGETS, seeds};

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).context("seeds FOLDER")?;
    for (name, _) in TARGETS {
        let folder = Path::new(&folder).join(name);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("creating {}", folder.display()))?;
        for (number, seed) in seeds::of(name).iter().enumerate() {
            let path = folder.join(format!("seed-{number}"));
            std::fs::write(&path, seed).with_context(|| format!("writing {}", path.display()))?;
        }
    }
    Ok(())
}
